/*
 * Somebody else who says that he is a node of which we believe another word: a second process with the same node id, as
 * after a directory was copied, or only an old word that is still going round.
 *
 * Of a process that has ended the last beat comes round late, from this node and that, and looks for a while as if it went
 * on. Words go round all nodes within some seconds; so who still goes on when `settleMs` have passed is alive.
 */
import { compareCounts, type Count } from './gossip-order.js';

export class Rival {
  readonly #sinceMs: number;
  readonly #settleMs: number;
  #movedMs: number;
  #count: Count;
  #isAlive = false;

  constructor({ opening, beat }: Count, settleMs: number, nowMs: number) {
    this.#count = { opening, beat };
    this.#settleMs = settleMs;
    this.#sinceMs = nowMs;
    this.#movedMs = nowMs;
  }

  get opening(): number {
    return this.#count.opening;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  quietMs(nowMs: number): number {
    return nowMs - this.#movedMs;
  }

  /** Another word of it. True: this shows that it goes on. */
  hear({ opening, beat }: Count, nowMs: number): boolean {
    if (compareCounts({ opening, beat }, this.#count) <= 0) return false;
    this.#count = { opening, beat };
    this.#movedMs = nowMs;
    if (nowMs - this.#sinceMs < this.#settleMs) return false;
    this.#isAlive = true;
    return true;
  }
}
