/*
 * Protobuf's wire format, as far as the messages that are written in place need it. protobufjs builds an operation list
 * and a buffer of its own a message; here a reply goes straight into the connection's output, its values copied once.
 * Tests hold every writer to protobufjs's own decoder.
 *
 * Numbers are integers, 0..2^53 - 1. Every `write…` returns the offset behind what it wrote.
 */

export const VARINT = 0;
export const LENGTH_DELIMITED = 2;

/** The byte before a field; field numbers up to 15. */
export function tagOf(field: number, wireType: number): number {
  return (field << 3) | wireType;
}

export function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  if (value < 0x1000_0000) return 4;
  if (value < 0x8_0000_0000) return 5;
  if (value < 0x400_0000_0000) return 6;
  if (value < 0x2_0000_0000_0000) return 7;
  return 8;
}

export function writeVarint(target: Uint8Array, at: number, value: number): number {
  let offset = at;
  let rest = value;
  while (rest >= 0x8000_0000) {
    target[offset++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest >= 0x80) {
    target[offset++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[offset++] = rest;
  return offset;
}

/** A number field with its tag; nothing when it is 0, which is what a reader takes it for. */
export function numberFieldSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

export function writeNumberField(target: Uint8Array, at: number, field: number, value: number): number {
  if (value === 0) return at;
  target[at] = tagOf(field, VARINT);
  return writeVarint(target, at + 1, value);
}

export function boolFieldSize(value: boolean): number {
  return value ? 2 : 0;
}

export function writeBoolField(target: Uint8Array, at: number, field: number, value: boolean): number {
  if (!value) return at;
  target[at] = tagOf(field, VARINT);
  target[at + 1] = 1;
  return at + 2;
}

/** A bytes field of `length` bytes with its tag; nothing when it is empty. */
export function bytesFieldSize(length: number): number {
  return length === 0 ? 0 : 1 + varintSize(length) + length;
}

/** Tag and length; the content follows. */
export function writeLength(target: Uint8Array, at: number, field: number, length: number): number {
  target[at] = tagOf(field, LENGTH_DELIMITED);
  return writeVarint(target, at + 1, length);
}

export function writeBytesField(
  target: Uint8Array,
  at: number,
  field: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  if (start === end) return at;
  return copyInto(target, writeLength(target, at, field, end - start), bytes, start, end);
}

/** Up to here a loop beats the view that `set` needs. */
const LOOP_BYTES_MAX = 48;

export function copyInto(target: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length <= LOOP_BYTES_MAX) {
    for (let i = 0; i < length; i++) target[at + i] = bytes[start + i] as number;
  } else {
    target.set(length === bytes.length ? bytes : bytes.subarray(start, end), at);
  }
  return at + length;
}

const encoder = new TextEncoder();

/** Bytes of a text in UTF-8; nearly all of ours is ASCII. */
export function textSize(text: string): number {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) return Buffer.byteLength(text);
  }
  return text.length;
}

export function textFieldSize(text: string): number {
  return bytesFieldSize(textSize(text));
}

export function writeTextField(target: Uint8Array, at: number, field: number, text: string): number {
  if (text === '') return at;
  const size = textSize(text);
  const offset = writeLength(target, at, field, size);
  if (size === text.length) {
    for (let i = 0; i < size; i++) target[offset + i] = text.charCodeAt(i);
  } else {
    encoder.encodeInto(text, target.subarray(offset, offset + size));
  }
  return offset + size;
}
