/*
 * The entry of a partition file that says whose it is and how far it goes, written in the same transaction as the data
 * and the leaves.
 *
 *   offset  size  field (big-endian)
 *        0     4  format, 1
 *        4    16  node id
 *       20     8  installation number, drawn when the file was made or installed here
 *       28     8  applied LSN: every entry of this partition up to it is in the file
 *       36     4  partition
 *       40     4  partition count Q
 *       44     8  XXH64 of everything before it
 */
import { fromHex, readU32, readU53, toHex, writeU32, writeU53 } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import type { NodeId } from '../model/ids.js';
import { bookkeepingKey } from './storage-key.js';

export const HOME_KEY: Uint8Array = bookkeepingKey('home');
export const HOME_FORMAT = 1;
const HOME_BYTES = 52;

export interface Home {
  readonly nodeId: NodeId;
  readonly installation: number;
  readonly appliedLsn: number;
  readonly partition: number;
  readonly partitionCount: number;
}

export function encodeHome(home: Home, hash: Hash64): Uint8Array {
  const bytes = new Uint8Array(HOME_BYTES);
  writeU32(bytes, 0, HOME_FORMAT);
  bytes.set(fromHex(home.nodeId), 4);
  writeU53(bytes, 20, home.installation);
  writeU53(bytes, 28, home.appliedLsn);
  writeU32(bytes, 36, home.partition);
  writeU32(bytes, 40, home.partitionCount);
  hash.hash(bytes, 0, HOME_BYTES - 8);
  writeU32(bytes, HOME_BYTES - 8, hash.hi);
  writeU32(bytes, HOME_BYTES - 4, hash.lo);
  return bytes;
}

/** null: not readable. A newer format is the caller's to refuse, so that an upgrade is never taken for damage. */
export function decodeHome(bytes: Uint8Array, hash: Hash64): Home | { readonly newerFormat: number } | null {
  if (bytes.length < 8) return null;
  const checkAt = bytes.length - 8;
  hash.hash(bytes, 0, checkAt);
  if (hash.hi !== readU32(bytes, checkAt) || hash.lo !== readU32(bytes, checkAt + 4)) return null;
  const format = readU32(bytes, 0);
  if (format > HOME_FORMAT) return { newerFormat: format };
  if (format !== HOME_FORMAT || bytes.length !== HOME_BYTES) return null;
  return {
    nodeId: toHex(bytes.subarray(4, 20)) as NodeId,
    installation: readU53(bytes, 20),
    appliedLsn: readU53(bytes, 28),
    partition: readU32(bytes, 36),
    partitionCount: readU32(bytes, 40),
  };
}
