/*
 * A record that comes from where a reap was missed (an old file, an archive, another owner that was not told) passes the
 * reap log: a sibling whose dot an entry covers, and which the record here does not hold, has been reaped and goes. What is
 * left of the record keeps its whole context.
 */
import type { Hash64 } from '../model/hash.js';
import {
  compareAt,
  CONTEXT_ENTRY_BYTES,
  covers,
  DOT_BYTES,
  SIBLING_HEADER_BYTES,
  siblingCount,
  siblingsStart,
} from '../versioning/record.js';
import { partOf, type RecordAt } from './part-of-record.js';

export type Filtered =
  /** Nothing of it was reaped. */
  | { readonly kind: 'as-it-is' }
  | { readonly kind: 'nothing-left' }
  | { readonly kind: 'less'; readonly record: Uint8Array };

const AS_IT_IS: Filtered = { kind: 'as-it-is' };
const NOTHING_LEFT: Filtered = { kind: 'nothing-left' };

/** `contexts`: of the entries of this key. `held`: what is stored here. */
export function filterReaped(
  record: RecordAt,
  contexts: readonly Uint8Array[],
  held: RecordAt | null,
  hash: Hash64,
): Filtered {
  if (contexts.length === 0) return AS_IT_IS;
  const { bytes, start } = record;
  const count = siblingCount(bytes, start);
  const headers = siblingsStart(bytes, start);
  const kept: number[] = [];
  for (let i = 0; i < count; i++) {
    const at = headers + SIBLING_HEADER_BYTES * i;
    const isReaped = contexts.some((context) => covers(context, 0, context.length / CONTEXT_ENTRY_BYTES, bytes, at));
    if (!isReaped || (held !== null && holds(held, bytes, at))) kept.push(i);
  }
  if (kept.length === count) return AS_IT_IS;
  return kept.length === 0
    ? NOTHING_LEFT
    : { kind: 'less', record: partOf(record, { entries: null, siblings: kept }, hash) };
}

function holds({ bytes, start }: RecordAt, dots: Uint8Array, dot: number): boolean {
  const headers = siblingsStart(bytes, start);
  for (let i = 0; i < siblingCount(bytes, start); i++) {
    if (compareAt(bytes, headers + SIBLING_HEADER_BYTES * i, dots, dot, DOT_BYTES) === 0) return true;
  }
  return false;
}

/** Has anything that a record (or its head) holds been reaped? */
export function isReaped({ bytes, start }: RecordAt, context: Uint8Array): boolean {
  const headers = siblingsStart(bytes, start);
  for (let i = 0; i < siblingCount(bytes, start); i++) {
    if (covers(context, 0, context.length / CONTEXT_ENTRY_BYTES, bytes, headers + SIBLING_HEADER_BYTES * i))
      return true;
  }
  return false;
}
