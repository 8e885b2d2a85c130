/*
 * When a delete may be forgotten (DESIGN §8), as far as one record can tell.
 *
 * All that is left of the key must be tombstones, or values that have expired. And nobody may still take a retry of what
 * they deleted, since the ids by which a retry is known go with them: every id in the record, and every stamp, must be
 * older than the retry window by the clock of whoever is asked, and by the skew that clocks are allowed on top. Every
 * member is asked, and each is a node that a retry could come to.
 */
import { readU32 } from '../lib/bytes.js';
import {
  cutSeconds,
  isTombstone,
  PUT_ID_BYTES,
  rememberedCount,
  rememberedStart,
  SIBLING_HEADER_BYTES,
  SIBLING_PUT_ID,
  siblingCount,
  siblingExpiresMs,
  siblingsStart,
  siblingWallMs,
} from '../versioning/record.js';

export interface ReapRules {
  /** How long puts may be sent again. */
  readonly retryWindowMs: number;
  /** How far apart clocks may be, and how far one may be set back. */
  readonly skewMs: number;
  /** How old a delete must be before this node proposes to forget it; at least the other two together. */
  readonly reapAfterMs: number;
}

/** The newest time that the record names, in wall ms; Infinity: it holds a value that does not expire. */
export function newestMs(bytes: Uint8Array, start: number): number {
  let newest = 1_000 * cutSeconds(bytes, start);
  const ids = rememberedStart(bytes, start);
  for (let i = 0; i < rememberedCount(bytes, start); i++)
    newest = Math.max(newest, idMs(bytes, ids + PUT_ID_BYTES * i));
  const headers = siblingsStart(bytes, start);
  for (let i = 0; i < siblingCount(bytes, start); i++) {
    const at = headers + SIBLING_HEADER_BYTES * i;
    const expiresMs = siblingExpiresMs(bytes, at);
    if (!isTombstone(bytes, at) && expiresMs === 0) return Number.POSITIVE_INFINITY;
    newest = Math.max(newest, siblingWallMs(bytes, at), idMs(bytes, at + SIBLING_PUT_ID), expiresMs);
  }
  return newest;
}

/** An id has whole seconds: the put may be a second younger. */
export function idMs(bytes: Uint8Array, at: number): number {
  return 1_000 * (readU32(bytes, at) + 1);
}

/** By a clock that shows `wallMs`: may a member say yes? */
export function isOldEnough(bytes: Uint8Array, start: number, wallMs: number, rules: ReapRules): boolean {
  return isPast(newestMs(bytes, start), wallMs, rules);
}

/** May nobody take a retry any more of what names this time? */
export function isPast(ms: number, wallMs: number, { retryWindowMs, skewMs }: ReapRules): boolean {
  return ms + retryWindowMs + skewMs <= wallMs;
}
