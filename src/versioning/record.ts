/*
 * A record: everything that is stored under a key, as bytes in a layout of our own (§4.4; dotted version vector sets,
 * arXiv:1011.5808). The same bytes are what the log appends, the buffer holds, replicas receive, files keep and a get
 * reads, so they are read in place: an accessor takes the bytes and where the record starts, and makes no object.
 *
 *   offset  size  field (big-endian)
 *        0     1  format, 1
 *        1     1  flags, 0
 *        2     2  key length K, 1..2048
 *        4     4  length of the whole record in bytes, checksum included
 *        8     2  context entries A, 0..4096
 *       10     2  siblings S
 *       12     2  remembered put ids I, 0..16
 *       14     2  zero
 *       16     4  cut: seconds of the greatest put id ever cut from the remembered ones by the 16-newest rule; 0: none
 *       20     4  zero
 *       24     K  key
 *             14·A  context, ascending by actor:  actor 8 · counter 6 (≥ 1)
 *             48·S  siblings, ascending by dot:   actor 8 · counter 6 · flags 1 (bit 0: tombstone) · zero 1 ·
 *                                                 HLC 8 (wall ms 6, logical 2) · expires at, wall ms 8 (0: never;
 *                                                 below 2^48) · put id 12 (seconds 4, random 8) · value length 4
 *             12·I  remembered put ids, ascending
 *                …  values, in the order of the siblings
 *                8  XXH64, seed 0, of everything before it
 *
 * Canonical: every order is strict, every sibling's dot is covered by the context, a tombstone has no value, and the
 * remembered ids are in normal form (remembered.ts). So equal records are equal bytes, and replicas may be compared by
 * their checksums.
 */
import { readU16, readU32, readU48 } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import { CONTEXT_ENTRIES_MAX, KEY_BYTES_MAX, REMEMBERED_PUT_IDS_MAX, RETRY_WINDOW_S } from '../model/limits.js';

export const RECORD_FORMAT = 1;
export const RECORD_FIXED_BYTES = 24;
export const CONTEXT_ENTRY_BYTES = 14;
/** Actor 8 and counter 6, as in a context entry: so dots compare as bytes do. */
export const DOT_BYTES = 14;
export const COUNTER_MAX = 0xffff_ffff_ffff;
export const SIBLING_HEADER_BYTES = 48;
export const PUT_ID_BYTES = 12;
export const CHECKSUM_BYTES = 8;

/** What the sibling count's field can hold; puts stop far earlier (SIBLINGS_MAX), merges never do. */
export const RECORD_SIBLINGS_MAX = 65_535;
/** What the length field can hold. */
export const RECORD_BYTES_MAX = 0xffff_ffff;

/** Offsets inside a sibling header. */
export const SIBLING_FLAGS = 14;
export const SIBLING_WALL = 16;
export const SIBLING_LOGICAL = 22;
export const SIBLING_EXPIRES = 24;
export const SIBLING_PUT_ID = 32;
export const SIBLING_VALUE_BYTES = 44;
export const FLAG_TOMBSTONE = 1;

// Of a record that starts at `start`. All but checkRecord expect a record that it has found good.

export function recordBytes(bytes: Uint8Array, start: number): number {
  return readU32(bytes, start + 4);
}

export function recordKeyStart(start: number): number {
  return start + RECORD_FIXED_BYTES;
}

export function recordKeyEnd(bytes: Uint8Array, start: number): number {
  return start + RECORD_FIXED_BYTES + readU16(bytes, start + 2);
}

export function contextCount(bytes: Uint8Array, start: number): number {
  return readU16(bytes, start + 8);
}

export function siblingCount(bytes: Uint8Array, start: number): number {
  return readU16(bytes, start + 10);
}

export function rememberedCount(bytes: Uint8Array, start: number): number {
  return readU16(bytes, start + 12);
}

export function cutSeconds(bytes: Uint8Array, start: number): number {
  return readU32(bytes, start + 16);
}

/** Where the context entries begin; entry `i` is CONTEXT_ENTRY_BYTES · i further. */
export function contextStart(bytes: Uint8Array, start: number): number {
  return recordKeyEnd(bytes, start);
}

/** Where the sibling headers begin; header `i` is SIBLING_HEADER_BYTES · i further. */
export function siblingsStart(bytes: Uint8Array, start: number): number {
  return contextStart(bytes, start) + CONTEXT_ENTRY_BYTES * contextCount(bytes, start);
}

/** Where the remembered put ids begin; id `i` is PUT_ID_BYTES · i further. */
export function rememberedStart(bytes: Uint8Array, start: number): number {
  return siblingsStart(bytes, start) + SIBLING_HEADER_BYTES * siblingCount(bytes, start);
}

