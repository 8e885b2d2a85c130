/*
 * Under which key a record lies in its partition's file.
 *
 *   record       8  XXH64 of the key, big-endian, so that hash order is file order: a Merkle leaf is one stretch of it
 *                1  0x01: the key itself follows; 0x02: its SHA-256, for keys that LMDB would refuse (over 511 bytes)
 *                n  the key, or 32 bytes
 *   bookkeeping  8  zeros
 *                1  0x00
 *                n  a name in ASCII
 *
 * A key that was replaced by its digest is still named by the record, and every read compares the two.
 */
import type { Digest } from '../env/digest.js';
import { assert } from '../lib/assert.js';
import { writeU32 } from '../lib/bytes.js';

/** Compiled into LMDB (MDB_MAXKEYSIZE). */
export const STORAGE_KEY_BYTES_MAX = 511;

const MARKER_AT = 8;
const PREFIX_BYTES = 9;
const MARKER_OWN = 0x00;
const MARKER_KEY = 0x01;
const MARKER_DIGEST = 0x02;

export function storageKey(hashHi: number, hashLo: number, key: Uint8Array, digest: Digest): Uint8Array {
  const long = PREFIX_BYTES + key.length > STORAGE_KEY_BYTES_MAX;
  const tail = long ? digest.sha256(key) : key;
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES + tail.length);
  writeU32(bytes, 0, hashHi);
  writeU32(bytes, 4, hashLo);
  bytes[MARKER_AT] = long ? MARKER_DIGEST : MARKER_KEY;
  bytes.set(tail, PREFIX_BYTES);
  return bytes;
}

/** The same for a key that is at hand as a name. */
export function storageKeyOfName(hashHi: number, hashLo: number, name: string, digest: Digest): Uint8Array {
  if (PREFIX_BYTES + name.length > STORAGE_KEY_BYTES_MAX) return storageKey(hashHi, hashLo, keyOfName(name), digest);
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES + name.length);
  writeU32(bytes, 0, hashHi);
  writeU32(bytes, 4, hashLo);
  bytes[MARKER_AT] = MARKER_KEY;
  bytes.write(name, PREFIX_BYTES, 'latin1');
  return bytes;
}

export function bookkeepingKey(name: string): Uint8Array {
  const bytes = Buffer.alloc(PREFIX_BYTES + name.length);
  bytes[MARKER_AT] = MARKER_OWN;
  bytes.write(name, PREFIX_BYTES, 'latin1');
  assert(bytes.length <= STORAGE_KEY_BYTES_MAX, 'a bookkeeping name fits a storage key');
  return bytes;
}

/** False for bookkeeping, and for anything that is too short to be ours. */
export function isRecordKey(key: Uint8Array): boolean {
  const marker = key[MARKER_AT];
  return key.length > PREFIX_BYTES && (marker === MARKER_KEY || marker === MARKER_DIGEST);
}

/** Sorts before every storage key whose hash is (hi, lo), and after every one whose hash is smaller, bookkeeping apart. */
export function hashBound(hi: number, lo: number): Uint8Array {
  const bytes = Buffer.alloc(MARKER_AT);
  writeU32(bytes, 0, hi);
  writeU32(bytes, 4, lo);
  return bytes;
}

/** Sorts before every record whose hash is `hash` (eight bytes) or greater, and after all others and our bookkeeping. */
export function recordBound(hash: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(PREFIX_BYTES);
  bytes.set(hash);
  bytes[MARKER_AT] = MARKER_KEY;
  return bytes;
}

/** The key that a storage key holds in `bytes[start, end)`; null: only its digest. */
export function keyWithin(bytes: Uint8Array, start: number, end: number): Uint8Array | null {
  return bytes[start + MARKER_AT] === MARKER_KEY ? bytes.subarray(start + PREFIX_BYTES, end) : null;
}

const latin1Slice = (
  Buffer.prototype as unknown as { readonly latin1Slice: (this: Uint8Array, from: number, to: number) => string }
).latin1Slice;

/** A key as the buffer's maps know it: one character a byte, cheaper to hash and compare than anything else. */
export function keyName(bytes: Uint8Array, start: number, end: number): string {
  return latin1Slice.call(bytes, start, end);
}

export function keyOfName(name: string): Uint8Array {
  return Buffer.from(name, 'latin1');
}
