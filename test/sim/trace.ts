/*
 * What happened, folded into one number: two runs of a seed are the same run if and only if their numbers are equal.
 * Every event adds its virtual time, every piece of bytes that was delivered its checksum.
 */
import { crc32 } from 'node:zlib';

export class Trace {
  #hash = 0x811c9dc5;

  number(value: number): void {
    this.#hash = Math.imul(this.#hash ^ (value | 0), 0x01000193);
    this.#hash ^= this.#hash >>> 15;
  }

  /** A time in ms, to the microsecond. */
  time(ms: number): void {
    this.number(ms * 1_000);
  }

  bytes(bytes: Uint8Array): void {
    this.number(crc32(bytes));
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }
}
