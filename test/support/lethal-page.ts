/*
 * Makes a partition file that kills whoever reads its records: every record's length in LMDB's leaf pages becomes
 * 2 GiB, so that a copy of it runs over the end of the file, which in a mapped file is SIGBUS. Size and meta pages stay
 * as they were, and so does the bookkeeping, so that the file opens.
 *
 *   page   0  number 8 · padding 2 · flags 2 (bit 1: leaf, bit 2: overflow) · lower 2 · upper 2 · offsets of nodes, 2 each
 *   node   0  low half of the value's length 2 · high half 2 · flags 2 · key length 2 · key · value       (little-endian)
 */
import { readFileSync, writeFileSync } from 'node:fs';

const PAGE_BYTES = 4_096;
const PAGE_HEADER_BYTES = 16;
const LEAF = 0x02;
const OVERFLOW = 0x04;
const META_PAGES = 2;
const MARKER_AT = 8;

/** Answers how many records it changed. */
export function makeLethal(path: string): number {
  const file = readFileSync(path);
  let changed = 0;
  for (let page = META_PAGES * PAGE_BYTES; page + PAGE_BYTES <= file.length;) {
    const flags = file.readUInt16LE(page + 10);
    if ((flags & OVERFLOW) !== 0) {
      page += PAGE_BYTES * Math.max(1, file.readUInt32LE(page + 12));
      continue;
    }
    if ((flags & LEAF) !== 0) changed += changeLeaf(file, page);
    page += PAGE_BYTES;
  }
  writeFileSync(path, file);
  return changed;
}

function changeLeaf(file: Buffer, page: number): number {
  const nodes = (file.readUInt16LE(page + 12) - PAGE_HEADER_BYTES) / 2;
  let changed = 0;
  for (let i = 0; i < nodes; i++) {
    const node = page + file.readUInt16LE(page + PAGE_HEADER_BYTES + 2 * i);
    const marker = file[node + 8 + MARKER_AT];
    if (file.readUInt16LE(node + 6) <= MARKER_AT || marker === undefined || marker === 0) continue;
    file.writeUInt16LE(0x7fff, node + 2);
    changed += 1;
  }
  return changed;
}
