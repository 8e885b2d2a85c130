/*
 * What a stretch of a partition holds, without the records: enough for two owners to tell which of them differ.
 *
 *   per record   8  XXH64 of its key
 *                8  XXH64 of its header (all that merge looks at: what its leaf is made of); zeros: damaged
 *                6  its youngest stamp, ms of the wall clock; 0: none
 *                2  flags: 1 damaged
 *
 * Big-endian, in the order of key hashes. Keys of one hash stand together in any order and are compared together: what
 * differs is named by its hash, and all records of that hash are moved.
 *
 * A record that was written a moment ago may be on its way to the other owner, or its ack on the way back. So what
 * differs and has a young stamp is left alone; if it still differs at the next meeting it is old by then.
 *
 * A damaged copy is left alone too. Until it is healed its owner says that it does not know, and that is right: with what
 * one other owner has in its place it would count again, and a second other owner may have more. So whoever has it asks
 * all of them at once (damaged-records.ts). Only where the whole partition is suspect, and goes on being so, it is taken
 * from each in turn.
 */
import { readU16, readU32, readU48, writeU16, writeU32, writeU48 } from '../lib/bytes.js';
import type { KeyHash } from '../model/hash.js';

export const LISTED_BYTES = 24;
const HEADER_HI_AT = 8;
const HEADER_LO_AT = 12;
const STAMP_AT = 16;
const FLAGS_AT = 22;
const DAMAGED = 1;

/** Records of a stretch in the order of their hashes, and where the stretch was cut; null: it is whole. */
export interface Listing {
  readonly entries: Uint8Array;
  readonly next: KeyHash | null;
}

export class ListingWriter {
  #bytes: Uint8Array;
  #end = 0;

  /** Of as many records as are expected: keys of one hash may come on top, and it grows. */
  constructor(records: number) {
    this.#bytes = new Uint8Array(records * LISTED_BYTES);
  }

  get count(): number {
    return this.#end / LISTED_BYTES;
  }

  add(keyHi: number, keyLo: number, headerHi: number, headerLo: number, stampMs: number): void {
    this.#put(keyHi, keyLo, headerHi, headerLo, stampMs, 0);
  }

  addDamaged(keyHi: number, keyLo: number): void {
    this.#put(keyHi, keyLo, 0, 0, 0, DAMAGED);
  }

  /** A copy. */
  entries(): Uint8Array {
    return this.#bytes.slice(0, this.#end);
  }

  #put(keyHi: number, keyLo: number, headerHi: number, headerLo: number, stampMs: number, flags: number): void {
    const at = this.#end;
    if (at === this.#bytes.length) {
      const larger = new Uint8Array(2 * at + LISTED_BYTES);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    const bytes = this.#bytes;
    writeU32(bytes, at, keyHi);
    writeU32(bytes, at + 4, keyLo);
    writeU32(bytes, at + HEADER_HI_AT, headerHi);
    writeU32(bytes, at + HEADER_LO_AT, headerLo);
    writeU48(bytes, at + STAMP_AT, stampMs);
    writeU16(bytes, at + FLAGS_AT, flags);
    this.#end += LISTED_BYTES;
  }
}

/** What is wrong with a listing that came from elsewhere: a text, or empty. */
export function listingFault({ entries, next }: Listing): string {
  if (entries.length % LISTED_BYTES !== 0) return `a listing of ${entries.length} bytes`;
  for (let at = LISTED_BYTES; at < entries.length; at += LISTED_BYTES) {
    if (compareKeys(entries, at - LISTED_BYTES, entries, at) > 0) return 'a listing whose hashes descend';
  }
  if (next === null || entries.length === 0) return '';
  return isBelow(entries, entries.length - LISTED_BYTES, next) ? '' : 'a listing that goes beyond where it was cut';
}

/** A hash whose records are to be sent, with the header hashes that the other has under it: those need not go. */
export interface Push extends KeyHash {
  /** Pairs of u32. */
  readonly theirs: readonly number[];
}

export interface Differences {
  readonly pull: readonly KeyHash[];
  readonly push: readonly Push[];
  /** Hashes that differ and were left alone. */
  readonly young: number;
}

/**
 * Compares two listings of one stretch, up to `until` (null: all of it). What has a stamp after `settledMs` is left alone;
 * Infinity: nothing is. `replacesDamaged`: what is damaged here is asked for.
 */
