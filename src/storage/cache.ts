/*
 * Records that were read from files lately, beside the write buffer: a look-up in LMDB is most of what a get costs.
 *
 * It holds exactly what the file holds: a value enters when it was just read, was found good, and no buffer has a newer
 * one; a write makes it stale until the flush brings the new one. So it may be asked after the buffer and before the file,
 * and never be wrong. What is stale keeps its place, and a new value of the same size takes it: taking entries out of a
 * large map and putting them in again cost more than all the copying. Only what is asked for a second time gets a place
 * (doorkeeper.ts): of five million keys asked for at random nearly none, of a hundred thousand all.
 *
 * The values are copied into chunks, which are filled one after the other: a small buffer of Node's is a slice of a larger
 * one, which it would keep alive as a whole. When all chunks together have what they may, the oldest goes; what was asked
 * for since it came (or since it was last spared) is copied to the newest first, but no more than half of a chunk, so that
 * there is always an end. A hit is a mark, never a copy and never a link: a set of records that fits stays where it is.
 * Whoever asked for a value looks at it before anything else is put here.
 */

import { MARK_BYTES } from './engine-mark.js';
import { Doorkeeper } from './doorkeeper.js';
import type { BufferedRecord } from './write-buffer.js';

/** What an entry costs beside its value: key string, map slot, place. */
const ENTRY_BYTES = 160;
const CHUNK_BYTES_MAX = 1_048_576;
/** There are so many chunks at least. */
const CHUNKS_MIN = 8;
/** For the doorkeeper: twice as many keys as there is room for, if their records are about this long. */
const RECORD_BYTES_TYPICAL = 512;
/** Larger values are not kept: a read of one would cost a new chunk, and the map gives it in one piece anyway. */
const VALUES_PER_CHUNK_MIN = 16;

export class CachedValue {
  bytes: Uint8Array;
  start: number;
  end: number;
  /** Asked for since it was put here. */
  hit: boolean = false;
  /** There is a newer one, which is not in the file yet. */
  stale: boolean = false;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }
}

class CacheChunk {
  readonly bytes: Uint8Array;
  used: number = 0;
  /** Of everything that was put here, also of what was taken out since. */
  readonly names: string[] = [];

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
  }
}

export class RecordCache {
  readonly #bytesMax: number;
  readonly #chunkBytes: number;
  readonly #doorkeeper: Doorkeeper;
  readonly #values: Map<string, CachedValue> = new Map();
  /** Oldest first; the last one is being filled. */
  readonly #chunks: CacheChunk[] = [];
  #entries = 0;
  #stale = 0;

  /** `bytesMax` 0: keeps nothing. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#chunkBytes = Math.min(CHUNK_BYTES_MAX, Math.floor(bytesMax / CHUNKS_MIN));
    this.#doorkeeper = new Doorkeeper((2 * bytesMax) / RECORD_BYTES_TYPICAL);
  }

  get size(): number {
    return this.#values.size - this.#stale;
  }

  /** Chunks and entries, also of what was taken out and whose chunk is still there. */
  get bytes(): number {
    return this.#chunks.length * this.#chunkBytes + this.#entries * ENTRY_BYTES;
  }

  get(name: string): CachedValue | undefined {
    const value = this.#values.get(name);
    if (value === undefined || value.stale) return undefined;
    value.hit = true;
    return value;
  }

  /** The value that the file has under the key; kept if the key has been offered lately. `hashLo`: of the key. */
  offer(name: string, hashLo: number, value: Uint8Array): void {
    if (value.length > this.#chunkBytes / VALUES_PER_CHUNK_MIN) {
      this.delete(name); // what is kept under it is older
      return;
    }
    const kept = this.#values.get(name);
    if (kept === undefined && !this.#doorkeeper.wasHere(hashLo)) return;
    if (kept !== undefined) {
      this.#setFresh(kept);
      if (kept.end - kept.start === value.length) {
        kept.bytes.set(value, kept.start);
        return;
      }
    }
    this.#put(name, kept, value, 0, value.length);
    while (this.bytes > this.#bytesMax) this.#dropOldest();
  }

  /** Records that leave the buffer: the file has them now. */
  offerAll(records: readonly BufferedRecord[]): void {
    for (const { name, hashLo, chunk, at, size, dropped } of records) {
      if (dropped) this.delete(name);
      else this.offer(name, hashLo, chunk.bytes.subarray(at, at + size + MARK_BYTES));
    }
  }

  delete(name: string): void {
    const value = this.#values.get(name);
    if (value === undefined || value.stale) return;
    value.stale = true;
    this.#stale += 1;
  }

  /** The files are others now. */
  clear(): void {
    for (const name of this.#values.keys()) this.delete(name);
  }

  #setFresh(value: CachedValue): void {
    if (!value.stale) return;
    value.stale = false;
    this.#stale -= 1;
  }

  #put(name: string, kept: CachedValue | undefined, bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    let chunk = this.#chunks[this.#chunks.length - 1];
    if (chunk === undefined || chunk.used + size > chunk.bytes.length) {
      chunk = new CacheChunk(this.#chunkBytes);
      this.#chunks.push(chunk);
    }
    chunk.bytes.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), chunk.used);
    if (kept === undefined) this.#values.set(name, new CachedValue(chunk.bytes, chunk.used, chunk.used + size));
    else {
      kept.bytes = chunk.bytes;
      kept.start = chunk.used;
      kept.end = chunk.used + size;
      kept.hit = false;
    }
    chunk.names.push(name);
    chunk.used += size;
    this.#entries += 1;
  }

  #dropOldest(): void {
    const oldest = this.#chunks.shift();
    if (oldest === undefined) return;
    this.#entries -= oldest.names.length;
    let spared = 0;
    for (const name of oldest.names) {
      const value = this.#values.get(name);
      if (value === undefined || value.bytes !== oldest.bytes) continue; // taken out, or put anew elsewhere
      const cost = value.end - value.start + ENTRY_BYTES;
      if (value.hit && !value.stale && spared + cost <= this.#chunkBytes / 2) {
        spared += cost;
        this.#put(name, value, value.bytes, value.start, value.end);
      } else {
        this.#setFresh(value);
        this.#values.delete(name);
      }
    }
  }
}
