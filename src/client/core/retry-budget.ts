/*
 * How much of the load may be retries. Retries multiply load exactly when a cluster can bear it least, so they are paid
 * for: between two retries the bucket gains a share of the calls made since, or a small constant rate, whichever is
 * more. With the defaults: 20 % of the calls, at least 10 a second; an empty bucket means that the failure is reported. What
 * is paid for, and what is free, is told in retries.ts.
 */
import type { Clock } from '../../env/clock.js';

export interface RetryBudgetOptions {
  /** Tokens a call earns. */
  readonly ratio: number;
  /** Tokens that a second earns, if its calls earned less. */
  readonly minPerSecond: number;
}

/** Seconds of the minimum rate that may be saved up; calls save up to as much as ten times that. */
const SAVED_S = 1;
const SAVED_CALLS_FACTOR = 10;

export class RetryBudget {
  readonly #clock: Clock;
  readonly #options: RetryBudgetOptions;
  readonly #tokensMax: number;
  #tokens: number;
  #calls: number = 0;
  #refilledMs: number;

  constructor(clock: Clock, options: RetryBudgetOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#tokens = options.minPerSecond * SAVED_S;
    this.#tokensMax = Math.max(1, this.#tokens * SAVED_CALLS_FACTOR);
    this.#refilledMs = clock.monotonicMs();
  }

  /** A call has begun. On the path of every call: it counts and nothing else. */
  earn(): void {
    this.#calls += 1;
  }

  /** Pays for one retry, or says that there is nothing left. */
  take(): boolean {
    this.#refill();
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  #refill(): void {
    const nowMs = this.#clock.monotonicMs();
    const byTime = Math.min(SAVED_S, (nowMs - this.#refilledMs) / 1000) * this.#options.minPerSecond;
    const byCalls = this.#calls * this.#options.ratio;
    this.#tokens = Math.min(this.#tokensMax, this.#tokens + Math.max(byTime, byCalls));
    this.#calls = 0;
    this.#refilledMs = nowMs;
  }
}
