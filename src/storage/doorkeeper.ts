/*
 * Was this key asked for lately? One bit a key, by its hash, in a table that is emptied when a sixteenth of it is set.
 *
 * What is asked for once in a while is not worth a place in the cache: putting it there costs as much as it saves, and
 * drives out what is asked for often. So only the second question within a while lets a record in (the doorkeeper of
 * TinyLFU, Einziger, Friedman and Manes 2017). Two keys may share a bit: then one comes in too early, and that is all.
 */
/** Bits for each key: one stranger in thirty shares one that is set, on average. */
const FREE_SHARE = 16;

export class Doorkeeper {
  readonly #words: Uint32Array;
  readonly #mask: number;
  readonly #setMax: number;
  #set = 0;

  /** `keys`: how many different ones "lately" has, at least; the table takes two to four bytes for each. */
  constructor(keys: number) {
    const bits = 2 ** Math.max(5, Math.ceil(Math.log2(FREE_SHARE * Math.max(1, keys))));
    this.#words = new Uint32Array(bits / 32);
    this.#mask = bits - 1;
    this.#setMax = bits / FREE_SHARE;
  }

  /** Notes the key; true if it, or one that shares its bit, was noted before. `hash`: 32 even bits. */
  wasHere(hash: number): boolean {
    const at = (hash & this.#mask) >>> 5;
    const bit = 1 << (hash & 31);
    const word = this.#words[at] as number;
    if ((word & bit) !== 0) return true;
    this.#words[at] = word | bit;
    this.#set += 1;
    if (this.#set > this.#setMax) {
      this.#words.fill(0);
      this.#set = 0;
    }
    return false;
  }
}
