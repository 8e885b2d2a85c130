/* Messages by which a partition's file is moved, with their codecs: codecs.ts says what for. */
import fc from 'fast-check';
import * as transfer from '../../src/wire/codec-transfer.js';
import { decodeSpace, decodeSpaceReply, encodeSpace, encodeSpaceReply } from '../../src/wire/codec-space.js';
import type { Codec } from './ring-log-codecs.js';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u53 = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const bytes = fc.uint8Array({ maxLength: 40 });
const partitionIds = fc.integer({ min: 0, max: 4_095 });
const notReady = {
  ready: false,
  fence: 0,
  bytes: 0,
  chunkBytes: 0,
  digests: new Uint8Array(0),
  digest: new Uint8Array(0),
  rootHi: 0,
  rootLo: 0,
  records: 0,
};
const digestOf = (chunks: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: 8 * chunks, maxLength: 8 * chunks });
/** A file that is there. */
export const offers: fc.Arbitrary<object> = fc.integer({ min: 1, max: 20 }).chain((chunks) =>
  fc.record({
    ready: fc.constant(true),
    opening: u53,
    fence: u53,
    bytes: fc.constant(chunks * 4_096 - 7),
    chunkBytes: fc.constant(4_096),
    digests: digestOf(chunks),
    digest: digestOf(1),
    rootHi: u32,
    rootLo: u32,
    records: u53,
  }),
);
const transferOpenReply = fc.oneof(
  u53.map((opening) => ({ ...notReady, opening })),
  offers,
);

export const TRANSFER_CODECS: Readonly<Record<string, Codec>> = {
  TransferOpen: {
    messages: fc.record({ partition: partitionIds, budgetMs: u32, moveId: u53, fence: u53 }),
    encode: transfer.encodeTransferOpen,
    decode: transfer.decodeTransferOpen,
  },
  TransferOpenReply: {
    messages: transferOpenReply,
    encode: transfer.encodeTransferOpenReply,
    decode: transfer.decodeTransferOpenReply,
  },
  TransferChunk: {
    messages: fc.record({
      partition: partitionIds,
      budgetMs: u32,
      moveId: u53,
      opening: u53,
      offset: u53,
      length: fc.integer({ min: 1, max: 1_048_576 }),
    }),
    encode: transfer.encodeTransferChunk,
    decode: transfer.decodeTransferChunk,
  },
  TransferChunkReply: {
    messages: fc.record({ bytes }),
    encode: transfer.encodeTransferChunkReply,
    decode: transfer.decodeTransferChunkReply,
  },
  TransferClose: {
    messages: fc.record({ partition: partitionIds, budgetMs: u32, moveId: u53 }),
    encode: transfer.encodeTransferClose,
    decode: transfer.decodeTransferClose,
  },
  Space: {
    messages: fc.record({ budgetMs: u32 }),
    encode: encodeSpace,
    decode: decodeSpace,
  },
  SpaceReply: {
    messages: fc.record({
      freeBytes: u53,
      totalBytes: u53,
      keptBytes: u53,
      bytesPerSecond: u53,
      partitions: fc.array(fc.record({ partition: partitionIds, bytes: u53 }), { maxLength: 20 }),
    }),
    encode: encodeSpaceReply,
    decode: decodeSpaceReply,
  },
  TransferCloseReply: {
    messages: fc.constant({}),
    encode: transfer.encodeTransferCloseReply,
    decode: transfer.decodeTransferCloseReply,
  },
};
