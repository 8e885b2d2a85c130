/*
 * Open loop: when each request ought to be sent. The times are fixed before the run, as in wrk2, so a server that
 * stands still for 300 ms is charged with every request that should have been sent meanwhile. A closed loop would send
 * none of them, and call the server fast.
 *
 * Request k of a thread belongs at start + (k + phase) / rate. Several threads have different phases, so that together
 * they are one even stream and not a burst of `threads` requests at a time.
 */

export class Schedule {
  readonly #startMs: number;
  readonly #endMs: number;
  readonly #intervalMs: number;
  #sent: number = 0;

  /** `ratePerSecond` is this thread's; `phase` is 0 ≤ phase < 1, in intervals. Nothing is due at `endMs` or later. */
  constructor(startMs: number, endMs: number, ratePerSecond: number, phase: number) {
    this.#endMs = endMs;
    this.#intervalMs = 1000 / ratePerSecond;
    this.#startMs = startMs + phase * this.#intervalMs;
  }

  /** When the next request should leave, or should have left, ms; Infinity if there is none any more. */
  get nextMs(): number {
    const due = this.#startMs + this.#sent * this.#intervalMs;
    return due < this.#endMs ? due : Number.POSITIVE_INFINITY;
  }

  /** Takes the next request if it is due, and returns its time; -1 if it is not. */
  take(nowMs: number): number {
    const due = this.nextMs;
    if (due > nowMs) return -1;
    this.#sent++;
    return due;
  }

  /** Requests that are due and not taken. */
  overdue(nowMs: number): number {
    const due = this.nextMs;
    if (due > nowMs) return 0;
    if (nowMs >= this.#endMs) return Math.ceil((this.#endMs - due) / this.#intervalMs);
    return Math.floor((nowMs - due) / this.#intervalMs) + 1;
  }
}

/**
 * How to wait: a timer to within a millisecond or two of the next request, then one turn of the loop after the other.
 * A timer alone is a millisecond late at best; turning all the time would keep sockets waiting for nothing.
 */
export class Pacer {
  readonly #tick: () => number;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;

  /** `tick` sends what is due and returns the ms until the next request, or -1 to stop. */
  constructor(tick: () => number) {
    this.#tick = tick;
  }

  start(): void {
    const waitMs = this.#tick();
    if (waitMs < 0) return;
    const again = (): void => {
      this.start();
    };
    if (waitMs > 2) this.#timer = setTimeout(again, waitMs - 1);
    else this.#immediate = setImmediate(again);
  }

  stop(): void {
    clearTimeout(this.#timer);
    if (this.#immediate !== undefined) clearImmediate(this.#immediate);
  }
}
