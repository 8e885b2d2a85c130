/*
 * The commit log: one per node, for all partitions and hints.
 *
 * The appends of one turn of the loop form a batch (log-batches.ts). One write is in flight at a time; while it is,
 * appends gather, and everything gathered leaves in the next one. So a lone put waits for one sync, and a thousand
 * puts share one. A batch gets its place, its checksums and the durable LSN only when it is written.
 *
 *   append ─▶ open batch ─ end of turn ─▶ closed batches ─ write (and sync) ─▶ onWritten, onDurable ─▶ …
 *                             └ while a write is in flight: when it has come back
 *
 * Durability `always`: a write is acknowledged when it is on the disk, by O_DSYNC or by fdatasync after it. `interval`:
 * a write is acknowledged when the kernel has it, and a timer syncs; whoever needs more asks for an earlier sync.
 *
 * What must stay true:
 * - After any error nothing is called a success any more, ever: after a failed sync the page cache says nothing about
 *   what it has lost, so the process stops and believes only what recovery reads.
 * - A batch never follows bytes that recovery refused: every opening starts with a segment of its own.
 * - A segment is given away only when a durable batch says that it is not needed (log-live.ts).
 * - Soon after the last sync an empty batch names it. Until then, damage to the very last batch could not be told from
 *   a write that was torn by the crash.
 */
import type { TimerHandle } from '../env/clock.js';
import type { DiskFile } from '../env/disk.js';
import { assert } from '../lib/assert.js';
import type { Lsn } from '../model/ids.js';
import { BatchLayout, type LogBatch } from './log-batches.js';
import { SEGMENT_HEADER_BYTES } from './log-format.js';
import { LiveSegments } from './log-live.js';
import {
  SEGMENT_BYTES_DEFAULT,
  type SegmentLogEvents,
  type SegmentLogOptions,
  SEGMENTS_AHEAD_DEFAULT,
} from './log-options.js';
import { SegmentPool } from './log-segments.js';
import { SyncTimes } from './log-sync-times.js';
import type { CommitLog, LogKind, LogPlace } from './log-types.js';
import { type Named, SegmentWriter } from './log-writer.js';

const IDLE_MS = 100;
export class SegmentLog implements CommitLog {
  readonly #options: SegmentLogOptions;
  readonly #events: SegmentLogEvents;
  readonly #always: boolean;
  readonly #layout: BatchLayout;
  readonly #pool: SegmentPool;
  readonly #live: LiveSegments;
  readonly #syncTimes: SyncTimes;

  #current: SegmentWriter | null = null;
  /** LSN before the next segment, for its header. */
  #previousLsn: number;
  readonly #waiting: LogBatch[] = [];
  #writingLsn: number;
  #inFlight = false;
  #turnEndAsked = false;
  #stalled = false;
  /** An opening begins with an empty batch: it names what was recovered, and that it is durable. */
  #emptyWanted = true;

  #writtenLsn: number;
  #durableLsn: number;
  readonly #namedWriting: Named = { durableLsn: 0, oldest: 0 };
  readonly #namedWritten: Named = { durableLsn: 0, oldest: 0 };
  readonly #namedSyncing: Named = { durableLsn: 0, oldest: 0 };
  readonly #namedDurable: Named = { durableLsn: 0, oldest: 0 };
  #beganMs = 0;
  #durableAtMs = 0;
  #idleTimer: TimerHandle | null = null;

  /** `interval` only: the sync under way, files left behind unsynced, and who wants to be earlier than the timer. */
  #syncing = false;
  #syncingLsn = 0;
  readonly #syncFiles: DiskFile[] = [];
  #leftFiles: DiskFile[] = [];
  #syncTimer: TimerHandle | null = null;
  #demandedLsn = 0;
  #naming = false;

  #failed = false;
  #closing: ((error: Error | null) => void) | null = null;
  #closed = false;

