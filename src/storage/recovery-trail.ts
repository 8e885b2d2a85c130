/*
 * The segments that count, and how to make durable what was found in them beyond the last sync.
 *
 * Syncing alone would not do: after a failed sync, and a restart without a power cut, the kernel shows pages and calls
 * them clean that never reached the disk. So they are written again, and then synced. Marks, a window apart, say from
 * where on: after a kill under load that is the last few batches, not the whole segment.
 */
import type { Disk } from '../env/disk.js';
import type { Flow } from '../lib/flow.js';
import type { LogSegment } from './log-live.js';
import { rewriteSegment, type SegmentFile } from './recovery-files.js';

const MARK_BYTES = 1_048_576;

/** A stretch of whole batches. */
interface Mark {
  readonly from: number;
  readonly lastLsn: number;
  readonly end: number;
}

export class Trail {
  readonly segments: LogSegment[] = [];
  readonly #marks: Map<number, Mark[]> = new Map();
  #present: Mark[] = [];

  enter(segment: SegmentFile): void {
    this.#present = [];
    this.#marks.set(segment.sequence, this.#present);
  }

  accept(offset: number, lastLsn: number, end: number): void {
    const last = this.#present.at(-1);
    if (last === undefined || end - last.from > MARK_BYTES) this.#present.push({ from: offset, lastLsn, end });
    else this.#present[this.#present.length - 1] = { from: last.from, lastLsn, end };
  }

  keep(segment: SegmentFile, lastLsn: number): void {
    this.segments.push({ sequence: segment.sequence, path: segment.path, bytes: segment.size, lastLsn });
  }

  /** Also where only batches without entries follow: their segments' headers are part of the chain. */
  *makeDurable(disk: Disk, durableLsn: number): Flow<void> {
    for (const segment of this.segments) {
      const marks = this.#marks.get(segment.sequence) ?? [];
      const first = marks.find((mark) => mark.lastLsn > durableLsn) ?? marks.at(-1);
      const last = marks.at(-1);
      if (segment.lastLsn < durableLsn || first === undefined || last === undefined) continue;
      yield* rewriteSegment(disk, segment.path, first === marks[0] ? 0 : first.from, last.end);
    }
  }
}
