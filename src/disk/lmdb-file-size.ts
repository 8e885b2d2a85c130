/*
 * What an LMDB file says about its own size, read without mapping it: touching a mapped page behind the end of the file
 * is SIGBUS, and the process is gone. So a truncated file must be found out before LMDB opens it.
 *
 * The file begins with two meta pages; the valid one with the greater transaction id counts (mdb.c, MDB_meta):
 *
 *   offset in page   16  magic 0xBEEFC0DE, u32 in the machine's order
 *                    20  data version, u32
 *                    24  address 8 · map size 8
 *                    40  two database headers of 48 bytes; the first begins with the page size, u32
 *                   136  last page used, u64
 *                   144  transaction id, u64
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const MAGIC = 0xbeefc0de;
const META_BYTES = 152;
const PAGE_BYTES_MIN = 512;
const PAGE_BYTES_MAX = 65_536;

/** Why the file cannot be what LMDB once wrote, or null. A file that is absent or empty is new, and fine. */
export function sizeFault(path: string): string | null {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    const size = fstatSync(descriptor).size;
    return size === 0 ? null : judge(descriptor, size);
  } finally {
    closeSync(descriptor);
  }
}

function judge(descriptor: number, size: number): string | null {
  const first = readMeta(descriptor, 0);
  if (first === null) return `${size} bytes that do not begin like a partition file`;
  const second = readMeta(descriptor, first.pageBytes);
  if (second === null) return `${size} bytes whose second page is not what it should be`;
  const newest = second.transaction > first.transaction ? second : first;
  const expected = (newest.lastPage + 1n) * BigInt(first.pageBytes);
  return BigInt(size) < expected ? `${size} bytes, but its pages take ${expected}` : null;
}

function readMeta(
  descriptor: number,
  at: number,
): { readonly pageBytes: number; readonly lastPage: bigint; readonly transaction: bigint } | null {
  const bytes = Buffer.alloc(META_BYTES);
  if (readSync(descriptor, bytes, 0, META_BYTES, at) < META_BYTES) return null;
  const pageBytes = bytes.readUInt32LE(40);
  if (bytes.readUInt32LE(16) !== MAGIC || pageBytes < PAGE_BYTES_MIN || pageBytes > PAGE_BYTES_MAX) return null;
  return { pageBytes, lastPage: bytes.readBigUInt64LE(136), transaction: bytes.readBigUInt64LE(144) };
}
