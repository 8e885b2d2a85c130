/* A ring as its bytes and their hash: how nodes name it to each other where they do not care what it says. */
import { toHex, writeU32 } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import type { RingBytes } from '../model/ring-log-messages.js';

export function ringBytes(bytes: Uint8Array, hash: Hash64): RingBytes {
  hash.hash(bytes, 0, bytes.length);
  const digest = new Uint8Array(8);
  writeU32(digest, 0, hash.hi);
  writeU32(digest, 4, hash.lo);
  return { bytes, hash: toHex(digest) };
}
