/* Which ring was in force where and when; what is true of rings at any moment is judged from it (checkers/rings.ts). */
import type { RingDocument } from '../../src/ring/document.js';
import type { RingInForce } from './evidence.js';
import type { SimNode } from './sim-node.js';

/** A ring that names a voter by what it was called before is decided on by then, or never. */
const NAMED_ANEW_MS = 8_000;

export class RingHistory {
  readonly inForce: RingInForce[] = [];
  /** Every version that any node has lived by, as the first of them had it. */
  readonly rings: Map<number, RingDocument> = new Map();
  readonly #ringOf: Map<number, RingDocument> = new Map();
  readonly #owners: Map<number, readonly number[]> = new Map();
  /** Ids under which nobody votes any more. */
  readonly #forgotten: Set<string> = new Set();
  #forgotMs = Number.NEGATIVE_INFINITY;
  /** The version that each node's disk has. */
  readonly #kept: Map<number, number> = new Map();
  readonly #first: number;

  constructor(first: RingDocument) {
    this.#first = first.version;
    this.rings.set(first.version, first);
  }

  /** The node lives by this ring from now on. */
  note({ node, life }: SimNode, ring: RingDocument, atMs: number): void {
    this.inForce.push({ node, life, atMs, ring });
    this.#ringOf.set(node, ring);
    this.#kept.set(node, ring.version);
    if (this.rings.has(ring.version)) return;
    this.rings.set(ring.version, ring);
    this.#owners.clear();
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

  /** All that ever owned the partition. Asked for each pair of a write and a read, so it is looked up once a ring. */
  ownersEver(partition: number): readonly number[] {
    const known = this.#owners.get(partition);
    if (known !== undefined) return known;
    const ordinals = [...this.rings.values()].flatMap(({ owners, replicaCount: n }) =>
      owners.slice(partition * n, partition * n + n),
    );
    const nodes = [...new Set(ordinals)].map((ordinal) => ordinal - 1);
    this.#owners.set(partition, nodes);
    return nodes;
  }

  /**
   * Whether the ring can still change when this node forgets what it has voted for: a majority of the voters must remember,
   * and before they have names all of them.
   */
  mayForget({ voters }: RingDocument, node: SimNode, nowMs: number): boolean {
    const isVoter = voters.some(({ ordinal }) => ordinal === node.ordinal);
    if (voters.some(({ acceptorId }) => acceptorId === '')) return !isVoter;
    // One at a time, voter or not: the next ring may name whoever forgets just now by what it was called before. One that
    // was proposed by then may also make a voter of it that is none yet.
    if (nowMs < this.#forgotMs + NAMED_ANEW_MS) return false;
    if (voters.some(({ acceptorId }) => this.#forgotten.has(acceptorId))) return false;
    return !isVoter || voters.length - 1 >= Math.floor(voters.length / 2) + 1;
  }

  /**
   * Whether this ring is known when the node forgets it, which is all that a cluster asks whose ring need not change: one
   * that no disk has any more would be decided a second time, and otherwise. The first is given to every node anew.
   */
  isKeptWithout({ version }: RingDocument, { node }: SimNode): boolean {
    return version === this.#first || [...this.#kept].some(([other, kept]) => other !== node && kept === version);
  }

  forgets({ node, acceptorId }: SimNode, nowMs: number): void {
    this.#forgotten.add(acceptorId);
    this.#forgotMs = nowMs;
    this.#kept.delete(node);
  }
}
