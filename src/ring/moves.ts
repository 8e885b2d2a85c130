import { assert } from '../lib/assert.js';
import type { RingTable } from './shares.js';

/** One replica of a partition that changes hands. */
export interface ReplicaMove {
  readonly partition: number;
  /** Ordinal of the node that gives it up. It may be gone: then another owner is the donor. */
  readonly from: number;
  readonly to: number;
}

type Owners = Pick<RingTable, 'partitionCount' | 'replicaCount' | 'owners'>;

/**
 * What has to be copied between two rings of one Q and N, by partition. A changed order within a row is no move. The
 * leaving and the coming owners of one partition are paired in the order of their places.
 */
export function moves(before: Owners, after: Owners): readonly ReplicaMove[] {
  const { partitionCount, replicaCount: n } = before;
  assert(partitionCount === after.partitionCount, 'Q is fixed for the life of a cluster');
  assert(n === after.replicaCount, 'moves are between rings of one N');
  const found: ReplicaMove[] = [];
  for (let partition = 0; partition < partitionCount; partition++) {
    const old = before.owners.slice(partition * n, partition * n + n);
    const next = after.owners.slice(partition * n, partition * n + n);
    const leaving = old.filter((ordinal) => !next.includes(ordinal));
    const coming = next.filter((ordinal) => !old.includes(ordinal));
    coming.forEach((to, index) => {
      found.push({ partition, from: leaving[index] ?? 0, to });
    });
  }
  return found;
}
