/*
 * Which ring was in force where and when, and what is true of every ring at any moment: one version names one ring, and
 * whatever a node takes over keeps the invariants of a ring.
 */
import { encodeRing, type RingDocument, ringFault } from '../../src/ring/document.js';
import type { SimNode } from './sim-node.js';

/** A ring came into force on a node. */
interface Installed {
  readonly node: SimNode;
  readonly version: number;
  readonly atMs: number;
}

export class RingHistory {
  /** Every version that any node has lived by. */
  readonly #rings: Map<number, RingDocument> = new Map();
  readonly #installed: Installed[] = [];
  /** Ids under which nobody votes any more. */
  readonly #forgotten: Set<string> = new Set();

  constructor(first: RingDocument) {
    this.#rings.set(first.version, first);
  }

  /** The node lives by this ring from now on. Answers what is wrong with that; empty: nothing. */
  note(node: SimNode, ring: RingDocument, atMs: number): string {
    this.#installed.push({ node, version: ring.version, atMs });
    const known = this.#rings.get(ring.version);
    if (known === undefined) this.#rings.set(ring.version, ring);
    else if (!Buffer.from(encodeRing(known)).equals(encodeRing(ring)))
      return `has another ring ${ring.version} than others have`;
    const fault = ringFault(ring);
    return fault === null ? '' : `has taken over ring ${ring.version}: ${fault}`;
  }

  /** The oldest that names this node. */
  firstWith(ordinal: number): RingDocument {
    const versions = [...this.#rings.keys()].sort((a, b) => a - b);
    for (const version of versions) {
      const ring = this.#rings.get(version);
      if (ring?.members.some((member) => member.ordinal === ordinal) === true) return ring;
    }
    throw new Error(`node ${ordinal - 1} is in no ring`);
  }

  /** Ordinals of all owners of a partition in the rings that were in force anywhere between the two times. */
  ownersBetween(partition: number, fromMs: number, untilMs: number): ReadonlySet<number> {
    const since = new Map<SimNode, number>();
    const versions = new Set<number>();
    for (const { node, version, atMs } of this.#installed) {
      if (atMs <= fromMs) since.set(node, version);
      else if (atMs <= untilMs) versions.add(version);
    }
    for (const version of since.values()) versions.add(version);
    const owners = new Set<number>();
    for (const version of versions) {
      const ring = this.#rings.get(version);
      if (ring === undefined) continue;
      const n = ring.replicaCount;
      for (const owner of ring.owners.slice(partition * n, partition * n + n)) owners.add(owner);
    }
    return owners;
  }

  /**
   * Whether the ring can still change when this node forgets what it has voted for: a majority of the voters must remember,
   * and before they have names all of them.
   */
  mayForget({ voters }: RingDocument, node: SimNode): boolean {
    if (!voters.some(({ ordinal }) => ordinal === node.ordinal)) return true;
    if (voters.some(({ acceptorId }) => acceptorId === '')) return false;
    const sound = voters.filter(({ acceptorId }) => !this.#forgotten.has(acceptorId));
    const isSound = sound.some(({ ordinal }) => ordinal === node.ordinal);
    return !isSound || sound.length - 1 >= Math.floor(voters.length / 2) + 1;
  }

  forgets({ acceptorId }: SimNode): void {
    this.#forgotten.add(acceptorId);
  }
}
