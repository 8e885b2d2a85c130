import type { PartitionFileOperation } from '../../src/env/partition-file.js';
import {
  encodeLeaves,
  leafCountOf,
  leafIndex,
  LEAF_BYTES,
  LEAVES_PER_GROUP,
  toggleLeaf,
  WORDS_PER_LEAF,
} from '../../src/repair/merkle.js';
import { groupKey, hashHeader } from '../../src/storage/engine-leaves.js';
import { MARK_BYTES, writeMark } from '../../src/storage/engine-mark.js';
import { storageKey } from '../../src/storage/storage-key.js';
import { DIGEST, HASH, place, testRecordBytes, writeTestRecord } from '../storage/engine-requests.js';

/** Operations that store records and the leaves that follow from them. */
export function recordsWithLeaves(
  names: readonly string[],
  counter: number,
  partitionCount: number,
): { operations: PartitionFileOperation[]; leaves: Uint32Array } {
  const leafCount = leafCountOf(partitionCount);
  const leaves = new Uint32Array(leafCount * WORDS_PER_LEAF);
  const operations: PartitionFileOperation[] = names.map((name) => {
    const key = Buffer.from(name);
    const value = Buffer.from(`value of ${name}`);
    const size = testRecordBytes(key, value.length);
    const bytes = Buffer.alloc(size + MARK_BYTES);
    writeTestRecord(bytes, 0, key, counter, value);
    writeMark(bytes, size, 1, 2, counter, 1, HASH);
    const { hashHi, hashLo } = place(key, partitionCount);
    hashHeader(bytes, 0, HASH);
    toggleLeaf(leaves, leafIndex(hashHi, leafCount), HASH.hi, HASH.lo, 1);
    return { key: storageKey(hashHi, hashLo, key, DIGEST), value: bytes };
  });
  for (let first = 0; first < leafCount; first += LEAVES_PER_GROUP) {
    const value = new Uint8Array(LEAVES_PER_GROUP * LEAF_BYTES);
    encodeLeaves(leaves, first, LEAVES_PER_GROUP, value, 0);
    operations.push({ key: groupKey(first / LEAVES_PER_GROUP), value });
  }
  return { operations, leaves };
}
