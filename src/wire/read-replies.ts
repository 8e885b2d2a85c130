/*
 * GetReply and PutReply on their way in, for clients: read in place like the requests, into plain objects that a caller
 * may keep. Their byte fields are views of the receive buffer, which is the transport's again when the frame's call
 * returns: whoever keeps a value copies it.
 */
import { toHex } from '../lib/bytes.js';
import type { GetReply, PutReply, ReplyOrigin, SiblingMessage } from '../model/messages.js';
import { Cursor } from './cursor.js';
import type { DecodeFault } from './requests.js';

/** Far above what a record can hold; keeps two-byte siblings from becoming millions of objects. */
export const SIBLINGS_DECODED_MAX = 4_096;

const EMPTY: Uint8Array = new Uint8Array(0);
const outer = new Cursor();
const inner = new Cursor();

export function decodeGetReply(bytes: Uint8Array, start: number, end: number): GetReply | DecodeFault {
  const siblings: SiblingMessage[] = [];
  let context = EMPTY;
  const origin = new OriginReader();
  outer.open(bytes, start, end);
  while (outer.at < end) {
    const tag = outer.tag();
    if (tag === 0x0a) readSibling(siblings);
    else if (tag === 0x12) context = readBytes(outer);
    else if (tag === 0x1a) origin.read();
    else outer.skip(tag);
  }
  outer.close();
  if (outer.fault !== '') return outer.fault;
  return { siblings, context, origin: origin.result() };
}

export function decodePutReply(bytes: Uint8Array, start: number, end: number): PutReply | DecodeFault {
  const siblings: SiblingMessage[] = [];
  let context = EMPTY;
  let siblingCount = 0;
  const origin = new OriginReader();
  outer.open(bytes, start, end);
  while (outer.at < end) {
    const tag = outer.tag();
    if (tag === 0x0a) context = readBytes(outer);
    else if (tag === 0x12) readSibling(siblings);
    else if (tag === 0x18) siblingCount = outer.u32();
    else if (tag === 0x22) origin.read();
    else outer.skip(tag);
  }
  outer.close();
  if (outer.fault !== '') return outer.fault;
  return { context, siblings, siblingCount, origin: origin.result() };
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

/** A repeated origin is merged field by field, as protobuf has it for any message that is not a list. */
class OriginReader {
  #id: Uint8Array = EMPTY;
  #ringVersion: number = 0;
  #acked: number = 0;
  #durable: boolean = false;
  #sloppy: boolean = false;

  read(): void {
    enter();
    while (inner.at < inner.end) {
      const tag = inner.tag();
      if (tag === 0x0a) this.#id = readBytes(inner);
      else if (tag === 0x10) this.#ringVersion = inner.u32();
      else if (tag === 0x18) this.#acked = inner.u32();
      else if (tag === 0x20) this.#durable = inner.bool();
      else if (tag === 0x28) this.#sloppy = inner.bool();
      else inner.skip(tag);
    }
    leave();
    if (this.#id.length !== 16 && this.#id.length !== 0) {
      outer.fail(`A node id of ${this.#id.length} bytes instead of 16`);
    }
  }

  result(): ReplyOrigin {
    return {
      nodeId: this.#id.length === 0 ? '' : hexOfLastNode(this.#id),
      ringVersion: this.#ringVersion,
      acked: this.#acked,
      durable: this.#durable,
      sloppy: this.#sloppy,
    };
  }
}

/** A connection hears one node for long: its id is turned into text once. */
const lastNode = new Uint8Array(16);
let lastNodeHex = toHex(lastNode);

function hexOfLastNode(id: Uint8Array): string {
  let same = true;
  for (let i = 0; i < 16 && same; i++) same = id[i] === lastNode[i];
  if (!same) {
    lastNode.set(id);
    lastNodeHex = toHex(id);
  }
  return lastNodeHex;
}
