/*
 * The ring as a client needs it: who owns a key, and whom to ask when the owners do not answer.
 *
 * It is made from a RingMessage, which came off the wire: so nothing here is asserted, a ring that cannot be true is
 * refused with the reason, and the caller keeps the one it has. Routing by an old ring costs a forward, never an answer:
 * every node can coordinate. Balance is the servers' business (invariants.ts): a client serves an uneven ring as well.
 */
import type { KeyHash } from '../model/hash.js';
import type { RingMemberMessage, RingMessage } from '../model/messages.js';
import { isPartitionCount, partitionBits, partitionOf } from './partition.js';
import { PreferenceTable } from './preference-table.js';
import { MEMBERS_MAX } from './shares.js';

export class OwnerTable {
  readonly version: number;
  readonly partitionCount: number;
  readonly replicaCount: number;
  readonly members: readonly RingMemberMessage[];
  readonly #bits: number;
  readonly #byOrdinal: ReadonlyMap<number, RingMemberMessage>;
  /** The same order as at the servers. */
  readonly #preferences: PreferenceTable;
  /** Partition → its preference list, filled in as partitions are used. */
  readonly #rows: (readonly RingMemberMessage[] | undefined)[] = [];

  private constructor(ring: RingMessage, byOrdinal: ReadonlyMap<number, RingMemberMessage>) {
    this.version = ring.version;
    this.partitionCount = ring.partitionCount;
    this.replicaCount = ring.replicaCount;
    this.members = ring.members;
    this.#bits = partitionBits(ring.partitionCount);
    this.#byOrdinal = byOrdinal;
    this.#preferences = new PreferenceTable(ring);
  }

  /** The table of a ring, or a sentence that says why it cannot be one. */
  static from(ring: RingMessage): OwnerTable | string {
    const { partitionCount, replicaCount, members, owners } = ring;
    if (!isPartitionCount(partitionCount))
      return `A ring of ${partitionCount} partitions: not a power of two up to 4096`;
    if (members.length === 0) return 'A ring without members';
    if (members.length > MEMBERS_MAX) return `A ring of ${members.length} members, at most ${MEMBERS_MAX} can be`;
    if (!Number.isInteger(replicaCount) || replicaCount < 1 || replicaCount > members.length)
      return `${replicaCount} replicas on ${members.length} members`;
    if (owners.length !== partitionCount * replicaCount) {
      return `${owners.length} owners named, ${partitionCount} partitions of ${replicaCount} replicas need ${partitionCount * replicaCount}`;
    }
    const byOrdinal = new Map(members.map((member) => [member.ordinal, member]));
    if (byOrdinal.size !== members.length) return 'Two members of a ring share an ordinal';
    for (const ordinal of byOrdinal.keys()) {
      if (ordinal > 0xffff) return `A member with ordinal ${ordinal}: more than 16 bits`;
    }
    return rowsFault(ring, byOrdinal) ?? new OwnerTable(ring, byOrdinal);
  }

  partition(hash: KeyHash): number {
    return partitionOf(hash.hi, this.#bits);
  }

  /** Whom to ask for a key of this partition, best first: the owners, then the other members. */
  preferenceList(partition: number): readonly RingMemberMessage[] {
    if (partition < 0 || partition >= this.partitionCount) return [];
    return (this.#rows[partition] ??= Array.from(this.#preferences.preferenceList(partition), (ordinal) => {
      return this.#byOrdinal.get(ordinal) as RingMemberMessage; // every ordinal of a table is a member's
    }));
  }

  /** The owners alone. */
  owners(partition: number): readonly RingMemberMessage[] {
    return this.preferenceList(partition).slice(0, this.replicaCount);
  }
}

function rowsFault(ring: RingMessage, byOrdinal: ReadonlyMap<number, RingMemberMessage>): string | null {
  const { partitionCount, replicaCount, owners } = ring;
  for (let partition = 0; partition < partitionCount; partition++) {
    const row = owners.slice(partition * replicaCount, (partition + 1) * replicaCount);
    for (const [place, ordinal] of row.entries()) {
      if (!byOrdinal.has(ordinal)) return `Partition ${partition} is owned by ordinal ${ordinal}, which is no member`;
      if (row.indexOf(ordinal) !== place) return `Partition ${partition} names owner ${ordinal} twice`;
    }
  }
  return null;
}
