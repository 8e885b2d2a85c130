import { assert } from '../lib/assert.js';
import type { Brand } from '../lib/brand.js';

/** Index of a partition: 0 ≤ id < Q. Q is fixed for the life of a cluster (§6.2, strategy 3). */
export type PartitionId = Brand<number, 'PartitionId'>;

/** 128 random bits as 32 hexadecimal digits. Names and addresses may change; this never does. */
export type NodeId = Brand<string, 'NodeId'>;

/** Position in a node's commit log: 1, 2, 3 … below 2^53, never reused by a node id. */
export type Lsn = Brand<number, 'Lsn'>;

export function partitionId(index: number, partitionCount: number): PartitionId {
  assert(Number.isInteger(index), 'a partition index is an integer');
  assert(0 <= index && index < partitionCount, 'a partition index is below Q');
  return index as PartitionId;
}

export function isNodeId(text: string): text is NodeId {
  return /^[0-9a-f]{32}$/.test(text);
}

export function nodeId(text: string): NodeId {
  assert(isNodeId(text), 'a node id is 32 hexadecimal digits');
  return text;
}
