/*
 * How much background work there may be (§6.5): additive increase, multiplicative decrease, as TCP shares a line with
 * strangers. While all that is measured keeps below its target the rate grows by a fixed step a second; when something is
 * above, the rate is multiplied by a factor that is the smaller the worse it is.
 *
 *   strain  = the largest of   requests   p99 since the last step / target, of gets, of puts, if it lasts
 *                              loop       p99 of the event loop's delay since the last step / target
 *                              log        p99 of the log's syncs / target
 *   above 1           rate × 1/strain, at least a quarter, at most four fifths; never below the least rate
 *   CALM .. 1         as it is
 *   below CALM        rate + step, if somebody wanted more than there was, and the minute is calm too
 *
 * Slow requests last if the p99 of the last minute says the same, or that of the last few seconds, if there were enough:
 * one slow request in a second is no hundredth of a minute, and it takes long until a hundredth of the latest is one of
 * the minute. What was slow half a minute ago is over: then the minute's memory only delays growth.
 *
 * A decrease shows in what is measured only after a while, so the next waits for it, unless things have become worse:
 * else one slow second would take all, and the rate would swing between its bounds.
 *
 * The least rate is never taken away: hints must go home also where the disk is slow for everybody.
 */
export interface Foreground {
  readonly gets: Latency;
  readonly puts: Latency;
  /** p99 of the event loop's delay since the last step. */
  readonly loopDelayMs: number;
  /** p99 of the log's syncs, lately. */
  readonly syncMs: number;
}

/** A p99 of requests; 0: there were none. */
export interface Latency {
  /** Over the last minute. */
  readonly minuteMs: number;
  /** Over the last 5 to 10 s; 0 also if there were fewer than a hundred. */
  readonly latelyMs: number;
  /** Since the last step. */
  readonly secondMs: number;
}

export interface Targets {
  readonly requestMs: number;
  readonly loopDelayMs: number;
  readonly syncMs: number;
}

export interface RateBounds {
  /** Bytes a second. */
  readonly min: number;
  readonly max: number;
}

/** Why the rate is what it is: what strains, or that nothing does. */
export type Cause = 'requests' | 'loop' | 'log' | 'near' | 'calm' | 'unused';

const CALM = 0.85;
const FACTOR_MIN = 0.25;
const FACTOR_MAX = 0.8;
const SETTLE_MS = 3_000;
const WORSE = 1.5;
/** Of the largest rate: from nothing to all of it in so many seconds. */
const STEPS_TO_MAX = 32;
const START_SHARE = 1 / 8;

export class RateLaw {
  readonly #targets: Targets;
  readonly #bounds: RateBounds;
  #rate: number;
  #cause: Cause = 'unused';
  #settledAtMs = -Infinity;
  #lastStrain = 0;

  constructor(targets: Targets, bounds: RateBounds) {
    this.#targets = targets;
    this.#bounds = bounds;
    this.#rate = Math.max(bounds.min, bounds.max * START_SHARE);
  }

  /** Bytes a second. */
  get rate(): number {
    return this.#rate;
  }

  get cause(): Cause {
    return this.#cause;
  }

  /** Once a second. `wasWanted`: work has waited for the rate since the last step. True: the rate was decreased. */
  step(seen: Foreground, wasWanted: boolean, nowMs: number): boolean {
    const { requestMs, loopDelayMs, syncMs } = this.#targets;
    const { gets, puts } = seen;
    const remembered = Math.max(memoryOf(gets), memoryOf(puts)) / requestMs;
    const requests = Math.max(lasting(gets), lasting(puts)) / requestMs;
    const loop = seen.loopDelayMs / loopDelayMs;
    const log = seen.syncMs / syncMs;
    const strain = Math.max(requests, loop, log);
    if (strain > 1) {
      this.#cause = strain === requests ? 'requests' : strain === loop ? 'loop' : 'log';
      return this.#decrease(strain, nowMs);
    }
    this.#lastStrain = 0;
    const { min, max } = this.#bounds;
    if (Math.max(strain, remembered) >= CALM) this.#cause = 'near';
    else if (!wasWanted) this.#cause = 'unused';
    else {
      this.#cause = 'calm';
      this.#rate = Math.min(max, this.#rate + Math.max(min, max / STEPS_TO_MAX));
    }
    return false;
  }

  #decrease(strain: number, nowMs: number): boolean {
    if (nowMs < this.#settledAtMs && strain < this.#lastStrain * WORSE) return false;
    this.#settledAtMs = nowMs + SETTLE_MS;
    this.#lastStrain = strain;
    const before = this.#rate;
    const factor = Math.min(FACTOR_MAX, Math.max(FACTOR_MIN, 1 / strain));
    this.#rate = Math.max(this.#bounds.min, this.#rate * factor);
    return this.#rate < before;
  }
}

function memoryOf({ minuteMs, latelyMs }: Latency): number {
  return Math.max(minuteMs, latelyMs);
}

function lasting(latency: Latency): number {
  return Math.min(latency.secondMs, memoryOf(latency));
}
