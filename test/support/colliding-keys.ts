/*
 * Different keys with one XXH64. It is no cryptographic hash: each 64-bit lane of a 32-byte block goes through steps that
 * can be undone, so whatever the first block's lane was, some second block's lane leads to the same state.
 */
const MASK = (1n << 64n) - 1n;
const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;

const rotated = (x: bigint, bits: bigint): bigint => ((x << bits) | (x >> (64n - bits))) & MASK;
const round = (state: bigint, lane: bigint): bigint => (rotated((state + lane * P2) & MASK, 31n) * P1) & MASK;

/** x with x · odd = 1 mod 2^64: each step of Newton doubles the bits that are right. */
function inverse(odd: bigint): bigint {
  let x = odd;
  for (let i = 0; i < 6; i++) x = (x * (2n - odd * x)) & MASK;
  return x;
}

/** `count` keys of 64 bytes, all with the same hash (seed 0). */
export function collidingKeys(count: number): readonly Uint8Array[] {
  const start = (P1 + P2) & MASK;
  const target = round(start, 0n);
  return Array.from({ length: count }, (_, i) => {
    const key = Buffer.alloc(64, 0x6b);
    const state = round(start, BigInt(i));
    key.writeBigUInt64LE(BigInt(i), 0);
    key.writeBigUInt64LE(((target - state) * inverse(P2)) & MASK, 32);
    return key;
  });
}
