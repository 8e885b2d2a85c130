/*
 * Values that say which put wrote them: any bytes found anywhere can be traced without a log, and bytes that nobody
 * wrote cannot pass (the trick of Cassandra's Harry).
 *
 *   offset  size  field (big-endian)
 *        0     4  'PtV1'
 *        4     4  seed of the run
 *        8     4  id of the put
 *       12     4  length of the whole value
 *       16     n  a function of seed, key and id
 *      last     4  CRC-32 of everything before it and of the key
 *
 * The check computes the whole value again, so the CRC only says which of two faults it was: mangled bytes, or a good
 * value of another key or run.
 */
import { crc32 } from 'node:zlib';
import { Prng } from '../../src/lib/prng.js';

const MAGIC = 0x50745631;
export const STAMP_BYTES_MIN = 20;

function bodyOf(seed: number, key: string, id: number, target: Buffer): void {
  const prng = new Prng((crc32(key) ^ Math.imul(seed, 0x9e3779b1) ^ Math.imul(id, 0x85ebca77)) >>> 0);
  let at = 16;
  for (; at + 4 <= target.length - 4; at += 4) target.writeUInt32BE(prng.u32(), at);
  for (; at < target.length - 4; at++) target[at] = prng.u32();
}

export function stampedValue(seed: number, key: string, id: number, size: number): Buffer {
  if (size < STAMP_BYTES_MIN)
    throw new RangeError(`A stamped value has at least ${STAMP_BYTES_MIN} bytes, not ${size}`);
  const value = Buffer.allocUnsafe(size);
  value.writeUInt32BE(MAGIC, 0);
  value.writeUInt32BE(seed >>> 0, 4);
  value.writeUInt32BE(id, 8);
  value.writeUInt32BE(size, 12);
  bodyOf(seed, key, id, value);
  value.writeUInt32BE(crc32(key, crc32(value.subarray(0, size - 4))), size - 4);
  return value;
}

export type Stamp = { readonly id: number } | { readonly fault: string };

/** Which put of this run wrote `value` under `key`; or what is wrong with it. */
export function readStamp(seed: number, key: string, value: Uint8Array): Stamp {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  if (bytes.length < STAMP_BYTES_MIN || bytes.readUInt32BE(0) !== MAGIC) return { fault: 'not a stamped value' };
  if (bytes.readUInt32BE(12) !== bytes.length)
    return { fault: `${bytes.length} bytes of a value that had ${bytes.readUInt32BE(12)}` };
  const id = bytes.readUInt32BE(8);
  if (stampedValue(seed, key, id, bytes.length).equals(bytes)) return { id };
  const crc = crc32(key, crc32(bytes.subarray(0, -4)));
  return {
    fault:
      crc === bytes.readUInt32BE(bytes.length - 4)
        ? 'a value of another run'
        : `mangled, or of another key (it names put ${id})`,
  };
}
