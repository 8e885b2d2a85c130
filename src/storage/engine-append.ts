/** What a write leaves in the log. The place that these answer is the log's, good until the next append. */
import type { Hash64 } from '../model/hash.js';
import { MARK_BYTES, writeMark } from './engine-mark.js';
import { encodeReap } from './reap-format.js';
import type { ReapEntry } from './reap-storage.js';
import { LOG_KINDS, type CommitLog, type LogPlace } from './log-types.js';
import type { WriteRequest } from './storage.js';

/** The record, encoded where it stays, and its mark behind it. */
export function appendRecord(
  log: CommitLog,
  request: WriteRequest,
  size: number,
  opening: number,
  hash: Hash64,
): LogPlace {
  const place = log.append(LOG_KINDS.record, request.partition, size + MARK_BYTES);
  const { chunk, at } = place;
  request.encode(chunk.bytes, at);
  const { markActorHi, markActorLo, markCounter } = request;
  writeMark(chunk.bytes, at + size, markActorHi, markActorLo, markCounter, opening, hash);
  return place;
}

/** The body is the key of the record that goes. */
export function appendDrop(log: CommitLog, { partition, key }: WriteRequest): LogPlace {
  const place = log.append(LOG_KINDS.recordDropped, partition, key.length);
  place.chunk.bytes.set(key, place.at);
  return place;
}

/** The record under the key goes, and the entry comes. */
export function appendReap(log: CommitLog, { partition, key }: WriteRequest, entry: ReapEntry): LogPlace {
  const body = encodeReap(entry, key);
  const place = log.append(LOG_KINDS.reap, partition, body.length);
  place.chunk.bytes.set(body, place.at);
  return place;
}
