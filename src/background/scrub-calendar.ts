/*
 * Which partition is to be scrubbed when: each once a period, spread evenly over it, by the wall clock alone.
 *
 *   time    ├──── period ────┤──── period ────┤
 *   slot    │0│1│2│ … │Q-1│0│1│2│ …
 *
 * A node that restarts goes on where the clock stands, and nothing needs to be remembered: a round kept in memory would
 * never end on a node that restarts more often than it scrubs. What falls into a time in which the node is down waits for
 * its next slot. Nodes begin at other places of the round, so that the replicas of a partition are not read all at once.
 */
import { assert } from '../lib/assert.js';

/** 2^32 divided by the golden ratio: successive ordinals fall far from each other. */
const SPREAD = 0x9e37_79b1;

export class ScrubCalendar {
  readonly #periodMs: number;
  readonly #partitionCount: number;
  readonly #offset: number;
  /** Whose slot was the last that was told; -1: none yet. */
  #last = -1;

  constructor(periodMs: number, partitionCount: number, ordinal: number) {
    assert(periodMs > 0 && partitionCount > 0, 'a calendar has a period and partitions');
    this.#periodMs = periodMs;
    this.#partitionCount = partitionCount;
    this.#offset = Math.floor(((Math.imul(ordinal, SPREAD) >>> 0) / 2 ** 32) * partitionCount);
  }

  /** How long a slot is, ms. */
  get slotMs(): number {
    return this.#periodMs / this.#partitionCount;
  }

  /** Partitions whose slots have begun since this was asked last: the present one at first, and each once at most. */
  due(wallMs: number): readonly number[] {
    const count = this.#partitionCount;
    const slot = Math.min(count - 1, Math.floor(((wallMs % this.#periodMs) / this.#periodMs) * count));
    const now = (slot + this.#offset) % count;
    const partitions: number[] = [];
    if (this.#last < 0) partitions.push(now);
    else for (let at = this.#last; at !== now; partitions.push(at)) at = (at + 1) % count;
    this.#last = now;
    return partitions;
  }
}
