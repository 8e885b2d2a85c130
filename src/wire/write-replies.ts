/*
 * Replies, written straight into a connection's output from wherever their parts lie: values in the arena or in what
 * LMDB gave, the context token, an origin that is encoded once a node. `size…` first, `claim` that much, then `write…`.
 *
 * Protobuf allows fields in any order, so the last sibling's value is the last thing in a GetReply: a large one can
 * follow the head as a chunk of its own, uncopied.
 *
 *   header │ context (2) │ origin (3) │ sibling (1): written, expires, value │ … │ sibling (1): written, expires, │ value
 *   └──────────────────────────────── writeGetReplyHead ────────────────────────────────────────────────────────┘
 */
import { assert } from '../lib/assert.js';
import { fromHex } from '../lib/bytes.js';
import { ERROR_CODES } from '../model/errors.js';
import type { Failure } from '../model/errors.js';
import { FRAME_HEADER_BYTES } from '../model/limits.js';
import type { ReplyOrigin } from '../model/messages.js';
import { writeFrameHeader } from './frame.js';
import { ERROR, GET_REPLY, PONG, PUT_REPLY } from './kinds.js';
import {
  boolFieldSize,
  bytesFieldSize,
  copyInto,
  numberFieldSize,
  textFieldSize,
  varintSize,
  writeBoolField,
  writeBytesField,
  writeLength,
  writeNumberField,
  writeTextField,
  writeVarint,
} from './varint.js';

const NOTHING: Uint8Array = new Uint8Array(0);

/** The parts of a GetReply or PutReply; one object is filled again and again. Lists have `count` entries that count. */
export class ReplyParts {
  count: number = 0;
  readonly values: Uint8Array[] = [];
  readonly valueStarts: number[] = [];
  readonly valueEnds: number[] = [];
  readonly writtenMs: number[] = [];
  readonly expiresMs: number[] = [];
  context: Uint8Array = NOTHING;
  contextStart: number = 0;
  contextEnd: number = 0;
  /** Where the token of `reserveContext` goes, in the target of the last `write…`; -1 if none is to be filled in. */
  contextAt: number = -1;
  #contextReserved: boolean = false;

  clear(): void {
    for (let i = 0; i < this.count; i++) this.values[i] = NOTHING;
    this.count = 0;
    this.setContext(NOTHING, 0, 0);
  }

  addSibling(bytes: Uint8Array, start: number, end: number, writtenMs: number, expiresMs: number): void {
    const i = this.count++;
    this.values[i] = bytes;
    this.valueStarts[i] = start;
    this.valueEnds[i] = end;
    this.writtenMs[i] = writtenMs;
    this.expiresMs[i] = expiresMs;
  }

  setContext(bytes: Uint8Array, start: number, end: number): void {
    this.context = bytes;
    this.contextStart = start;
    this.contextEnd = end;
    this.contextAt = -1;
    this.#contextReserved = false;
  }

  /** The token is `length` bytes that the caller writes at `contextAt` of the target, right after `write…`. */
  reserveContext(length: number): void {
    this.setContext(NOTHING, 0, length);
    this.#contextReserved = length > 0;
  }

  get contextReserved(): boolean {
    return this.#contextReserved;
  }
}

/** A ReplyOrigin in bytes, without the tag; made when the ring changes, not once a reply. */
export function encodeOrigin(origin: ReplyOrigin): Uint8Array {
  const id = fromHex(origin.nodeId);
  const owners = packedSize(origin.owners);
  const fallbacks = packedSize(origin.fallbacks);
  const bytes = new Uint8Array(
    bytesFieldSize(id.length) +
      numberFieldSize(origin.ringVersion) +
      numberFieldSize(origin.acked) +
      boolFieldSize(origin.durable) +
      boolFieldSize(origin.sloppy) +
      bytesFieldSize(owners) +
      bytesFieldSize(fallbacks) +
      numberFieldSize(origin.fastest),
  );
  let at = writeBytesField(bytes, 0, 1, id, 0, id.length);
  at = writeNumberField(bytes, at, 2, origin.ringVersion);
  at = writeNumberField(bytes, at, 3, origin.acked);
  at = writeBoolField(bytes, at, 4, origin.durable);
  at = writeBoolField(bytes, at, 5, origin.sloppy);
  at = writePackedField(bytes, at, 6, origin.owners, owners);
  at = writePackedField(bytes, at, 7, origin.fallbacks, fallbacks);
  writeNumberField(bytes, at, 8, origin.fastest);
  return bytes;
}

