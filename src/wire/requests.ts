/*
 * Get, put and delete on their way in: decoded in place into a view that is used again and again, so that a request
 * costs no object. A view is a GetRequest or PutRequest as model/ has it; its byte fields are made when they are asked
 * for, and the positions are there for those who need no object. All of it is valid only as long as the frame is:
 * until `onFrame` returns.
 *
 * What is checked here is the form. Whether a key is too long or a namespace unwelcome is the dispatcher's to say, with
 * an error that keeps the connection.
 */
import type { GetRequest, PutRequest } from '../model/messages.js';
import { Cursor } from './cursor.js';

/** What is wrong with a body; the connection has no future. Empty: nothing. */
export type DecodeFault = string;

const EMPTY: Uint8Array = new Uint8Array(0);
const cursor = new Cursor();

export class GetRequestView implements GetRequest {
  bytes: Uint8Array = EMPTY;
  keyStart: number = 0;
  keyEnd: number = 0;
  budgetMs: number = 0;
  namespace: string = '';
  ringVersion: number = 0;
  r: number = 0;
  strict: boolean = false;

  get key(): Uint8Array {
    return this.bytes.subarray(this.keyStart, this.keyEnd);
  }
}

/** Fills `view` from a Get body; returns what is wrong with it, or an empty string. */
export function decodeGetInto(view: GetRequestView, bytes: Uint8Array, start: number, end: number): DecodeFault {
  view.bytes = bytes;
  view.keyStart = start;
  view.keyEnd = start;
  view.budgetMs = 0;
  view.namespace = '';
  view.ringVersion = 0;
  view.r = 0;
  view.strict = false;
  cursor.open(bytes, start, end);
  while (cursor.at < end) {
    const tag = cursor.tag();
    switch (tag) {
      case 0x0a: {
        const length = cursor.length();
        view.keyStart = cursor.at;
        cursor.at = view.keyEnd = cursor.at + length;
        break;
      }
      case 0x10:
        view.budgetMs = cursor.u32();
        break;
      case 0x1a:
        view.namespace = cursor.text();
        break;
      case 0x20:
        view.ringVersion = cursor.u32();
        break;
      case 0x28:
        view.r = cursor.u32();
        break;
      case 0x30:
        view.strict = cursor.bool();
        break;
      default:
        cursor.skip(tag);
    }
  }
  cursor.close();
  return cursor.fault;
}

export class PutRequestView implements PutRequest {
  bytes: Uint8Array = EMPTY;
  isDelete: boolean = false;
  keyStart: number = 0;
  keyEnd: number = 0;
  /** Empty in a delete. */
  valueStart: number = 0;
  valueEnd: number = 0;
  contextStart: number = 0;
  contextEnd: number = 0;
  putIdStart: number = 0;
  putIdEnd: number = 0;
  retry: boolean = false;
  budgetMs: number = 0;
  namespace: string = '';
  ringVersion: number = 0;
  w: number = 0;
  strict: boolean = false;
  durable: boolean = false;
  ttlMs: number = 0;
  returnSiblings: boolean = false;
  sentMs: number = 0;

  get key(): Uint8Array {
    return this.bytes.subarray(this.keyStart, this.keyEnd);
  }
  get value(): Uint8Array | undefined {
    return this.isDelete ? undefined : this.bytes.subarray(this.valueStart, this.valueEnd);
  }
  get context(): Uint8Array {
    return this.bytes.subarray(this.contextStart, this.contextEnd);
  }
  get putId(): Uint8Array {
    return this.bytes.subarray(this.putIdStart, this.putIdEnd);
  }
}

function clearPut(view: PutRequestView, bytes: Uint8Array, start: number, isDelete: boolean): void {
  view.bytes = bytes;
  view.isDelete = isDelete;
  view.keyStart = view.keyEnd = start;
  view.valueStart = view.valueEnd = start;
  view.contextStart = view.contextEnd = start;
  view.putIdStart = view.putIdEnd = start;
  view.retry = false;
  view.budgetMs = 0;
  view.namespace = '';
  view.ringVersion = 0;
  view.w = 0;
  view.strict = false;
  view.durable = false;
  view.ttlMs = 0;
  view.returnSiblings = false;
  view.sentMs = 0;
}

/** Fills `view` from a Put body; returns what is wrong with it, or an empty string. */
export function decodePutInto(view: PutRequestView, bytes: Uint8Array, start: number, end: number): DecodeFault {
  return decodeWriteInto(view, bytes, start, end, false);
}

/** Fills `view` from a Delete body: a Put without fields 2 (value) and 12 (ttl), which are unknown to it. */
export function decodeDeleteInto(view: PutRequestView, bytes: Uint8Array, start: number, end: number): DecodeFault {
  return decodeWriteInto(view, bytes, start, end, true);
}

function decodeWriteInto(
  view: PutRequestView,
  bytes: Uint8Array,
  start: number,
  end: number,
  isDelete: boolean,
): DecodeFault {
  clearPut(view, bytes, start, isDelete);
  cursor.open(bytes, start, end);
  while (cursor.at < end) {
    const tag = cursor.tag();
    if ((tag & 7) === 2) decodeDelimited(view, tag);
    else decodeNumber(view, tag);
  }
  cursor.close();
  return cursor.fault;
}

function decodeDelimited(view: PutRequestView, tag: number): void {
  if (tag === 0x3a) {
    view.namespace = cursor.text();
    return;
  }
  const length = cursor.length();
  const start = cursor.at;
  cursor.at += length;
  switch (tag) {
    case 0x0a:
      view.keyStart = start;
      view.keyEnd = cursor.at;
      break;
    case 0x12:
      if (view.isDelete) break;
      view.valueStart = start;
      view.valueEnd = cursor.at;
      break;
    case 0x1a:
      view.contextStart = start;
      view.contextEnd = cursor.at;
      break;
    case 0x22:
      view.putIdStart = start;
      view.putIdEnd = cursor.at;
      break;
    default:
      if (tag >>> 3 === 0) cursor.fail('Field number 0');
  }
}

function decodeNumber(view: PutRequestView, tag: number): void {
  switch (tag) {
    case 0x28:
      view.retry = cursor.bool();
      break;
    case 0x30:
      view.budgetMs = cursor.u32();
      break;
    case 0x40:
      view.ringVersion = cursor.u32();
      break;
    case 0x48:
      view.w = cursor.u32();
      break;
    case 0x50:
      view.strict = cursor.bool();
      break;
    case 0x58:
      view.durable = cursor.bool();
      break;
    case 0x60:
      if (view.isDelete) cursor.skip(tag);
      else view.ttlMs = cursor.u53();
      break;
    case 0x68:
      view.returnSiblings = cursor.bool();
      break;
    case 0x70:
      view.sentMs = cursor.u53();
      break;
    default:
      cursor.skip(tag);
  }
}
