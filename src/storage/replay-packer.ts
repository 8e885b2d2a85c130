import type { Arena, Chunk } from './arena.js';

/** Lays replayed records into chunks, one behind the other. */
export class Packer {
  readonly #arena: Arena;
  #chunk: Chunk | null = null;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** The chunk that the last record went to. */
  get chunk(): Chunk {
    return this.#chunk as Chunk;
  }

  put(body: Uint8Array): number {
    if (this.#chunk === null || this.#chunk.used + body.length > this.#chunk.bytes.length) {
      this.finish();
      this.#chunk = this.#arena.take(body.length);
    }
    const at = this.#chunk.used;
    this.#chunk.bytes.set(body, at);
    this.#chunk.used += body.length;
    return at;
  }

  finish(): void {
    if (this.#chunk !== null) this.#arena.release(this.#chunk);
    this.#chunk = null;
  }
}
