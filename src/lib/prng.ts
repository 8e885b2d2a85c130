/*
 * One small seeded generator for everything random in tests and simulations (xoshiro128**, seeded by splitmix32).
 * The same seed gives the same run on every machine: 32-bit integer arithmetic only. Not for secrets.
 */

export class Prng {
  readonly #state: Uint32Array = new Uint32Array(4);

  constructor(seed: number) {
    let s = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      s = (s + 0x9e3779b9) >>> 0;
      let z = s;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      this.#state[i] = (z ^ (z >>> 16)) >>> 0;
    }
  }

  /** 0 ≤ result < 2^32 */
  u32(): number {
    const s = this.#state as Uint32Array & Record<0 | 1 | 2 | 3, number>;
    const x = Math.imul(s[1], 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }

  /** 0 ≤ result < 1 */
  float(): number {
    return this.u32() / 0x1_0000_0000;
  }

  /** An integer, 0 ≤ result < bound; bound at most 2^32. */
  int(bound: number): number {
    return Math.floor(this.float() * bound);
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.float() < probability;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.int(items.length)];
    if (item === undefined) throw new RangeError('Nothing to pick from');
    return item;
  }

  fill(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.u32();
  }

  /** A generator of its own for a part that must not be disturbed by how often others draw. */
  fork(): Prng {
    return new Prng(this.u32());
  }
}
