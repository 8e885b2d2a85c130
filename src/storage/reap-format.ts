/*
 * What a partition remembers of deletes that it has forgotten: its fence, and the entries of its reap log.
 *
 *   reap entry    body of a log entry of kind `reap`; without the key, and a checksum behind it, the value in the file
 *   offset  size  field (big-endian)
 *        0     8  XXH64 of the key
 *        8     8  the fence at which it was reaped
 *       16     8  when, wall ms
 *       24     2  context entries A
 *       26     2  key length K; 0: nothing is dropped with it
 *       28  14·A  context: what was known when it was reaped, as in a record
 *                K  key of the record that goes
 *                8  in a file: XXH64 of everything before it
 *
 *   fence         body of a log entry of kind `fence`; with a checksum behind it, the value in the file
 *        0     8  the fence
 *        8     8  the highest fence at which anything was reaped, as far as is known here; at most the fence
 *       16     8  entries up to this fence may have been thrown away for their age
 *
 * In a partition's file entries lie under `reap/HASH/FENCE`, the numbers in hexadecimal, so that those of a key are one
 * stretch, and the fence under `fence`.
 */
import { copyBytes, readU16, readU32, readU53, writeU16, writeU32, writeU53 } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import { CONTEXT_ENTRIES_MAX, KEY_BYTES_MAX } from '../model/limits.js';
import { CONTEXT_ENTRY_BYTES } from '../versioning/record.js';
import type { FenceState, ReapEntry } from './reap-storage.js';
import { bookkeepingKey } from './storage-key.js';

const FIXED_BYTES = 28;
const CHECKSUM_BYTES = 8;
export const FENCE_BYTES = 24;
export const FENCE_KEY: Uint8Array = bookkeepingKey('fence');
export const REAP_PREFIX = 'reap/';

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

export function reapPrefix(hashHi: number, hashLo: number): string {
  return `${REAP_PREFIX}${hex(hashHi, 8)}${hex(hashLo, 8)}/`;
}

export function reapName(entry: ReapEntry): string {
  return reapPrefix(entry.hashHi, entry.hashLo) + hex(entry.fence, 14);
}

/** `key`: of the record that goes with it; empty: none. */
export function encodeReap(entry: ReapEntry, key: Uint8Array): Uint8Array {
  const { context } = entry;
  const bytes = new Uint8Array(FIXED_BYTES + context.length + key.length);
  writeU32(bytes, 0, entry.hashHi);
  writeU32(bytes, 4, entry.hashLo);
  writeU53(bytes, 8, entry.fence);
  writeU53(bytes, 16, entry.atMs);
  writeU16(bytes, 24, context.length / CONTEXT_ENTRY_BYTES);
  writeU16(bytes, 26, key.length);
  bytes.set(context, FIXED_BYTES);
  bytes.set(key, FIXED_BYTES + context.length);
  return bytes;
}

export interface LoggedReap {
  readonly entry: ReapEntry;
  readonly key: Uint8Array;
}

/** null: these bytes are none. */
export function decodeReap(bytes: Uint8Array): LoggedReap | null {
  if (bytes.length < FIXED_BYTES) return null;
  const count = readU16(bytes, 24);
  const keyBytes = readU16(bytes, 26);
  const contextEnd = FIXED_BYTES + CONTEXT_ENTRY_BYTES * count;
  if (count > CONTEXT_ENTRIES_MAX || keyBytes > KEY_BYTES_MAX || bytes.length !== contextEnd + keyBytes) return null;
  if (readU16(bytes, 8) > 0x1f || readU16(bytes, 16) > 0x1f) return null;
  return {
    entry: {
      hashHi: readU32(bytes, 0),
      hashLo: readU32(bytes, 4),
      fence: readU53(bytes, 8),
      atMs: readU53(bytes, 16),
      context: copyBytes(bytes, FIXED_BYTES, contextEnd),
    },
    key: copyBytes(bytes, contextEnd),
  };
}

export function encodeFence({ fence, reapedAt, trimmedAt }: FenceState): Uint8Array {
  const bytes = new Uint8Array(FENCE_BYTES);
  writeU53(bytes, 0, fence);
  writeU53(bytes, 8, reapedAt);
  writeU53(bytes, 16, trimmedAt);
  return bytes;
}

export function decodeFence(bytes: Uint8Array): FenceState | null {
  if (bytes.length !== FENCE_BYTES) return null;
  for (let at = 0; at < FENCE_BYTES; at += 8) if (readU16(bytes, at) > 0x1f) return null;
  return { fence: readU53(bytes, 0), reapedAt: readU53(bytes, 8), trimmedAt: readU53(bytes, 16) };
}

/** As it lies in a file. */
export function sealed(bytes: Uint8Array, hash: Hash64): Uint8Array {
  const value = new Uint8Array(bytes.length + CHECKSUM_BYTES);
  value.set(bytes, 0);
  hash.hash(value, 0, bytes.length);
  writeU32(value, bytes.length, hash.hi);
  writeU32(value, bytes.length + 4, hash.lo);
  return value;
}

/** null: it is damaged. */
export function unsealed(value: Uint8Array, hash: Hash64): Uint8Array | null {
  const end = value.length - CHECKSUM_BYTES;
  if (end < 0) return null;
  hash.hash(value, 0, end);
  if (hash.hi !== readU32(value, end) || hash.lo !== readU32(value, end + 4)) return null;
  return value.subarray(0, end);
}
