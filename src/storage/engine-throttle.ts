/*
 * What happens to puts when they come faster than files can be written. Below 70 % of the write buffer nothing; above,
 * they are let in at a rate: four times what the flusher does at that fill, falling to exactly that at 85 % and to a
 * twentieth at 100 %. So a flood settles where in and out are equal, and a buffer that is too full empties while puts go on.
 * At 100 %, or when too many are held back, a put is refused as overloaded, with nothing written.
 *
 * A delay for each put that grows with the excess was tried first: it knows nothing of how many ask. With 256 requests
 * under way it let the buffer run far beyond its balance and then starved everybody, from 32,000 puts a second down to 3,000
 * and back every ten seconds.
 */
import type { Clock, TimerHandle, Timers } from '../env/clock.js';
import { failure, type Failure } from '../model/errors.js';
import { dutyShare } from './flusher.js';
import type { WriteRequest } from './storage.js';

export const SLOW_FROM_FILL = 0.7;
const BALANCED_FILL = 0.85;
const MEMORY_SCARCE = 0.9;
/** Of the flusher's rate: what is let in just above SLOW_FROM_FILL, and just below a full buffer. */
const SHARE_AT_FIRST = 4;
const SHARE_AT_LAST = 0.05;
/** Before the first batch has been timed, in records a ms. */
const RATE_AT_FIRST = 10;
/** Weight of the newest batch in the rate. */
const NEWEST_WEIGHT = 0.05;
const RETRY_AFTER_MS = 100;
const HELD_MAX = 16_384;

export class Throttle {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #pressure: () => number;
  readonly #memoryFill: () => number;
  readonly #go: (request: WriteRequest) => void;
  /** Held back, in the order of arrival; the due times never fall behind those before them. */
  #held: { readonly request: WriteRequest; readonly dueMs: number }[] = [];
  #timer: TimerHandle | null = null;
  #lastDueMs = 0;
  /** What the flusher writes while it writes, in records a ms. */
  #flushRate = RATE_AT_FIRST;

  /** `pressure` slows puts from SLOW_FROM_FILL on; `memoryFill` of 1 refuses them. */
  constructor(
    clock: Clock,
    timers: Timers,
    pressure: () => number,
    memoryFill: () => number,
    go: (request: WriteRequest) => void,
  ) {
    this.#clock = clock;
    this.#timers = timers;
    this.#pressure = pressure;
    this.#memoryFill = memoryFill;
    this.#go = go;
  }

  get held(): number {
    return this.#held.length;
  }

  /** null: go on. Otherwise the request was held back or refused, and the caller is done with it. */
  admit(request: WriteRequest): 'now' | 'later' {
    const pressure = this.#worst();
    if (pressure < SLOW_FROM_FILL && this.#held.length === 0) return 'now';
    if (pressure >= 1 || this.#held.length >= HELD_MAX) {
      request.onRefused(this.#overloaded(pressure));
      return 'later';
    }
    const spacingMs =
      pressure < SLOW_FROM_FILL ? 0 : 1 / (this.#flushRate * dutyShare(pressure) * shareLetIn(pressure));
    this.#lastDueMs = Math.max(this.#lastDueMs, this.#clock.monotonicMs()) + spacingMs;
    this.#held.push({ request, dueMs: this.#lastDueMs });
    this.#arm();
    return 'later';
  }

  noteFlush(records: number, ms: number): void {
    if (records === 0 || ms <= 0) return;
    // Averaged as time a record: a batch that took long must weigh as much as it took.
    this.#flushRate = 1 / ((1 - NEWEST_WEIGHT) / this.#flushRate + (NEWEST_WEIGHT * ms) / records);
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
      const pressure = this.#worst();
      if (pressure >= 1) request.onRefused(this.#overloaded(pressure));
      else this.#go(request);
    }
    this.#arm();
  }

  /** Memory counts only when it is nearly gone: until then it is on its way to be freed. */
  #worst(): number {
    const memory = this.#memoryFill();
    return memory >= MEMORY_SCARCE ? Math.max(memory, this.#pressure()) : this.#pressure();
  }

  #overloaded(fill: number): Failure {
    const percent = Math.floor(fill * 100);
    return failure(
      'OVERLOADED',
      `The write buffer is ${percent} % full with ${this.#held.length} puts held back; try again in ${RETRY_AFTER_MS} ms`,
      {
        retryAfterMs: RETRY_AFTER_MS,
      },
    );
  }
}

function shareLetIn(fill: number): number {
  if (fill >= BALANCED_FILL) return 1 - ((1 - SHARE_AT_LAST) * (fill - BALANCED_FILL)) / (1 - BALANCED_FILL);
  return 1 + ((SHARE_AT_FIRST - 1) * (BALANCED_FILL - fill)) / (BALANCED_FILL - SLOW_FROM_FILL);
}
