/* Which ring was in force where and when; what is true of rings at any moment is judged from it (checkers/rings.ts). */
import type { RingDocument } from '../../src/ring/document.js';
import type { RingInForce } from './evidence.js';
import type { SimNode } from './sim-node.js';

export class RingHistory {
  readonly inForce: RingInForce[] = [];
  /** Every version that any node has lived by, as the first of them had it. */
  readonly rings: Map<number, RingDocument> = new Map();
  readonly #ringOf: Map<number, RingDocument> = new Map();
  /** Ids under which nobody votes any more. */
  readonly #forgotten: Set<string> = new Set();

  constructor(first: RingDocument) {
    this.rings.set(first.version, first);
  }

  /** The node lives by this ring from now on. */
  note({ node, life }: SimNode, ring: RingDocument, atMs: number): void {
    this.inForce.push({ node, life, atMs, ring });
    this.#ringOf.set(node, ring);
    if (!this.rings.has(ring.version)) this.rings.set(ring.version, ring);
  }

  /** By which the node lives, or lived when it was up last; null: it never was. */
  ringOf(node: number): RingDocument | null {
    return this.#ringOf.get(node) ?? null;
  }

  /** The oldest that names this node. */
  firstWith(ordinal: number): RingDocument {
    const versions = [...this.rings.keys()].sort((a, b) => a - b);
    for (const version of versions) {
      const ring = this.rings.get(version);
      if (ring?.members.some((member) => member.ordinal === ordinal) === true) return ring;
    }
    throw new Error(`node ${ordinal - 1} is in no ring`);
  }

  /** That were in force on any node at some time between the two. */
  #between(fromMs: number, untilMs: number): readonly RingDocument[] {
    const since = new Map<number, RingDocument>();
    const rings = new Set<RingDocument>();
    for (const { node, ring, atMs } of this.inForce) {
      if (atMs <= fromMs) since.set(node, ring);
      else if (atMs <= untilMs) rings.add(ring);
    }
    return [...since.values(), ...rings];
  }

  /** Ordinals of all owners of a partition in the rings that were in force anywhere between the two times. */
  ownersBetween(partition: number, fromMs: number, untilMs: number): ReadonlySet<number> {
    const rows = this.#between(fromMs, untilMs).flatMap(({ owners, replicaCount: n }) =>
      owners.slice(partition * n, partition * n + n),
    );
    return new Set(rows);
  }

  /**
   * Whether the ring can still change when this node forgets what it has voted for: a majority of the voters must remember,
   * and before they have names all of them.
   */
  mayForget({ voters }: RingDocument, node: SimNode): boolean {
    const isVoter = voters.some(({ ordinal }) => ordinal === node.ordinal);
    if (voters.some(({ acceptorId }) => acceptorId === '')) return !isVoter;
    // One at a time, voter or not: the next ring may name whoever forgets just now by what it was called before.
    if (voters.some(({ acceptorId }) => this.#forgotten.has(acceptorId))) return false;
    return !isVoter || voters.length - 1 >= Math.floor(voters.length / 2) + 1;
  }

  forgets({ acceptorId }: SimNode): void {
    this.#forgotten.add(acceptorId);
  }
}
