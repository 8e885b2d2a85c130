/*
 * What a record knows, it never forgets: the record that takes the place of another covers every dot that the other
 * covered. A context that shrinks lets overwritten values come back. Two things may end that, and need the consent of all
 * owners: a reap, which removes the whole record, and a compaction, which leaves out exactly the deletes beside living
 * values and the actors without a living version.
 */
import {
  actorHi,
  actorLo,
  CONTEXT_ENTRY_BYTES,
  contextCount,
  contextStart,
  counterIn,
  counterOf,
  DOT_BYTES,
  isTombstone,
  SIBLING_HEADER_BYTES,
  siblingCount,
  siblingsStart,
} from '../../../src/versioning/record.js';
import { hexOf } from '../tools.js';

/** The first entry of the record at `oldAt` that the record at `newAt` does not cover; '': there is none. */
export function forgotten(old: Uint8Array, oldAt: number, young: Uint8Array, youngAt: number): string {
  const entries = contextStart(young, youngAt);
  const count = contextCount(young, youngAt);
  const end = contextStart(old, oldAt) + CONTEXT_ENTRY_BYTES * contextCount(old, oldAt);
  for (let at = contextStart(old, oldAt); at < end; at += CONTEXT_ENTRY_BYTES) {
    const known = counterIn(young, entries, count, actorHi(old, at), actorLo(old, at));
    if (known < counterOf(old, at) && !isCompaction(old, oldAt, young, youngAt))
      return `${hexOf(old, at, at + 8)}:${counterOf(old, at)} (now ${known})`;
  }
  return '';
}

function isCompaction(old: Uint8Array, oldAt: number, young: Uint8Array, youngAt: number): boolean {
  const living = dotsOf(old, oldAt, false);
  const actors = new Set(living.map((dot) => dot.slice(0, 16)));
  const kept = entriesOf(old, oldAt).filter((entry) => actors.has(entry.slice(0, 16)));
  return (
    living.length > 0 &&
    living.join() === dotsOf(young, youngAt, true).join() &&
    kept.join() === entriesOf(young, youngAt).join()
  );
}

function entriesOf(bytes: Uint8Array, start: number): readonly string[] {
  return Array.from({ length: contextCount(bytes, start) }, (_, i) => {
    const at = contextStart(bytes, start) + CONTEXT_ENTRY_BYTES * i;
    return hexOf(bytes, at, at + CONTEXT_ENTRY_BYTES);
  });
}

function dotsOf(bytes: Uint8Array, start: number, withDeletes: boolean): readonly string[] {
  return Array.from(
    { length: siblingCount(bytes, start) },
    (_, i) => siblingsStart(bytes, start) + SIBLING_HEADER_BYTES * i,
  )
    .filter((at) => withDeletes || !isTombstone(bytes, at))
    .map((at) => hexOf(bytes, at, at + DOT_BYTES));
}
