/*
 * The ring as a client needs it: who owns a key, and whom to ask when the owners do not answer.
 *
 * It is made from a RingMessage, which came off the wire: so nothing here is asserted, a ring that cannot be true is
 * refused with the reason, and the caller keeps the one it has. Routing by an old ring costs a forward, never an answer:
 * every node can coordinate.
 */
import type { KeyHash } from '../model/hash.js';
import type { RingMemberMessage, RingMessage } from '../model/messages.js';
import { isPartitionCount, partitionBits, partitionOf } from './partition.js';

export class OwnerTable {
  readonly version: number;
  readonly partitionCount: number;
  readonly replicaCount: number;
  readonly members: readonly RingMemberMessage[];
  readonly #bits: number;
  /** Partition → its owners first, then every other member. */
  readonly #rows: readonly (readonly RingMemberMessage[])[];

  private constructor(ring: RingMessage, rows: readonly (readonly RingMemberMessage[])[]) {
    this.version = ring.version;
    this.partitionCount = ring.partitionCount;
    this.replicaCount = ring.replicaCount;
    this.members = ring.members;
    this.#bits = partitionBits(ring.partitionCount);
    this.#rows = rows;
  }

  /** The table of a ring, or a sentence that says why it cannot be one. */
  static from(ring: RingMessage): OwnerTable | string {
    const { partitionCount, replicaCount, members, owners } = ring;
    if (!isPartitionCount(partitionCount))
      return `A ring of ${partitionCount} partitions: not a power of two up to 4096`;
    if (members.length === 0) return 'A ring without members';
    if (replicaCount < 1 || replicaCount > members.length)
      return `${replicaCount} replicas on ${members.length} members`;
    if (owners.length !== partitionCount * replicaCount) {
      return `${owners.length} owners named, ${partitionCount} partitions of ${replicaCount} replicas need ${partitionCount * replicaCount}`;
    }
    const byOrdinal = new Map(members.map((member) => [member.ordinal, member]));
    if (byOrdinal.size !== members.length) return 'Two members of a ring share an ordinal';
    const rows: RingMemberMessage[][] = [];
    for (let partition = 0; partition < partitionCount; partition++) {
      const row: RingMemberMessage[] = [];
      for (const ordinal of owners.slice(partition * replicaCount, (partition + 1) * replicaCount)) {
        const owner = byOrdinal.get(ordinal);
        if (owner === undefined) return `Partition ${partition} is owned by ordinal ${ordinal}, which is no member`;
        if (row.includes(owner)) return `Partition ${partition} names owner ${ordinal} twice`;
        row.push(owner);
      }
      rows.push(row.concat(fallbacks(members, row, partition)));
    }
    return new OwnerTable(ring, rows);
  }

  partition(hash: KeyHash): number {
    return partitionOf(hash.hi, this.#bits);
  }

  /** Whom to ask for a key of this partition, best first: the owners, then the other members. */
  preferenceList(partition: number): readonly RingMemberMessage[] {
    return this.#rows[partition] ?? [];
  }

  /** The owners alone. */
  owners(partition: number): readonly RingMemberMessage[] {
    return this.preferenceList(partition).slice(0, this.replicaCount);
  }
}

/** The members that do not own the partition, from another start for each: a dead owner's load spreads over all. */
function fallbacks(
  members: readonly RingMemberMessage[],
  owners: readonly RingMemberMessage[],
  partition: number,
): readonly RingMemberMessage[] {
  const others = members.filter((member) => !owners.includes(member));
  const start = others.length === 0 ? 0 : partition % others.length;
  return [...others.slice(start), ...others.slice(0, start)];
}
