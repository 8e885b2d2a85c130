/*
 * One stretch of a partition file, as a thread of the pool reads it for a scan, or the loop where it must.
 *
 * The entries are packed into one piece of memory, since what a thread hands over is copied object by object:
 *
 *   per entry    2  length of the storage key
 *                4  length of the value (record and mark)
 *                n  storage key
 *                n  value
 */
import type { FileSnapshot } from '../env/partition-file.js';
import type { RangeTask, ReadRange } from '../env/workers.js';
import { assert } from '../lib/assert.js';
import { compareBytes, readU16, readU32, writeU16, writeU32 } from '../lib/bytes.js';
import { isRecordKey, recordBound } from './storage-key.js';

const HASH_BYTES = 8;
const ENTRY_HEADER_BYTES = 6;

interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Entries from `task.from` on, until a limit is reached and a hash has ended. */
export function readRange(snapshot: Pick<FileSnapshot, 'scan'>, task: Omit<RangeTask, 'path'>): ReadRange {
  assert(task.recordsMax > 0 && task.bytesMax > 0, 'a batch may hold something');
  const entries: Entry[] = [];
  let bytes = 0;
  let after = recordBound(task.from);
  for (;;) {
    const isFull = entries.length >= task.recordsMax || bytes >= task.bytesMax;
    const some = isFull
      ? snapshot.scan(after, 1, 1) // does the hash go on?
      : snapshot.scan(after, task.recordsMax - entries.length, task.bytesMax - bytes);
    for (const entry of some) {
      if (compareBytes(entry.key, after) <= 0) throw new Error('The keys of the file do not ascend');
      after = entry.key;
      if (task.until !== null && compareHash(entry.key, task.until) >= 0) return packed(entries, null);
      if (!isRecordKey(entry.key)) continue;
      const last = entries[entries.length - 1];
      if (isFull && last !== undefined && compareHash(entry.key, last.key) !== 0) {
        return packed(entries, entry.key.subarray(0, HASH_BYTES));
      }
      entries.push(entry);
      bytes += entry.value.length;
    }
    if (some.length === 0) return packed(entries, null);
  }
}

/** Calls `each` with where an entry's key and value lie in the packed bytes. */
export function eachPacked(range: ReadRange, each: (keyAt: number, valueAt: number, end: number) => void): void {
  const { entries } = range;
  let at = 0;
  while (at < entries.length) {
    const keyAt = at + ENTRY_HEADER_BYTES;
    const valueAt = keyAt + readU16(entries, at);
    const end = valueAt + readU32(entries, at + 2);
    each(keyAt, valueAt, end);
    at = end;
  }
}

function compareHash(key: Uint8Array, hash: Uint8Array): number {
  return compareBytes(key.subarray(0, HASH_BYTES), hash.subarray(0, HASH_BYTES));
}

function packed(entries: readonly Entry[], next: Uint8Array | null): ReadRange {
  let size = 0;
  for (const { key, value } of entries) size += ENTRY_HEADER_BYTES + key.length + value.length;
  const bytes = new Uint8Array(size); // its own memory, and nothing else's: a thread hands over all of it
  let at = 0;
  for (const { key, value } of entries) {
    writeU16(bytes, at, key.length);
    writeU32(bytes, at + 2, value.length);
    bytes.set(key, at + ENTRY_HEADER_BYTES);
    bytes.set(value, at + ENTRY_HEADER_BYTES + key.length);
    at += ENTRY_HEADER_BYTES + key.length + value.length;
  }
  return { entries: bytes, next: next === null ? null : new Uint8Array(next) };
}
