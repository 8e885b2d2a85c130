/*
 * Records that were read from files lately, beside the write buffer: a look-up in LMDB is most of what a get costs.
 *
 * It holds exactly what the file holds: a value enters when it was just read, was found good, and no buffer has a newer
 * one; a write takes the key out. So it may be asked after the buffer and before the file, and never be wrong.
 *
 * The values are copied into chunks: a small buffer of Node's is a slice of a larger one, which it would keep alive as
 * a whole. Two generations instead of a list: a hit in the old one is copied to the young one; when the young one has
 * half of the bytes, it becomes the old one and what was old is forgotten, chunks and all. A chunk is never used again,
 * so whoever still looks at a value when that happens sees no other. No link is touched on a hit, and the bound is exact.
 */

/** What an entry costs beside its value: key string, map slot, place. */
const ENTRY_BYTES = 160;
const CHUNK_BYTES_MAX = 1_048_576;
/** A generation has so many chunks at least, and no value is larger than one. */
const CHUNKS_MIN = 4;

export class CachedValue {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }
}

export class RecordCache {
  readonly #generationBytesMax: number;
  readonly #chunkBytes: number;
  #young: Map<string, CachedValue> = new Map();
  #old: Map<string, CachedValue> = new Map();
  /** Chunks and entries of the young generation, also of those that were taken out since. */
  #youngBytes = 0;
  #chunk: Uint8Array = new Uint8Array(0);
  #used = 0;

  /** `bytesMax` 0: keeps nothing. */
  constructor(bytesMax: number) {
    this.#generationBytesMax = Math.floor(bytesMax / 2);
    this.#chunkBytes = Math.min(CHUNK_BYTES_MAX, Math.floor(this.#generationBytesMax / CHUNKS_MIN));
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(name: string): CachedValue | undefined {
    const young = this.#young.get(name);
    if (young !== undefined) return young;
    const old = this.#old.get(name);
    if (old === undefined) return undefined;
    this.#put(name, old.bytes, old.start, old.end);
    return old;
  }

  put(name: string, value: Uint8Array): void {
    this.#put(name, value, 0, value.length);
  }

  delete(name: string): void {
    if (!this.#young.delete(name)) this.#old.delete(name);
  }

  #put(name: string, bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    if (size > this.#chunkBytes) return;
    if (this.#used + size > this.#chunk.length) this.#nextChunk();
    this.#youngBytes += ENTRY_BYTES;
    if (this.#youngBytes > this.#generationBytesMax) this.#turn();
    this.#chunk.set(size === bytes.length ? bytes : bytes.subarray(start, end), this.#used);
    this.#old.delete(name);
    this.#young.set(name, new CachedValue(this.#chunk, this.#used, this.#used + size));
    this.#used += size;
  }

  #nextChunk(): void {
    this.#youngBytes += this.#chunkBytes;
    if (this.#youngBytes > this.#generationBytesMax) {
      this.#turn();
      return;
    }
    this.#chunk = Buffer.allocUnsafeSlow(this.#chunkBytes);
    this.#used = 0;
  }

  /** The young generation becomes the old one. */
  #turn(): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = this.#chunkBytes + ENTRY_BYTES;
    this.#chunk = Buffer.allocUnsafeSlow(this.#chunkBytes);
    this.#used = 0;
  }
}
