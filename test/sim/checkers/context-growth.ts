/*
 * What a record knows, it never forgets: the record that takes the place of another covers every dot that the other
 * covered (only a reap, which removes the whole record, may end that). A context that shrinks lets overwritten values
 * come back.
 */
import {
  actorHi,
  actorLo,
  CONTEXT_ENTRY_BYTES,
  contextCount,
  contextStart,
  counterIn,
  counterOf,
} from '../../../src/versioning/record.js';
import { hexOf } from '../tools.js';

/** The first entry of the record at `oldAt` that the record at `newAt` does not cover; '': there is none. */
export function forgotten(old: Uint8Array, oldAt: number, young: Uint8Array, youngAt: number): string {
  const entries = contextStart(young, youngAt);
  const count = contextCount(young, youngAt);
  const end = contextStart(old, oldAt) + CONTEXT_ENTRY_BYTES * contextCount(old, oldAt);
  for (let at = contextStart(old, oldAt); at < end; at += CONTEXT_ENTRY_BYTES) {
    const known = counterIn(young, entries, count, actorHi(old, at), actorLo(old, at));
    if (known < counterOf(old, at)) return `${hexOf(old, at, at + 8)}:${counterOf(old, at)} (now ${known})`;
  }
  return '';
}
