/*
 * Key → partition: the top bits of XXH64(key). Q is a power of two, so a partition is a contiguous range of hashes and
 * the partitions in order are the ring of §4.2, cut into Q equal pieces (§6.2, strategy 3).
 */
import { assert } from '../lib/assert.js';
import { PARTITIONS_MAX } from '../model/limits.js';

export function isPartitionCount(count: number): boolean {
  return Number.isInteger(count) && 1 <= count && count <= PARTITIONS_MAX && (count & (count - 1)) === 0;
}

/** log2 Q: how many bits of a hash name its partition. */
export function partitionBits(partitionCount: number): number {
  assert(isPartitionCount(partitionCount), 'Q is a power of two up to PARTITIONS_MAX');
  return 31 - Math.clz32(partitionCount);
}

/** Partition of a key from the upper half of its hash. */
export function partitionOf(hashHi: number, bits: number): number {
  return bits === 0 ? 0 : hashHi >>> (32 - bits); // a shift by 32 would shift by nothing
}