function packedSize(numbers: readonly number[]): number {
  let size = 0;
  for (const number of numbers) size += varintSize(number);
  return size;
}

function writePackedField(target: Uint8Array, at: number, field: number, all: readonly number[], size: number): number {
  if (size === 0) return at;
  let offset = writeLength(target, at, field, size);
  for (const number of all) offset = writeVarint(target, offset, number);
  return offset;
}

export function sizeOfGetReplyFrame(parts: ReplyParts, origin: Uint8Array): number {
  return FRAME_HEADER_BYTES + sizeOfGetReply(parts, origin);
}

/** The frame up to where the last sibling's value begins. */
export function sizeOfGetReplyHead(parts: ReplyParts, origin: Uint8Array): number {
  return sizeOfGetReplyFrame(parts, origin) - lastValueBytes(parts);
}

/** Writes `sizeOfGetReplyFrame` bytes at `at`; returns the offset behind them. */
export function writeGetReplyFrame(
  target: Uint8Array,
  at: number,
  requestId: number,
  parts: ReplyParts,
  origin: Uint8Array,
): number {
  const offset = writeGetReplyHead(target, at, requestId, parts, origin);
  if (parts.count === 0) return offset;
  const last = parts.count - 1;
  return copyInto(
    target,
    offset,
    parts.values[last] as Uint8Array,
    parts.valueStarts[last] as number,
    parts.valueEnds[last] as number,
  );
}

/**
 * Writes `sizeOfGetReplyHead` bytes: everything but the last sibling's value, which the caller sends next. The length in
 * the header counts it.
 */
export function writeGetReplyHead(
  target: Uint8Array,
  at: number,
  requestId: number,
  parts: ReplyParts,
  origin: Uint8Array,
): number {
  writeFrameHeader(target, at, GET_REPLY, requestId, sizeOfGetReply(parts, origin));
  let offset = writeContext(target, at + FRAME_HEADER_BYTES, 2, parts);
  offset = writeBytesField(target, offset, 3, origin, 0, origin.length);
  return writeSiblings(target, offset, 1, parts, false);
}

/** A GetReply without its frame: `sizeOfGetReply` bytes. */
export function writeGetReplyBody(target: Uint8Array, at: number, parts: ReplyParts, origin: Uint8Array): number {
  let offset = writeContext(target, at, 2, parts);
  offset = writeBytesField(target, offset, 3, origin, 0, origin.length);
  return writeSiblings(target, offset, 1, parts, true);
}

export function sizeOfPutReplyFrame(parts: ReplyParts, siblingCount: number, origin: Uint8Array): number {
  return FRAME_HEADER_BYTES + sizeOfPutReply(parts, siblingCount, origin);
}

/** Writes `sizeOfPutReplyFrame` bytes at `at`; returns the offset behind them. */
export function writePutReplyFrame(
  target: Uint8Array,
  at: number,
  requestId: number,
  parts: ReplyParts,
  siblingCount: number,
  origin: Uint8Array,
): number {
  writeFrameHeader(target, at, PUT_REPLY, requestId, sizeOfPutReply(parts, siblingCount, origin));
  return writePutReplyBody(target, at + FRAME_HEADER_BYTES, parts, siblingCount, origin);
}

/** A PutReply without its frame: `sizeOfPutReply` bytes. */
export function writePutReplyBody(
  target: Uint8Array,
  at: number,
  parts: ReplyParts,
  siblingCount: number,
  origin: Uint8Array,
): number {
  let offset = writeContext(target, at, 1, parts);
  offset = writeSiblings(target, offset, 2, parts, true);
  offset = writeNumberField(target, offset, 3, siblingCount);
  return writeBytesField(target, offset, 4, origin, 0, origin.length);
}

export function sizeOfErrorFrame(failure: Failure, ringVersion: number): number {
  return FRAME_HEADER_BYTES + sizeOfError(failure, ringVersion);
}

/** Writes `sizeOfErrorFrame` bytes at `at`; returns the offset behind them. */
export function writeErrorFrame(
  target: Uint8Array,
  at: number,
  requestId: number,
  failure: Failure,
  ringVersion: number,
): number {
  writeFrameHeader(target, at, ERROR, requestId, sizeOfError(failure, ringVersion));
  return writeErrorBody(target, at + FRAME_HEADER_BYTES, failure, ringVersion);
}

export function sizeOfPongFrame(ringVersion: number, wallMs: number): number {
  return FRAME_HEADER_BYTES + numberFieldSize(ringVersion) + numberFieldSize(wallMs);
}

