/*
 *   offset  size  field
 *        0     4  seconds since 1970 of the first attempt, big-endian
 *        4     8  random
 *
 * Made once a put, by us; every resend carries the same bytes, which is what makes retrying a put harmless. The time
 * tells the server which ids may still come again (protocol/PROTOCOL.md).
 */
import type { Clock } from '../env/clock.js';
import type { Random } from '../env/random.js';
import { writeU32 } from '../lib/bytes.js';

export const PUT_ID_BYTES = 12;

export function newPutId(clock: Clock, random: Random): Uint8Array {
  const id = new Uint8Array(PUT_ID_BYTES);
  writeU32(id, 0, Math.floor(clock.wallMs() / 1000));
  writeU32(id, 4, random.u32());
  writeU32(id, 8, random.u32());
  return id;
}
