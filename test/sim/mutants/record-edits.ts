/*
 * Changes to encoded records, for bugs that write what the real code never would: taken apart, changed, and put together
 * again so that every checksum holds. Slow, and only as good as a bug needs.
 */
import { writeU32 } from '../../../src/lib/bytes.js';
import {
  CONTEXT_ENTRY_BYTES,
  contextCount,
  contextStart,
  covers,
  PUT_ID_BYTES,
  recordBytes,
  recordKeyEnd,
  rememberedCount,
  rememberedStart,
  SIBLING_HEADER_BYTES,
  siblingCount,
  siblingsStart,
  siblingValueBytes,
  siblingValueStart,
} from '../../../src/versioning/record.js';
import { seal, writeRecordFixed } from '../../../src/versioning/write.js';
import { HASH } from '../tools.js';

export interface RecordParts {
  readonly key: Uint8Array;
  entries: Uint8Array[];
  siblings: { readonly header: Uint8Array; readonly value: Uint8Array }[];
  remembered: Uint8Array[];
}

export function takeApart(bytes: Uint8Array, at: number): RecordParts {
  const slices = (start: number, size: number, count: number): Uint8Array[] =>
    Array.from({ length: count }, (_, i) => bytes.slice(start + size * i, start + size * (i + 1)));
  return {
    key: bytes.slice(at + 24, recordKeyEnd(bytes, at)),
    entries: slices(contextStart(bytes, at), CONTEXT_ENTRY_BYTES, contextCount(bytes, at)),
    siblings: Array.from({ length: siblingCount(bytes, at) }, (_, i) => {
      const header = siblingsStart(bytes, at) + SIBLING_HEADER_BYTES * i;
      const value = siblingValueStart(bytes, at, i);
      return {
        header: bytes.slice(header, header + SIBLING_HEADER_BYTES),
        value: bytes.slice(value, value + siblingValueBytes(bytes, header)),
      };
    }),
    remembered: slices(rememberedStart(bytes, at), PUT_ID_BYTES, rememberedCount(bytes, at)),
  };
}

export function putTogether({ key, entries, siblings, remembered }: RecordParts): Uint8Array {
  const parts = [key, ...entries, ...siblings.map(({ header }) => header), ...remembered];
  const body = Buffer.concat([...parts, ...siblings.map(({ value }) => value)]);
  const bytes = new Uint8Array(24 + body.length + 8);
  writeRecordFixed(bytes, 0, key.length, bytes.length, entries.length, siblings.length, remembered.length, 0);
  bytes.set(body, 24);
  seal(bytes, 0, bytes.length, HASH);
  writeU32(bytes, 4, bytes.length);
  seal(bytes, 0, recordBytes(bytes, 0), HASH);
  return bytes;
}

/** Entries that cover any of these siblings. */
export function entriesOf(parts: RecordParts): Uint8Array[] {
  return parts.entries.filter((entry) => parts.siblings.some(({ header }) => covers(entry, 0, 1, header, 0)));
}
