/*
 * Which key comes next. YCSB's distributions (Cooper et al., SoCC 2010; Gray et al., SIGMOD 1994 for the zipfian draw),
 * so that our figures can be laid beside those of other stores.
 *
 * "zipfian" is YCSB's scrambled zipfian: a rank is drawn from ten thousand million items with theta 0.99, for which the
 * constant ZETAN is known, and hashed onto the keys. So the popular keys lie anywhere in the key space, and they stay
 * the same ones when the number of keys changes.
 */
import type { Prng } from '../../src/lib/prng.js';

export const ZIPFIAN_THETA = 0.99;
const SCRAMBLED_ITEMS = 10_000_000_000;
const SCRAMBLED_ZETAN = 26.46902820178302;

/** An index into the keys, 0 ≤ index < count, where `count` is how many there are now. */
export interface KeyChooser {
  next(count: number): number;
}

function zeta(from: number, to: number, theta: number, initial: number): number {
  let sum = initial;
  for (let i = from; i < to; i++) sum += 1 / Math.pow(i + 1, theta);
  return sum;
}

/** Ranks 0, 1, 2 …, of which 0 is drawn most often. The number of items may grow; the sum is then continued. */
export class Zipfian {
  readonly #prng: Prng;
  readonly #theta: number;
  readonly #alpha: number;
  readonly #zeta2: number;
  #items: number;
  #zetan: number;
  #eta: number = 0;

  constructor(prng: Prng, items: number, theta: number = ZIPFIAN_THETA, zetan: number = zeta(0, items, theta, 0)) {
    this.#prng = prng;
    this.#theta = theta;
    this.#alpha = 1 / (1 - theta);
    this.#zeta2 = zeta(0, 2, theta, 0);
    this.#items = items;
    this.#zetan = zetan;
    this.#setEta();
  }

  next(items: number): number {
    if (items > this.#items) this.#growTo(items);
    const u = this.#prng.float();
    const uz = u * this.#zetan;
    if (uz < 1) return 0;
    if (uz < 1 + Math.pow(0.5, this.#theta)) return Math.min(1, this.#items - 1);
    const rank = Math.floor(this.#items * Math.pow(this.#eta * u - this.#eta + 1, this.#alpha));
    return Math.min(rank, this.#items - 1);
  }

  #growTo(items: number): void {
    this.#zetan = zeta(this.#items, items, this.#theta, this.#zetan);
    this.#items = items;
    this.#setEta();
  }

  #setEta(): void {
    this.#eta = (1 - Math.pow(2 / this.#items, 1 - this.#theta)) / (1 - this.#zeta2 / this.#zetan);
  }
}

/*
 * FNV-1a of a number's eight bytes, little end first, as YCSB hashes ranks; then the absolute value of the signed
 * result, modulo `count`. In halves of 32 bits: BigInt would cost more than the rest of the request together.
 * The prime is 2^40 + 0x1b3, so hash × prime = (hash << 40) + hash × 0x1b3.
 */
export function fnvBucket(rank: number, count: number): number {
  let hi = 0xcbf29ce4;
  let lo = 0x84222325;
  let rest = rank;
  for (let i = 0; i < 8; i++) {
    const next = Math.floor(rest / 256);
    lo = (lo ^ (rest - next * 256)) >>> 0;
    rest = next;
    const product = lo * 0x1b3;
    hi = (Math.imul(hi, 0x1b3) + Math.floor(product / 0x1_0000_0000) + (lo << 8)) >>> 0;
    lo = product >>> 0;
  }
  if (hi >= 0x8000_0000) {
    lo = (~lo + 1) >>> 0;
    hi = (~hi + (lo === 0 ? 1 : 0)) >>> 0;
  }
  return ((hi % count) * (0x1_0000_0000 % count) + (lo % count)) % count;
}

class Uniform implements KeyChooser {
  readonly #prng: Prng;
  constructor(prng: Prng) {
    this.#prng = prng;
  }
  next(count: number): number {
    return this.#prng.int(count);
  }
}

class ScrambledZipfian implements KeyChooser {
  readonly #ranks: Zipfian;
  readonly #items: number;

  constructor(prng: Prng, keys: number, theta: number) {
    const standard = theta === ZIPFIAN_THETA;
    this.#items = standard ? SCRAMBLED_ITEMS : keys; // the sum over 10^10 items is known for one theta only
    this.#ranks = standard
      ? new Zipfian(prng, SCRAMBLED_ITEMS, theta, SCRAMBLED_ZETAN)
      : new Zipfian(prng, keys, theta);
  }
  next(count: number): number {
    return fnvBucket(this.#ranks.next(this.#items), count);
  }
}

/** The newest key most often: last − zipf(count). */
class Latest implements KeyChooser {
  readonly #ranks: Zipfian;
  constructor(prng: Prng, keys: number, theta: number) {
    this.#ranks = new Zipfian(prng, keys, theta);
  }
  next(count: number): number {
    return count - 1 - this.#ranks.next(count);
  }
}

/** One after the other, beginning at `first` so that several threads do not walk in step. */
class Sequential implements KeyChooser {
  #at: number;
  constructor(first: number) {
    this.#at = first;
  }
  next(count: number): number {
    if (this.#at >= count) this.#at = 0;
    return this.#at++;
  }
}

export type KeyDistribution =
  | { readonly kind: 'uniform' }
  | { readonly kind: 'sequential' }
  | { readonly kind: 'zipfian'; readonly theta: number }
  | { readonly kind: 'latest'; readonly theta: number };

export function keyChooser(distribution: KeyDistribution, prng: Prng, keys: number, first: number): KeyChooser {
  switch (distribution.kind) {
    case 'uniform':
      return new Uniform(prng);
    case 'sequential':
      return new Sequential(first);
    case 'zipfian':
      return new ScrambledZipfian(prng, keys, distribution.theta);
    case 'latest':
      return new Latest(prng, keys, distribution.theta);
  }
}