/** Where the header ends and the values begin. What merge looks at, and what the Merkle leaves hash, is before it. */
export function recordHeaderEnd(bytes: Uint8Array, start: number): number {
  return rememberedStart(bytes, start) + PUT_ID_BYTES * rememberedCount(bytes, start);
}

// Of an entry or header at `at`, as the functions above place them.

export function actorHi(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at);
}

export function actorLo(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 4);
}

export function counterOf(bytes: Uint8Array, at: number): number {
  return readU48(bytes, at + 8);
}

export function isTombstone(bytes: Uint8Array, at: number): boolean {
  return ((bytes[at + SIBLING_FLAGS] as number) & FLAG_TOMBSTONE) !== 0;
}

export function siblingWallMs(bytes: Uint8Array, at: number): number {
  return readU48(bytes, at + SIBLING_WALL);
}

export function siblingLogical(bytes: Uint8Array, at: number): number {
  return readU16(bytes, at + SIBLING_LOGICAL);
}

/** Wall ms; 0: never. */
export function siblingExpiresMs(bytes: Uint8Array, at: number): number {
  return readU48(bytes, at + SIBLING_EXPIRES + 2);
}

export function siblingValueBytes(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + SIBLING_VALUE_BYTES);
}

/** Where the value of sibling `index` begins: the lengths before it are added up. */
export function siblingValueStart(bytes: Uint8Array, start: number, index: number): number {
  const headers = siblingsStart(bytes, start);
  let at = recordHeaderEnd(bytes, start);
  for (let i = 0; i < index; i++) at += siblingValueBytes(bytes, headers + SIBLING_HEADER_BYTES * i);
  return at;
}

/** Where an actor is among `count` entries that begin at `entries`; -1 - (where it would be) when it has none. */
export function entryIndex(bytes: Uint8Array, entries: number, count: number, hi: number, lo: number): number {
  let low = 0;
  let high = count - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const order = compareActor(bytes, entries + CONTEXT_ENTRY_BYTES * middle, hi, lo);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return -1 - low;
}

/** The counter of an actor among `count` entries that begin at `entries`; 0: it has none. */
export function counterIn(bytes: Uint8Array, entries: number, count: number, hi: number, lo: number): number {
  const index = entryIndex(bytes, entries, count, hi, lo);
  return index < 0 ? 0 : counterOf(bytes, entries + CONTEXT_ENTRY_BYTES * index);
}

/** Do `count` entries at `entries` cover the dot (actor 8, counter 6) at `dot`: is that version known there? */
export function covers(bytes: Uint8Array, entries: number, count: number, dots: Uint8Array, dot: number): boolean {
  if (count === 0) return false;
  return counterOf(dots, dot) <= counterIn(bytes, entries, count, actorHi(dots, dot), actorLo(dots, dot));
}

/** Below 0: the actor at `at` comes before (hi, lo); 0: it is that one. */
export function compareActor(bytes: Uint8Array, at: number, hi: number, lo: number): number {
  const difference = readU32(bytes, at) - hi;
  return difference !== 0 ? difference : readU32(bytes, at + 4) - lo;
}

/** Up to here a loop beats two view objects and a memcmp. */
const COMPARE_LOOP_BYTES_MAX = 128;

