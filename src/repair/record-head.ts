/*
 * The head of a record: everything before its values, then its checksum. Nodes that ask each other about a record send
 * that: a value that has expired may be large, and the checksum speaks for it.
 */
import { equalBytes, readU16, readU32 } from '../lib/bytes.js';
import { CONTEXT_ENTRIES_MAX, KEY_BYTES_MAX } from '../model/limits.js';
import {
  CHECKSUM_BYTES,
  contextCount,
  RECORD_FIXED_BYTES,
  RECORD_FORMAT,
  recordHeaderEnd,
  recordKeyEnd,
  recordKeyStart,
} from '../versioning/record.js';

export function headOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const headerEnd = recordHeaderEnd(bytes, start);
  const head = new Uint8Array(headerEnd - start + CHECKSUM_BYTES);
  head.set(bytes.subarray(start, headerEnd));
  head.set(bytes.subarray(end - CHECKSUM_BYTES, end), headerEnd - start);
  return head;
}

/** Is it the head of this very record? */
export function isHeadOf(head: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const headerBytes = head.length - CHECKSUM_BYTES;
  return (
    recordHeaderEnd(bytes, start) - start === headerBytes &&
    equalBytes(head.subarray(0, headerBytes), bytes.subarray(start, start + headerBytes)) &&
    equalBytes(head.subarray(headerBytes), bytes.subarray(end - CHECKSUM_BYTES, end))
  );
}

/** For bytes off the wire: may they be read as a head? That they are one of a record that is held is found by comparing. */
export function isHead(head: Uint8Array): boolean {
  if (head.length < RECORD_FIXED_BYTES + CHECKSUM_BYTES || head[0] !== RECORD_FORMAT) return false;
  const keyBytes = readU16(head, 2);
  if (keyBytes === 0 || keyBytes > KEY_BYTES_MAX || contextCount(head, 0) > CONTEXT_ENTRIES_MAX) return false;
  return readU32(head, 4) >= head.length && recordHeaderEnd(head, 0) + CHECKSUM_BYTES === head.length;
}

export function keyOfHead(head: Uint8Array): Uint8Array {
  return head.subarray(recordKeyStart(0), recordKeyEnd(head, 0));
}
