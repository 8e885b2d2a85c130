/*
 * One timer for the deadlines of all calls.
 *
 * A setTimeout a call costs more than the rest of the call, and nearly every deadline is cancelled. So calls hang in
 * rings of buckets by the tick of their deadline: adding and removing is relinking two neighbours. The one real timer
 * is armed for the earliest bucket that is not empty; removing a call does not disarm it, so a busy client arms about
 * one timer a timeout, not one a call. A deadline farther away than the wheel is wide is met again each round and left.
 *
 * A deadline is never met early, and late by less than TICK_MS and what the loop adds.
 */
/** What it needs of the world; env/'s Clock and Timers have it. */
interface WheelClock {
  monotonicMs(): number;
}

interface WheelTimers {
  after(delayMs: number, fire: () => void): { cancel(): void };
}

export const TICK_MS = 4;
const BUCKETS = 1024;

/** What hangs in the wheel: it carries its own links, so that nothing is allocated. */
export interface Timed {
  deadlineMs: number;
  wheelBucket: number;
  wheelNext: Timed | null;
  wheelPrevious: Timed | null;
  /** The deadline has passed; the entry is out of the wheel. */
  expire(): void;
}

export class DeadlineWheel {
  readonly #clock: WheelClock;
  readonly #timers: WheelTimers;
  readonly #heads: (Timed | null)[] = new Array<Timed | null>(BUCKETS).fill(null);
  #size: number = 0;
  /** Everything due up to this tick has been expired. */
  #tick: number;
  #armedTick: number = Infinity;
  #timer: { cancel(): void } | null = null;

  constructor(clock: WheelClock, timers: WheelTimers) {
    this.#clock = clock;
    this.#timers = timers;
    this.#tick = Math.floor(clock.monotonicMs() / TICK_MS);
  }

  get size(): number {
    return this.#size;
  }

  /** One that is in the wheel already is moved: what expires together may put others back that are yet to be told. */
  add(entry: Timed): void {
    if (entry.wheelBucket >= 0) this.remove(entry);
    const tick = Math.max(Math.ceil(entry.deadlineMs / TICK_MS), this.#tick + 1);
    const bucket = tick % BUCKETS;
    const head = this.#heads[bucket] ?? null;
    entry.wheelBucket = bucket;
    entry.wheelPrevious = null;
    entry.wheelNext = head;
    if (head !== null) head.wheelPrevious = entry;
    this.#heads[bucket] = entry;
    this.#size += 1;
    if (tick < this.#armedTick) this.#arm(tick);
  }

  /** No effect on an entry that is not in the wheel. */
  remove(entry: Timed): void {
    if (entry.wheelBucket < 0) return;
    const { wheelNext: next, wheelPrevious: previous } = entry;
    if (previous === null) this.#heads[entry.wheelBucket] = next;
    else previous.wheelNext = next;
    if (next !== null) next.wheelPrevious = previous;
    entry.wheelBucket = -1;
    entry.wheelNext = null;
    entry.wheelPrevious = null;
    this.#size -= 1;
  }

  /** Forgets the timer: nothing expires any more until something is added. */
  disarm(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#armedTick = Infinity;
  }

  #arm(tick: number): void {
    this.#timer?.cancel();
    this.#armedTick = tick;
    const delayMs = Math.max(0, tick * TICK_MS - this.#clock.monotonicMs());
    this.#timer = this.#timers.after(delayMs, () => {
      this.#turn();
    });
  }

  #turn(): void {
    this.#timer = null;
    this.#armedTick = Infinity;
    const nowMs = this.#clock.monotonicMs();
    const now = Math.floor(nowMs / TICK_MS);
    const due: Timed[] = []; // taken out first: what expires may add and remove others
    for (let tick = Math.max(this.#tick + 1, now - BUCKETS + 1); tick <= now; tick++) this.#takeDue(tick, nowMs, due);
    this.#tick = Math.max(this.#tick, now);
    for (const entry of due) entry.expire();
    if (this.#size > 0 && this.#timer === null) this.#armNext();
  }

  #takeDue(tick: number, nowMs: number, due: Timed[]): void {
    let entry = this.#heads[tick % BUCKETS] ?? null;
    while (entry !== null) {
      const next: Timed | null = entry.wheelNext;
      if (entry.deadlineMs <= nowMs) {
        this.remove(entry);
        due.push(entry);
      }
      entry = next;
    }
  }

  #armNext(): void {
    for (let tick = this.#tick + 1; tick <= this.#tick + BUCKETS; tick++) {
      if ((this.#heads[tick % BUCKETS] ?? null) === null) continue;
      this.#arm(tick);
      return;
    }
  }
}
