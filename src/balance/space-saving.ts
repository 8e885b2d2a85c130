/*
 * Which keys are asked for most often, in bounded memory: the Space-Saving sketch (Metwally, Agrawal, El Abbadi, ICDT
 * 2005). It keeps a fixed number of keys with a count each. A key that is not among them takes the place of the one with
 * the lowest count, and goes on from that count: it may have been that often before, and was not looked at.
 *
 *   - The count of a key is never below the truth, and above it by no more than the count that it took over (`overcount`).
 *   - No count that is taken over is above total ÷ capacity. So every key with a larger part than that is in the sketch.
 *
 * Everything lies in typed arrays that are made once: counting makes no object. The keys form a heap by count, the least
 * at the top; a table of open addressing finds a key by its hash. Keys of one hash are one key here: XXH64 can be made to
 * collide by who wants to, and all that is won by it is a wrong name in a report.
 */
import { assert } from '../lib/assert.js';

/** Slots of the table a key. */
const TABLE_ROOM = 4;
const NOBODY = -1;

export interface CountedKey {
  /** Its first bytes. */
  readonly key: Uint8Array;
  readonly keyBytes: number;
  readonly hashHi: number;
  readonly hashLo: number;
  readonly count: number;
  readonly overcount: number;
}

export class SpaceSaving {
  readonly capacity: number;
  readonly #keyBytesKept: number;
  readonly #counts: Uint32Array;
  readonly #overcounts: Uint32Array;
  readonly #hashHis: Uint32Array;
  readonly #hashLos: Uint32Array;
  readonly #keyLengths: Uint16Array;
  readonly #keys: Uint8Array;
  /** Place in the heap → entry, and back. */
  readonly #heap: Int32Array;
  readonly #places: Int32Array;
  /** Slot of the table → entry + 1; 0: free. */
  readonly #table: Int32Array;
  readonly #mask: number;
  #used = 0;
  #total = 0;

  /** `keyBytesKept`: longer keys are named by their beginning. */
  constructor(capacity: number, keyBytesKept: number) {
    assert(capacity >= 1 && Number.isInteger(capacity), 'a sketch keeps at least one key');
    this.capacity = capacity;
    this.#keyBytesKept = keyBytesKept;
    this.#counts = new Uint32Array(capacity);
    this.#overcounts = new Uint32Array(capacity);
    this.#hashHis = new Uint32Array(capacity);
    this.#hashLos = new Uint32Array(capacity);
    this.#keyLengths = new Uint16Array(capacity);
    this.#keys = new Uint8Array(capacity * keyBytesKept);
    this.#heap = new Int32Array(capacity);
    this.#places = new Int32Array(capacity);
    this.#table = new Int32Array(2 ** Math.ceil(Math.log2(TABLE_ROOM * capacity)));
    this.#mask = this.#table.length - 1;
  }

  /** Keys noted since the beginning. */
  get total(): number {
    return this.#total;
  }

  note(hashHi: number, hashLo: number, key: Uint8Array): void {
    this.#total += 1;
    let entry = this.#find(hashHi, hashLo);
    if (entry !== NOBODY) {
      this.#add(entry);
      return;
    }
    if (this.#used < this.capacity) {
      entry = this.#used;
      this.#used += 1;
      this.#counts[entry] = 1;
      this.#name(entry, hashHi, hashLo, key);
      this.#rise(this.#used - 1, entry);
      return;
    }
    entry = this.#heap[0] as number;
    this.#forget(entry);
    this.#overcounts[entry] = this.#counts[entry] as number;
    this.#name(entry, hashHi, hashLo, key);
    this.#add(entry);
  }

  clear(): void {
    this.#used = 0;
    this.#total = 0;
    this.#overcounts.fill(0);
    this.#table.fill(0);
  }

  /** The most frequent, at most `limit`: those first of which most is certain. */
  top(limit: number): readonly CountedKey[] {
    return Array.from({ length: this.#used }, (_, entry) => entry)
      .sort((a, b) => this.#certain(b) - this.#certain(a) || a - b)
      .slice(0, limit)
      .map((entry) => this.#counted(entry));
  }

  #certain(entry: number): number {
    return (this.#counts[entry] as number) - (this.#overcounts[entry] as number);
  }

  #counted(entry: number): CountedKey {
    const start = entry * this.#keyBytesKept;
    const keyBytes = this.#keyLengths[entry] as number;
    return {
      key: this.#keys.slice(start, start + Math.min(keyBytes, this.#keyBytesKept)),
      keyBytes,
      hashHi: this.#hashHis[entry] as number,
      hashLo: this.#hashLos[entry] as number,
      count: this.#counts[entry] as number,
      overcount: this.#overcounts[entry] as number,
    };
  }

  // ── the heap ───────────────────────────────────────────────────────────────

  #add(entry: number): void {
    const counts = this.#counts;
    const count = (counts[entry] as number) + 1;
    counts[entry] = count;
    const heap = this.#heap;
    const places = this.#places;
    const used = this.#used;
    let at = places[entry] as number;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= used) break;
      let least = heap[below] as number;
      if (below + 1 < used && (counts[heap[below + 1] as number] as number) < (counts[least] as number)) {
        below += 1;
        least = heap[below] as number;
      }
      if ((counts[least] as number) >= count) break;
      heap[at] = least;
      places[least] = at;
      at = below;
    }
    heap[at] = entry;
    places[entry] = at;
  }

  #rise(from: number, entry: number): void {
    const count = this.#counts[entry] as number;
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = this.#heap[above] as number;
      if ((this.#counts[other] as number) <= count) break;
      this.#heap[at] = other;
      this.#places[other] = at;
      at = above;
    }
    this.#heap[at] = entry;
    this.#places[entry] = at;
  }

  // ── the table ──────────────────────────────────────────────────────────────

  #find(hashHi: number, hashLo: number): number {
    for (let slot = hashLo & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const entry = (this.#table[slot] as number) - 1;
      if (entry === NOBODY) return NOBODY;
      if (this.#hashLos[entry] === hashLo && this.#hashHis[entry] === hashHi) return entry;
    }
  }

  #name(entry: number, hashHi: number, hashLo: number, key: Uint8Array): void {
    this.#hashHis[entry] = hashHi;
    this.#hashLos[entry] = hashLo;
    this.#keyLengths[entry] = key.length;
    const kept = Math.min(key.length, this.#keyBytesKept);
    const start = entry * this.#keyBytesKept;
    for (let i = 0; i < kept; i++) this.#keys[start + i] = key[i] as number;
    let slot = hashLo & this.#mask;
    while (this.#table[slot] !== 0) slot = (slot + 1) & this.#mask;
    this.#table[slot] = entry + 1;
  }

  /** Whoever was pushed on by it moves up, so that no search ends at the gap. */
  #forget(entry: number): void {
    const table = this.#table;
    const mask = this.#mask;
    let gap = (this.#hashLos[entry] as number) & mask;
    while (table[gap] !== entry + 1) gap = (gap + 1) & mask;
    for (let slot = (gap + 1) & mask; table[slot] !== 0; slot = (slot + 1) & mask) {
      const home = (this.#hashLos[(table[slot] as number) - 1] as number) & mask;
      if (((slot - home) & mask) < ((slot - gap) & mask)) continue;
      table[gap] = table[slot] as number;
      gap = slot;
    }
    table[gap] = 0;
  }
}
