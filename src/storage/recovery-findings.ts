/*
 * What recovery has to tell: damage, with the partitions that it concerns as far as anybody can know them.
 */
import { SEGMENT_HEADER_BYTES } from './log-format.js';
import type { LogRecovery } from './log-types.js';
import type { LogFolder, SegmentFile } from './recovery-files.js';

export class Findings {
  readonly damage: LogRecovery['damage'][number][] = [];
  cut: LogRecovery['cut'] = null;
  #partitions: Set<number> | null = new Set();

  /** null: nobody can tell, so all. */
  get partitions(): ReadonlySet<number> | null {
    return this.#partitions;
  }

  report(segment: number, offset: number, text: string): void {
    this.damage.push({ segment, offset, text });
  }

  /** Entries of these partitions are gone; null: of nobody knows which. */
  lost(partitions: ReadonlySet<number> | null): void {
    if (partitions === null) this.#partitions = null;
    else for (const partition of partitions) this.#partitions?.add(partition);
  }

  missingEntries(segment: number, offset: number, firstLsn: number, lastLsn: number): void {
    const text = `The entries from LSN ${firstLsn} to ${lastLsn} are missing: nothing readable follows in the segment`;
    this.report(segment, offset, text);
  }

  /** Sequences have no gap within an opening, from the oldest segment on that a durable batch called needed. */
  missingSegments(folder: LogFolder, oldestNamed: number, durableLsn: number): void {
    const present = new Set(folder.segments.map((segment) => segment.sequence));
    const missing = new Set<number>();
    if (oldestNamed > 0 && !present.has(oldestNamed)) missing.add(oldestNamed);
    for (const { header, sequence } of folder.segments) {
      if (header === null) continue;
      for (let s = Math.max(header.openingSequence, oldestNamed); s < sequence; s++)
        if (!present.has(s)) missing.add(s);
    }
    if (missing.size > 0) this.#partitions = null;
    for (const sequence of [...missing].sort((a, b) => a - b)) this.report(sequence, 0, 'The segment is missing');
    if (present.size > 0 || durableLsn === 0) return;
    this.#partitions = null;
    this.report(0, 0, `The log is empty, but node.meta says that it reached LSN ${durableLsn}`);
  }

  /** Segments are made whole and never shrink: where one has, what looks like a torn tail may be a lost one. */
  shortSegments(segments: readonly SegmentFile[], from: number): void {
    for (const { sequence, size, header } of segments) {
      if (sequence < from || size >= (header?.segmentBytes ?? SEGMENT_HEADER_BYTES)) continue;
      this.#partitions = null;
      this.report(sequence, size, `The segment is cut off after ${size} bytes`);
    }
  }
}
