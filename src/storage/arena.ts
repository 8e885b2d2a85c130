/*
 * Where records live between the socket and LMDB: 1 MiB chunks, filled front to back, counted exactly.
 *
 * The commit log lays out its batches right here, so one place holds the bytes that the log writes, that reads of fresh
 * records find, that replicas are sent and that batchWrite takes. A chunk goes back to the pool when no entry in it is
 * the newest of its key any more and no write refers to it. A record that does not fit gets a chunk of its own size.
 */
import { assert } from '../lib/assert.js';

export const ARENA_CHUNK_BYTES = 1_048_576;

export class Chunk {
  readonly bytes: Buffer;
  /** Bytes used from the front. */
  used: number = 0;
  /** Buffered entries in this chunk plus log and file writes that refer to it, plus one while it is being filled. */
  references: number = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
  }
}

export class Arena {
  readonly #free: Chunk[] = [];
  readonly #freeMax: number;
  #bytesInUse = 0;

  /** `keepFreeBytes`: how much of what was freed is kept for reuse instead of given back to the process. */
  constructor(keepFreeBytes: number) {
    this.#freeMax = Math.floor(keepFreeBytes / ARENA_CHUNK_BYTES);
  }

  /** All chunks that somebody refers to, whole: what the write buffer costs in memory. */
  get bytesInUse(): number {
    return this.#bytesInUse;
  }

  /** A chunk with one reference, for at least `size` bytes. */
  take(size: number): Chunk {
    const chunk = size <= ARENA_CHUNK_BYTES ? (this.#free.pop() ?? new Chunk(ARENA_CHUNK_BYTES)) : new Chunk(size);
    chunk.used = 0;
    chunk.references = 1;
    this.#bytesInUse += chunk.bytes.length;
    return chunk;
  }

  retain(chunk: Chunk): void {
    assert(chunk.references > 0, 'a free chunk is not referred to');
    chunk.references += 1;
  }

  release(chunk: Chunk): void {
    assert(chunk.references > 0, 'a chunk is released once a reference');
    chunk.references -= 1;
    if (chunk.references > 0) return;
    this.#bytesInUse -= chunk.bytes.length;
    if (chunk.bytes.length === ARENA_CHUNK_BYTES && this.#free.length < this.#freeMax) this.#free.push(chunk);
  }
}
