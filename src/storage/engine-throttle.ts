/*
 * What happens to puts when they come faster than files can be written. Below 70 % of the write buffer nothing; above,
 * they are let in at a rate: four times what the flusher does at that fill, falling to exactly that at 85 % and to a
 * twentieth at 100 %. So a flood settles where in and out are equal, and a buffer that is too full empties while puts go on.
 * At 100 %, or when the wait would be too long, a put is refused as overloaded, with nothing written.
 *
 * The rate counts bytes, and a fixed share for each record, on both sides: counted in records, a flusher that was busy
 * with values of 1 MiB let in small puts as if each were one. And it is the rate of the moment: puts that were given
 * their time when they came waited for seconds after the buffer had long emptied.
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
/** What a record costs the flusher beside its bytes (leaf, pages, key), in bytes. */
const RECORD_COST = 1_024;
/** Before the first batch has been timed, in bytes a ms. */
const RATE_AT_FIRST = 20_000;
/** Weight of the newest batch in the rate. */
const NEWEST_WEIGHT = 0.05;
const RETRY_AFTER_MS = 100;
/**
 * A put is refused at once when those before it need this long, and at last when it has waited for half as long again: an
 * answer within a few hundred ms, and a client that comes back, is worth more than a queue (§2.2).
 */
export const HELD_MS_MAX = 300;
const LATE_MS = 1.5 * HELD_MS_MAX;
/** How often the rate is looked at anew while puts are held back. */
const LOOK_MS = 10;

interface Held {
  readonly request: WriteRequest;
  readonly sinceMs: number;
}

export class Throttle {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #pressure: () => number;
  readonly #memoryFill: () => number;
  readonly #go: (request: WriteRequest) => void;
  /** Held back, in the order of arrival; those before `#head` are gone. */
  #held: Held[] = [];
  #head = 0;
  #heldCost = 0;
  #timer: TimerHandle | null = null;
  /** What may be let in now, in bytes; below 0: what was let in too much. */
  #credit = 0;
  #creditMs = 0;
  /** What the flusher writes while it writes, in bytes a ms. */
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
    return this.#held.length - this.#head;
  }

  /** 'later': the request was held back or refused, and the caller is done with it. */
  admit(request: WriteRequest): 'now' | 'later' {
    const pressure = this.#worst();
    if (pressure < SLOW_FROM_FILL && this.held === 0) return 'now';
    const nowMs = this.#clock.monotonicMs();
    if (this.held === 0) this.#earn(nowMs, pressure);
    if (pressure >= 1 || (this.#heldCost - this.#credit) / this.#rate(pressure) > HELD_MS_MAX) {
      request.onRefused(this.#overloaded(pressure));
      return 'later';
    }
    this.#held.push({ request, sinceMs: nowMs });
    this.#heldCost += costOf(request);
    this.#arm(pressure);
    return 'later';
  }

  noteFlush(records: number, bytes: number, ms: number): void {
    if (records === 0 || ms <= 0) return;
    // Averaged as time a byte: a batch that took long must weigh as much as it took.
    const msAByte = ms / (bytes + RECORD_COST * records);
    this.#flushRate = 1 / ((1 - NEWEST_WEIGHT) / this.#flushRate + NEWEST_WEIGHT * msAByte);
  }

  /** Refuses everything that is held back. */
  refuse(reason: Failure): void {
    this.#timer?.cancel();
    this.#timer = null;
    const held = this.#held.slice(this.#head);
    this.#held = [];
    this.#head = 0;
    this.#heldCost = 0;
    for (const { request } of held) request.onRefused(reason);
  }

  #rate(pressure: number): number {
    return this.#flushRate * dutyShare(pressure) * shareLetIn(pressure);
  }

  /** Credit for the time since the last look. None is saved up: what was not used while nobody asked is gone. */
  #earn(nowMs: number, pressure: number): void {
    const earned = (nowMs - this.#creditMs) * this.#rate(pressure);
    this.#credit = this.held === 0 ? Math.min(0, this.#credit + earned) : this.#credit + earned;
    this.#creditMs = nowMs;
  }

  #arm(pressure: number): void {
    if (this.#timer !== null || this.held === 0) return;
    const waitMs = this.#credit < 0 ? Math.min(LOOK_MS, Math.max(1, -this.#credit / this.#rate(pressure))) : 0;
    this.#timer = this.#timers.after(waitMs, () => {
      this.#timer = null;
      this.#release();
    });
  }

  #release(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#earn(nowMs, this.#worst());
    while (this.held > 0) {
      const { request, sinceMs } = this.#held[this.#head] as Held;
      const pressure = this.#worst();
      const isLate = nowMs - sinceMs > LATE_MS;
      if (this.#credit < 0 && pressure < 1 && !isLate) break;
      this.#head += 1;
      const cost = costOf(request);
      this.#heldCost -= cost;
      if (pressure >= 1 || isLate) request.onRefused(this.#overloaded(pressure));
      else {
        this.#credit -= cost;
        this.#go(request);
      }
    }
    if (this.held === 0) {
      this.#held = [];
      this.#head = 0;
      this.#credit = Math.min(0, this.#credit);
      return;
    }
    if (this.#head > 1_024) {
      this.#held = this.#held.slice(this.#head);
      this.#head = 0;
    }
    this.#arm(this.#worst());
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
      `The write buffer is ${percent} % full with ${this.held} puts held back; try again in ${RETRY_AFTER_MS} ms`,
      {
        retryAfterMs: RETRY_AFTER_MS,
      },
    );
  }
}

function costOf(request: WriteRequest): number {
  return RECORD_COST + request.bytesHint;
}

/** Never below SHARE_AT_LAST: pressure may pass 1 by far, and a rate below zero would be a debt that grows with time. */
function shareLetIn(fill: number): number {
  if (fill >= 1) return SHARE_AT_LAST;
  if (fill >= BALANCED_FILL) return 1 - ((1 - SHARE_AT_LAST) * (fill - BALANCED_FILL)) / (1 - BALANCED_FILL);
  return 1 + ((SHARE_AT_FIRST - 1) * (BALANCED_FILL - fill)) / (BALANCED_FILL - SLOW_FROM_FILL);
}
