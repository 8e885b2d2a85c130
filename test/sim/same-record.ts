/*
 * Owners free a record of what is over in it one after the other, and a read that was under way meanwhile may bring that
 * back to some of them: until they meet again, or the record is compacted again, they differ by what means nothing.
 */
import { compacted, leftOver } from '../../src/repair/compact.js';
import { HASH } from './tools.js';

/** The same bytes, but for what is over in either. */
export function isSameRecord(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.from(a).equals(b) || Buffer.from(rest(a)).equals(rest(b));
}

function rest(record: Uint8Array): Uint8Array {
  if (record.length === 0 || leftOver(record, 0) === null) return record;
  return compacted({ bytes: record, start: 0 }, HASH).record;
}
