/* Listing keys on the unix socket: by protobufjs both ways. */
import { fromHex, toHex } from '../lib/bytes.js';
import { LISTED_KEYS_MAX } from '../model/limits.js';
import type { KeysReply, KeysRequest, ListedKey } from '../model/messages.js';
import { countAt } from './cursor.js';
import { partita } from './protobuf.js';
import { bad, count53, decodeBy, hexOfId } from './plain.js';
import type { DecodeFault } from './requests.js';

const v1 = partita.v1;
const NONE: Uint8Array = new Uint8Array(0);
const HASH_BYTES = 8;
/** A page ends where a hash ends, and a few keys may share one. */
const KEYS_MAX = 2 * LISTED_KEYS_MAX;

export function encodeKeys({ partition, ...request }: KeysRequest): Uint8Array {
  return v1.Keys.encode({ ...request, onePartition: partition !== null, partition: partition ?? 0 }).finish();
}

export function decodeKeys(bytes: Uint8Array, start: number, end: number): KeysRequest | DecodeFault {
  return decodeBy(v1.Keys, bytes, start, end, (request) => ({
    budgetMs: request.budgetMs,
    prefix: request.prefix,
    partition: request.onePartition ? request.partition : null,
    firstOwner: request.firstOwner,
    all: request.all,
    cursor: request.cursor,
    limit: request.limit,
  }));
}

export function encodeKeysReply(reply: KeysReply): Uint8Array {
  const keys = reply.keys.map((key) => ({ ...key, hash: fromHex(key.hash) }));
  return v1.KeysReply.encode({ ...reply, keys, nodeId: fromHex(reply.nodeId) }).finish();
}

export function decodeKeysReply(bytes: Uint8Array, start: number, end: number): KeysReply | DecodeFault {
  if (countAt(bytes, start, end, [1], KEYS_MAX) > KEYS_MAX) return `More than ${KEYS_MAX} keys`;
  return decodeBy(v1.KeysReply, bytes, start, end, (reply) => ({
    keys: reply.keys.map(takeKey),
    cursor: reply.cursor,
    nodeId: hexOfId(reply.nodeId),
    ringVersion: reply.ringVersion,
    partitionCount: reply.partitionCount,
    selected: reply.selected,
    done: reply.done,
    suspect: reply.suspect,
    records: reply.records,
  }));
}

function takeKey(key: partita.v1.KeysReply.Key.$Properties): ListedKey {
  const hash = key.hash ?? NONE;
  return {
    key: key.key ?? NONE,
    hash: hash.length === HASH_BYTES ? toHex(hash) : bad(`A hash of ${hash.length} bytes instead of ${HASH_BYTES}`),
    partition: key.partition ?? 0,
    siblings: key.siblings ?? 0,
    tombstones: key.tombstones ?? 0,
    expired: key.expired ?? 0,
    recordBytes: key.recordBytes ?? 0,
    writtenMs: count53(key.writtenMs ?? 0),
    damaged: key.damaged ?? false,
  };
}
