/*
 * How long messages of one connection were on their way, told without comparing clocks.
 *
 * The sender says at which moment of its own time it sent each, counted from any moment that it keeps to. Arrival minus
 * that is the time on the way plus a constant that nobody knows; the least that was seen lately stands for the constant
 * with an undisturbed way. What a message has more was spent in a queue: of a process that stood still, or of a network
 * that was cut.
 *
 * "Lately" is this window and the one before, since two clocks drift apart by seconds a day; and where nothing came for
 * long, as much delay is forgiven as they may have drifted meanwhile.
 */
const WINDOW_MS = 60_000;
/** Ten times what a bad quartz does. */
const DRIFT = 0.001;

export class Transit {
  #least = Infinity;
  #leastBefore = Infinity;
  #windowMs = 0;
  #lastMs = 0;

  /** Of a message that was sent at `sentMs` and is here at `nowMs`: beyond an undisturbed way, in ms; 0 for the first. */
  delayMs(nowMs: number, sentMs: number): number {
    const offset = nowMs - sentMs;
    const idleMs = nowMs - this.#lastMs;
    if (nowMs - this.#windowMs >= WINDOW_MS) {
      this.#leastBefore = this.#least;
      this.#least = Infinity;
      this.#windowMs = nowMs;
    }
    if (offset < this.#least) this.#least = offset;
    this.#lastMs = nowMs;
    const least = Math.min(this.#least, this.#leastBefore);
    return Math.max(0, offset - least - DRIFT * Math.max(idleMs, WINDOW_MS));
  }
}
