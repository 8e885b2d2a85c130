/*
 * From the write buffer to the partition files: a steady trickle, not an event.
 *
 * The partition with the oldest unflushed entry is frozen and written in small batches, each one synced transaction,
 * one under way in the whole node: four at a time cut the log from 7,400 syncs a second to 250. Between two batches the
 * flusher rests, so that it is active only as large a share of the time as the buffer's fill demands, and it stands
 * back while the log's syncs are slow. A buffer that is hardly filled waits a little longer, because puts to one key
 * become one write to its file.
 *
 * What must stay true:
 * - Nothing is written to a file that is not durable in the log. Otherwise a power loss leaves a file that has applied
 *   entries which the log never had, and their numbers are given out again.
 * - The applied LSN moves only with the last batch of a frozen map. A crash between two batches replays them all;
 *   writing them again changes nothing.
 * - A frozen map is dropped when its last batch is answered, and not before: from then on reads of the file see it.
 * - A batch that failed is still in the log and the buffer. Out of space: it is tried again, and the node refuses
 *   writes. Anything else: the process stops, since the page cache no longer says what is on the disk.
 */
import type { Clock, TimerHandle, Timers } from '../env/clock.js';
import type { Digest } from '../env/digest.js';
import type { RecordCache } from './cache.js';
import type { PartitionFile, PartitionFileOperation } from '../env/partition-file.js';
import type { Hash64 } from '../model/hash.js';
import { MARK_BYTES } from './engine-mark.js';
import { LeafGroups, type Leaves } from './engine-leaves.js';
import { isNoSpace } from './engine-space.js';
import type { FileTurn } from './file-turn.js';
import type { CommitLog } from './log-types.js';
import type { Partition } from './partition.js';
import { HOME_KEY } from './partition-home.js';
import { FENCE_KEY } from './reap-format.js';
import { bookkeepingKey, storageKeyOfName } from './storage-key.js';
import type { BufferedRecord, WriteBuffer } from './write-buffer.js';

export interface FlushOptions {
  /** A batch below `hurryFill` and above it. */
  readonly batchOperationsMax: number;
  readonly batchBytesMax: number;
  readonly hurryBatchOperationsMax: number;
  readonly hurryBatchBytesMax: number;
  /** From this fill on batches are large, and slow log syncs hold them back no more; 0..1. */
  readonly hurryFill: number;
  /** Below half full, how long an entry rests in the buffer at least, in ms. */
  readonly restMs: number;
  /** The log's sync p99 above which the flusher stands back, in ms, and for how long at most. */
  readonly syncTargetMs: number;
  readonly standBackMs: number;
  /** How long after a batch that found no space the next one is tried, in ms. */
  readonly retryMs: number;
}

export const FLUSH_DEFAULTS: FlushOptions = {
  batchOperationsMax: 64,
  batchBytesMax: 262_144,
  hurryBatchOperationsMax: 64,
  hurryBatchBytesMax: 262_144,
  hurryFill: 0.7,
  restMs: 1_000,
  syncTargetMs: 5,
  standBackMs: 250,
  retryMs: 1_000,
};

/** How much of the time is spent on flushing: 10 % when the buffer is empty, 40 % at half, all of it from 95 % on. */
export function dutyShare(fill: number): number {
  if (fill >= 0.95) return 1;
  return fill < 0.5 ? 0.1 + 0.6 * fill : 0.4 + 1.3 * (fill - 0.5);
}

export interface FlusherParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly digest: Digest;
  readonly hash: Hash64;
  readonly buffer: WriteBuffer<Partition>;
  /** 0: nothing to do, 1: writes are refused until something has been flushed. */
  readonly fill: () => number;
  readonly leaves: Leaves;
  /** Shared with the file of hints. */
  readonly turn: FileTurn;
  /** Takes over what leaves the buffer. */
  readonly cache: RecordCache;
  readonly options: FlushOptions;
  /** The home entry that says that everything up to `appliedLsn` is in the file. */
  homeOf(partition: Partition, appliedLsn: number): Uint8Array;
  /** Opens or makes the partition's file, its folder synced. */
  openFile(partition: Partition, done: (error: Error | null) => void): void;
  /** A partition's frozen map is in its file. */
  onFlushed(partition: Partition): void;
  /** `records` of the buffer are in their file; writing them took `ms`. */
  onBatch(records: number, bytes: number, ms: number): void;
  /** No space for the time being; `null`: there is again. */
  onNoSpace(error: Error | null): void;
  /** The process must stop. */
  onFailed(error: Error): void;
}

/** Of the time, while somebody waits for the partition that is flushed. */
const AWAITED_SHARE = 0.5;
/** How soon it is looked again whether a file that is dropped or replaced can be flushed to. */
const MOVING_MS = 5;

