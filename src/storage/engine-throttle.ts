/*
 * What happens to puts when they come faster than files can be written. Below 70 % of the write buffer nothing; above,
 * each put is held back for a time that grows with the excess, which turns a closed loop of clients down to what the
 * flusher can do; at 100 %, or when too many are held back, a put is refused as overloaded, with nothing written.
 */
import type { Clock, TimerHandle, Timers } from '../env/clock.js';
import { failure, type Failure } from '../model/errors.js';
import type { WriteRequest } from './storage.js';

export const SLOW_FROM_FILL = 0.7;
/** How long a put is held back just below a full buffer, in ms. */
const DELAY_MS_MAX = 100;
const HELD_MAX = 16_384;

export class Throttle {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #fill: () => number;
  readonly #go: (request: WriteRequest) => void;
  /** Held back, in the order of arrival; the due times never fall behind those before them. */
  #held: { readonly request: WriteRequest; readonly dueMs: number }[] = [];
  #timer: TimerHandle | null = null;
  #lastDueMs = 0;

  constructor(clock: Clock, timers: Timers, fill: () => number, go: (request: WriteRequest) => void) {
    this.#clock = clock;
    this.#timers = timers;
    this.#fill = fill;
    this.#go = go;
  }

  get held(): number {
    return this.#held.length;
  }

  /** null: go on. Otherwise the request was held back or refused, and the caller is done with it. */
  admit(request: WriteRequest): 'now' | 'later' {
    const fill = this.#fill();
    if (fill < SLOW_FROM_FILL && this.#held.length === 0) return 'now';
    if (fill >= 1 || this.#held.length >= HELD_MAX) {
      request.onRefused(this.#overloaded(fill));
      return 'later';
    }
    const delayMs = fill < SLOW_FROM_FILL ? 0 : (DELAY_MS_MAX * (fill - SLOW_FROM_FILL)) / (1 - SLOW_FROM_FILL);
    this.#lastDueMs = Math.max(this.#lastDueMs, this.#clock.monotonicMs() + delayMs);
    this.#held.push({ request, dueMs: this.#lastDueMs });
    this.#arm();
    return 'later';
  }

  /** Refuses everything that is held back. */
  refuse(reason: Failure): void {
    this.#timer?.cancel();
    const held = this.#held;
    this.#held = [];
    for (const { request } of held) request.onRefused(reason);
  }

  #arm(): void {
    const first = this.#held[0];
    if (this.#timer !== null || first === undefined) return;
    this.#timer = this.#timers.after(Math.max(0, first.dueMs - this.#clock.monotonicMs()), () => {
      this.#timer = null;
      this.#release();
    });
  }

  #release(): void {
    const nowMs = this.#clock.monotonicMs();
    let due = 0;
    while (due < this.#held.length && (this.#held[due]?.dueMs ?? 0) <= nowMs) due += 1;
    const released = this.#held.splice(0, due);
    for (const { request } of released) {
      const fill = this.#fill();
      if (fill >= 1) request.onRefused(this.#overloaded(fill));
      else this.#go(request);
    }
    this.#arm();
  }

  #overloaded(fill: number): Failure {
    const percent = Math.floor(fill * 100);
    return failure('OVERLOADED', `The write buffer is ${percent} % full with ${this.#held.length} puts held back; try again in ${DELAY_MS_MAX} ms`, {
      retryAfterMs: DELAY_MS_MAX,
    });
  }
}
