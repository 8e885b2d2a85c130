/*
 * Which segments still hold entries that somebody needs.
 *
 * A segment is freed in two steps. `release` says that nobody needs its entries; from then on every batch names a newer
 * oldest segment. Once such a batch is durable, and not before, the file may go: recovery asks for every segment from
 * the newest named oldest one on, and reports damage when one is missing.
 */
export interface LogSegment {
  readonly sequence: number;
  readonly path: string;
  readonly bytes: number;
  /** Highest LSN in it; where it has none, the one before it. */
  lastLsn: number;
}

export class LiveSegments {
  /** Oldest first; the last one is being written once `enter` was called. */
  readonly #held: LogSegment[];
  readonly #freed: LogSegment[] = [];
  #entered = false;
  #releasedLsn = 0;

  constructor(recovered: readonly LogSegment[]) {
    this.#held = recovered.map((segment) => ({ ...segment }));
  }

  get count(): number {
    return this.#held.length;
  }

  /** Sequence of the oldest one that is needed. */
  get oldest(): number {
    return this.#held[0]?.sequence ?? 0;
  }

  get hasFreed(): boolean {
    return this.#freed.length > 0;
  }

  enter(segment: LogSegment): void {
    this.#held.push(segment);
    this.#entered = true;
    this.#free();
  }

  release(lsn: number): void {
    this.#releasedLsn = Math.max(this.#releasedLsn, lsn);
    this.#free();
  }

  /** The next segment whose file may go, given the oldest one that a durable batch names. */
  takeFreed(oldestNamed: number): LogSegment | null {
    const first = this.#freed[0];
    if (first === undefined || first.sequence >= oldestNamed) return null;
    this.#freed.shift();
    return first;
  }

  #free(): void {
    if (!this.#entered) return; // nothing of this opening names an oldest segment yet
    while (this.#held.length > 1 && (this.#held[0] as LogSegment).lastLsn <= this.#releasedLsn) {
      this.#freed.push(this.#held.shift() as LogSegment);
    }
  }
}
