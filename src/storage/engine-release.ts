/*
 * When the log may forget. Segments are given back once every file, that of the hints too, holds what is in them; but first the partition table
 * says, durably, how far the files have come, so that an older copy of one is found out (partition-table.ts). Flushes
 * are many and the table is one write, so it waits a second and speaks for all of them.
 */
import type { Timers } from '../env/clock.js';
import { run } from '../lib/flow.js';
import type { EngineHints } from './engine-hints.js';
import type { CommitLog } from './log-types.js';
import type { Partition } from './partition.js';
import type { PartitionTable } from './partition-table.js';

const RELEASE_MS = 1_000;
/** While puts wait for room in the log. */
const RELEASE_MS_IN_NEED = 20;

export interface ReleaseParts {
  readonly table: PartitionTable;
  readonly partitions: readonly Partition[];
  readonly hints: Pick<EngineHints, 'oldestLsn' | 'hurry' | 'file'>;
  readonly log: CommitLog;
  readonly timers: Timers;
  /** What else was learnt from the log must be durable when it answers. */
  readonly beforeRelease?: (done: (error: Error | null) => void) => void;
  /** Puts are slowed or refused because the log is full. */
  isUrgent(): boolean;
  /** False: nothing more is begun. */
  isOpen(): boolean;
  fail(error: Error): void;
}

export class LogRelease {
  readonly #parts: ReleaseParts;
  #releasedLsn = 0;
  #planned = false;
  #saving = false;
  readonly #waiting: { readonly twice: boolean; readonly done: (error: Error | null) => void }[] = [];

  constructor(parts: ReleaseParts) {
    this.#parts = parts;
  }

  /** The table is being written. */
  get busy(): boolean {
    return this.#saving;
  }

  /**
   * What the files held when the store was opened is released at once: a node that is killed every second would else
   * start again and again with a log that is full of what has long been flushed, and refuse every put.
   */
  start(): void {
    this.#plan(0);
  }

  /** A file has come further, up to `lsn`. */
  onApplied(lsn: number): void {
    if (lsn > this.#releasedLsn) this.#planSoon();
  }

  #planSoon(): void {
    this.#plan(this.#parts.isUrgent() ? RELEASE_MS_IN_NEED : RELEASE_MS);
  }

  #plan(delayMs: number): void {
    if (this.#planned || !this.#parts.isOpen()) return;
    this.#planned = true;
    this.#parts.timers.after(delayMs, () => {
      this.#release();
    });
  }

  /** Writes the table, to both slots if `twice`; one at a time, since the slots are written in turn. */
  saveTable(twice: boolean, done: (error: Error | null) => void): void {
    if (this.#saving) {
      this.#waiting.push({ twice, done });
      return;
    }
    this.#saving = true;
    run(this.#parts.table.save(this.#parts.partitions, this.#parts.hints.file, twice), (error) => {
      this.#saving = false;
      const noSpace = (error as { code?: unknown } | null)?.code === 'ENOSPC'; // nothing was lost: later, then
      if (error !== null && !noSpace) this.#parts.fail(error);
      done(error);
      this.#saveWaiting();
    });
  }

  /** One table speaks for all who asked while the last was written: a node that heals trusts many partitions at once. */
  #saveWaiting(): void {
    const waiting = this.#waiting.splice(0);
    if (waiting.length === 0) return;
    this.saveTable(
      waiting.some(({ twice }) => twice),
      (error) => {
        for (const { done } of waiting) done(error);
      },
    );
  }

  #release(): void {
    if (!this.#parts.isOpen()) return;
    if (this.#parts.isUrgent()) this.#parts.hints.hurry();
    const lsn = this.#releasableLsn();
    if (lsn <= this.#releasedLsn) {
      this.#planned = false;
      return;
    }
    this.#beforeRelease(() => {
      this.saveTable(false, (error) => {
        this.#planned = false;
        if (!this.#parts.isOpen()) return;
        if (error === null) {
          this.#releasedLsn = lsn;
          this.#parts.log.release(lsn as CommitLog['lastLsn']);
        }
        // Files that came further meanwhile found a release planned. Nobody else may ask: a log that is full refuses the
        // puts whose flushes would.
        if (this.#releasableLsn() > this.#releasedLsn) this.#planSoon();
      });
    });
  }

  /** Every entry up to here is in its file. */
  #releasableLsn(): number {
    let lsn: number = this.#parts.log.durableLsn;
    const hintLsn = this.#parts.hints.oldestLsn;
    if (hintLsn !== 0) lsn = Math.min(lsn, hintLsn - 1);
    for (const { buffer, heldLsn } of this.#parts.partitions) {
      if (buffer.oldestLsn !== 0) lsn = Math.min(lsn, buffer.oldestLsn - 1);
      if (heldLsn !== 0) lsn = Math.min(lsn, heldLsn - 1);
    }
    return lsn;
  }

  #beforeRelease(then: () => void): void {
    const { beforeRelease } = this.#parts;
    if (beforeRelease === undefined) {
      then();
      return;
    }
    beforeRelease((error) => {
      if (error === null) then();
      else this.#parts.fail(error);
    });
  }
}
