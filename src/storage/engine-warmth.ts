/*
 * May a file be read on the event loop? From the page cache a look-up takes 4 µs; from the disk it took 6–25 ms, and
 * every connection waited. Nothing tells beforehand, so we look at what reads took: when the p99 of a partition passes
 * 200 µs, its reads go to the pool until the pool's answers come fast for a while. A partition that turns cold again
 * soon must show a longer while.
 */
export const SLOW_MS = 0.2;
const WINDOW_READS = 128;
/** Two slow ones in a window: more than 1 %, and one alone may be the scheduler. */
const WINDOW_SLOW_MAX = 1;
export const HOP_FAST_MS = 0.5;
const HOPS_MIN = 32;
const HOPS_MAX = 4_096;

export class Warmth {
  #cold = false;
  #reads = 0;
  #slow = 0;
  #fastHops = 0;
  #fastHopsNeeded = HOPS_MIN;

  get cold(): boolean {
    return this.#cold;
  }

  /** A read on the loop took this long. */
  noteRead(ms: number): void {
    this.#reads += 1;
    if (ms > SLOW_MS) this.#slow += 1;
    if (this.#slow > WINDOW_SLOW_MAX) {
      this.#cold = true;
      this.#fastHops = 0;
    } else if (this.#reads < WINDOW_READS) {
      return;
    } else if (this.#slow === 0) {
      this.#fastHopsNeeded = Math.max(HOPS_MIN, this.#fastHopsNeeded - 1);
    }
    this.#reads = 0;
    this.#slow = 0;
  }

  /** A hop to the pool took this long, whatever number of keys it carried. */
  noteHop(ms: number): void {
    this.#fastHops = ms <= HOP_FAST_MS ? this.#fastHops + 1 : 0;
    if (!this.#cold || this.#fastHops < this.#fastHopsNeeded) return;
    this.#cold = false;
    this.#fastHopsNeeded = Math.min(HOPS_MAX, this.#fastHopsNeeded * 2);
  }
}
