/*
 * The context as a client holds it: opaque bytes out of a reply, to be sent back with the next put of the same key. It says
 * which dots its holder has seen, and which puts it was shown, so that a put may replace exactly those (§4.4).
 *
 *   offset  size  field (big-endian)
 *        0     1  format, 1
 *        1     1  zero
 *        2     2  context entries A, 0..4096
 *        4     2  put ids P, 0..16
 *        6     2  zero
 *        8     8  XXH64 of the key
 *       16  14·A  context, ascending by actor: actor 8 · counter 6 (≥ 1)
 *           12·P  put ids of the versions it was returned with, ascending; the newest, where there were more than 16
 *              8  XXH64, seed 0, of everything before it
 *
 * A context for another key would silently overwrite, so it names its key. The checksum guards against mangled bytes, not
 * against forgers: who may write a key may overwrite it anyway.
 */
import { assert } from '../lib/assert.js';
import { readU16, readU32, writeU16, writeU32 } from '../lib/bytes.js';
import type { Hash64, KeyHash } from '../model/hash.js';
import { CLOCK_SKEW_MAX_MS, CONTEXT_ENTRIES_MAX, REMEMBERED_PUT_IDS_MAX } from '../model/limits.js';
import { CHECKSUM_BYTES, CONTEXT_ENTRY_BYTES, PUT_ID_BYTES, entriesAscend, putIdsAscend } from './record.js';
import { hasPutId } from './remembered.js';

export const TOKEN_FORMAT = 1;
export const TOKEN_FIXED_BYTES = 16;
export const TOKEN_BYTES_MAX: number =
  TOKEN_FIXED_BYTES +
  CONTEXT_ENTRY_BYTES * CONTEXT_ENTRIES_MAX +
  PUT_ID_BYTES * REMEMBERED_PUT_IDS_MAX +
  CHECKSUM_BYTES;

export function tokenBytes(entryCount: number, idCount: number): number {
  return TOKEN_FIXED_BYTES + CONTEXT_ENTRY_BYTES * entryCount + PUT_ID_BYTES * idCount + CHECKSUM_BYTES;
}

/** The 16 bytes before the entries. */
export function writeTokenFixed(
  target: Uint8Array,
  at: number,
  entryCount: number,
  idCount: number,
  keyHash: KeyHash,
): void {
  assert(entryCount <= CONTEXT_ENTRIES_MAX && idCount <= REMEMBERED_PUT_IDS_MAX, 'a token keeps its limits');
  target[at] = TOKEN_FORMAT;
  target[at + 1] = 0;
  writeU16(target, at + 2, entryCount);
  writeU16(target, at + 4, idCount);
  writeU16(target, at + 6, 0);
  writeU32(target, at + 8, keyHash.hi);
  writeU32(target, at + 12, keyHash.lo);
}

/** A client's context in place. Reused: it refers to the bytes it was decoded from until `clear` or the next decode. */
export class ContextToken {
  bytes: Uint8Array = new Uint8Array(0);
  /** Where the entries are, and how many; none when there is no context. */
  entries: number = 0;
  entryCount: number = 0;
  ids: number = 0;
  idCount: number = 0;

  /** No context: a put that has read nothing. */
  clear(): void {
    this.bytes = NOTHING;
    this.entries = 0;
    this.entryCount = 0;
    this.ids = 0;
    this.idCount = 0;
  }

  /**
   * Takes `bytes[start, end)` as the context of the key with this hash; an empty range is no context. Answers what is
   * wrong with it, or '' (then, and only then, there is something to read here). Never throws, never reads outside.
   */
  decode(bytes: Uint8Array, start: number, end: number, hash: Hash64, keyHash: KeyHash): string {
    this.clear();
    if (start === end) return '';
    const fault = tokenFault(bytes, start, end, hash, keyHash);
    if (fault !== '') return fault;
    this.bytes = bytes;
    this.entries = start + TOKEN_FIXED_BYTES;
    this.entryCount = readU16(bytes, start + 2);
    this.ids = this.entries + CONTEXT_ENTRY_BYTES * this.entryCount;
    this.idCount = readU16(bytes, start + 4);
    return '';
  }

  /** Was this put's own result shown to its client? Then the id has been used before: a new put needs a new id. */
  carries(putId: Uint8Array): boolean {
    return hasPutId(this.bytes, this.ids, this.idCount, putId, 0);
  }

  /**
   * Are its put ids from so far ahead that no honest clock stamped them? They would push every other id out of the
   * record's window. Twice the skew: a node that was ahead may have taken the put of a client that was ahead of it.
   */
  isFromTheFuture(nowS: number): boolean {
    if (this.idCount === 0) return false;
    const newest = readU32(this.bytes, this.ids + PUT_ID_BYTES * (this.idCount - 1));
    return newest > nowS + (2 * CLOCK_SKEW_MAX_MS) / 1_000;
  }
}

const NOTHING = new Uint8Array(0);
const DO = 'read the key again and use the context of that reply';

function tokenFault(bytes: Uint8Array, start: number, end: number, hash: Hash64, keyHash: KeyHash): string {
  if (!(0 <= start && start <= end && end <= bytes.length)) return 'Context lies outside its message';
  const size = end - start;
  if (size < tokenBytes(0, 0)) return `Context of ${size} bytes is too short: ${DO}`;
  if (bytes[start] !== TOKEN_FORMAT)
    return `Context has format ${bytes[start]}, this node knows ${TOKEN_FORMAT}: ${DO}`;
  const entryCount = readU16(bytes, start + 2);
  const idCount = readU16(bytes, start + 4);
  if (entryCount > CONTEXT_ENTRIES_MAX)
    return `Context names ${entryCount} actors, at most ${CONTEXT_ENTRIES_MAX} are allowed`;
  if (idCount > REMEMBERED_PUT_IDS_MAX)
    return `Context carries ${idCount} put ids, at most ${REMEMBERED_PUT_IDS_MAX} are allowed`;
  if (size !== tokenBytes(entryCount, idCount)) {
    return `Context is ${size} bytes long but its counts make ${tokenBytes(entryCount, idCount)}: ${DO}`;
  }
  hash.hash(bytes, start, end - CHECKSUM_BYTES);
  if (hash.hi !== readU32(bytes, end - CHECKSUM_BYTES) || hash.lo !== readU32(bytes, end - 4)) {
    return `Context was changed since it was handed out: its checksum does not match: ${DO}`;
  }
  if (readU32(bytes, start + 8) !== keyHash.hi || readU32(bytes, start + 12) !== keyHash.lo) {
    return `Context belongs to another key: ${DO}`;
  }
  if (bytes[start + 1] !== 0 || readU16(bytes, start + 6) !== 0) return 'Context has bytes set that must be zero';
  const entries = start + TOKEN_FIXED_BYTES;
  if (!entriesAscend(bytes, entries, entryCount)) return 'Context entries are out of order, twice, or zero';
  if (!putIdsAscend(bytes, entries + CONTEXT_ENTRY_BYTES * entryCount, idCount)) {
    return 'Context put ids are out of order or twice';
  }
  return '';
}
