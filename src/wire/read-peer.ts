/*
 * What nodes say to each other, on its way in: decoded in place into views that are used again and again, as requests of
 * clients are (requests.ts). Byte fields are positions in the frame, valid until the frame's call returns.
 */
import { READ_STATES, STORE_REASONS, type ReadState, type StoreReason } from '../model/peer-messages.js';
import { Cursor } from './cursor.js';
import type { DecodeFault } from './requests.js';

const EMPTY: Uint8Array = new Uint8Array(0);
const cursor = new Cursor();

/** A field of bytes: where it lies. */
class Span {
  start: number = 0;
  end: number = 0;

  at(offset: number): void {
    this.start = offset;
    this.end = offset;
  }

  read(): void {
    const length = cursor.length();
    this.start = cursor.at;
    cursor.at += length;
    this.end = cursor.at;
  }
}

export class StoreView {
  bytes: Uint8Array = EMPTY;
  partition: number = 0;
  ringVersion: number = 0;
  budgetMs: number = 0;
  hintFor: number = 0;
  fence: number = 0;
  durable: boolean = false;
  reason: StoreReason = 'put';
  readonly record: Span = new Span();
}

export function decodeStoreInto(view: StoreView, bytes: Uint8Array, start: number, end: number): DecodeFault {
  view.bytes = bytes;
  view.partition = view.ringVersion = view.budgetMs = view.hintFor = view.fence = 0;
  view.durable = false;
  view.record.at(start);
  let reason = 0;
  cursor.open(bytes, start, end);
  while (cursor.at < end) {
    const tag = cursor.tag();
    if (tag === 0x08) view.partition = cursor.u32();
    else if (tag === 0x10) view.ringVersion = cursor.u32();
    else if (tag === 0x18) view.budgetMs = cursor.u32();
    else if (tag === 0x20) view.hintFor = cursor.u32();
    else if (tag === 0x28) view.fence = cursor.u53();
    else if (tag === 0x30) view.durable = cursor.bool();
    else if (tag === 0x38) reason = cursor.u32();
    else if (tag === 0x42) view.record.read();
    else cursor.skip(tag);
  }
  cursor.close();
  // A reason of a later release is a reason all the same.
  view.reason = STORE_REASONS[reason] ?? 'put';
  return cursor.fault;
}

export class StoreReplyView {
  ringVersion: number = 0;
  fence: number = 0;
  durable: boolean = false;
  hinted: boolean = false;
}

export function decodeStoreReplyInto(view: StoreReplyView, bytes: Uint8Array, start: number, end: number): DecodeFault {
  view.ringVersion = view.fence = 0;
  view.durable = view.hinted = false;
  cursor.open(bytes, start, end);
  while (cursor.at < end) {
    const tag = cursor.tag();
    if (tag === 0x08) view.ringVersion = cursor.u32();
    else if (tag === 0x10) view.fence = cursor.u53();
    else if (tag === 0x18) view.durable = cursor.bool();
    else if (tag === 0x20) view.hinted = cursor.bool();
    else cursor.skip(tag);
  }
  cursor.close();
  return cursor.fault;
}

export class ReadView {
  bytes: Uint8Array = EMPTY;
  readonly key: Span = new Span();
  partition: number = 0;
  ringVersion: number = 0;
  budgetMs: number = 0;
}

export function decodeReadInto(view: ReadView, bytes: Uint8Array, start: number, end: number): DecodeFault {
  view.bytes = bytes;
  view.key.at(start);
  view.partition = view.ringVersion = view.budgetMs = 0;
  cursor.open(bytes, start, end);
  while (cursor.at < end) {
    const tag = cursor.tag();
    if (tag === 0x0a) view.key.read();
    else if (tag === 0x10) view.partition = cursor.u32();
    else if (tag === 0x18) view.ringVersion = cursor.u32();
    else if (tag === 0x20) view.budgetMs = cursor.u32();
    else cursor.skip(tag);
  }
  cursor.close();
  return cursor.fault;
}

export class ReadReplyView {
  bytes: Uint8Array = EMPTY;
  state: ReadState = 'unknown';
  ringVersion: number = 0;
  fence: number = 0;
  reason: string = '';
  readonly record: Span = new Span();
}

export function decodeReadReplyInto(view: ReadReplyView, bytes: Uint8Array, start: number, end: number): DecodeFault {
  view.bytes = bytes;
  view.ringVersion = view.fence = 0;
  view.reason = '';
  view.record.at(start);
  let state = 0;
  cursor.open(bytes, start, end);
  while (cursor.at < end) {
    const tag = cursor.tag();
    if (tag === 0x08) state = cursor.u32();
    else if (tag === 0x10) view.ringVersion = cursor.u32();
    else if (tag === 0x18) view.fence = cursor.u53();
    else if (tag === 0x22) view.reason = cursor.text();
    else if (tag === 0x2a) view.record.read();
    else cursor.skip(tag);
  }
  cursor.close();
  // A state of a later release is none that we may count.
  view.state = READ_STATES[state] ?? 'unknown';
  return cursor.fault;
}

export class ForwardView {
  bytes: Uint8Array = EMPTY;
  kind: number = 0;
  budgetMs: number = 0;
  ringVersion: number = 0;
  sentMs: number = 0;
  readonly body: Span = new Span();
}

export function decodeForwardInto(view: ForwardView, bytes: Uint8Array, start: number, end: number): DecodeFault {
  view.bytes = bytes;
  view.kind = view.budgetMs = view.ringVersion = view.sentMs = 0;
  view.body.at(start);
  cursor.open(bytes, start, end);
  while (cursor.at < end) {
    const tag = cursor.tag();
    if (tag === 0x08) view.kind = cursor.u32();
    else if (tag === 0x10) view.budgetMs = cursor.u32();
    else if (tag === 0x18) view.ringVersion = cursor.u32();
    else if (tag === 0x22) view.body.read();
    else if (tag === 0x28) view.sentMs = cursor.u53();
    else cursor.skip(tag);
  }
  cursor.close();
  return cursor.fault;
}

export class ForwardReplyView {
  bytes: Uint8Array = EMPTY;
  kind: number = 0;
  readonly body: Span = new Span();
}

export function decodeForwardReplyInto(
  view: ForwardReplyView,
  bytes: Uint8Array,
  start: number,
  end: number,
): DecodeFault {
  view.bytes = bytes;
  view.kind = 0;
  view.body.at(start);
  cursor.open(bytes, start, end);
  while (cursor.at < end) {
    const tag = cursor.tag();
    if (tag === 0x08) view.kind = cursor.u32();
    else if (tag === 0x12) view.body.read();
    else cursor.skip(tag);
  }
  cursor.close();
  return cursor.fault;
}
