/*
 * The bytes of hints. Integers are big-endian; eight-byte ones stay below 2^53.
 *
 *   a hint: body of a log entry of kind `hint`
 *   offset  size  field
 *        0     8  id
 *        8     8  version
 *       16     6  since, ms since 1970
 *       22     2  owner, its ordinal
 *       24     2  partition
 *       26     2  zero
 *       28     4  size of the record in bytes
 *       32     n  key
 *
 *   body of a log entry of kind `hintRemoved`
 *        0     8  id
 *        8     8  version that was removed
 *
 *   hints.mdb, an ordered map like a partition's file
 *   key                                  value
 *   8 id, 1 0x03                         the hint as above, then 8 XXH64 of it
 *   8 zeros, 1 0x00, 'home'              partition-home.ts: partition 0xffffffff, applied LSN of the hint entries
 *
 * A log entry has no checksum of its own: its batch has.
 */
import { equalBytes, readU16, readU32, readU48, readU53 } from '../lib/bytes.js';
import { writeU16, writeU32, writeU48, writeU53 } from '../lib/bytes.js';
import { assert } from '../lib/assert.js';
import type { Hint } from '../coordinator/hint-book.js';
import type { Hash64 } from '../model/hash.js';
import { KEY_BYTES_MAX } from '../model/limits.js';
import type { PartitionId } from '../model/ids.js';
import { keyName, keyOfName } from './storage-key.js';

const KEY_AT = 32;
export const HINT_REMOVED_BYTES = 16;
/** Behind a hint in the file. */
const CHECK_BYTES = 8;
const HINT_KEY_BYTES = 9;
const MARKER_AT = 8;
const MARKER_HINT = 0x03;
/** In the home entry of hints.mdb, so that it is never taken for a partition's file nor the reverse. */
export const HINTS_HOME_PARTITION = 0xffff_ffff;

/** The hint as the log has it, with room behind it for the checksum of the file. */
export function encodeHint(hint: Hint): Uint8Array {
  assert(hint.id > 0 && hint.version >= hint.id, 'a hint has an id, and its versions are younger');
  assert(0 <= hint.owner && hint.owner <= 0xffff, 'an owner is 16 bits');
  assert(0 <= hint.bytes && hint.bytes <= 0xffff_ffff, 'the size of a record is 32 bits');
  const key = keyOfName(hint.key);
  assert(key.length > 0 && key.length <= KEY_BYTES_MAX, 'a hint has a key');
  const bytes = new Uint8Array(KEY_AT + key.length + CHECK_BYTES);
  writeU53(bytes, 0, hint.id);
  writeU53(bytes, 8, hint.version);
  writeU48(bytes, 16, Math.max(0, Math.floor(hint.sinceMs)));
  writeU16(bytes, 22, hint.owner);
  writeU16(bytes, 24, hint.partition);
  writeU32(bytes, 28, hint.bytes);
  bytes.set(key, KEY_AT);
  return bytes;
}

/** Of what `encodeHint` gave: the part that goes to the log. */
export function logBodyOf(encoded: Uint8Array): Uint8Array {
  return encoded.subarray(0, encoded.length - CHECK_BYTES);
}

/** The same again, from a log entry's body. */
export function encodedOfLogBody(body: Uint8Array): Uint8Array {
  const encoded = new Uint8Array(body.length + CHECK_BYTES);
  encoded.set(body, 0);
  return encoded;
}

/** null: not a hint. */
export function decodeHint(body: Uint8Array): Hint | null {
  const keyBytes = body.length - KEY_AT;
  if (keyBytes < 1 || keyBytes > KEY_BYTES_MAX) return null;
  const hint = {
    id: readU53(body, 0),
    version: readU53(body, 8),
    sinceMs: readU48(body, 16),
    owner: readU16(body, 22),
    partition: readU16(body, 24) as PartitionId,
    bytes: readU32(body, 28),
    key: keyName(body, KEY_AT, body.length),
  };
  return hint.id > 0 && hint.version >= hint.id && Number.isSafeInteger(hint.version) ? hint : null;
}

export function writeHintRemoved(bytes: Uint8Array, at: number, hint: Hint): void {
  writeU53(bytes, at, hint.id);
  writeU53(bytes, at + 8, hint.version);
}

/** The id; null: not the removal of a hint. */
export function removedHintId(body: Uint8Array): number | null {
  return body.length === HINT_REMOVED_BYTES ? readU53(body, 0) : null;
}

export function hintKey(id: number): Uint8Array {
  const key = Buffer.alloc(HINT_KEY_BYTES);
  writeU53(key, 0, id);
  key[MARKER_AT] = MARKER_HINT;
  return key;
}

export function isHintKey(key: Uint8Array): boolean {
  return key.length === HINT_KEY_BYTES && key[MARKER_AT] === MARKER_HINT;
}

/** Puts the checksum behind what `encodeHint` gave: the value in the file. */
export function sealHint(encoded: Uint8Array, hash: Hash64): Uint8Array {
  const checkAt = encoded.length - CHECK_BYTES;
  hash.hash(encoded, 0, checkAt);
  writeU32(encoded, checkAt, hash.hi);
  writeU32(encoded, checkAt + 4, hash.lo);
  return encoded;
}

/** The hint of an entry of the file; null: it is damaged, or lies under a key that is not its own. */
export function openHint(key: Uint8Array, value: Uint8Array, hash: Hash64): Hint | null {
  const checkAt = value.length - CHECK_BYTES;
  if (checkAt < KEY_AT) return null;
  hash.hash(value, 0, checkAt);
  if (hash.hi !== readU32(value, checkAt) || hash.lo !== readU32(value, checkAt + 4)) return null;
  const hint = decodeHint(value.subarray(0, checkAt));
  return hint !== null && equalBytes(key, hintKey(hint.id)) ? hint : null;
}
