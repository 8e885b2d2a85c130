/*
 * What comes next: an operation, a key, a size. One source a thread, seeded by (seed, thread), so that two runs of one
 * plan ask for the same things in the same order.
 *
 * Any thread reads any key. A thread writes only keys of its own residue class modulo the number of threads, and never
 * one that it is writing already: otherwise the puts would be concurrent, and the bench would measure siblings that
 * no application with one writer a key would make.
 */
import { Prng } from '../../src/lib/prng.js';
import type { Operation, Plan } from './plan.js';
import { OPERATIONS } from './plan.js';
import { keyChooser } from './zipf.js';
import type { KeyChooser } from './zipf.js';

/** Places in OPERATIONS; a put is what is none of these. */
export const GET = 0;
export const DELETE = 2;
export const INSERT = 3;
export const RMW = 4;

export function operationName(operation: number): Operation {
  return OPERATIONS[operation] as Operation;
}

/** Steps to the next key that is free to be written, before we give up and write concurrently. */
const PROBES_MAX = 64;

export class OperationSource {
  operation: number = GET;
  key: number = 0;
  valueBytes: number = 0;

  readonly #prng: Prng;
  readonly #thread: number;
  readonly #threads: number;
  readonly #keys: number;
  readonly #chooser: KeyChooser;
  /** Ascending shares, one an operation; a draw below the i-th is the i-th operation. */
  readonly #mixBounds: readonly number[];
  readonly #sizeBounds: readonly number[];
  readonly #sizes: readonly number[];
  readonly #writing: Set<number> = new Set();
  #inserted: number = 0;
  #preloaded: number = 0;
  readonly #preloadFirst: number;

  constructor(plan: Plan, thread: number, threads: number) {
    this.#prng = new Prng(Math.imul(plan.seed, 0x9e3779b1) ^ Math.imul(thread + 1, 0x85ebca6b));
    this.#thread = thread;
    this.#threads = threads;
    this.#keys = plan.keys;
    this.#preloadFirst = this.#ownBelow(plan.preloadFrom);
    this.#chooser = keyChooser(
      plan.distribution,
      this.#prng.fork(),
      plan.keys,
      Math.floor((plan.keys * thread) / threads),
    );
    this.#mixBounds = bounds(OPERATIONS.map((operation) => plan.mix[operation]));
    this.#sizes = plan.sizes.map((size) => size.bytes);
    this.#sizeBounds = bounds(plan.sizes.map((size) => size.share));
  }

  /** Sets `operation`, `key` and `valueBytes`. */
  next(): void {
    this.operation = this.#draw(this.#mixBounds);
    if (this.operation === INSERT) {
      this.key = this.#keys + this.#inserted++ * this.#threads + this.#thread;
    } else {
      // Keys that other threads inserted are known to be there only as far as ours: they keep the same pace.
      const key = this.#chooser.next(this.#keys + this.#inserted * this.#threads);
      this.key = this.operation === GET ? key : this.#writable(key);
    }
    if (this.operation !== GET) this.#beginWrite();
  }

  /** The next key of this thread that preloading has to put; false: there is none. */
  nextPreload(): boolean {
    if (this.#preloaded >= this.preloadCount) return false;
    this.operation = INSERT;
    this.key = (this.#preloadFirst + this.#preloaded++) * this.#threads + this.#thread;
    this.#beginWrite();
    return true;
  }

  /** A key whose preloading failed. */
  again(key: number): void {
    this.operation = INSERT;
    this.key = key;
    this.#beginWrite();
  }

  get preloadCount(): number {
    return Math.max(0, this.#ownBelow(this.#keys) - this.#preloadFirst);
  }

  /** The write of `key` was answered, or will not be. */
  writeEnded(key: number): void {
    this.#writing.delete(key);
  }

  u32(): number {
    return this.#prng.u32();
  }

  /** How many keys of this thread's class are below `key`. */
  #ownBelow(key: number): number {
    return Math.max(0, Math.ceil((key - this.#thread) / this.#threads));
  }

  #beginWrite(): void {
    this.valueBytes =
      this.#sizes.length === 1 ? (this.#sizes[0] as number) : (this.#sizes[this.#draw(this.#sizeBounds)] as number);
    this.#writing.add(this.key);
  }

  #writable(key: number): number {
    let own = key - (key % this.#threads) + this.#thread;
    if (own >= this.#keys) own = this.#thread;
    for (let probe = 0; probe < PROBES_MAX && this.#writing.has(own); probe++) {
      own += this.#threads;
      if (own >= this.#keys) own = this.#thread;
    }
    return own;
  }

  #draw(limits: readonly number[]): number {
    const u = this.#prng.float();
    let i = 0;
    while (i < limits.length - 1 && u >= (limits[i] as number)) i++;
    return i;
  }
}

function bounds(shares: readonly number[]): readonly number[] {
  const total = shares.reduce((sum, share) => sum + share, 0);
  let sum = 0;
  return shares.map((share) => (sum += share) / total);
}
