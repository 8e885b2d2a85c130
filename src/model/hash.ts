/**
 * XXH64 of a piece of bytes, left behind as two u32: a 64-bit identity is never a number (it would collide as a
 * double), and a BigInt a key costs more than the hash.
 *
 * One instance per thread, made once by the composition root from xxhash-wasm; read `hi` and `lo` before the next call.
 */
export interface Hash64 {
  /** Hashes `bytes[start, end)` with seed 0. */
  hash(bytes: Uint8Array, start: number, end: number): void;
  /** Same, with a 64-bit seed given as two u32. */
  hashSeeded(bytes: Uint8Array, start: number, end: number, seedHi: number, seedLo: number): void;
  readonly hi: number;
  readonly lo: number;
}

/** XXH64 of a key: its place on the ring, and its order in a partition file. */
export interface KeyHash {
  readonly hi: number;
  readonly lo: number;
}
