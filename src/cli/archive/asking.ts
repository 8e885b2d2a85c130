/*
 * Questions to members, through the node whose admin socket is at hand. All of them may be asked again: what was lost on
 * the way, or refused for the moment, is, until patience is at its end.
 */
import { setTimeout as rest } from 'node:timers/promises';
import { PartitaError } from '../../client/index.js';
import type {
  ArchiveRecords,
  ArchiveRecordsReply,
  ArchiveState,
  ArchiveStateReply,
} from '../../model/archive-messages.js';
import type { ClusterStatusFacts } from '../../model/cluster-facts.js';
import type { RingMessage } from '../../model/messages.js';
import type { RestoreOpen, RestoreOpenReply, RestorePiece, RestoreTake } from '../../model/restore-messages.js';
import type {
  TransferChunk,
  TransferChunkReply,
  TransferOpen,
  TransferOpenReply,
} from '../../model/transfer-messages.js';
import {
  decodeArchiveRecordsReply,
  decodeArchiveReply,
  decodeArchiveStateReply,
  encodeArchive,
  encodeArchiveRecords,
  encodeArchiveState,
} from '../../wire/codec-archive.js';
import {
  decodeRestoreOpenReply,
  decodeRestorePieceReply,
  decodeRestoreTakeReply,
  encodeRestoreOpen,
  encodeRestorePiece,
  encodeRestoreTake,
} from '../../wire/codec-restore.js';
import { decodeRingReply, encodeRingFetch } from '../../wire/codec-ring.js';
import {
  decodeTransferChunkReply,
  decodeTransferCloseReply,
  decodeTransferOpenReply,
  encodeTransferChunk,
  encodeTransferClose,
  encodeTransferOpen,
} from '../../wire/codec-transfer.js';
import {
  ARCHIVE,
  ARCHIVE_RECORDS,
  ARCHIVE_REPLY,
  ARCHIVE_STATE,
  RESTORE_OPEN,
  RESTORE_PIECE,
  RESTORE_TAKE,
  RING_FETCH,
  RING_REPLY,
  TRANSFER_CHUNK,
  TRANSFER_CLOSE,
  TRANSFER_OPEN,
} from '../../wire/kinds.js';
import { type AdminOptions, adminAddress, askAdmin } from '../admin.js';
import { statusOf } from '../cluster-asking.js';
import type { Io } from '../io.js';
import { type CommonOptions, timeoutMsOf } from '../session.js';

export type AskingOptions = AdminOptions & Pick<CommonOptions, 'timeout' | 'output'>;

const AGAIN_MS = 200;
/** How long one question is asked again and again. */
const PATIENCE_MS = 60_000;
/** The same of a piece: a donor that was started again has it no more, and another owner gives the partition. */
const PIECE_PATIENCE_MS = 10_000;
/**
 * At least so long a piece is waited for. It comes when background work has its turn, and what was asked for and given up
 * takes its turn all the same: asked for again and again, several at once, none would ever come in time.
 */
const PIECE_TIMEOUT_MS = 30_000;
const PASSING: ReadonlySet<string> = new Set(['TIMEOUT', 'UNAVAILABLE', 'OVERLOADED', 'CONNECTION']);

/** It may be otherwise in a moment. */
export function isPassing(error: unknown): boolean {
  return PartitaError.is(error) && PASSING.has(error.code);
}

function ringAt(address: string, timeoutMs: number): Promise<RingMessage> {
  return askAdmin(address, timeoutMs, {
    kind: RING_FETCH,
    replyKind: RING_REPLY,
    body: encodeRingFetch({ knownVersion: 0 }),
    read: decodeRingReply,
  });
}

type Reader<T> = (bytes: Uint8Array, start: number, end: number) => T | string;

export class Members {
  readonly #address: string;
  readonly #timeoutMs: number;
  readonly facts: ClusterStatusFacts;
  #ring: RingMessage;

  private constructor(address: string, timeoutMs: number, facts: ClusterStatusFacts, ring: RingMessage) {
    this.#address = address;
    this.#timeoutMs = timeoutMs;
    this.facts = facts;
    this.#ring = ring;
  }

  static async of(io: Io, options: AskingOptions): Promise<Members> {
    const address = adminAddress(io, options);
    const timeoutMs = timeoutMsOf(options);
    const facts = await statusOf(io, options);
    return new Members(address, timeoutMs, facts, await ringAt(address, timeoutMs));
  }

  /** As it was when it was asked for last. */
  get ring(): RingMessage {
    return this.#ring;
  }