export function compareListings(
  own: Uint8Array,
  theirs: Uint8Array,
  until: KeyHash | null,
  settledMs: number,
  replacesDamaged: boolean,
): Differences {
  const pull: KeyHash[] = [];
  const push: Push[] = [];
  let young = 0;
  let a = 0;
  let b = 0;
  for (;;) {
    const hasOwn = a < own.length && (until === null || isBelow(own, a, until));
    const hasTheirs = b < theirs.length && (until === null || isBelow(theirs, b, until));
    if (!hasOwn && !hasTheirs) return { pull, push, young };
    const order = !hasTheirs ? -1 : !hasOwn ? 1 : compareKeys(own, a, theirs, b);
    const aEnd = order <= 0 ? groupEnd(own, a) : a;
    const bEnd = order >= 0 ? groupEnd(theirs, b) : b;
    if (!isSame(own, a, aEnd, theirs, b, bEnd)) {
      if (Math.max(youngest(own, a, aEnd), youngest(theirs, b, bEnd)) > settledMs) young += 1;
      else {
        const from = order <= 0 ? own : theirs;
        const at = order <= 0 ? a : b;
        const place = { hi: readU32(from, at), lo: readU32(from, at + 4) };
        const takes = replacesDamaged || isAllSound(own, a, aEnd);
        if (takes && bEnd > b && isAllSound(theirs, b, bEnd)) pull.push(place);
        if (aEnd > a && isAllSound(own, a, aEnd) && isAllSound(theirs, b, bEnd))
          push.push({ ...place, theirs: headers(theirs, b, bEnd) });
      }
    }
    a = aEnd;
    b = bEnd;
  }
}

function isSame(a: Uint8Array, from: number, until: number, b: Uint8Array, bFrom: number, bUntil: number): boolean {
  if (until - from !== bUntil - bFrom) return false;
  if (until - from === LISTED_BYTES) return isSound(a, from) && isSound(b, bFrom) && sameHeader(a, from, b, bFrom);
  for (let at = from; at < until; at += LISTED_BYTES) {
    if (!isSound(a, at)) return false;
    let isThere = false;
    for (let other = bFrom; other < bUntil; other += LISTED_BYTES) {
      if (isSound(b, other) && sameHeader(a, at, b, other)) isThere = true;
    }
    if (!isThere) return false;
  }
  return true;
}

function groupEnd(bytes: Uint8Array, from: number): number {
  let at = from + LISTED_BYTES;
  while (at < bytes.length && compareKeys(bytes, from, bytes, at) === 0) at += LISTED_BYTES;
  return at;
}

function youngest(bytes: Uint8Array, from: number, until: number): number {
  let stampMs = 0;
  for (let at = from; at < until; at += LISTED_BYTES) {
    stampMs = Math.max(stampMs, readU48(bytes, at + STAMP_AT));
  }
  return stampMs;
}

function isAllSound(bytes: Uint8Array, from: number, until: number): boolean {
  for (let at = from; at < until; at += LISTED_BYTES) if (!isSound(bytes, at)) return false;
  return true;
}

function headers(bytes: Uint8Array, from: number, until: number): readonly number[] {
  const found: number[] = [];
  for (let at = from; at < until; at += LISTED_BYTES) {
    found.push(readU32(bytes, at + HEADER_HI_AT), readU32(bytes, at + HEADER_LO_AT));
  }
  return found;
}

function isSound(bytes: Uint8Array, at: number): boolean {
  return (readU16(bytes, at + FLAGS_AT) & DAMAGED) === 0;
}

function sameHeader(a: Uint8Array, at: number, b: Uint8Array, bAt: number): boolean {
  return (
    readU32(a, at + HEADER_HI_AT) === readU32(b, bAt + HEADER_HI_AT) &&
    readU32(a, at + HEADER_LO_AT) === readU32(b, bAt + HEADER_LO_AT)
  );
}

function compareKeys(a: Uint8Array, at: number, b: Uint8Array, bAt: number): number {
  return readU32(a, at) - readU32(b, bAt) || readU32(a, at + 4) - readU32(b, bAt + 4);
}

function isBelow(bytes: Uint8Array, at: number, { hi, lo }: KeyHash): boolean {
  const own = readU32(bytes, at);
  return own < hi || (own === hi && readU32(bytes, at + 4) < lo);
}
