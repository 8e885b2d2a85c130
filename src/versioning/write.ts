/*
 * Writing records and tokens: straight into the place where the bytes will stay, once.
 */
import { writeU16, writeU32, writeU48 } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import {
  CHECKSUM_BYTES,
  FLAG_TOMBSTONE,
  PUT_ID_BYTES,
  RECORD_FORMAT,
  SIBLING_EXPIRES,
  SIBLING_FLAGS,
  SIBLING_LOGICAL,
  SIBLING_PUT_ID,
  SIBLING_VALUE_BYTES,
  SIBLING_WALL,
} from './record.js';

/** Below this a loop beats a view object and a memcpy. */
const COPY_LOOP_BYTES_MAX = 64;

export function copyBytes(source: Uint8Array, from: number, size: number, target: Uint8Array, at: number): void {
  if (size <= COPY_LOOP_BYTES_MAX) {
    for (let i = 0; i < size; i++) target[at + i] = source[from + i] as number;
  } else if (from === 0 && size === source.length) {
    target.set(source, at);
  } else {
    target.set(source.subarray(from, from + size), at);
  }
}

/** The 24 bytes before the key. */
export function writeRecordFixed(
  target: Uint8Array,
  at: number,
  keyBytes: number,
  size: number,
  entries: number,
  siblings: number,
  remembered: number,
  cutSeconds: number,
): void {
  target[at] = RECORD_FORMAT;
  target[at + 1] = 0;
  writeU16(target, at + 2, keyBytes);
  writeU32(target, at + 4, size);
  writeU16(target, at + 8, entries);
  writeU16(target, at + 10, siblings);
  writeU16(target, at + 12, remembered);
  writeU16(target, at + 14, 0);
  writeU32(target, at + 16, cutSeconds);
  writeU32(target, at + 20, 0);
}

/** Actor and counter: a context entry, or the beginning of a sibling header. */
export function writeDot(target: Uint8Array, at: number, hi: number, lo: number, counter: number): void {
  writeU32(target, at, hi);
  writeU32(target, at + 4, lo);
  writeU48(target, at + 8, counter);
}

/** What follows the dot in the sibling header at `at`. */
export function writeVersion(
  target: Uint8Array,
  at: number,
  wallMs: number,
  logical: number,
  expiresMs: number,
  putId: Uint8Array,
  value: Uint8Array | undefined,
): void {
  target[at + SIBLING_FLAGS] = value === undefined ? FLAG_TOMBSTONE : 0;
  target[at + SIBLING_FLAGS + 1] = 0;
  writeU48(target, at + SIBLING_WALL, wallMs);
  writeU16(target, at + SIBLING_LOGICAL, logical);
  writeU16(target, at + SIBLING_EXPIRES, 0);
  writeU48(target, at + SIBLING_EXPIRES + 2, expiresMs);
  copyBytes(putId, 0, PUT_ID_BYTES, target, at + SIBLING_PUT_ID);
  writeU32(target, at + SIBLING_VALUE_BYTES, value === undefined ? 0 : value.length);
}

/** The checksum behind the `size - 8` bytes at `at`: the last thing that is written. */
export function seal(target: Uint8Array, at: number, size: number, hash: Hash64): void {
  const end = at + size - CHECKSUM_BYTES;
  hash.hash(target, at, end);
  writeU32(target, end, hash.hi);
  writeU32(target, end + 4, hash.lo);
}
