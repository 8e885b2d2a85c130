/* Hashes of 64 bits in bodies of messages: 8 bytes each, big-endian. Of a key, of a leaf's first key, of a partition's tree. */
import { readU32, writeU32 } from '../lib/bytes.js';
import type { KeyHash } from '../model/hash.js';
import { bad } from './plain.js';

export const HASH_BYTES = 8;

export function encodeHashes(hashes: readonly KeyHash[]): Uint8Array {
  const bytes = new Uint8Array(hashes.length * HASH_BYTES);
  for (const [i, { hi, lo }] of hashes.entries()) {
    writeU32(bytes, i * HASH_BYTES, hi);
    writeU32(bytes, i * HASH_BYTES + 4, lo);
  }
  return bytes;
}

export function decodeHashes(bytes: Uint8Array): readonly KeyHash[] {
  if (bytes.length % HASH_BYTES !== 0) return bad(`Hashes of ${bytes.length} bytes`);
  return Array.from({ length: bytes.length / HASH_BYTES }, (_, i) => hashAt(bytes, i * HASH_BYTES));
}

/** The only one. */
export function decodeHash(bytes: Uint8Array, what: string): KeyHash {
  if (bytes.length !== HASH_BYTES) return bad(`A ${what} of ${bytes.length} bytes instead of ${HASH_BYTES}`);
  return hashAt(bytes, 0);
}

function hashAt(bytes: Uint8Array, at: number): KeyHash {
  return { hi: readU32(bytes, at), lo: readU32(bytes, at + 4) };
}
