/*
 * What is a usual answer time, and what is late? Counts of the recent past in buckets a quarter of an octave wide, from
 * 50 µs to about 3 s. Every HALF_LIFE samples, or HALF_LIFE_MS for one that is seldom fed, all counts are halved, so that
 * the estimate forgets: after a change of load it is right again within some hundred answers. A quantile is read off
 * every REFRESH samples and is at most a bucket (19 %) too high; recording is a logarithm and an increment.
 *
 * Mean and deviation, as TCP has them, would be two numbers; but answers that are mostly from memory and sometimes from a
 * disk have two humps, and the sum of the two says little about the second.
 */
const BUCKETS = 64;
const PER_OCTAVE = 4;
const SMALLEST_MS = 0.05;
const HALF_LIFE = 256;
const HALF_LIFE_MS = 10_000;
const REFRESH = 16;

export class LatencyEstimate {
  readonly #counts: Float64Array = new Float64Array(BUCKETS);
  readonly #quantile: number;
  #total = 0;
  #sinceHalved = 0;
  #sinceRefreshed = 0;
  #halvedMs = -Infinity;
  #valueMs: number;

  /** `quantile`: 0 < q < 1. `initialMs` is answered until the first REFRESH samples are in. */
  constructor(quantile: number, initialMs: number) {
    this.#quantile = quantile;
    this.#valueMs = initialMs;
  }

  get valueMs(): number {
    return this.#valueMs;
  }

  record(elapsedMs: number, nowMs: number): void {
    if (this.#sinceHalved >= HALF_LIFE || nowMs - this.#halvedMs >= HALF_LIFE_MS) this.#halve(nowMs);
    const bucket = bucketOf(elapsedMs);
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#total += 1;
    this.#sinceHalved += 1;
    this.#sinceRefreshed += 1;
    if (this.#sinceRefreshed >= REFRESH) this.#refresh();
  }

  #halve(nowMs: number): void {
    this.#halvedMs = nowMs;
    this.#sinceHalved = 0;
    if (this.#total === 0) return;
    for (let i = 0; i < BUCKETS; i++) this.#counts[i] = (this.#counts[i] as number) / 2;
    this.#total /= 2;
  }

  #refresh(): void {
    this.#sinceRefreshed = 0;
    const rank = this.#total * this.#quantile;
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket] as number;
      if (seen < rank) continue;
      this.#valueMs = SMALLEST_MS * 2 ** ((bucket + 1) / PER_OCTAVE);
      return;
    }
  }
}

function bucketOf(elapsedMs: number): number {
  if (!(elapsedMs > SMALLEST_MS)) return 0;
  return Math.min(BUCKETS - 1, Math.floor(PER_OCTAVE * Math.log2(elapsedMs / SMALLEST_MS)));
}