/** Writes `sizeOfPongFrame` bytes at `at`; returns the offset behind them. */
export function writePongFrame(
  target: Uint8Array,
  at: number,
  requestId: number,
  ringVersion: number,
  wallMs: number,
): number {
  writeFrameHeader(target, at, PONG, requestId, numberFieldSize(ringVersion) + numberFieldSize(wallMs));
  const offset = writeNumberField(target, at + FRAME_HEADER_BYTES, 1, ringVersion);
  return writeNumberField(target, offset, 2, wallMs);
}

/** Bodies without their frames, for the items of MultiGetReply and MultiPutReply. */
export function sizeOfGetReply(parts: ReplyParts, origin: Uint8Array): number {
  return bytesFieldSize(parts.contextEnd - parts.contextStart) + bytesFieldSize(origin.length) + sizeOfSiblings(parts);
}

export function sizeOfPutReply(parts: ReplyParts, siblingCount: number, origin: Uint8Array): number {
  return sizeOfGetReply(parts, origin) + numberFieldSize(siblingCount);
}

export function sizeOfError(failure: Failure, ringVersion: number): number {
  return (
    numberFieldSize(ERROR_CODES[failure.code].number) +
    textFieldSize(failure.text) +
    boolFieldSize(failure.retryable) +
    boolFieldSize(failure.outcomeUnknown) +
    bytesFieldSize(failure.context === undefined ? 0 : failure.context.length) +
    numberFieldSize(failure.retryAfterMs ?? 0) +
    numberFieldSize(ringVersion) +
    numberFieldSize(failure.fence ?? 0)
  );
}

export function writeErrorBody(target: Uint8Array, at: number, failure: Failure, ringVersion: number): number {
  let offset = writeNumberField(target, at, 1, ERROR_CODES[failure.code].number);
  offset = writeTextField(target, offset, 2, failure.text);
  offset = writeBoolField(target, offset, 3, failure.retryable);
  offset = writeBoolField(target, offset, 4, failure.outcomeUnknown);
  if (failure.context !== undefined) {
    offset = writeBytesField(target, offset, 5, failure.context, 0, failure.context.length);
  }
  offset = writeNumberField(target, offset, 6, failure.retryAfterMs ?? 0);
  offset = writeNumberField(target, offset, 7, ringVersion);
  return writeNumberField(target, offset, 8, failure.fence ?? 0);
}

function lastValueBytes(parts: ReplyParts): number {
  const last = parts.count - 1;
  return last < 0 ? 0 : (parts.valueEnds[last] as number) - (parts.valueStarts[last] as number);
}

function sizeOfSibling(parts: ReplyParts, i: number): number {
  return (
    numberFieldSize(parts.writtenMs[i] as number) +
    numberFieldSize(parts.expiresMs[i] as number) +
    bytesFieldSize((parts.valueEnds[i] as number) - (parts.valueStarts[i] as number))
  );
}

function sizeOfSiblings(parts: ReplyParts): number {
  let size = 0;
  for (let i = 0; i < parts.count; i++) {
    const sibling = sizeOfSibling(parts, i);
    size += 1 + varintSize(sibling) + sibling;
  }
  return size;
}

function writeSiblings(target: Uint8Array, at: number, field: number, parts: ReplyParts, lastValue: boolean): number {
  let offset = at;
  for (let i = 0; i < parts.count; i++) {
    offset = writeLength(target, offset, field, sizeOfSibling(parts, i));
    offset = writeNumberField(target, offset, 2, parts.writtenMs[i] as number);
    offset = writeNumberField(target, offset, 3, parts.expiresMs[i] as number);
    const start = parts.valueStarts[i] as number;
    const end = parts.valueEnds[i] as number;
    if (start === end) continue;
    offset = writeLength(target, offset, 1, end - start);
    if (lastValue || i < parts.count - 1) offset = copyInto(target, offset, parts.values[i] as Uint8Array, start, end);
  }
  return offset;
}

function writeContext(target: Uint8Array, at: number, field: number, parts: ReplyParts): number {
  const length = parts.contextEnd - parts.contextStart;
  if (length === 0) return at;
  assert(length > 0, 'a context has no negative length');
  const offset = writeLength(target, at, field, length);
  if (!parts.contextReserved) return copyInto(target, offset, parts.context, parts.contextStart, parts.contextEnd);
  parts.contextAt = offset;
  return offset + length;
}
