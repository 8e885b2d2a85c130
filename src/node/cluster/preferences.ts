/*
 * Who owns a partition and who stands in, as coordinator/ wants it: one object a partition, made when it is first asked
 * for and kept for as long as the ring stays.
 */
import { isOwner, type Preference } from '../../coordinator/preference.js';
import type { RingDocument } from '../../ring/document.js';
import { PreferenceTable } from '../../ring/preference-table.js';

export class Preferences {
  readonly ringVersion: number;
  /** N. */
  readonly replicaCount: number;
  readonly #table: PreferenceTable;
  readonly #made: (Preference | undefined)[];

  constructor(ring: RingDocument) {
    this.ringVersion = ring.version;
    this.replicaCount = ring.replicaCount;
    this.#table = new PreferenceTable(ring);
    this.#made = new Array<undefined>(ring.partitionCount).fill(undefined);
  }

  of(partition: number): Preference {
    const known = this.#made[partition];
    if (known !== undefined) return known;
    const { replicaCount: ownerCount, ringVersion } = this;
    const made = { nodes: this.#table.preferenceList(partition), ownerCount, ringVersion };
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

  /** 0, which means nobody, passes for one. */
  isMember(partition: number, node: number): boolean {
    const { nodes } = this.of(partition);
    for (let i = 0; i < nodes.length; i++) if (nodes[i] === node) return true;
    return node === 0;
  }
}
