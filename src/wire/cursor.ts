/*
 * Reads protobuf's wire format in place, for the requests and replies that come by the ten thousand. It accepts and
 * refuses exactly what protobufjs does (a test compares them on arbitrary and mutated bytes): fields in any order and
 * repeated, unknown fields and groups skipped, overlong varints taken, and nothing read beyond the end.
 *
 * One cursor serves a decoder for ever, so that a message costs no object. A broken message moves it behind the end and
 * leaves `fault` set: loops that run `while (cursor.at < cursor.end)` stop by themselves, and nothing is thrown.
 */
import { util } from './numbers.js';
import { LENGTH_DELIMITED, VARINT } from './varint.js';

const FIXED_64 = 1;
const GROUP_START = 3;
const GROUP_END = 4;
const FIXED_32 = 5;
/** As protobufjs: deeper groups are an attack on the stack. */
const GROUP_DEPTH_MAX = 100;
const TEXT_BYTES_MAX = 65_536;

export class Cursor {
  bytes: Uint8Array = new Uint8Array(0);
  at: number = 0;
  end: number = 0;
  /** Empty while all is well. */
  fault: string = '';

  open(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
    this.fault = '';
  }

  /** Lets go of the bytes. */
  close(): void {
    this.bytes = NOTHING;
  }

  fail(text: string): number {
    if (this.fault === '') this.fault = text;
    this.at = this.end;
    return 0;
  }

  /** Field number × 8 + wire type; 0 after a fault. */
  tag(): number {
    if (this.at < this.end) {
      const byte = this.bytes[this.at] as number;
      if (byte < 0x80) {
        this.at++;
        return byte;
      }
    }
    return this.#fiveBytes(0x0f, 'Field tag');
  }

  /** Length of a delimited field, checked against what is left. The content begins at `at`. */
  length(): number {
    let length = 0;
    if (this.at < this.end && (this.bytes[this.at] as number) < 0x80) length = this.bytes[this.at++] as number;
    else length = this.#fiveBytes(0x07, 'Length');
    if (length > this.end - this.at) {
      return this.fail(`A field of ${length} bytes in a message that has ${this.end - this.at} left`);
    }
    return length;
  }