  /** It may have changed: true if it has. */
  async learnRing(): Promise<boolean> {
    const before = this.#ring.version;
    this.#ring = await ringAt(this.#address, this.#timeoutMs);
    return this.#ring.version !== before;
  }

  ownersOf(partition: number): readonly number[] {
    const { replicaCount, owners } = this.ring;
    return owners.slice(partition * replicaCount, (partition + 1) * replicaCount);
  }

  state(member: number, state: Omit<ArchiveState, 'budgetMs'>): Promise<ArchiveStateReply> {
    const body = encodeArchiveState({ ...state, budgetMs: this.#timeoutMs });
    return this.#ask(member, ARCHIVE_STATE, body, decodeArchiveStateReply);
  }

  records(member: number, records: Omit<ArchiveRecords, 'budgetMs'>): Promise<ArchiveRecordsReply> {
    const body = encodeArchiveRecords({ ...records, budgetMs: this.#timeoutMs });
    return this.#patiently(() => this.#ask(member, ARCHIVE_RECORDS, body, decodeArchiveRecordsReply));
  }

  open(member: number, open: Omit<TransferOpen, 'budgetMs'>): Promise<TransferOpenReply> {
    const body = encodeTransferOpen({ ...open, budgetMs: this.#timeoutMs });
    return this.#patiently(() => this.#ask(member, TRANSFER_OPEN, body, decodeTransferOpenReply));
  }

  async chunk(member: number, chunk: Omit<TransferChunk, 'budgetMs'>): Promise<Uint8Array> {
    const timeoutMs = Math.max(this.#timeoutMs, PIECE_TIMEOUT_MS);
    const body = encodeTransferChunk({ ...chunk, budgetMs: timeoutMs });
    const ask = (): Promise<TransferChunkReply> =>
      this.#ask(member, TRANSFER_CHUNK, body, decodeTransferChunkReply, timeoutMs);
    return (await this.#patiently(ask, PIECE_PATIENCE_MS)).bytes;
  }

  async close(member: number, partition: number, moveId: number): Promise<void> {
    const body = encodeTransferClose({ partition, moveId, budgetMs: this.#timeoutMs });
    await this.#ask(member, TRANSFER_CLOSE, body, decodeTransferCloseReply);
  }

  restoreOpen(member: number, open: Omit<RestoreOpen, 'budgetMs'>): Promise<RestoreOpenReply> {
    const body = encodeRestoreOpen({ ...open, budgetMs: this.#timeoutMs });
    return this.#patiently(() => this.#ask(member, RESTORE_OPEN, body, decodeRestoreOpenReply));
  }

  async restorePiece(member: number, piece: Omit<RestorePiece, 'budgetMs'>): Promise<void> {
    const body = encodeRestorePiece({ ...piece, budgetMs: this.#timeoutMs });
    await this.#patiently(() => this.#ask(member, RESTORE_PIECE, body, decodeRestorePieceReply), PIECE_PATIENCE_MS);
  }

  /** False: it goes on. */
  async restoreTake(member: number, take: Omit<RestoreTake, 'budgetMs'>): Promise<boolean> {
    const body = encodeRestoreTake({ ...take, budgetMs: this.#timeoutMs });
    const ask = () => this.#ask(member, RESTORE_TAKE, body, decodeRestoreTakeReply);
    return (await this.#patiently(ask, PIECE_PATIENCE_MS)).ready;
  }

  async #ask<T extends object>(
    member: number,
    kind: number,
    body: Uint8Array,
    read: Reader<T>,
    timeoutMs: number = this.#timeoutMs,
  ): Promise<T> {
    const { body: answer } = await askAdmin(this.#address, timeoutMs, {
      kind: ARCHIVE,
      replyKind: ARCHIVE_REPLY,
      body: encodeArchive({ budgetMs: timeoutMs, member, kind, body }),
      // The frame's bytes go with the connection.
      read: (bytes, start, end) => {
        const reply = decodeArchiveReply(bytes, start, end);
        return typeof reply === 'string' ? reply : { ...reply, body: new Uint8Array(reply.body) };
      },
    });
    const reply = read(answer, 0, answer.length);
    if (typeof reply === 'string')
      throw new PartitaError('PROTOCOL', `node ${member} has answered what is none: ${reply}`);
    return reply;
  }

  async #patiently<T>(ask: () => Promise<T>, patienceMs: number = PATIENCE_MS): Promise<T> {
    for (const until = performance.now() + patienceMs; ;) {
      try {
        return await ask();
      } catch (error) {
        if (!isPassing(error) || performance.now() > until) throw error;
      }
      await rest(AGAIN_MS);
    }
  }
}
