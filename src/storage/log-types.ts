/*
 * The border between the commit log and the engine over it.
 */
import type { Lsn } from '../model/ids.js';
import type { Chunk } from './arena.js';

/** What a log entry is about; the numbers are in the file format. */
export const LOG_KINDS = {
  record: 1,
  hint: 2,
  hintRemoved: 3,
  reap: 4,
  partitionInstalled: 5,
  partitionDropped: 6,
  partitionQuarantined: 7,
  recordDropped: 8,
  fence: 9,
} as const;
export type LogKind = (typeof LOG_KINDS)[keyof typeof LOG_KINDS];

/** A reserved entry: its body is `chunk.bytes[at, at + size)`. Pooled: valid until the next append. */
export interface LogPlace {
  readonly chunk: Chunk;
  readonly at: number;
  readonly lsn: Lsn;
}

export interface LogEvents {
  /** Everything up to `lsn` has been handed to the kernel: a dead process loses none of it. */
  onWritten(lsn: Lsn): void;
  /** Everything up to `lsn` is on the disk. */
  onDurable(lsn: Lsn): void;
  /** The log cannot be trusted any more: the process stops (the page cache does not say what it lost). */
  onFailed(error: Error): void;
}

export type Durability = { readonly kind: 'always' } | { readonly kind: 'interval'; readonly ms: number };

export interface CommitLog {
  /**
   * Reserves an entry of `size` body bytes in the open batch. The caller fills the body before it returns to the loop;
   * the batch is written at the end of the turn, or when the one in flight has come back. The chunk is retained for
   * the log's own write; the caller retains it for as long as it refers to the bytes.
   */
  append(kind: LogKind, partition: number, size: number): LogPlace;
  /** Ask that what has been appended so far is synced soon, though the log's default is `interval`. */
  demandSync(): void;
  readonly lastLsn: Lsn;
  readonly durableLsn: Lsn;
  readonly segments: number;
  /** Segments whose entries are all at or below `lsn` are no longer needed: they go back to the pool. */
  release(lsn: Lsn): void;
  /** p99 of the recent syncs in ms: the flusher yields while it is above its target. */
  readonly syncP99Ms: number;
  /** Syncs everything appended and closes; no append afterwards. */
  close(done: (error: Error | null) => void): void;
}

/** One entry as recovery hands it out, in LSN order; `body` is valid during the call only. */
export type ReplayVisitor = (kind: number, partition: number, lsn: Lsn, body: Uint8Array) => void;

/** What recovery found; all of it is logged, and shown by `partita check`. */
export interface LogRecovery {
  readonly lastLsn: Lsn;
  /** The highest LSN that any valid batch header, or node.meta, called durable. */
  readonly durableLsn: Lsn;
  readonly entries: number;
  readonly bytes: number;
  /** A torn tail: unsynced when the node went down, never acknowledged as durable. */
  readonly cut: { readonly segment: number; readonly offset: number; readonly bytes: number } | null;
  /** Damage at or below the durable LSN: acknowledged entries are gone from this log. */
  readonly damage: readonly { readonly segment: number; readonly offset: number; readonly text: string }[];
  /** Partitions whose entries are known to be among the damaged; null: cannot be told, so all. */
  readonly damagedPartitions: ReadonlySet<number> | null;
}