  /** Low 32 bits of a varint of up to ten bytes. */
  u32(): number {
    const bytes = this.bytes;
    if (this.at < this.end && (bytes[this.at] as number) < 0x80) return bytes[this.at++] as number;
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.at >= this.end) return this.fail('Number cut off');
      const byte = bytes[this.at++] as number;
      if (shift < 32) value = (value | ((byte & 0x7f) << shift)) >>> 0;
      if (byte < 0x80) return value;
    }
    return this.fail('Number of more than ten bytes');
  }

  bool(): boolean {
    const bytes = this.bytes;
    let value = false;
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.end) return this.fail('Boolean cut off') !== 0;
      const byte = bytes[this.at++] as number;
      if ((byte & 0x7f) !== 0) value = true;
      if (byte < 0x80) return value;
    }
    return this.fail('Boolean of more than ten bytes') !== 0;
  }

  /** A 64-bit field that must be below 2^53: times and counts, never identities. */
  u53(): number {
    const bytes = this.bytes;
    let low = 0; // bits 0..27
    let middle = 0; // bits 28..55
    let high = 0; // bits 56..63
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.end) return this.fail('Number cut off');
      const byte = bytes[this.at++] as number;
      const bits = byte & 0x7f;
      if (i < 4) low |= bits << (7 * i);
      else if (i < 8) middle |= bits << (7 * (i - 4));
      else high |= (bits << (7 * (i - 8))) & 0xff;
      if (byte < 0x80) {
        if (high !== 0 || middle >= 0x200_0000) return this.fail('Number of 2^53 or more');
        return middle * 0x1000_0000 + low;
      }
    }
    return this.fail('Number of more than ten bytes');
  }

  /** Strict UTF-8. The limit is far above any text of ours and keeps a stray megabyte from becoming a string. */
  text(): string {
    const length = this.length();
    if (length === 0) return '';
    const start = this.at;
    this.at += length;
    if (length > TEXT_BYTES_MAX) {
      this.fail(`A text of ${length} bytes, at most ${TEXT_BYTES_MAX} are accepted`);
      return '';
    }
    try {
      return util.utf8.readStrict(this.bytes, start, start + length);
    } catch {
      this.fail('A text that is not UTF-8');
      return '';
    }
  }

  /** Skips the content of a field that the reader does not know, or knows with another wire type. */
  skip(tag: number): void {
    this.#skip(tag, 0);
  }

  #skip(tag: number, depth: number): void {
    const field = tag >>> 3;
    if (depth > GROUP_DEPTH_MAX) this.fail(`Groups nested deeper than ${GROUP_DEPTH_MAX}`);
    else if (field === 0) this.fail('Field number 0');
    else if ((tag & 7) === VARINT) this.#skipVarint();
    else if ((tag & 7) === FIXED_64) this.#advance(8);
    else if ((tag & 7) === LENGTH_DELIMITED) this.#advance(this.length());
    else if ((tag & 7) === FIXED_32) this.#advance(4);
    else if ((tag & 7) === GROUP_START) this.#skipGroup(field, depth);
    else this.fail(`Wire type ${tag & 7}`);
  }

  #skipGroup(field: number, depth: number): void {
    for (;;) {
      const tag = this.tag();
      if (this.fault !== '') return;
      if (tag >>> 3 === 0) this.fail('Field number 0');
      else if ((tag & 7) !== GROUP_END) this.#skip(tag, depth + 1);
      else if (tag >>> 3 !== field) this.fail('Group closed by another one');
      else return;
      if (this.fault !== '') return;
    }
  }

  #skipVarint(): void {
    do {
      if (this.at >= this.end) {
        this.fail('Number cut off');
        return;
      }
    } while ((this.bytes[this.at++] as number) >= 0x80);
  }

  #advance(length: number): void {
    if (length > this.end - this.at) this.fail('Field cut off');
    else this.at += length;
  }

  #fiveBytes(lastMax: number, what: string): number {
    let value = 0;
    for (let i = 0; i < 5; i++) {
      if (this.at >= this.end) return this.fail(`${what} cut off`);
      const byte = this.bytes[this.at++] as number;
      if (i === 4 && byte > lastMax) return this.fail(`${what} of more than 32 bits`);
      value = (value | ((byte & 0x7f) << (7 * i))) >>> 0;
      if (byte < 0x80) return value;
    }
    return value;
  }
}

const NOTHING: Uint8Array = new Uint8Array(0);

/**
 * How many sub-messages lie at a path of field numbers, `[1, 1]` being the first field of all first fields; stops
 * counting above `limit`. Two bytes make an object of protobufjs, a megabyte half a million: counted before decoding.
 * Damage is left to the decoder.
 */
export function countAt(bytes: Uint8Array, start: number, end: number, path: readonly number[], limit: number): number {
  return countFrom(bytes, start, end, path, 0, limit);
}

function countFrom(
  bytes: Uint8Array,
  start: number,
  end: number,
  path: readonly number[],
  depth: number,
  limit: number,
): number {
  const cursor = new Cursor();
  cursor.open(bytes, start, end);
  const wanted = ((path[depth] as number) << 3) | LENGTH_DELIMITED;
  let count = 0;
  while (cursor.at < end && count <= limit) {
    const tag = cursor.tag();
    if (tag !== wanted) {
      cursor.skip(tag);
      continue;
    }
    const length = cursor.length();
    if (depth === path.length - 1) count++;
    else count += countFrom(bytes, cursor.at, cursor.at + length, path, depth + 1, limit - count);
    cursor.at += length;
  }
  return count;
}
