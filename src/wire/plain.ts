/*
 * What the codecs share: from protobufjs's objects to plain ones, and nothing thrown at the caller. A decoder answers
 * with the message, or with a text that says what is wrong (a DecodeFault); after that the connection is closed, since
 * a peer that sends one broken body cannot be trusted with the next.
 */
import { toHex } from '../lib/bytes.js';
import { PARTITIONS_MAX } from '../model/limits.js';
import { Reader } from './protobuf.js';
import type { DecodeFault } from './requests.js';

/** Thrown and caught inside the codecs only. */
class BadField extends Error {}

export function bad(text: string): never {
  throw new BadField(text);
}

/** Decodes `bytes[start, end)` by a class of protobufjs and takes the fields over; never throws. */
export function decodeBy<M, T extends object>(
  type: { decode(reader: Reader): M },
  bytes: Uint8Array,
  start: number,
  end: number,
  take: (message: M) => T,
): T | DecodeFault {
  const reader = Reader.create(bytes);
  reader.pos = start;
  reader.len = end;
  try {
    return take(type.decode(reader));
  } catch (error) {
    return error instanceof BadField ? error.message : `Not a protobuf message: ${String(error)}`;
  }
}

export function isFault<T extends object>(result: T | DecodeFault): result is DecodeFault {
  return typeof result === 'string';
}

/** A 64-bit field that must be below 2^53. */
export function count53(value: unknown): number {
  if (typeof value !== 'number' || value > Number.MAX_SAFE_INTEGER) return bad('Number of 2^53 or more');
  return value;
}

export function limited<T>(items: readonly T[], max: number, what: string): readonly T[] {
  if (items.length > max) return bad(`${items.length} ${what}, at most ${max} are accepted`);
  return items;
}

/** Node ids travel as 16 bytes and are hexadecimal digits here; absent ones are empty. */
export function hexOfId(bytes: Uint8Array): string {
  if (bytes.length !== 16 && bytes.length !== 0) return bad(`A node id of ${bytes.length} bytes instead of 16`);
  return toHex(bytes);
}

/** Which partitions a cluster has the codecs do not know: none has one beyond these. */
export function partitionIn(partition: number): number {
  return partition < PARTITIONS_MAX ? partition : bad(`There is no partition ${partition}`);
}
