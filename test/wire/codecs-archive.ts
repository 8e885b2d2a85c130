/* Messages of archives, with their codecs: codecs.ts says what for. */
import fc from 'fast-check';
import * as archive from '../../src/wire/codec-archive.js';
import * as restore from '../../src/wire/codec-restore.js';
import { u32 } from './arbitrary.js';
import { offers } from './codecs-transfer.js';
import type { Codec } from './ring-log-codecs.js';

const u53 = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const bytes = fc.uint8Array({ maxLength: 40 });
const partitionIds = fc.integer({ min: 0, max: 4_095 });
const ordinals = fc.array(fc.integer({ min: 1, max: 65_535 }), { maxLength: 6 });

export const ARCHIVE_CODECS: Readonly<Record<string, Codec>> = {
  Archive: {
    messages: fc.record({ budgetMs: u32, member: u32, kind: fc.integer({ min: 0, max: 255 }), body: bytes }),
    encode: archive.encodeArchive,
    decode: archive.decodeArchive,
  },
  ArchiveReply: {
    messages: fc.record({ kind: u32, body: bytes }),
    encode: archive.encodeArchiveReply,
    decode: archive.decodeArchiveReply,
  },
  ArchiveState: {
    messages: fc.record({ budgetMs: u32, partition: partitionIds, meets: fc.boolean(), begunMsAgo: u53 }),
    encode: archive.encodeArchiveState,
    decode: archive.decodeArchiveState,
  },
  ArchiveStateReply: {
    messages: fc.record({
      ringVersion: u32,
      opening: u53,
      isOwner: fc.boolean(),
      isSuspect: fc.boolean(),
      records: u53,
      rootHi: u32,
      rootLo: u32,
      fence: u53,
      trimmedAt: u53,
      writtenLsn: u53,
      flushedLsn: u53,
      met: ordinals,
      unmet: ordinals,
      latencyUs: u32,
      takesFile: fc.boolean(),
    }),
    encode: archive.encodeArchiveStateReply,
    decode: archive.decodeArchiveStateReply,
  },
  ArchiveRecords: {
    messages: fc.record({
      budgetMs: u32,
      partition: partitionIds,
      compares: fc.boolean(),
      fence: u53,
      records: fc.array(bytes, { maxLength: 5 }),
    }),
    encode: archive.encodeArchiveRecords,
    decode: archive.decodeArchiveRecords,
  },
  ArchiveRecordsReply: {
    messages: fc.record({ known: u32, absent: u32, different: u32, reaped: u32, unknown: u32 }),
    encode: archive.encodeArchiveRecordsReply,
    decode: archive.decodeArchiveRecordsReply,
  },
  RestoreOpen: {
    messages: fc.record({
      budgetMs: u32,
      partition: partitionIds,
      restoreId: u53,
      clusterId: fc.string({ maxLength: 40 }),
      file: offers,
    }),
    encode: restore.encodeRestoreOpen,
    decode: restore.decodeRestoreOpen,
  },
  RestoreOpenReply: {
    messages: fc.record({ chunks: bytes, pieceBytes: fc.integer({ min: 1, max: 1_048_576 }) }),
    encode: restore.encodeRestoreOpenReply,
    decode: restore.decodeRestoreOpenReply,
  },
  RestorePiece: {
    messages: fc.record({
      budgetMs: u32,
      partition: partitionIds,
      restoreId: u53,
      offset: u53,
      bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }),
    }),
    encode: restore.encodeRestorePiece,
    decode: restore.decodeRestorePiece,
  },
  RestorePieceReply: {
    messages: fc.constant({}),
    encode: restore.encodeRestorePieceReply,
    decode: restore.decodeRestorePieceReply,
  },
  RestoreTake: {
    messages: fc.record({ budgetMs: u32, partition: partitionIds, restoreId: u53 }),
    encode: restore.encodeRestoreTake,
    decode: restore.decodeRestoreTake,
  },
  RestoreTakeReply: {
    messages: fc.record({ ready: fc.boolean() }),
    encode: restore.encodeRestoreTakeReply,
    decode: restore.decodeRestoreTakeReply,
  },
};
