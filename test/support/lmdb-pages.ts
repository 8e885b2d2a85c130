/*
 * The pages of a partition file that its newest commit reaches, found as LMDB would: from the newer meta page down. Most
 * pages of a file that has been written for a while are reached by no commit any more, and damage to them does nothing.
 *
 *   meta     16  magic 4 · version 4 · address 8 · map size 8 · free pages' database 48 · main database 48 ·
 *                last page 8 · transaction 8                          (a database ends with its root page, 8)
 *   page      0  number 8 · padding 2 · flags 2 · lower 2 · upper 2 · offsets of nodes, 2 each; an overflow page has its
 *                count of pages at 12
 *   branch    0  page number 6 · key length 2 · key; the first node of a page has no key
 *   leaf      0  value's length 4 · flags 2 · key length 2 · key · value, or the number of the page where it begins
 */
import { readFileSync } from 'node:fs';

export const PAGE_BYTES = 4_096;

const PAGE_HEADER_BYTES = 16;
const NODE_HEADER_BYTES = 8;
const BRANCH = 0x01;
const LEAF = 0x02;
const ELSEWHERE = 0x01;
const MAIN_ROOT_AT = 128;
const TRANSACTION_AT = 144;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

export interface LivePage {
  readonly kind: 'branch' | 'leaf' | 'overflow';
  /** In the file. */
  readonly offset: number;
  readonly bytes: number;
  /** Offsets of the nodes in the file, in key order. */
  readonly nodes: readonly number[];
}

export function livePages(path: string): readonly LivePage[] {
  const file = readFileSync(path);
  const newer =
    file.readBigUInt64LE(PAGE_BYTES + TRANSACTION_AT) > file.readBigUInt64LE(TRANSACTION_AT) ? PAGE_BYTES : 0;
  const root = file.readBigUInt64LE(newer + MAIN_ROOT_AT);
  const pages: LivePage[] = [];
  if (root !== NO_PAGE) descend(file, Number(root) * PAGE_BYTES, pages);
  return pages;
}

function descend(file: Buffer, offset: number, pages: LivePage[]): void {
  const flags = file.readUInt16LE(offset + 10);
  const count = (file.readUInt16LE(offset + 12) - PAGE_HEADER_BYTES) / 2;
  const nodes = Array.from({ length: count }, (_, i) => offset + file.readUInt16LE(offset + PAGE_HEADER_BYTES + 2 * i));
  if ((flags & BRANCH) !== 0) {
    pages.push({ kind: 'branch', offset, bytes: PAGE_BYTES, nodes });
    for (const node of nodes) descend(file, file.readUIntLE(node, 6) * PAGE_BYTES, pages);
    return;
  }
  if ((flags & LEAF) === 0) throw new Error(`The page at ${offset} is neither branch nor leaf`);
  pages.push({ kind: 'leaf', offset, bytes: PAGE_BYTES, nodes });
  for (const node of nodes) {
    if ((file.readUInt16LE(node + 4) & ELSEWHERE) === 0) continue;
    const first = node + NODE_HEADER_BYTES + file.readUInt16LE(node + 6);
    const at = Number(file.readBigUInt64LE(first)) * PAGE_BYTES;
    pages.push({ kind: 'overflow', offset: at, bytes: file.readUInt32LE(at + 12) * PAGE_BYTES, nodes: [] });
  }
}

/** Where the key of a node begins, in the file, and how long it is. */
export function nodeKey(file: Buffer, node: number): { readonly at: number; readonly bytes: number } {
  return { at: node + NODE_HEADER_BYTES, bytes: file.readUInt16LE(node + 6) };
}
