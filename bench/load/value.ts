/*
 * Values that can be traced. Whatever byte a reader gets, it can be said which seed, key and operation it was written
 * by, or that nobody wrote it:
 *
 *   offset  size  field
 *        0     4  "PtBv"
 *        4     4  seed of the run
 *        8     4  index of the key
 *       12     4  thread that wrote it
 *       16     4  its operation
 *       20     4  length of the value
 *       24     n  a pseudo-random function of the five numbers above
 *      end     4  CRC-32 of all before
 *
 * Big-endian. The fill is computed again on reading, so a flipped bit, a mixture of two values, and a value under
 * another key are told apart.
 */
import { crc32 } from 'node:zlib';
import { readU32, writeU32 } from '../../src/lib/bytes.js';

const MAGIC = 0x50744276;
const HEADER_BYTES = 24;
export const VERIFIED_VALUE_BYTES_MIN = 28;

function firstWord(seed: number, key: number, thread: number, operation: number, length: number): number {
  let word = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(key + 1, 0xc2b2ae35);
  word = Math.imul(word ^ (word >>> 15) ^ thread, 0x27d4eb2f) ^ Math.imul(operation + 1, 0x165667b1);
  word = (word ^ (word >>> 13) ^ length) >>> 0;
  return word === 0 ? 1 : word;
}

function nextWord(word: number): number {
  let next = word;
  next ^= next << 13;
  next ^= next >>> 17;
  next ^= next << 5;
  return next >>> 0;
}

/** Fills `target[at, at + length)`; at least VERIFIED_VALUE_BYTES_MIN bytes. */
export function writeValue(
  target: Buffer,
  at: number,
  length: number,
  seed: number,
  key: number,
  thread: number,
  operation: number,
): void {
  writeU32(target, at, MAGIC);
  writeU32(target, at + 4, seed);
  writeU32(target, at + 8, key);
  writeU32(target, at + 12, thread);
  writeU32(target, at + 16, operation);
  writeU32(target, at + 20, length);
  const end = at + length - 4;
  let word = firstWord(seed, key, thread, operation, length);
  let i = at + HEADER_BYTES;
  for (; i + 4 <= end; i += 4) {
    writeU32(target, i, word);
    word = nextWord(word);
  }
  for (; i < end; i++) target[i] = word;
  writeU32(target, end, crc32(target.subarray(at, end)));
}

/** What is wrong with a value read under `key`; empty: nothing. */
export function faultOfValue(value: Uint8Array, seed: number, key: number): string {
  const length = value.length;
  if (length < VERIFIED_VALUE_BYTES_MIN || readU32(value, 0) !== MAGIC) return `${length} bytes that no bench wrote`;
  const end = length - 4;
  if (crc32(value.subarray(0, end)) !== readU32(value, end)) return 'its CRC does not hold';
  if (readU32(value, 20) !== length) return `it is ${length} bytes of a value of ${readU32(value, 20)}`;
  if (readU32(value, 4) !== seed >>> 0) return `it was written by a run with seed ${readU32(value, 4)}`;
  if (readU32(value, 8) !== key) return `it was put under key ${readU32(value, 8)}`;
  let word = firstWord(seed, key, readU32(value, 12), readU32(value, 16), length);
  let i = HEADER_BYTES;
  for (; i + 4 <= end; i += 4) {
    if (readU32(value, i) !== word) return `byte ${i} was never written`;
    word = nextWord(word);
  }
  for (; i < end; i++) if (value[i] !== (word & 0xff)) return `byte ${i} was never written`;
  return '';
}