  constructor(options: SegmentLogOptions, events: SegmentLogEvents) {
    const { start } = options;
    const segmentBytes = options.segmentBytes ?? SEGMENT_BYTES_DEFAULT;
    assert(start.nextLsn > start.previousLsn, 'LSNs only grow');
    this.#options = options;
    this.#events = events;
    this.#always = options.durability.kind === 'always';
    this.#layout = new BatchLayout(options.arena, segmentBytes - SEGMENT_HEADER_BYTES, start.nextLsn);
    this.#live = new LiveSegments(start.segments);
    this.#previousLsn = start.previousLsn;
    this.#writingLsn = this.#writtenLsn = this.#durableLsn = start.nextLsn - 1;
    this.#syncTimes = new SyncTimes(options.clock.monotonicMs());
    this.#pool = new SegmentPool(
      {
        ...options,
        segmentBytes,
        ahead: options.segmentsAhead ?? SEGMENTS_AHEAD_DEFAULT,
        mode: this.#always && options.syncBy !== 'sync' ? 'write-synced' : 'write',
        nextSequence: start.nextSequence,
        spares: start.spares,
      },
      { onReady: this.#onReady, onDiskFull: this.#onDiskFull, onFailed: this.#fail },
    );
    this.#pool.start();
  }

  // ── what the engine calls ───────────────────────────────────────────────────────────────────────────────────────

