/*
 * MultiGetReply and MultiPutReply, item by item: each outcome is encoded once, when it is known, and copied once, into the
 * connection's output, when the last is known. The answers may come in any order; the items go out in that of the request.
 *
 *   body   │ item │ item │ …        item   │ tag 1 │ length │ reply (1) or error (2) │
 */
import type { Failure } from '../model/errors.js';
import { FRAME_HEADER_BYTES } from '../model/limits.js';
import { writeFrameHeader } from './frame.js';
import { bytesFieldSize, copyInto, writeLength } from './varint.js';
import {
  type ReplyParts,
  sizeOfError,
  sizeOfGetReply,
  sizeOfPutReply,
  writeErrorBody,
  writeGetReplyBody,
  writePutReplyBody,
} from './write-replies.js';

const NONE: Uint8Array = new Uint8Array(0);
const ITEMS = 1;
const REPLY = 1;
const ERROR = 2;

export class ReplyItems {
  readonly #items: Uint8Array[];
  #bytes = 0;

  constructor(count: number) {
    this.#items = new Array<Uint8Array>(count).fill(NONE);
  }

  /** Of all items so far, as they will stand in the body. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Returns the item's bytes: the context that the parts reserved is written there, at `parts.contextAt`. */
  setGet(index: number, parts: ReplyParts, origin: Uint8Array): Uint8Array {
    const size = sizeOfGetReply(parts, origin);
    const item = new Uint8Array(itemSize(size));
    writeGetReplyBody(item, writeItemHead(item, REPLY, size), parts, origin);
    return this.#set(index, item);
  }

  setPut(index: number, parts: ReplyParts, siblingCount: number, origin: Uint8Array): void {
    const size = sizeOfPutReply(parts, siblingCount, origin);
    const item = new Uint8Array(itemSize(size));
    writePutReplyBody(item, writeItemHead(item, REPLY, size), parts, siblingCount, origin);
    this.#set(index, item);
  }

  setError(index: number, failure: Failure, ringVersion: number): void {
    const size = sizeOfError(failure, ringVersion);
    const item = new Uint8Array(itemSize(size));
    writeErrorBody(item, writeItemHead(item, ERROR, size), failure, ringVersion);
    this.#set(index, item);
  }

  /** An outcome that another node has encoded: the body of its reply, or of its error. */
  setBody(index: number, isReply: boolean, bytes: Uint8Array, start: number, end: number): void {
    const item = new Uint8Array(itemSize(end - start));
    copyInto(item, writeItemHead(item, isReply ? REPLY : ERROR, end - start), bytes, start, end);
    this.#set(index, item);
  }

  /** What a get of these parts would add. */
  static sizeOfGet(parts: ReplyParts, origin: Uint8Array): number {
    return itemSize(sizeOfGetReply(parts, origin));
  }

  get frameBytes(): number {
    return FRAME_HEADER_BYTES + this.#bytes;
  }

  /** Writes `frameBytes` bytes at `at`. */
  writeFrame(target: Uint8Array, at: number, kind: number, requestId: number): void {
    writeFrameHeader(target, at, kind, requestId, this.#bytes);
    let offset = at + FRAME_HEADER_BYTES;
    for (const item of this.#items) offset = copyInto(target, offset, item, 0, item.length);
  }

  #set(index: number, item: Uint8Array): Uint8Array {
    this.#items[index] = item;
    this.#bytes += item.length;
    return item;
  }
}

/** An item is never without its outcome, however empty that is: so no field may be left out for being empty. */
function itemSize(size: number): number {
  return outerSize(1 + lengthSize(size) + size);
}

function outerSize(inner: number): number {
  return 1 + lengthSize(inner) + inner;
}

function lengthSize(length: number): number {
  return length === 0 ? 1 : bytesFieldSize(length) - length - 1;
}

function writeItemHead(target: Uint8Array, outcome: number, size: number): number {
  const at = writeLength(target, 0, ITEMS, 1 + lengthSize(size) + size);
  return writeLength(target, at, outcome, size);
}
