import type { OwnerTable } from '../ring/owner-table.js';

/** Who holds what, as the client routes by it (§6.2, strategy 3). */
export interface Ring {
  readonly version: number;
  /** Q. */
  readonly partitionCount: number;
  /** N. */
  readonly replicaCount: number;
  readonly members: readonly {
    readonly nodeId: string;
    readonly ordinal: number;
    readonly address: string;
    readonly zone: string;
  }[];
  /** Q × N ordinals, partition by partition; the first of each N owns the token. */
  readonly owners: readonly number[];
}

export function ringOf(table: OwnerTable): Ring {
  const { version, partitionCount, replicaCount, members } = table;
  const partitions = Array.from({ length: partitionCount }, (_, partition) => table.owners(partition));
  const owners = partitions.flatMap((row) => row.map(({ ordinal }) => ordinal));
  return { version, partitionCount, replicaCount, members, owners };
}
