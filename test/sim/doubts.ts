/*
 * What the world has destroyed, and when: the only excuse for an acknowledged write that is gone. Everything that was
 * acknowledged after it is owed again.
 *
 *   destroyed   the medium no longer holds what it held: a lost disk, one that was rolled back, a flipped bit
 *   power       what was only in the kernel's memory is gone: excuses writes whose answer said `buffered`
 *
 * Where each key has one copy, what was acknowledged before its node was destroyed is excused.
 *
 * Where keys have several, an acknowledged write is excused only if both of these hold:
 *
 *   (1) since it was first sent, something was destroyed on at least W distinct nodes, W being what it asked for;
 *   (2) no owner's disk holds it any more: wherever it, or a record that had replaced it, was durable by the word of the
 *       store, the disk was destroyed since; and it is not so that only a stand-in ever had it, whose disk is sound.
 *
 * (1) is the promise: W disks must burn. It counts all members of the ring and not only owners, since a stand-in's copy
 * counts towards W; and the destructions of the whole rest of the run, since nothing but reads brings a copy back to a
 * disk that was replaced. (2) asks for more than is promised: a write whose W disks burnt is owed all the same as long as
 * one further copy is left, since a read of all owners must find it. (What a stand-in still has after an owner had it from
 * there is asked for by nobody: hints go home once.) What (2) sees comes from watching the stores, not
 * from what servers say.
 */
import type { Flip } from './evidence.js';

export interface Destruction {
  readonly node: number;
  readonly atMs: number;
  readonly kind: 'destroyed' | 'power';
  /** null: everything on that node. */
  readonly key: string | null;
  /** Whoever comes back on this medium knows that it has lost something, and counts when it has it again. */
  readonly isNoticed?: boolean;
}

export class Doubts {
  readonly #all: Destruction[] = [];
  readonly #observed: (destruction: Destruction) => void;

  /** Single bits, each with what was destroyed before and after it. */
  readonly flips: Flip[] = [];

  constructor(observed: (destruction: Destruction) => void = () => undefined) {
    this.#observed = observed;
  }

  add(destruction: Destruction): void {
    this.#observed(destruction);
    const { node, key, atMs } = destruction;
    for (const flip of this.flips) {
      if (flip.node === node && (key === null || flip.key === key)) flip.untilMs = Math.min(flip.untilMs, atMs);
    }
    const untilMs = Number.POSITIVE_INFINITY;
    if (key !== null) this.flips.push({ node, key, atMs, sinceMs: this.since(node, key, true), untilMs });
    this.#all.push(destruction);
  }

  /** Nothing on its medium was ever destroyed. */
  isIntact(node: number): boolean {
    return !this.#all.some((one) => one.node === node && one.kind === 'destroyed');
  }

  /** When what the node held under the key was last destroyed; -Infinity: never. */
  since(node: number, key: string, isDurable: boolean): number {
    let since = Number.NEGATIVE_INFINITY;
    for (const { node: where, key: what, kind, atMs } of this.#all) {
      if (where !== node || (what !== null && what !== key) || (kind === 'power' && isDurable)) continue;
      since = Math.max(since, atMs);
    }
    return since;
  }

  /** Distinct nodes on which something of the key was destroyed from `fromMs` until `untilMs`. */
  nodesSince(
    key: string,
    isDurable: boolean,
    fromMs: number,
    untilMs: number,
    counts: 'all' | 'unnoticed' = 'all',
  ): ReadonlySet<number> {
    const nodes = new Set<number>();
    for (const { node, key: what, kind, atMs, isNoticed } of this.#all) {
      if (counts === 'unnoticed' && isNoticed === true) continue;
      if ((what !== null && what !== key) || (kind === 'power' && isDurable)) continue;
      if (atMs >= fromMs && atMs <= untilMs) nodes.add(node);
    }
    return nodes;
  }
}
