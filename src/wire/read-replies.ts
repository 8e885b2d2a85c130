/*
 * GetReply and PutReply on their way in, for clients: read in place like the requests, into plain objects that a caller
 * may keep. Their byte fields are views of the receive buffer, which is the transport's again when the frame's call
 * returns: whoever keeps a value copies it.
 */
import type { GetReply, PutReply, SiblingMessage } from '../model/messages.js';
import { Cursor } from './cursor.js';
import { NO_ORIGIN, readOrigin } from './read-origin.js';
import type { DecodeFault } from './requests.js';

/** Far above what a record can hold; keeps two-byte siblings from becoming millions of objects. */
export const SIBLINGS_DECODED_MAX = 4_096;

const EMPTY: Uint8Array = new Uint8Array(0);
const outer = new Cursor();
const inner = new Cursor();

export function decodeGetReply(bytes: Uint8Array, start: number, end: number): GetReply | DecodeFault {
  const siblings: SiblingMessage[] = [];
  let context = EMPTY;
  let origin = NO_ORIGIN;
  outer.open(bytes, start, end);
  while (outer.at < end) {
    const tag = outer.tag();
    if (tag === 0x0a) readSibling(siblings);
    else if (tag === 0x12) context = readBytes(outer);
    else if (tag === 0x1a) origin = readOrigin(outer, origin);
    else outer.skip(tag);
  }
  outer.close();
  if (outer.fault !== '') return outer.fault;
  return { siblings, context, origin };
}

export function decodePutReply(bytes: Uint8Array, start: number, end: number): PutReply | DecodeFault {
  const siblings: SiblingMessage[] = [];
  let context = EMPTY;
  let siblingCount = 0;
  let origin = NO_ORIGIN;
  outer.open(bytes, start, end);
  while (outer.at < end) {
    const tag = outer.tag();
    if (tag === 0x0a) context = readBytes(outer);
    else if (tag === 0x12) readSibling(siblings);
    else if (tag === 0x18) siblingCount = outer.u32();
    else if (tag === 0x22) origin = readOrigin(outer, origin);
    else outer.skip(tag);
  }
  outer.close();
  if (outer.fault !== '') return outer.fault;
  return { context, siblings, siblingCount, origin };
}

function readBytes(cursor: Cursor): Uint8Array {
  const length = cursor.length();
  if (length === 0) return EMPTY;
  cursor.at += length;
  return cursor.bytes.subarray(cursor.at - length, cursor.at);
}

/** Opens `inner` on the sub-message that begins here and moves `outer` behind it. */
function enter(): void {
  const length = outer.length();
  inner.open(outer.bytes, outer.at, outer.at + length);
  outer.at += length;
}

function leave(): void {
  if (inner.fault !== '') outer.fail(inner.fault);
  inner.close();
}

function readSibling(siblings: SiblingMessage[]): void {
  let value = EMPTY;
  let writtenMs = 0;
  let expiresMs = 0;
  enter();
  while (inner.at < inner.end) {
    const tag = inner.tag();
    if (tag === 0x0a) value = readBytes(inner);
    else if (tag === 0x10) writtenMs = inner.u53();
    else if (tag === 0x18) expiresMs = inner.u53();
    else inner.skip(tag);
  }
  leave();
  if (siblings.length === SIBLINGS_DECODED_MAX) outer.fail(`More than ${SIBLINGS_DECODED_MAX} siblings`);
  else siblings.push({ value, writtenMs, expiresMs });
}
