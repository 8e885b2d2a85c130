/*
 * What the world has destroyed, and when: the only excuse for an acknowledged write that is gone. Everything that was
 * acknowledged after it is owed again.
 *
 *   destroyed   the medium no longer holds what it held: a lost disk, one that was rolled back, a flipped bit
 *   power       what was only in the kernel's memory is gone: excuses writes whose answer said `buffered`
 */
import type { Flip } from './evidence.js';

export interface Destruction {
  readonly node: number;
  readonly atMs: number;
  readonly kind: 'destroyed' | 'power';
  /** null: everything on that node. */
  readonly key: string | null;
}

export class Doubts {
  readonly #all: Destruction[] = [];

  /** Single bits, each with what was destroyed before and after it. */
  readonly flips: Flip[] = [];

  add(destruction: Destruction): void {
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
}
