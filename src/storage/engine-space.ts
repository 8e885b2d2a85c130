/*
 * Is there enough free space to keep what is promised? Below the mark (the log's maximum, four write buffers and 2 % of
 * the file system) the node takes no more writes; it goes on reading and flushing, and takes writes again by itself
 * once there is a little more than the mark. The mark lies far above zero because what was acknowledged must still be
 * flushed, and a copy-on-write tree needs space even to overwrite.
 */
import type { TimerHandle, Timers } from '../env/clock.js';
import type { Disk } from '../env/disk.js';
import type { Log } from '../env/meter.js';

const CHECK_MS = 2_000;
/** Above the mark by so much, else every few puts would turn it on and off. */
const RECOVERY_SHARE = 1.05;

export type FileKind = 'partition' | 'hint';

/** Nothing is broken and nothing was written: it may be tried again. */
export function isNoSpace(error: Error): boolean {
  const { code } = error as { readonly code?: unknown };
  return code === 'ENOSPC' || code === 'MAP_FULL' || code === 'EDQUOT';
}

/** With less free than this no writes are taken. */
export function markBytesOf(
  { logBytesMax, bufferBytesMax }: Pick<SpaceParts, 'logBytesMax' | 'bufferBytesMax'>,
  totalBytes: number,
): number {
  return Math.ceil(logBytesMax + 4 * bufferBytesMax + 0.02 * totalBytes);
}

export interface SpaceParts {
  readonly disk: Disk;
  readonly timers: Timers;
  readonly log: Log;
  readonly logBytesMax: number;
  readonly bufferBytesMax: number;
}

export class SpaceWatch {
  readonly #parts: SpaceParts;
  #timer: TimerHandle | null = null;
  #belowMark = false;
  /** Files that could not be written for want of space: full, whatever the figures say. */
  readonly #noSpace: Set<FileKind> = new Set();
  #logFull = false;
  #text = '';
  #stopped = false;

  constructor(parts: SpaceParts) {
    this.#parts = parts;
  }

  get full(): boolean {
    return this.#belowMark || this.#noSpace.size > 0 || this.#logFull;
  }

  /** What a refused writer is told. */
  get text(): string {
    return this.#text;
  }

  /** Asks the file system, then again and again. */
  check(done: () => void = () => undefined): void {
    if (this.#stopped) {
      done();
      return;
    }
    this.#timer?.cancel();
    this.#parts.disk.space((error, space) => {
      if (this.#stopped) {
        done();
        return;
      }
      if (error !== null || space === undefined) {
        this.#parts.log.warn('space_unknown', { error: error?.message });
      } else {
        this.#judge(space.freeBytes, space.totalBytes);
      }
      this.#timer = this.#parts.timers.after(CHECK_MS, () => {
        this.check();
      });
      done();
    });
  }

  /** A flush found no space, or (null) found it again. */
  noSpace(file: FileKind, error: Error | null): void {
    if (error === null) {
      this.#noSpace.delete(file);
      this.check();
      return;
    }
    this.#noSpace.add(file);
    this.#text = `No space left for a ${file} file (${error.message}); reads go on, writes are refused until space is freed`;
    this.#parts.log.error('disk_full', { error: error.message });
  }

  /** The log could not make a segment ahead, or can again. */
  logFull(full: boolean): void {
    this.#logFull = full;
    if (full) this.#text = 'No space left for the commit log; reads go on, writes are refused until space is freed';
    this.check();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #judge(freeBytes: number, totalBytes: number): void {
    const { log } = this.#parts;
    const markBytes = markBytesOf(this.#parts, totalBytes);
    const was = this.#belowMark;
    this.#belowMark = freeBytes < (was ? Math.ceil(markBytes * RECOVERY_SHARE) : markBytes);
    if (this.#belowMark && this.#noSpace.size === 0 && !this.#logFull) {
      this.#text = `Disk full: ${freeBytes} bytes free, ${markBytes} needed to keep what is promised; reads go on, free some space`;
    }
    if (was === this.#belowMark) return;
    if (this.#belowMark) log.error('disk_full', { freeBytes, markBytes });
    else log.info('disk_has_space', { freeBytes, markBytes });
  }
}
