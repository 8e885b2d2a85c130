/*
 * What nodes say to each other, written straight into a connection's output: `size…` first, `claim` that much, then
 * `write…`. A record comes last in its message and is copied from where it lies; or the head alone is written, and the
 * record follows as a chunk of its own. Never encoded again: the bytes that one node stored are the bytes that all store.
 */
import { FRAME_HEADER_BYTES } from '../model/limits.js';
import {
  READ_STATES,
  STORE_REASONS,
  type ForwardRequest,
  type ReadReplyHead,
  type ReadRequest,
  type StoreHead,
  type StoreReply,
} from '../model/peer-messages.js';
import { writeFrameHeader } from './frame.js';
import { FORWARD, FORWARD_REPLY, READ, READ_REPLY, STORE, STORE_REPLY } from './kinds.js';
import {
  boolFieldSize,
  bytesFieldSize,
  copyInto,
  numberFieldSize,
  textFieldSize,
  writeBoolField,
  writeBytesField,
  writeLength,
  writeNumberField,
  writeTextField,
} from './varint.js';

function sizeOfStore(store: StoreHead, recordBytes: number): number {
  return (
    numberFieldSize(store.partition) +
    numberFieldSize(store.ringVersion) +
    numberFieldSize(store.budgetMs) +
    numberFieldSize(store.hintFor) +
    numberFieldSize(store.fence) +
    boolFieldSize(store.durable) +
    numberFieldSize(STORE_REASONS.indexOf(store.reason)) +
    bytesFieldSize(recordBytes)
  );
}

export function sizeOfStoreFrame(store: StoreHead, recordBytes: number): number {
  return FRAME_HEADER_BYTES + sizeOfStore(store, recordBytes);
}

/** Writes the frame up to where its record begins: `sizeOfStoreFrame` less `recordBytes`; returns the offset behind it. */
export function writeStoreHead(
  target: Uint8Array,
  at: number,
  requestId: number,
  store: StoreHead,
  recordBytes: number,
): number {
  writeFrameHeader(target, at, STORE, requestId, sizeOfStore(store, recordBytes));
  let offset = writeNumberField(target, at + FRAME_HEADER_BYTES, 1, store.partition);
  offset = writeNumberField(target, offset, 2, store.ringVersion);
  offset = writeNumberField(target, offset, 3, store.budgetMs);
  offset = writeNumberField(target, offset, 4, store.hintFor);
  offset = writeNumberField(target, offset, 5, store.fence);
  offset = writeBoolField(target, offset, 6, store.durable);
  offset = writeNumberField(target, offset, 7, STORE_REASONS.indexOf(store.reason));
  return recordBytes === 0 ? offset : writeLength(target, offset, 8, recordBytes);
}

export function writeStoreFrame(
  target: Uint8Array,
  at: number,
  requestId: number,
  store: StoreHead,
  record: Uint8Array,
  start: number,
  end: number,
): number {
  return copyInto(target, writeStoreHead(target, at, requestId, store, end - start), record, start, end);
}

function sizeOfStoreReply(reply: StoreReply): number {
  return (
    numberFieldSize(reply.ringVersion) +
    numberFieldSize(reply.fence) +
    boolFieldSize(reply.durable) +
    boolFieldSize(reply.hinted)
  );
}

export function sizeOfStoreReplyFrame(reply: StoreReply): number {
  return FRAME_HEADER_BYTES + sizeOfStoreReply(reply);
}

export function writeStoreReplyFrame(target: Uint8Array, at: number, requestId: number, reply: StoreReply): number {
  writeFrameHeader(target, at, STORE_REPLY, requestId, sizeOfStoreReply(reply));
  let offset = writeNumberField(target, at + FRAME_HEADER_BYTES, 1, reply.ringVersion);
  offset = writeNumberField(target, offset, 2, reply.fence);
  offset = writeBoolField(target, offset, 3, reply.durable);
  return writeBoolField(target, offset, 4, reply.hinted);
}

function sizeOfRead(read: ReadRequest): number {
  return (
    bytesFieldSize(read.key.length) +
    numberFieldSize(read.partition) +
    numberFieldSize(read.ringVersion) +
    numberFieldSize(read.budgetMs)
  );
}