  append(kind: LogKind, partition: number, size: number): LogPlace {
    assert(this.#closing === null, 'a log that is being closed takes no entries');
    const place = this.#layout.append(kind, partition, size, this.#waiting);
    if (!this.#turnEndAsked && !this.#inFlight) {
      this.#turnEndAsked = true;
      this.#options.timers.endOfTurn(this.#onTurnEnd);
    }
    return place;
  }

  demandSync(): void {
    if (this.#always || this.#failed || this.lastLsn === this.#durableLsn) return;
    this.#demandedLsn = this.lastLsn;
    if (this.#writtenLsn > this.#durableLsn) this.#sync();
  }

  get lastLsn(): Lsn {
    return (this.#layout.nextLsn - 1) as Lsn;
  }

  get durableLsn(): Lsn {
    return this.#durableLsn as Lsn;
  }

  get segments(): number {
    return this.#live.count;
  }

  /** No segment is ready: appends gather in memory until there is one, so whoever makes them should slow down. */
  get stalled(): boolean {
    return this.#stalled;
  }

  /** No room to make segments ahead. */
  get diskFull(): boolean {
    return this.#pool.diskFull;
  }

  get syncP99Ms(): number {
    return this.#syncTimes.p99(this.#options.clock.monotonicMs());
  }

  release(lsn: Lsn): void {
    this.#live.release(lsn);
    if (this.#live.hasFreed) this.#armIdle();
  }

  close(done: (error: Error | null) => void): void {
    assert(this.#closing === null, 'a log is closed once');
    this.#closing = done;
    if (this.#failed) done(new Error('The commit log has failed before'));
    else this.#goOn();
  }

  // ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────

  readonly #onTurnEnd = (): void => {
    this.#turnEndAsked = false;
    this.#goOn();
  };

  readonly #onReady = (): void => {
    this.#goOn();
  };

  /** Writes what there is, or takes the next step of closing. */
  #goOn(): void {
    if (this.#failed || this.#closed) return;
    if (!this.#inFlight) this.#submit();
    if (this.#closing !== null) this.#finish();
  }

  #submit(): void {
    this.#layout.close(this.#waiting);
    if (this.#waiting.length === 0) {
      if (!this.#emptyWanted) return;
      this.#waiting.push(this.#layout.empty());
    }
    if (!this.#fits(this.#waiting[0] as LogBatch) && !this.#nextSegment()) {
      this.#stalled = true;
      return;
    }
    this.#stalled = false;
    this.#inFlight = true;
    this.#emptyWanted = false;
    if (this.#always) this.#beganMs = this.#options.clock.monotonicMs();
    const named = this.#namedWriting;
    named.durableLsn = this.#durableToName();
    named.oldest = this.#live.oldest;
    this.#writingLsn = (this.#current as SegmentWriter).write(this.#waiting, named, this.#onWrote);
    this.#previousLsn = this.#writingLsn;
  }

  #fits(batch: LogBatch): boolean {
    return this.#current?.fits(batch) === true;
  }

  /** Goes on to the next segment; false: none is ready. */
  #nextSegment(): boolean {
    const first = this.#waiting[0] as LogBatch;
    this.#pool.want(first.length);
    const ready = this.#pool.take();
    if (ready === null) return false;
    if (this.#current !== null) this.#leave(this.#current.file);
    if (SEGMENT_HEADER_BYTES + first.length > ready.bytes) {
      // Sequences are used in order, so one too small for an outsized entry is used up by a batch that holds nothing.
      const empty = this.#layout.empty();
      empty.firstLsn = first.firstLsn;
      this.#waiting.unshift(empty);
    }
    this.#current = new SegmentWriter(this.#options, ready, this.#previousLsn, first.firstLsn);
    this.#live.enter(this.#current.segment);
    return true;
  }

  #leave(file: DiskFile): void {
    if (this.#always) file.close(this.#onFileClosed);
    else this.#leftFiles.push(file);
  }

  readonly #onFileClosed = (): void => {
    // Everything in it was synced before; an error of close says nothing about that.
  };

  readonly #onWrote = (error: Error | null): void => {
    if (error !== null) this.#fail(error);
    else if (!this.#always || this.#options.syncBy !== 'sync') this.#wrote();
    else (this.#current as SegmentWriter).file.sync(this.#onWriteSynced);
  };

  readonly #onWriteSynced = (error: Error | null): void => {
    if (error === null) this.#wrote();
    else this.#fail(error);
  };

  #wrote(): void {
    if (this.#failed) return;
    this.#current?.wrote(this.#options.arena);
    this.#inFlight = false;
    const written = this.#writingLsn;
    const advanced = written > this.#writtenLsn;
    this.#writtenLsn = written;
    copyNamed(this.#namedWritten, this.#namedWriting);
    if (this.#always) this.#becameDurable(written, this.#namedWritten);
    else this.#armSync();
    this.#goOn(); // the next write is under way before anybody is told of this one
    if (advanced && !this.#failed) this.#events.onWritten(written as Lsn);
    if (advanced && this.#always && !this.#failed) this.#events.onDurable(written as Lsn);
  }

  #becameDurable(lsn: number, named: Named): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#syncTimes.record(nowMs - this.#beganMs, nowMs);
    this.#durableLsn = lsn;
    this.#durableAtMs = nowMs;
    copyNamed(this.#namedDurable, named);
    for (let freed = this.#live.takeFreed(named.oldest); freed !== null; freed = this.#live.takeFreed(named.oldest)) {
      this.#pool.give(freed);
    }
    this.#armIdle();
  }

  // ── idle: name what is durable ──────────────────────────────────────────────────────────────────────────────────

  #armIdle(): void {
    if (this.#idleTimer !== null || this.#failed || this.#closing !== null || !this.#hasNews()) return;
    this.#idleTimer = this.#options.timers.after(IDLE_MS, this.#onIdle);
  }

  /** The disk does not say yet what is durable, or what is not needed any more. */
  #hasNews(): boolean {
    return this.#namedDurable.durableLsn < this.#durableToName() || this.#live.hasFreed;
  }

  /** LSNs that were left out at the start are not called durable: recovery would look for them. */
  #durableToName(): number {
    const { start } = this.#options;
    return this.#durableLsn < start.nextLsn ? start.previousLsn : this.#durableLsn;
  }

  readonly #onIdle = (): void => {
    this.#idleTimer = null;
    if (this.#failed || this.#closing !== null || !this.#hasNews()) return;
    const busy = this.#inFlight || this.#syncing || this.#turnEndAsked || this.lastLsn > this.#durableLsn;
    const idleMs = this.#options.clock.monotonicMs() - this.#durableAtMs;
    if (busy || idleMs < IDLE_MS - 1) {
      this.#idleTimer = this.#options.timers.after(busy ? IDLE_MS : IDLE_MS - idleMs, this.#onIdle);
      return;
    }
    this.#emptyWanted = true;
    this.#naming = true;
    this.#goOn();
  };

  // ── durability `interval` ───────────────────────────────────────────────────────────────────────────────────────

  #armSync(): void {
    if (this.#naming || this.#demandedLsn > this.#durableLsn || this.#closing !== null) {
      this.#sync();
    } else if (this.#syncTimer === null && this.#options.durability.kind === 'interval') {
      this.#syncTimer = this.#options.timers.after(this.#options.durability.ms, this.#onSyncTimer);
    }
  }

  readonly #onSyncTimer = (): void => {
    this.#syncTimer = null;
    if (!this.#failed && !this.#closed) this.#sync();
  };

  /** Syncs what has been written so far: files left behind first, so that durable means everything up to an LSN. */
  #sync(): void {
    if (this.#syncing || this.#current === null) return; // the one under way looks again when it is done
    this.#syncing = true;
    this.#naming = false;
    this.#syncingLsn = this.#writtenLsn;
    copyNamed(this.#namedSyncing, this.#namedWritten);
    this.#beganMs = this.#options.clock.monotonicMs();
    this.#syncFiles.push(...this.#leftFiles, this.#current.file);
    this.#leftFiles = [];
    (this.#syncFiles[0] as DiskFile).sync(this.#onSynced);
  }

  readonly #onSynced = (error: Error | null): void => {
    if (error !== null) {
      this.#fail(error);
      return;
    }
    if (this.#failed) return;
    const synced = this.#syncFiles.shift() as DiskFile;
    const next = this.#syncFiles[0];
    if (next !== undefined) {
      synced.close(this.#onFileClosed);
      next.sync(this.#onSynced);
      return;
    }
    this.#syncing = false;
    const advanced = this.#syncingLsn > this.#durableLsn;
    this.#becameDurable(this.#syncingLsn, this.#namedSyncing);
    if (this.#writtenLsn > this.#durableLsn) this.#armSync();
    if (advanced) this.#events.onDurable(this.#durableLsn as Lsn);
    this.#goOn();
  };

  // ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────

  readonly #onDiskFull = (full: boolean): void => {
    this.#events.onDiskFull(full);
    this.#goOn();
  };

  readonly #fail = (cause: Error): void => {
    if (this.#failed || this.#closed) return;
    this.#failed = true;
    this.#cancelTimers();
    const error = new Error(`The commit log cannot be written any more: ${cause.message}`, { cause });
    this.#events.onFailed(error);
    this.#closing?.(error);
  };

  #finish(): void {
    if (this.#inFlight || this.#syncing || this.#closed) return;
    if (this.#stalled && this.lastLsn > this.#writtenLsn) {
      if (!this.#pool.diskFull) return; // a segment is being made
      this.#fail(new Error(`No room for ${this.lastLsn - this.#writtenLsn} entries that nobody was told are safe`));
      return;
    }
    if (this.#writtenLsn > this.#durableLsn) {
      this.#sync();
      return;
    }
    this.#closed = true;
    this.#cancelTimers();
    this.#pool.stop(() => {
      if (this.#current === null) this.#closing?.(null);
      else this.#current.file.close((error) => this.#closing?.(error));
    });
  }

  #cancelTimers(): void {
    this.#idleTimer?.cancel();
    this.#syncTimer?.cancel();
    this.#idleTimer = this.#syncTimer = null;
  }
}

function copyNamed(to: Named, from: Named): void {
  to.durableLsn = from.durableLsn;
  to.oldest = from.oldest;
}
