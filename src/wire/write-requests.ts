/*
 * Get, put and delete on their way out, written straight into a connection's output: `size…` first, `claim` that much,
 * then `write…`. The value of a put comes last, so that a large one can follow as a chunk of its own: claim and write
 * the head, then send the value.
 */
import { FRAME_HEADER_BYTES } from '../model/limits.js';
import type { GetRequest, PutRequest } from '../model/messages.js';
import { writeFrameHeader } from './frame.js';
import { DELETE, GET, PUT } from './kinds.js';
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

export function sizeOfGetFrame(get: GetRequest): number {
  return FRAME_HEADER_BYTES + sizeOfGet(get);
}

function sizeOfGet(get: GetRequest): number {
  return (
    bytesFieldSize(get.key.length) +
    numberFieldSize(get.budgetMs) +
    textFieldSize(get.namespace) +
    numberFieldSize(get.ringVersion) +
    numberFieldSize(get.r) +
    boolFieldSize(get.strict)
  );
}

/** Writes `sizeOfGetFrame` bytes at `at`; returns the offset behind them. */
export function writeGetFrame(target: Uint8Array, at: number, requestId: number, get: GetRequest): number {
  writeFrameHeader(target, at, GET, requestId, sizeOfGet(get));
  let offset = writeBytesField(target, at + FRAME_HEADER_BYTES, 1, get.key, 0, get.key.length);
  offset = writeNumberField(target, offset, 2, get.budgetMs);
  offset = writeTextField(target, offset, 3, get.namespace);
  offset = writeNumberField(target, offset, 4, get.ringVersion);
  offset = writeNumberField(target, offset, 5, get.r);
  return writeBoolField(target, offset, 6, get.strict);
}

/** A Put frame, or a Delete frame if the request has no value. */
export function sizeOfPutFrame(put: PutRequest): number {
  return FRAME_HEADER_BYTES + sizeOfPut(put);
}

/** The frame up to where its value's bytes begin. */
export function sizeOfPutHead(put: PutRequest): number {
  return sizeOfPutFrame(put) - (put.value === undefined ? 0 : put.value.length);
}

function sizeOfPut(put: PutRequest): number {
  const isDelete = put.value === undefined;
  return (
    bytesFieldSize(put.key.length) +
    bytesFieldSize(put.context.length) +
    bytesFieldSize(put.putId.length) +
    boolFieldSize(put.retry) +
    numberFieldSize(put.budgetMs) +
    textFieldSize(put.namespace) +
    numberFieldSize(put.ringVersion) +
    numberFieldSize(put.w) +
    boolFieldSize(put.strict) +
    boolFieldSize(put.durable) +
    (isDelete ? 0 : numberFieldSize(put.ttlMs)) +
    boolFieldSize(put.returnSiblings) +
    numberFieldSize(put.sentMs ?? 0) +
    (isDelete ? 0 : bytesFieldSize(put.value.length))
  );
}

/** Writes `sizeOfPutHead` bytes: the length in the header counts the value that the caller sends next. */
export function writePutHead(target: Uint8Array, at: number, requestId: number, put: PutRequest): number {
  const isDelete = put.value === undefined;
  writeFrameHeader(target, at, isDelete ? DELETE : PUT, requestId, sizeOfPut(put));
  let offset = writeBytesField(target, at + FRAME_HEADER_BYTES, 1, put.key, 0, put.key.length);
  offset = writeBytesField(target, offset, 3, put.context, 0, put.context.length);
  offset = writeBytesField(target, offset, 4, put.putId, 0, put.putId.length);
  offset = writeBoolField(target, offset, 5, put.retry);
  offset = writeNumberField(target, offset, 6, put.budgetMs);
  offset = writeTextField(target, offset, 7, put.namespace);
  offset = writeNumberField(target, offset, 8, put.ringVersion);
  offset = writeNumberField(target, offset, 9, put.w);
  offset = writeBoolField(target, offset, 10, put.strict);
  offset = writeBoolField(target, offset, 11, put.durable);
  if (!isDelete) offset = writeNumberField(target, offset, 12, put.ttlMs);
  offset = writeBoolField(target, offset, 13, put.returnSiblings);
  offset = writeNumberField(target, offset, 14, put.sentMs ?? 0);
  if (isDelete || put.value.length === 0) return offset;
  return writeLength(target, offset, 2, put.value.length);
}

/** Writes `sizeOfPutFrame` bytes at `at`; returns the offset behind them. */
export function writePutFrame(target: Uint8Array, at: number, requestId: number, put: PutRequest): number {
  const offset = writePutHead(target, at, requestId, put);
  return put.value === undefined ? offset : copyInto(target, offset, put.value, 0, put.value.length);
}
