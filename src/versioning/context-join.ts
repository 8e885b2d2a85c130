/*
 * join(a, b): for each actor the greater counter; the least context that knows what either knows. Two runs of entries in
 * place, walked together twice: once to measure, once to write. Reused; holds on to nothing but the ranges.
 */
import { CONTEXT_ENTRY_BYTES, compareAt, counterOf } from './record.js';
import { copyBytes } from './write.js';

const ACTOR_BYTES = 8;

export class ContextJoin {
  /** Entries of the join. */
  count: number = 0;
  /** The join is what a (or b) already is. */
  sameAsA: boolean = true;
  sameAsB: boolean = true;

  #a: Uint8Array = new Uint8Array(0);
  #aAt: number = 0;
  #aCount: number = 0;
  #b: Uint8Array = this.#a;
  #bAt: number = 0;
  #bCount: number = 0;

  /** The entries are `aCount` at `a[aAt…]` and `bCount` at `b[bAt…]`; they must stay as they are until `write`. */
  measure(a: Uint8Array, aAt: number, aCount: number, b: Uint8Array, bAt: number, bCount: number): void {
    this.#a = a;
    this.#aAt = aAt;
    this.#aCount = aCount;
    this.#b = b;
    this.#bAt = bAt;
    this.#bCount = bCount;
    this.count = 0;
    this.sameAsA = true;
    this.sameAsB = true;
    const aEnd = aAt + CONTEXT_ENTRY_BYTES * aCount;
    const bEnd = bAt + CONTEXT_ENTRY_BYTES * bCount;
    let i = aAt;
    let j = bAt;
    while (i < aEnd && j < bEnd) {
      const order = compareAt(a, i, b, j, ACTOR_BYTES);
      if (order < 0) this.sameAsB = false;
      else if (order > 0) this.sameAsA = false;
      else this.#compareCounters(i, j);
      if (order <= 0) i += CONTEXT_ENTRY_BYTES;
      if (order >= 0) j += CONTEXT_ENTRY_BYTES;
      this.count += 1;
    }
    if (i < aEnd) this.sameAsB = false;
    if (j < bEnd) this.sameAsA = false;
    this.count += (aEnd - i + bEnd - j) / CONTEXT_ENTRY_BYTES;
  }

  #compareCounters(i: number, j: number): void {
    const difference = counterOf(this.#a, i) - counterOf(this.#b, j);
    if (difference < 0) this.sameAsA = false;
    else if (difference > 0) this.sameAsB = false;
  }

  /** Writes the entries at `at`; answers where they end. */
  write(target: Uint8Array, at: number): number {
    const end = at + CONTEXT_ENTRY_BYTES * this.count;
    if (this.sameAsA) copyBytes(this.#a, this.#aAt, end - at, target, at);
    else if (this.sameAsB) copyBytes(this.#b, this.#bAt, end - at, target, at);
    else this.#interleave(target, at);
    return end;
  }

  #interleave(target: Uint8Array, at: number): void {
    const aEnd = this.#aAt + CONTEXT_ENTRY_BYTES * this.#aCount;
    const bEnd = this.#bAt + CONTEXT_ENTRY_BYTES * this.#bCount;
    let i = this.#aAt;
    let j = this.#bAt;
    let out = at;
    while (i < aEnd || j < bEnd) {
      let order = -1;
      if (i >= aEnd) order = 1;
      else if (j < bEnd) order = compareAt(this.#a, i, this.#b, j, ACTOR_BYTES);
      const fromA = order < 0 || (order === 0 && counterOf(this.#a, i) >= counterOf(this.#b, j));
      if (fromA) copyBytes(this.#a, i, CONTEXT_ENTRY_BYTES, target, out);
      else copyBytes(this.#b, j, CONTEXT_ENTRY_BYTES, target, out);
      if (order <= 0) i += CONTEXT_ENTRY_BYTES;
      if (order >= 0) j += CONTEXT_ENTRY_BYTES;
      out += CONTEXT_ENTRY_BYTES;
    }
  }
}
