/*
 * Put ids: the name of a put, chosen by the client, the same on every retry of it.
 *
 *   offset  size  field (big-endian)
 *        0     4  seconds since 1970 at the first attempt
 *        4     8  random
 *
 * Its time bounds what a node must remember: an id older than the retry window is refused whatever is stored, since what
 * was known of it may have been forgotten with a reaped tombstone.
 */
import { readU32, writeU32 } from '../lib/bytes.js';
import type { Random } from '../env/random.js';
import { failure, type Failure } from '../model/errors.js';
import { CLOCK_SKEW_MAX_MS, RETRY_WINDOW_S } from '../model/limits.js';

const SKEW_MAX_S = CLOCK_SKEW_MAX_MS / 1_000;

export type PutIdVerdict = 'ok' | 'too-old' | 'future';

export function putIdSeconds(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at);
}

export function writePutId(target: Uint8Array, at: number, seconds: number, random: Random): void {
  writeU32(target, at, seconds);
  writeU32(target, at + 4, random.u32());
  writeU32(target, at + 8, random.u32());
}

/** May a put with this id be taken by a node whose wall clock shows `nowS` (whole seconds)? */
export function judgePutId(putId: Uint8Array, nowS: number, windowS: number = RETRY_WINDOW_S): PutIdVerdict {
  const seconds = readU32(putId, 0);
  if (seconds < nowS - windowS) return 'too-old';
  return seconds > nowS + SKEW_MAX_S ? 'future' : 'ok';
}

/** What the client is told, with the numbers and what to do. */
export function putIdFailure(verdict: 'too-old' | 'future', putId: Uint8Array, nowS: number): Failure {
  const apart = Math.abs(readU32(putId, 0) - nowS);
  if (verdict === 'too-old') {
    return failure(
      'RETRY_TOO_LATE',
      `Put id is ${apart} s old by this node's clock, the retry window is ${RETRY_WINDOW_S} s: ` +
        'whether an earlier attempt was stored is unknown; read the key, or check the clocks',
      { outcomeUnknown: true },
    );
  }
  return failure(
    'INVALID_ARGUMENT',
    `Put id is ${apart} s ahead of this node's clock, ${SKEW_MAX_S} s are allowed: check the clocks`,
  );
}