interface Batch {
  readonly operations: PartitionFileOperation[];
  readonly bytes: number;
  readonly until: number;
  readonly notesUntil: number;
}

type State = 'idle' | 'resting' | 'syncing' | 'opening' | 'writing' | 'stopped';

export class Flusher {
  readonly #parts: FlusherParts;
  readonly #log: CommitLog;
  /** Of the one batch that is under way. */
  readonly #groups: LeafGroups;
  #state: State = 'idle';
  #timer: TimerHandle | null = null;
  /** The partition whose frozen map is being written. */
  #current: Partition | null = null;
  /** Somebody waits for its file: it is flushed next, without the usual rests. */
  #awaited: Partition | null = null;
  #standingBackSinceMs: number | null = null;
  #hasSpace = true;
  #hurried = false;
  #onStopped: (() => void) | null = null;

  constructor(parts: FlusherParts, log: CommitLog) {
    this.#parts = parts;
    this.#log = log;
    this.#groups = new LeafGroups(parts.leaves.leafCount);
  }

  /** Something was put into the buffer. Cheap: called with every write. */
  kick(): void {
    if (this.#state === 'idle') this.#plan();
  }

  /** More of the log is durable: perhaps what a frozen map waited for. */
  onDurable(): void {
    if (this.#state === 'syncing') this.#write();
  }

  /** From now on without rests, until the buffer is empty. */
  hurry(): void {
    this.#hurried = true;
    if (this.#state === 'resting') this.#wake();
    else this.kick();
  }

  /** Flushes this one as soon as it may; what is written to it meanwhile has its time again. */
  first(partition: Partition): void {
    if (partition.moving || (partition !== this.#current && !this.#parts.buffer.advance(partition))) return;
    this.#awaited = partition;
    if (this.#state === 'resting' && this.#hasSpace && this.#current === null) this.#wake();
    else this.kick();
  }

  get idle(): boolean {
    return this.#state === 'idle';
  }

  /** No further batch; answers when the one under way is done, since a file with a batch under way cannot be closed. */
  stop(done: () => void): void {
    this.#timer?.cancel();
    const busy = this.#state === 'writing' || this.#state === 'opening';
    if (!busy) this.#state = 'stopped';
    if (busy) this.#onStopped = done;
    else done();
  }

  #plan(): void {
    const { buffer, fill, options, clock } = this.#parts;
    if (this.#current === null) {
      const oldest = buffer.oldest();
      if (oldest === undefined) {
        this.#state = 'idle';
        this.#hurried = false;
        return;
      }
      if (oldest.moving) {
        this.#rest(MOVING_MS);
        return;
      }
      const ageMs = clock.monotonicMs() - oldest.buffer.activeSinceMs;
      if (!this.#hurried && oldest !== this.#awaited && fill() < 0.5 && ageMs < options.restMs) {
        this.#rest(Math.max(1, options.restMs - ageMs));
        return;
      }
    }
    if (this.#standsBack()) {
      this.#rest(10);
      return;
    }
    this.#current ??= buffer.freeze();
    this.#write();
  }

  /** Are the log's syncs slow, and is there room to let them go first? */
  #standsBack(): boolean {
    const { fill, options, clock } = this.#parts;
    if (this.#hurried || fill() >= options.hurryFill || this.#log.syncP99Ms <= options.syncTargetMs) {
      this.#standingBackSinceMs = null;
      return false;
    }
    const nowMs = clock.monotonicMs();
    this.#standingBackSinceMs ??= nowMs;
    if (nowMs - this.#standingBackSinceMs < options.standBackMs) return true;
    this.#standingBackSinceMs = null; // one batch, then it stands back again: a slow disk must not fill the buffer
    return false;
  }

  #write(): void {
    const partition = this.#current as Partition;
    if (this.#log.durableLsn < partition.buffer.frozenLastLsn) {
      this.#state = 'syncing';
      this.#log.demandSync();
      return;
    }
    if (partition.file !== null) {
      this.#writeBatch(partition, partition.file);
      return;
    }
    this.#state = 'opening';
    this.#parts.openFile(partition, (error) => {
      if (error !== null) this.#failed(error);
      else if (!this.#stoppedMeanwhile()) this.#writeBatch(partition, partition.openFile());
    });
  }

  #writeBatch(partition: Partition, file: PartitionFile): void {
    this.#state = 'writing';
    this.#parts.turn.take(() => {
      if (this.#stoppedMeanwhile()) this.#parts.turn.give();
      else this.#writeInTurn(partition, file);
    });
  }

  #writeInTurn(partition: Partition, file: PartitionFile): void {
    const batch = this.#batchOf(partition);
    const startedMs = this.#parts.clock.monotonicMs();
    file.write(batch.operations, (error) => {
      const tookMs = this.#parts.clock.monotonicMs() - startedMs;
      if (error !== null) this.#failed(error);
      else {
        this.#parts.onBatch(batch.until - partition.buffer.frozenFlushed, batch.bytes, tookMs);
        partition.buffer.frozenNotesFlushed = batch.notesUntil;
        this.#written(partition, batch.until);
        if (!this.#stoppedMeanwhile()) this.#restAfter(tookMs);
      }
      this.#parts.turn.give();
    });
  }

  #written(partition: Partition, until: number): void {
    if (!this.#hasSpace) {
      this.#hasSpace = true;
      this.#parts.onNoSpace(null);
    }
    const buffer = partition.buffer;
    buffer.frozenFlushed = until;
    if (until < buffer.frozenOrder.length || buffer.frozenNotesFlushed < buffer.frozenNotes.length) return;
    partition.appliedLsn = buffer.frozenLastLsn;
    partition.flushes += 1;
    this.#parts.cache.offerAll(buffer.frozenOrder);
    this.#parts.buffer.dropFrozen(partition);
    this.#current = null;
    if (this.#awaited === partition) this.#awaited = null;
    this.#parts.onFlushed(partition);
  }

  /** The next entries of the frozen map with the leaves that they change, and the home entry with the last of them. */
  #batchOf(partition: Partition): Batch {
    const { fill, options, digest, leaves } = this.#parts;
    const large = this.#hurried || fill() >= options.hurryFill;
    const operationsMax = large ? options.hurryBatchOperationsMax : options.batchOperationsMax;
    const bytesMax = large ? options.hurryBatchBytesMax : options.batchBytesMax;
    const { frozenOrder, frozenFlushed, frozenLastLsn, frozenNotes, frozenNotesFlushed } = partition.buffer;
    const operations: PartitionFileOperation[] = [];
    let bytes = 0;
    let until = frozenFlushed;
    let notesUntil = frozenNotesFlushed;
    // What was reaped is in the file before its record is gone from it, and the fence after both.
    while (notesUntil < frozenNotes.length && operations.length < operationsMax) {
      const [name, value] = frozenNotes[notesUntil] as (typeof frozenNotes)[number];
      operations.push({ key: bookkeepingKey(name), value });
      notesUntil += 1;
    }
    while (until < frozenOrder.length && operations.length < operationsMax && bytes < bytesMax) {
      const entry = frozenOrder[until] as BufferedRecord;
      operations.push({
        key: storageKeyOfName(entry.hashHi, entry.hashLo, entry.name, digest),
        value: entry.dropped ? null : entry.chunk.bytes.subarray(entry.at, entry.at + entry.size + MARK_BYTES),
      });
      bytes += entry.size + MARK_BYTES;
      until += 1;
    }
    leaves.applyAll(partition, frozenOrder, frozenFlushed, until, this.#groups);
    for (const group of this.#groups.groups) {
      operations.push({ key: this.#groups.keyOf(group), value: this.#groups.valueOf(group) });
    }
    const last = until === frozenOrder.length && notesUntil === frozenNotes.length;
    const { frozenFence } = partition.buffer;
    if (last && frozenFence !== null) operations.push({ key: FENCE_KEY, value: frozenFence });
    operations.push({
      key: HOME_KEY,
      value: this.#parts.homeOf(partition, last ? frozenLastLsn : partition.appliedLsn),
    });
    return { operations, bytes, until, notesUntil };
  }

  #failed(error: Error): void {
    if (this.#stoppedMeanwhile()) return;
    if (!isNoSpace(error)) {
      this.#state = 'stopped';
      this.#parts.onFailed(error);
      return;
    }
    if (this.#hasSpace) {
      this.#hasSpace = false;
      this.#parts.onNoSpace(error);
    }
    this.#rest(this.#parts.options.retryMs);
  }

  #stoppedMeanwhile(): boolean {
    if (this.#onStopped === null) return false;
    this.#state = 'stopped';
    this.#onStopped();
    this.#onStopped = null;
    return true;
  }

  #restAfter(tookMs: number): void {
    const isAwaited = this.#current !== null && this.#current === this.#awaited;
    const share = this.#hurried ? 1 : Math.max(dutyShare(this.#parts.fill()), isAwaited ? AWAITED_SHARE : 0);
    if (share >= 1) this.#plan();
    else this.#rest(tookMs * (1 / share - 1));
  }

  #rest(ms: number): void {
    this.#state = 'resting';
    this.#timer = this.#parts.timers.after(ms, () => {
      this.#wake();
    });
  }

  #wake(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#state === 'resting') this.#plan();
  }
}