/** memcmp of `size` bytes at two places. */
export function compareAt(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, size: number): number {
  if (size > COMPARE_LOOP_BYTES_MAX) return Buffer.compare(a.subarray(aAt, aAt + size), b.subarray(bAt, bAt + size));
  for (let i = 0; i < size; i++) {
    const difference = (a[aAt + i] as number) - (b[bAt + i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** `order`: not canonical; something is out of order, twice, uncovered, zero, or where nothing may be. */
export type RecordFault = 'short' | 'format' | 'length' | 'checksum' | 'wrong-key' | 'order';

/**
 * What is wrong with `bytes[start, end)` as a record, or null. For any bytes whatever: it neither throws nor reads
 * outside. `key`: the key it was found under, null when that is not known. `hash` is left with the record's checksum.
 */
export function checkRecord(
  bytes: Uint8Array,
  start: number,
  end: number,
  hash: Hash64,
  key: Uint8Array | null,
): RecordFault | null {
  if (!(0 <= start && end <= bytes.length)) return 'short';
  if (!(end - start > RECORD_FIXED_BYTES + CHECKSUM_BYTES)) return 'short';
  if (bytes[start] !== RECORD_FORMAT || bytes[start + 1] !== 0) return 'format';
  if (recordBytes(bytes, start) !== end - start) return 'length';
  const keyBytes = readU16(bytes, start + 2);
  if (keyBytes === 0 || keyBytes > KEY_BYTES_MAX) return 'length';
  if (contextCount(bytes, start) > CONTEXT_ENTRIES_MAX) return 'length';
  if (rememberedCount(bytes, start) > REMEMBERED_PUT_IDS_MAX) return 'length';
  if (recordHeaderEnd(bytes, start) > end - CHECKSUM_BYTES) return 'length';
  hash.hash(bytes, start, end - CHECKSUM_BYTES);
  if (hash.hi !== readU32(bytes, end - CHECKSUM_BYTES) || hash.lo !== readU32(bytes, end - 4)) return 'checksum';
  if (key !== null && (key.length !== keyBytes || compareAt(bytes, recordKeyStart(start), key, 0, keyBytes) !== 0)) {
    return 'wrong-key';
  }
  return checkHeader(bytes, start, end);
}

/** The walk over the header, once its parts are known to lie inside the record. */
function checkHeader(bytes: Uint8Array, start: number, end: number): RecordFault | null {
  if (readU16(bytes, start + 14) !== 0 || readU32(bytes, start + 20) !== 0) return 'format';
  const entries = contextStart(bytes, start);
  if (!entriesAscend(bytes, entries, contextCount(bytes, start))) return 'order';
  const headers = siblingsStart(bytes, start);
  const siblings = siblingCount(bytes, start);
  let valueBytes = 0;
  for (let i = 0; i < siblings; i++) {
    const at = headers + SIBLING_HEADER_BYTES * i;
    if (!siblingIsGood(bytes, at)) return 'order';
    if (i > 0 && compareAt(bytes, at - SIBLING_HEADER_BYTES, bytes, at, DOT_BYTES) >= 0) return 'order';
    if (!covers(bytes, entries, contextCount(bytes, start), bytes, at)) return 'order';
    valueBytes += siblingValueBytes(bytes, at);
  }
  if (recordHeaderEnd(bytes, start) + valueBytes !== end - CHECKSUM_BYTES) return 'length';
  return rememberedAreNormal(bytes, start) ? null : 'order';
}

/** Actors strictly ascending, counters at least 1. */
export function entriesAscend(bytes: Uint8Array, entries: number, count: number): boolean {
  for (let i = 0; i < count; i++) {
    const at = entries + CONTEXT_ENTRY_BYTES * i;
    if (counterOf(bytes, at) === 0) return false;
    if (i > 0 && compareAt(bytes, at - CONTEXT_ENTRY_BYTES, bytes, at, 8) >= 0) return false;
  }
  return true;
}

export function putIdsAscend(bytes: Uint8Array, ids: number, count: number): boolean {
  for (let at = ids + PUT_ID_BYTES; at < ids + PUT_ID_BYTES * count; at += PUT_ID_BYTES) {
    if (compareAt(bytes, at - PUT_ID_BYTES, bytes, at, PUT_ID_BYTES) >= 0) return false;
  }
  return true;
}

function siblingIsGood(bytes: Uint8Array, at: number): boolean {
  const flags = bytes[at + SIBLING_FLAGS] as number;
  if (flags > FLAG_TOMBSTONE || bytes[at + SIBLING_FLAGS + 1] !== 0) return false;
  if (counterOf(bytes, at) === 0 || readU16(bytes, at + SIBLING_EXPIRES) !== 0) return false;
  return flags === 0 || siblingValueBytes(bytes, at) === 0;
}

/** Ascending; none older than the retry window before the newest; a cut only where it still matters (remembered.ts). */
function rememberedAreNormal(bytes: Uint8Array, start: number): boolean {
  const count = rememberedCount(bytes, start);
  const cut = cutSeconds(bytes, start);
  if (count === 0) return cut === 0;
  const ids = rememberedStart(bytes, start);
  const newest = readU32(bytes, ids + PUT_ID_BYTES * (count - 1));
  if (readU32(bytes, ids) < newest - RETRY_WINDOW_S) return false;
  if (cut !== 0 && (cut < newest - RETRY_WINDOW_S || cut > newest)) return false;
  return putIdsAscend(bytes, ids, count);
}

/**
 * The HLC stamps in a record whose bytes are known to be what was written, each with the ordinal of the node that gave it
 * (actor.ts); none if nothing of the kind is there.
 */
export function eachStamp(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (wallMs: number, logical: number, ordinal: number) => void,
): void {
  if (end - start < RECORD_FIXED_BYTES) return;
  const first = siblingsStart(bytes, start);
  const count = siblingCount(bytes, start);
  if (first + SIBLING_HEADER_BYTES * count > end) return;
  for (let i = 0; i < count; i++) {
    const at = first + SIBLING_HEADER_BYTES * i;
    visit(siblingWallMs(bytes, at), siblingLogical(bytes, at), actorHi(bytes, at) >>> 16);
  }
}
