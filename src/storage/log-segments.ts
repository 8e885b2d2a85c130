/*
 * Keeps segments ready, so that an append never waits for space and never meets ENOSPC.
 *
 *   fresh:     S.tmp ─ zeros in slices, header, sync ─▶ rename S.seg ─ sync folder ─▶ ready
 *   freed:     O.seg ─ rename O.spare ─ sync folder ─▶ spare
 *   recycled:  O.spare ─ header for S, sync ─▶ rename S.seg ─ sync folder ─▶ ready
 *
 * A recycled segment is not filled with zeros again. That is safe because every batch carries its segment's sequence,
 * in clear and as seed of both checksums, and no sequence is given out twice: what the earlier life left behind can
 * never be taken for a batch of the new one. A name ends in `.seg` only while the file may hold what recovery needs or
 * holds, durably, a header that says that nothing was written yet; so a crash between any two of the steps leaves a
 * log, plus files that the next start takes back.
 *
 * Everything happens one step after the other, in one flow: names leave from the low end and come at the high end in
 * order, each step durable before the next, so that a hole in the sequence always means that a segment was lost.
 *
 * When the disk is full this waits and tries again; only the owner of the log decides what that means for puts.
 */
import type { Timers } from '../env/clock.js';
import type { Disk, DiskError, DiskFile } from '../env/disk.js';
import { assert } from '../lib/assert.js';
import { type Flow, run, wait } from '../lib/flow.js';
import type { Hash64 } from '../model/hash.js';
import {
  alignSector,
  encodeSegmentHeader,
  LOG_FORMAT,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from './log-format.js';

export const LOG_FOLDER = 'log';
const SLICE_BYTES = 1_048_576;
/** So that a sync of fresh zeros is never a burst that the log's own syncs stand behind. */
const SLICES_A_SYNC = 4;
const SLICE_PAUSE_MS = 2;
const RETRY_MS = 1_000;
const ZEROS: Uint8Array = new Uint8Array(SLICE_BYTES);

export type SegmentSuffix = 'seg' | 'spare' | 'tmp';

export function segmentPath(sequence: number, suffix: SegmentSuffix): string {
  return `${LOG_FOLDER}/${sequence.toString(16).padStart(16, '0')}.${suffix}`;
}

/** null: not one of ours. */
export function parseSegmentName(name: string): { readonly sequence: number; readonly suffix: SegmentSuffix } | null {
  const match = /^([0-9a-f]{16})\.(seg|spare|tmp)$/.exec(name);
  if (match === null) return null;
  return { sequence: Number.parseInt(match[1] as string, 16), suffix: match[2] as SegmentSuffix };
}

/** A segment without needed content, under any name. */
export interface SpareSegment {
  readonly path: string;
  readonly bytes: number;
}

/** Ready to be written from its header on; nothing was ever written under its sequence. */
export interface ReadySegment {
  readonly sequence: number;
  readonly path: string;
  readonly bytes: number;
  readonly file: DiskFile;
  readonly header: SegmentHeader;
}

export interface SegmentPoolOptions {
  readonly disk: Disk;
  readonly timers: Timers;
  readonly hash: Hash64;
  readonly nodeId: string;
  readonly opening: number;
  readonly segmentBytes: number;
  /** How many are kept ready ahead of the one in use. */
  readonly ahead: number;
  readonly mode: 'write' | 'write-synced';
  readonly nextSequence: number;
  readonly spares: readonly SpareSegment[];
}

export interface SegmentPoolEvents {
  onReady(): void;
  onDiskFull(full: boolean): void;
  onFailed(error: Error): void;
}

export class SegmentPool {
  readonly #options: SegmentPoolOptions;
  readonly #events: SegmentPoolEvents;
  readonly #openingSequence: number;
  readonly #ready: ReadySegment[] = [];
  readonly #spares: SpareSegment[];
  readonly #freed: SpareSegment[] = [];
  #nextSequence: number;
  /** Size of an outsized segment that somebody waits for; 0: none. */
  #wantedBytes = 0;
  #working = false;
  #failed = false;
  #stopped: (() => void) | null = null;
  #endPause: (() => void) | null = null;
  #full = false;

  constructor(options: SegmentPoolOptions, events: SegmentPoolEvents) {
    assert(options.segmentBytes % SEGMENT_HEADER_BYTES === 0, 'a segment is a multiple of 4096 bytes');
    assert(options.segmentBytes >= 2 * SEGMENT_HEADER_BYTES, 'a segment has room for batches');
    this.#options = options;
    this.#events = events;
    this.#openingSequence = options.nextSequence;
    this.#nextSequence = options.nextSequence;
    this.#spares = [...options.spares];
  }

  get diskFull(): boolean {
    return this.#full;
  }

  start(): void {
    this.#work();
  }

  /** The next segment in order, or null: `onReady` tells when there is one. It may be too small for an outsized batch. */
  take(): ReadySegment | null {
    const ready = this.#ready.shift() ?? null;
    this.#work();
    return ready;
  }

  /** Asks that one of the next segments can hold a batch that no usual one can. */
  want(batchBytes: number): void {
    const bytes =
      SEGMENT_HEADER_BYTES * Math.ceil((SEGMENT_HEADER_BYTES + alignSector(batchBytes)) / SEGMENT_HEADER_BYTES);
    if (bytes <= this.#options.segmentBytes || this.#ready.some((segment) => segment.bytes >= bytes)) return;
    this.#wantedBytes = Math.max(this.#wantedBytes, bytes);
    this.#work();
  }

  /** Takes back the oldest segment of the log, which nobody needs any more, durably so. */
  give(segment: SpareSegment): void {
    this.#freed.push(segment);
    this.#work();
  }

  /** Ends after the step under way, and closes what is open. */
  stop(done: () => void): void {
    this.#stopped = done;
    if (!this.#working) this.#closeAll();
    else this.#endPause?.();
  }

  #work(): void {
    if (this.#working || this.#failed || this.#stopped !== null || !this.#hasWork()) return;
    this.#working = true;
    run(this.#steps(), (error) => {
      this.#working = false;
      if (this.#stopped !== null) this.#closeAll();
      else if (error === null) this.#work();
      else if (error instanceof NoSpaceError) this.#waitForSpace();
      else this.#fail(error);
    });
  }

  #fail(error: Error): void {
    this.#failed = true;
    this.#events.onFailed(error);
  }

  #hasWork(): boolean {
    return this.#freed.length > 0 || this.#isShort() || this.#surplus() !== undefined;
  }

  /** More than are likely to be wanted, or of another size. */
  #surplus(): SpareSegment | undefined {
    return (
      this.#spares.find((spare) => spare.bytes !== this.#options.segmentBytes) ?? this.#spares[this.#options.ahead]
    );
  }

  #isShort(): boolean {
    return this.#ready.length < this.#options.ahead || this.#wantedBytes > 0;
  }

  /** One step. Freed segments first: taking one back is quick, filling a fresh one is not. */
  *#steps(): Flow<void> {
    const freed = this.#freed[0];
    if (freed !== undefined) {
      yield* this.#retire(freed);
      this.#freed.shift();
    } else if (this.#isShort()) {
      yield* this.#prepare(this.#wantedBytes > 0 ? this.#wantedBytes : this.#options.segmentBytes);
      if (this.#full) this.#setFull(false);
      this.#events.onReady();
    } else {
      yield* this.#drop(this.#surplus() as SpareSegment);
    }
  }

  *#prepare(bytes: number): Flow<void> {
    const sequence = this.#nextSequence;
    const path = segmentPath(sequence, 'seg');
    const spareAt = this.#spares.findIndex((spare) => spare.bytes === bytes);
    const spare = spareAt < 0 ? null : (this.#spares[spareAt] as SpareSegment);
    const header = this.#header(sequence, bytes, spare === null);
    if (spare !== null) {
      yield* this.#writeHeader(spare.path, header);
      yield* this.#rename(spare.path, path);
      this.#spares.splice(this.#spares.indexOf(spare), 1);
    } else {
      const from = segmentPath(sequence, 'tmp');
      yield* this.#fill(from, header);
      yield* this.#rename(from, path);
    }
    yield* this.#syncFolder();
    this.#nextSequence = sequence + 1;
    if (bytes >= this.#wantedBytes) this.#wantedBytes = 0;
    const file = yield* wait<DiskFile>((done) => {
      this.#options.disk.open(path, this.#options.mode, done);
    });
    this.#ready.push({ sequence, path, bytes, file, header });
  }

  /** Moves a freed segment out of the log's names. */
  *#retire(freed: SpareSegment): Flow<void> {
    const spare = { path: freed.path.replace(/\.seg$/, '.spare'), bytes: freed.bytes };
    yield* this.#rename(freed.path, spare.path);
    yield* this.#syncFolder();
    this.#spares.push(spare);
  }

  *#drop(spare: SpareSegment): Flow<void> {
    this.#spares.splice(this.#spares.indexOf(spare), 1);
    yield* wait((done) => {
      this.#options.disk.remove(spare.path, done);
    });
    yield* this.#syncFolder();
  }

  *#fill(path: string, header: SegmentHeader): Flow<void> {
    if (this.#full) yield* this.#removeQuietly(path);
    let file: DiskFile | null = null;
    try {
      file = yield* wait<DiskFile>((done) => {
        this.#options.disk.open(path, 'create', done);
      });
      yield* this.#fillWithZeros(file, header);
    } catch (error) {
      if (file !== null) yield* closeQuietly(file);
      yield* this.#removeQuietly(path);
      throw isFull(error)
        ? new NoSpaceError(`No room for a log segment of ${header.segmentBytes} bytes`, { cause: error })
        : error;
    }
    yield* closeQuietly(file);
  }

  *#fillWithZeros(file: DiskFile, header: SegmentHeader): Flow<void> {
    let slices = 0;
    for (let offset = 0; offset < header.segmentBytes; offset += SLICE_BYTES) {
      const slice = ZEROS.subarray(0, Math.min(SLICE_BYTES, header.segmentBytes - offset));
      yield* wait((done) => {
        file.write(offset, [slice], done);
      });
      slices += 1;
      if (slices % SLICES_A_SYNC === 0) yield* sync(file);
      this.#refuseIfStopped();
      if (this.#ready.length > 0) yield* this.#pause(SLICE_PAUSE_MS); // nobody waits: leave the disk to the others
      this.#refuseIfStopped();
    }
    const first = encodeSegmentHeader(this.#options.hash, header);
    yield* wait((done) => {
      file.write(0, [first], done);
    });
    yield* sync(file);
  }

  #refuseIfStopped(): void {
    if (this.#stopped !== null) throw new Error('The log is being closed');
  }

  *#writeHeader(path: string, header: SegmentHeader): Flow<void> {
    const file = yield* wait<DiskFile>((done) => {
      this.#options.disk.open(path, 'write', done);
    });
    const first = encodeSegmentHeader(this.#options.hash, header);
    yield* wait((done) => {
      file.write(0, [first], done);
    });
    yield* sync(file);
    yield* wait((done) => {
      file.close(done);
    });
  }

  #header(sequence: number, segmentBytes: number, zeroed: boolean): SegmentHeader {
    return {
      format: LOG_FORMAT,
      state: 'prepared',
      zeroed,
      nodeId: this.#options.nodeId,
      opening: this.#options.opening,
      sequence,
      openingSequence: this.#openingSequence,
      previousLsn: 0,
      firstLsn: 0,
      segmentBytes,
    };
  }

  *#rename(from: string, to: string): Flow<void> {
    yield* wait((done) => {
      this.#options.disk.rename(from, to, done);
    });
  }

  *#syncFolder(): Flow<void> {
    yield* wait((done) => {
      this.#options.disk.syncFolder(LOG_FOLDER, done);
    });
  }

  /** Ends early when the pool is stopped: a timer does not keep a stopping process alive, so nothing may wait for it. */
  *#pause(ms: number): Flow<void> {
    yield* wait((done) => {
      const timer = this.#options.timers.after(ms, () => {
        this.#endPause = null;
        done(null);
      });
      this.#endPause = () => {
        this.#endPause = null;
        timer.cancel();
        done(null);
      };
    });
  }

  *#removeQuietly(path: string): Flow<void> {
    yield* wait((done) => {
      this.#options.disk.remove(path, () => {
        done(null); // it failed before; the next start removes what is left
      });
    });
  }

  #waitForSpace(): void {
    this.#setFull(true);
    this.#options.timers.after(RETRY_MS, () => {
      this.#work();
    });
  }

  #setFull(full: boolean): void {
    if (this.#full === full) return;
    this.#full = full;
    this.#events.onDiskFull(full);
  }

  #closeAll(): void {
    const done = this.#stopped;
    const files = this.#ready.splice(0);
    const next = (): void => {
      const segment = files.shift();
      if (segment !== undefined) segment.file.close(next);
      else done?.();
    };
    next();
  }
}

class NoSpaceError extends Error {}

/** `SHORT` while filling: the file system gave what it had left. */
function isFull(error: unknown): boolean {
  const code = (error as Partial<DiskError>).code;
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'SHORT';
}

function* sync(file: DiskFile): Flow<void> {
  yield* wait((done) => {
    file.sync(done);
  });
}

function* closeQuietly(file: DiskFile): Flow<void> {
  yield* wait((done) => {
    file.close(() => {
      done(null);
    });
  });
}
