/*
 * Latencies in buckets that are 1/32 of their octave wide, from 1 µs to about an hour: a percentile is read with an
 * error of 3 %, recording is a logarithm-free index and an increment, and the memory is 4 KiB whatever happens.
 */
const STEPS = 32;
const STEP_BITS = 5;
const OCTAVES = 32;

export class LatencyHistogram {
  readonly #counts: Float64Array = new Float64Array(STEPS * OCTAVES);
  #total: number = 0;
  #maxMs: number = 0;

  get count(): number {
    return this.#total;
  }

  /** The longest, exactly; ms. */
  get max(): number {
    return this.#maxMs;
  }

  record(ms: number): void {
    if (ms > this.#maxMs) this.#maxMs = ms;
    this.#total += 1;
    const bucket = bucketOf(ms * 1000);
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
  }

  /** 0 < share ≤ 1. Upper bound of the bucket that holds it, ms; 0 when nothing was recorded. */
  percentile(share: number): number {
    const rank = Math.ceil(this.#total * share);
    let seen = 0;
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      seen += this.#counts[bucket] as number;
      if (seen >= rank && seen > 0) return Math.min(this.#maxMs, upperBoundOf(bucket) / 1000);
    }
    return 0;
  }
}

/** Below 32 µs a bucket is 1 µs; then each octave has 32. */
function bucketOf(us: number): number {
  const whole = us < 1 ? 0 : us > 0xffff_ffff ? 0xffff_ffff : us >>> 0;
  const octave = Math.max(0, 31 - Math.clz32(whole | 1) - STEP_BITS + 1);
  if (octave === 0) return whole;
  return octave * STEPS + ((whole >>> (octave - 1)) & (STEPS - 1));
}

function upperBoundOf(bucket: number): number {
  const octave = bucket >>> STEP_BITS;
  const step = bucket & (STEPS - 1);
  return octave === 0 ? step + 1 : (STEPS + step + 1) * 2 ** (octave - 1);
}
