/*
 * What lies beside a record, in the log's entry, the buffer and the file, and is never sent (DESIGN: actors and marks).
 *
 *   offset  size  field
 *        0     8  actor that this store minted last for the key
 *        8     6  the highest counter that it minted under it; 0: none
 *       14     6  of which opening of which store, and of which installation of the file: 48 bits of their XXH64
 *       20     4  low half of XXH64 of the 20 bytes before, seeded with the record's checksum
 *
 * A mark of an earlier opening is void, and so is one whose check does not hold: then a fresh actor is minted, which is
 * always right. The seed ties the mark to its record, so that neither can be taken for another's.
 *
 * A partition's file may have come from another node, with that node's marks, or with older ones of this very store: so a
 * mark tells apart more than openings, and once a file has been installed only what is written over it bears marks that
 * hold.
 */
import { fromHex, readU32, readU48, writeU32, writeU48, writeU53 } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import type { NodeId } from '../model/ids.js';

export const MARK_BYTES = 24;

const COUNTER_AT = 8;
const OPENING_AT = 14;
const CHECK_AT = 20;

/** `installation`: of a file that came from elsewhere during this opening; 0: none did. */
export function markTag(nodeId: NodeId, opening: number, installation: number, hash: Hash64): number {
  const bytes = new Uint8Array(32);
  bytes.set(fromHex(nodeId), 0);
  writeU53(bytes, 16, opening);
  writeU53(bytes, 24, installation);
  hash.hash(bytes, 0, bytes.length);
  return (hash.hi >>> 16) * 0x1_0000_0000 + hash.lo;
}

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
