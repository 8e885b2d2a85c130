/*
 * What lies beside a record, in the log's entry, the buffer and the file, and is never sent (DESIGN: actors and marks).
 *
 *   offset  size  field
 *        0     8  actor that this store minted last for the key
 *        8     6  the highest counter that it minted under it; 0: none
 *       14     6  opening number of the store at that time
 *       20     4  low half of XXH64 of the 20 bytes before, seeded with the record's checksum
 *
 * A mark of an earlier opening is void, and so is one whose check does not hold: then a fresh actor is minted, which is
 * always right. The seed ties the mark to its record, so that neither can be taken for another's.
 */
import { readU32, readU48, writeU32, writeU48 } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';

export const MARK_BYTES = 24;

const COUNTER_AT = 8;
const OPENING_AT = 14;
const CHECK_AT = 20;

/** Writes the mark at `at`, which is where the record's bytes end. */
export function writeMark(
  bytes: Uint8Array,
  at: number,
  actorHi: number,
  actorLo: number,
  counter: number,
  opening: number,
  hash: Hash64,
): void {
  writeU32(bytes, at, counter === 0 ? 0 : actorHi);
  writeU32(bytes, at + 4, counter === 0 ? 0 : actorLo);
  writeU48(bytes, at + COUNTER_AT, counter);
  writeU48(bytes, at + OPENING_AT, opening);
  hash.hashSeeded(bytes, at, at + CHECK_AT, readU32(bytes, at - 8), readU32(bytes, at - 4));
  writeU32(bytes, at + CHECK_AT, hash.lo);
}

/** Is there a mark of this very opening at `at`? The check is made only if the rest says so: most marks are old. */
export function hasMark(bytes: Uint8Array, at: number, opening: number, hash: Hash64): boolean {
  if (readU48(bytes, at + OPENING_AT) !== opening || markCounter(bytes, at) === 0) return false;
  hash.hashSeeded(bytes, at, at + CHECK_AT, readU32(bytes, at - 8), readU32(bytes, at - 4));
  return hash.lo === readU32(bytes, at + CHECK_AT);
}

export function markActorHi(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at);
}

export function markActorLo(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 4);
}

export function markCounter(bytes: Uint8Array, at: number): number {
  return readU48(bytes, at + COUNTER_AT);
}
