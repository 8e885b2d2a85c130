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

/** The part of xxhash-wasm's API that we use; whoever awaited the module hands it in. */
export interface XxhashApi {
  h64Raw(input: Uint8Array, seed?: bigint): bigint;
}

class WasmHash64 implements Hash64 {
  hi: number = 0;
  lo: number = 0;
  readonly #api: XxhashApi;
  readonly #result: BigUint64Array = new BigUint64Array(1);
  /** The same eight bytes as two u32; every machine that runs Node is little-endian. */
  readonly #halves: Uint32Array = new Uint32Array(this.#result.buffer);
  readonly #seed: BigUint64Array = new BigUint64Array(1);
  readonly #seedHalves: Uint32Array = new Uint32Array(this.#seed.buffer);

  constructor(api: XxhashApi) {
    this.#api = api;
  }

  hash(bytes: Uint8Array, start: number, end: number): void {
    this.#keep(this.#api.h64Raw(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end)));
  }

  hashSeeded(bytes: Uint8Array, start: number, end: number, seedHi: number, seedLo: number): void {
    this.#seedHalves[0] = seedLo;
    this.#seedHalves[1] = seedHi;
    const seed = this.#seed[0] as bigint;
    this.#keep(this.#api.h64Raw(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), seed));
  }

  #keep(digest: bigint): void {
    this.#result[0] = digest;
    this.lo = this.#halves[0] as number;
    this.hi = this.#halves[1] as number;
  }
}

export function hash64From(api: XxhashApi): Hash64 {
  return new WasmHash64(api);
}
