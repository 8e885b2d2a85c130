/*
 * Who owns a partition and who stands in, as coordinator/ wants it: one object a partition, made when it is first asked
 * for and kept for as long as the ring stays.
 *
 * While a partition moves, one node more is written to: who takes it over, and then who has given it up (ring/moves.ts).
 * It counts for nothing by itself, but holds copies as owners do, and drops none.
 */
import { type Handover, isOwner, type Preference } from '../../coordinator/preference.js';
import type { RingDocument } from '../../ring/document.js';
import { NOBODY } from '../../ring/moves.js';
import { PreferenceTable } from '../../ring/preference-table.js';

const NONE: readonly never[] = [];

export class Preferences {
  ringVersion: number = 0;
  /** N. */
  readonly replicaCount: number;
  #table: PreferenceTable;
  #made: (Preference | undefined)[] = [];
  #handovers: ReadonlyMap<number, readonly Handover[]> = new Map();
  #receivers: ReadonlyMap<number, readonly number[]> = new Map();
  #moving: ReadonlySet<number> = new Set();

  constructor(ring: RingDocument) {
    this.replicaCount = ring.replicaCount;
    this.#table = new PreferenceTable(ring);
    this.setRing(ring);
  }

  /** What is under way goes on by the ring that it began with. */
  setRing(ring: RingDocument): void {
    if (this.ringVersion > 0) this.#table = new PreferenceTable(ring);
    this.ringVersion = ring.version;
    this.#made = new Array<undefined>(ring.partitionCount).fill(undefined);
    const handovers = new Map<number, readonly Handover[]>();
    const receivers = new Map<number, readonly number[]>();
    for (const { partition, from, to, phase } of ring.moves) {
      const [owner, other] = phase === 'copy' ? [from, to] : [to, from];
      if (other !== NOBODY) handovers.set(partition, [...(handovers.get(partition) ?? NONE), { owner, other }]);
      if (phase === 'copy') receivers.set(partition, [...(receivers.get(partition) ?? NONE), to]);
    }
    this.#handovers = handovers;
    this.#receivers = receivers;
    this.#moving = new Set(ring.moves.map(({ partition }) => partition));
  }

  of(partition: number): Preference {
    const known = this.#made[partition];
    if (known !== undefined) return known;
    const { replicaCount: ownerCount, ringVersion } = this;
    const handovers = this.#handovers.get(partition) ?? NONE;
    const made = { nodes: this.#table.preferenceList(partition), ownerCount, ringVersion, handovers };
    this.#made[partition] = made;
    return made;
  }

  /** In the order of the preference list. Makes an array: for rare questions. */
  ownersOf(partition: number): readonly number[] {
    const { nodes, ownerCount } = this.of(partition);
    return Array.from({ length: ownerCount }, (_, place) => nodes[place] as number);
  }

  isOwner(partition: number, node: number): boolean {
    return isOwner(this.of(partition), node);
  }

  /** Whether the node keeps a copy for itself: as an owner, or as one that takes over or gives up the partition. */
  isHolder(partition: number, node: number): boolean {
    const preference = this.of(partition);
    return isOwner(preference, node) || preference.handovers.some(({ other }) => other === node);
  }

  /** Whether the node is to be an owner when it has caught up. */
  isReceiver(partition: number, node: number): boolean {
    return this.#receivers.get(partition)?.includes(node) === true;
  }

  /** A replica of it is on its way. */
  isMoving(partition: number): boolean {
    return this.#moving.has(partition);
  }
}
