/*
 * What the slowest hundredth of requests took, over the last minute, lately, and since somebody looked last: twelve
 * histograms of five seconds each, and one more that every look empties. Buckets are a quarter of an octave wide, from 50 µs to about
 * 13 s; within one, the p99 is taken as if its samples lay evenly. Recording is a logarithm and two increments.
 *
 * A minute is long enough for a p99 of few requests, and too long to steer by alone: whatever was slow stays in it for a
 * minute, whoever caused it, and what has become slow shows in it late. Hence the other views.
 */
const BUCKETS = 72;
const PER_OCTAVE = 4;
const SMALLEST_MS = 0.05;
const TURNS = 12;
const TURN_MS = 5_000;
/** Samples of which one is no p99. */
const ENOUGH = 100;

export class LatencyWindow {
  /** One histogram behind the other. */
  readonly #turns: Uint32Array = new Uint32Array(TURNS * BUCKETS);
  readonly #sinceLook: Uint32Array = new Uint32Array(BUCKETS);
  readonly #sum: Uint32Array = new Uint32Array(BUCKETS);
  #present = 0;
  #turnsAtMs: number;

  constructor(nowMs: number) {
    this.#turnsAtMs = nowMs + TURN_MS;
  }

  record(elapsedMs: number, nowMs: number): void {
    if (nowMs >= this.#turnsAtMs) this.#turn(nowMs);
    const bucket = bucketOf(elapsedMs);
    const at = this.#present * BUCKETS + bucket;
    this.#turns[at] = (this.#turns[at] as number) + 1;
    this.#sinceLook[bucket] = (this.#sinceLook[bucket] as number) + 1;
  }

  /** Of the last 55 to 60 s; 0: nothing was recorded. */
  minuteMs(nowMs: number): number {
    if (nowMs >= this.#turnsAtMs) this.#turn(nowMs);
    return p99Of(this.#sumOf(TURNS), 1);
  }

  /** Of the last 5 to 10 s; 0: fewer than ENOUGH were recorded. */
  latelyMs(nowMs: number): number {
    if (nowMs >= this.#turnsAtMs) this.#turn(nowMs);
    return p99Of(this.#sumOf(2), ENOUGH);
  }

  /** Of what was recorded since this was asked last; 0: nothing was. */
  lookMs(): number {
    const value = p99Of(this.#sinceLook, 1);
    this.#sinceLook.fill(0);
    return value;
  }

  #sumOf(turns: number): Uint32Array {
    const sum = this.#sum.fill(0);
    for (let back = 0; back < turns; back++) {
      const first = ((this.#present + TURNS - back) % TURNS) * BUCKETS;
      for (let i = 0; i < BUCKETS; i++) (sum[i] as number) += this.#turns[first + i] as number;
    }
    return sum;
  }

  #turn(nowMs: number): void {
    const passed = Math.floor((nowMs - this.#turnsAtMs) / TURN_MS) + 1;
    for (let i = 0; i < Math.min(passed, TURNS); i++) {
      this.#present = (this.#present + 1) % TURNS;
      this.#turns.fill(0, this.#present * BUCKETS, (this.#present + 1) * BUCKETS);
    }
    this.#turnsAtMs += passed * TURN_MS;
  }
}

function p99Of(counts: Uint32Array, least: number): number {
  let total = 0;
  for (const count of counts) total += count;
  if (total < least) return 0;
  let rank = total - Math.floor(total / 100); // of so few that a hundredth is none of them: the slowest
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const here = counts[bucket] as number;
    if (rank <= here) {
      const low = bucket === 0 ? 0 : boundOf(bucket);
      return low + ((boundOf(bucket + 1) - low) * rank) / here;
    }
    rank -= here;
  }
  return boundOf(BUCKETS);
}

/** Where a bucket begins. */
function boundOf(bucket: number): number {
  return SMALLEST_MS * 2 ** ((bucket - 1) / PER_OCTAVE);
}

/** The first takes all that is shorter than SMALLEST_MS, the last all that is longer than its bound. */
function bucketOf(elapsedMs: number): number {
  if (!(elapsedMs > SMALLEST_MS)) return 0;
  return Math.min(BUCKETS - 1, 1 + Math.floor(PER_OCTAVE * Math.log2(elapsedMs / SMALLEST_MS)));
}
