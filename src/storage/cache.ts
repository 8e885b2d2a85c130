/*
 * Records that were read from files lately, beside the write buffer: a look-up in LMDB is most of what a get costs.
 *
 * It holds exactly what the file holds: a value enters when it was just read, was found good, and no buffer has a newer
 * one; a write takes the key out. So it may be asked after the buffer and before the file, and never be wrong.
 *
 * The values are copied into chunks, which are filled one after the other: a small buffer of Node's is a slice of a larger
 * one, which it would keep alive as a whole. When all chunks together have what they may, the oldest goes; what was asked
 * for since it came (or since it was last spared) is copied to the newest first, but no more than half of a chunk, so that
 * there is always an end. A hit is a mark, never a copy and never a link: a set of records that fits stays where it is. A
 * chunk is not used again, so whoever still looks at a value when it goes sees no other.
 */

import { MARK_BYTES } from './engine-mark.js';
import type { BufferedRecord } from './write-buffer.js';

/** What an entry costs beside its value: key string, map slot, place. */
const ENTRY_BYTES = 160;
const CHUNK_BYTES_MAX = 1_048_576;
/** There are so many chunks at least. */
const CHUNKS_MIN = 8;
/** Larger values are not kept: a read of one would cost a new chunk, and the map gives it in one piece anyway. */
const VALUES_PER_CHUNK_MIN = 16;

export class CachedValue {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Asked for since it was put here. */
  hit: boolean = false;

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
  readonly #values: Map<string, CachedValue> = new Map();
  /** Oldest first; the last one is being filled. */
  readonly #chunks: CacheChunk[] = [];
  #entries = 0;

  /** `bytesMax` 0: keeps nothing. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#chunkBytes = Math.min(CHUNK_BYTES_MAX, Math.floor(bytesMax / CHUNKS_MIN));
  }

  get size(): number {
    return this.#values.size;
  }

  /** Chunks and entries, also of what was taken out and whose chunk is still there. */
  get bytes(): number {
    return this.#chunks.length * this.#chunkBytes + this.#entries * ENTRY_BYTES;
  }

  get(name: string): CachedValue | undefined {
    const value = this.#values.get(name);
    if (value !== undefined) value.hit = true;
    return value;
  }

  put(name: string, value: Uint8Array): void {
    if (value.length > this.#chunkBytes / VALUES_PER_CHUNK_MIN) {
      this.#values.delete(name); // what is kept under it is older
      return;
    }
    this.#put(name, value, 0, value.length);
    while (this.bytes > this.#bytesMax) this.#dropOldest();
  }

  /** What was written lately is asked for soon: records that leave the buffer stay in memory as long as others do. */
  putAll(records: readonly BufferedRecord[]): void {
    for (const { name, chunk, at, size } of records) this.put(name, chunk.bytes.subarray(at, at + size + MARK_BYTES));
  }

  delete(name: string): void {
    this.#values.delete(name);
  }

  #put(name: string, bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    let chunk = this.#chunks[this.#chunks.length - 1];
    if (chunk === undefined || chunk.used + size > chunk.bytes.length) {
      chunk = new CacheChunk(this.#chunkBytes);
      this.#chunks.push(chunk);
    }
    chunk.bytes.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), chunk.used);
    this.#values.set(name, new CachedValue(chunk.bytes, chunk.used, chunk.used + size));
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
      if (value.hit && spared + cost <= this.#chunkBytes / 2) {
        spared += cost;
        this.#put(name, value.bytes, value.start, value.end);
      } else {
        this.#values.delete(name);
      }
    }
  }
}
