/* What stays of a record of which something is left out: a record again, canonical and sealed. */
import { writeU16, writeU32 } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import {
  CHECKSUM_BYTES,
  CONTEXT_ENTRY_BYTES,
  contextStart,
  recordHeaderEnd,
  rememberedStart,
  SIBLING_HEADER_BYTES,
  siblingCount,
  siblingsStart,
  siblingValueBytes,
} from '../versioning/record.js';
import { seal } from '../versioning/write.js';

/** A record's bytes, and where it begins. */
export interface RecordAt {
  readonly bytes: Uint8Array;
  readonly start: number;
}

/** Places in a record, ascending; null: all. */
export interface Kept {
  readonly entries: readonly number[] | null;
  readonly siblings: readonly number[];
}

/** The kept context entries and siblings of a record, with the key and the remembered put ids as they were. */
export function partOf(record: RecordAt, { entries, siblings }: Kept, hash: Hash64): Uint8Array {
  const { bytes, start } = record;
  const context = contextStart(bytes, start);
  const headers = siblingsStart(bytes, start);
  const parts: Uint8Array[] = [];
  if (entries === null) parts.push(bytes.subarray(start, headers));
  else parts.push(bytes.subarray(start, context), ...piecesOf(bytes, context, CONTEXT_ENTRY_BYTES, entries));
  parts.push(...piecesOf(bytes, headers, SIBLING_HEADER_BYTES, siblings));
  parts.push(bytes.subarray(rememberedStart(bytes, start), recordHeaderEnd(bytes, start)));
  parts.push(...valuesOf(record, siblings), new Uint8Array(CHECKSUM_BYTES));
  const part = joined(parts);
  writeU32(part, 4, part.length);
  if (entries !== null) writeU16(part, 8, entries.length);
  writeU16(part, 10, siblings.length);
  seal(part, 0, part.length, hash);
  return part;
}

/** Bytes of their own: the context entries at these places. */
export function entriesAt({ bytes, start }: RecordAt, places: readonly number[]): Uint8Array {
  return joined(piecesOf(bytes, contextStart(bytes, start), CONTEXT_ENTRY_BYTES, places));
}

function piecesOf(bytes: Uint8Array, from: number, size: number, places: readonly number[]): readonly Uint8Array[] {
  return places.map((place) => bytes.subarray(from + size * place, from + size * (place + 1)));
}

function valuesOf({ bytes, start }: RecordAt, siblings: readonly number[]): readonly Uint8Array[] {
  const headers = siblingsStart(bytes, start);
  const kept = new Set(siblings);
  const values: Uint8Array[] = [];
  let at = recordHeaderEnd(bytes, start);
  for (let i = 0; i < siblingCount(bytes, start); i++) {
    const size = siblingValueBytes(bytes, headers + SIBLING_HEADER_BYTES * i);
    if (kept.has(i)) values.push(bytes.subarray(at, at + size));
    at += size;
  }
  return values;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