export function sizeOfReadFrame(read: ReadRequest): number {
  return FRAME_HEADER_BYTES + sizeOfRead(read);
}

export function writeReadFrame(target: Uint8Array, at: number, requestId: number, read: ReadRequest): number {
  writeFrameHeader(target, at, READ, requestId, sizeOfRead(read));
  let offset = writeBytesField(target, at + FRAME_HEADER_BYTES, 1, read.key, 0, read.key.length);
  offset = writeNumberField(target, offset, 2, read.partition);
  offset = writeNumberField(target, offset, 3, read.ringVersion);
  return writeNumberField(target, offset, 4, read.budgetMs);
}

function sizeOfReadReply(reply: ReadReplyHead, recordBytes: number): number {
  return (
    numberFieldSize(READ_STATES.indexOf(reply.state)) +
    numberFieldSize(reply.ringVersion) +
    numberFieldSize(reply.fence) +
    textFieldSize(reply.reason) +
    bytesFieldSize(recordBytes)
  );
}

export function sizeOfReadReplyFrame(reply: ReadReplyHead, recordBytes: number): number {
  return FRAME_HEADER_BYTES + sizeOfReadReply(reply, recordBytes);
}

/** Writes the frame up to where its record begins: `sizeOfReadReplyFrame` less `recordBytes`; returns the offset behind it. */
export function writeReadReplyHead(
  target: Uint8Array,
  at: number,
  requestId: number,
  reply: ReadReplyHead,
  recordBytes: number,
): number {
  writeFrameHeader(target, at, READ_REPLY, requestId, sizeOfReadReply(reply, recordBytes));
  let offset = writeNumberField(target, at + FRAME_HEADER_BYTES, 1, READ_STATES.indexOf(reply.state));
  offset = writeNumberField(target, offset, 2, reply.ringVersion);
  offset = writeNumberField(target, offset, 3, reply.fence);
  offset = writeTextField(target, offset, 4, reply.reason);
  return recordBytes === 0 ? offset : writeLength(target, offset, 5, recordBytes);
}

export function writeReadReplyFrame(
  target: Uint8Array,
  at: number,
  requestId: number,
  reply: ReadReplyHead,
  record: Uint8Array,
  start: number,
  end: number,
): number {
  return copyInto(target, writeReadReplyHead(target, at, requestId, reply, end - start), record, start, end);
}

function sizeOfForward(forward: ForwardRequest): number {
  return (
    numberFieldSize(forward.kind) +
    numberFieldSize(forward.budgetMs) +
    numberFieldSize(forward.ringVersion) +
    numberFieldSize(forward.sentMs ?? 0) +
    bytesFieldSize(forward.body.length)
  );
}

export function sizeOfForwardFrame(forward: ForwardRequest): number {
  return FRAME_HEADER_BYTES + sizeOfForward(forward);
}

export function writeForwardFrame(target: Uint8Array, at: number, requestId: number, forward: ForwardRequest): number {
  writeFrameHeader(target, at, FORWARD, requestId, sizeOfForward(forward));
  let offset = writeNumberField(target, at + FRAME_HEADER_BYTES, 1, forward.kind);
  offset = writeNumberField(target, offset, 2, forward.budgetMs);
  offset = writeNumberField(target, offset, 3, forward.ringVersion);
  offset = writeNumberField(target, offset, 5, forward.sentMs ?? 0);
  return writeBytesField(target, offset, 4, forward.body, 0, forward.body.length);
}

/** `body`: of the frame that answers the client, between `start` and `end`. */
export function sizeOfForwardReplyFrame(kind: number, bodyBytes: number): number {
  return FRAME_HEADER_BYTES + numberFieldSize(kind) + bytesFieldSize(bodyBytes);
}

export function writeForwardReplyFrame(
  target: Uint8Array,
  at: number,
  requestId: number,
  kind: number,
  body: Uint8Array,
  start: number,
  end: number,
): number {
  const size = sizeOfForwardReplyFrame(kind, end - start) - FRAME_HEADER_BYTES;
  writeFrameHeader(target, at, FORWARD_REPLY, requestId, size);
  const offset = writeNumberField(target, at + FRAME_HEADER_BYTES, 1, kind);
  return writeBytesField(target, offset, 2, body, start, end);
}
