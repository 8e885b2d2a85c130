/*
 * How long the log's recent syncs took, for whoever must yield to them: two histograms of five seconds each, the
 * present one and the one before, with four buckets a power of two. No allocation a sync; a p99 is at most a fifth off.
 */
const WINDOW_MS = 5_000;
const BUCKETS_A_POWER = 4;
/** 1 µs … about 70 s. */
const BUCKETS = 26 * BUCKETS_A_POWER;

export class SyncTimes {
  #present: Uint32Array = new Uint32Array(BUCKETS);
  #before: Uint32Array = new Uint32Array(BUCKETS);
  #turnsAtMs: number;

  constructor(nowMs: number) {
    this.#turnsAtMs = nowMs + WINDOW_MS;
  }

  record(tookMs: number, nowMs: number): void {
    this.#turn(nowMs);
    const bucket = Math.floor(Math.log2(Math.max(1, tookMs * 1_000)) * BUCKETS_A_POWER);
    const at = Math.min(bucket, BUCKETS - 1);
    this.#present[at] = (this.#present[at] as number) + 1;
  }

  /** Milliseconds; 0 when nothing was synced for ten seconds. */
  p99(nowMs: number): number {
    this.#turn(nowMs);
    let total = 0;
    for (let i = 0; i < BUCKETS; i++) total += (this.#present[i] as number) + (this.#before[i] as number);
    if (total === 0) return 0;
    let above = Math.floor(total / 100);
    let bucket = BUCKETS - 1;
    for (; bucket > 0; bucket--) {
      const here = (this.#present[bucket] as number) + (this.#before[bucket] as number);
      if (here > above) break;
      above -= here;
    }
    return 2 ** ((bucket + 1) / BUCKETS_A_POWER) / 1_000;
  }

  #turn(nowMs: number): void {
    if (nowMs < this.#turnsAtMs) return;
    const before = this.#before;
    this.#before = this.#present;
    this.#present = before.fill(0);
    if (nowMs >= this.#turnsAtMs + WINDOW_MS) this.#before.fill(0);
    this.#turnsAtMs = nowMs + WINDOW_MS;
  }
}
