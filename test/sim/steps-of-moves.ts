/*
 * What a node thinks of a partition that it takes over, at each step of the move, as the ring of the step comes into force
 * there: by its own store. Only what one process sees is written down, from one of its rings to the next, and only where
 * nothing was destroyed: who starts with a ring, or on another disk, may have any reason to believe or not to.
 */
import type { RingDocument } from '../../src/ring/document.js';
import { NOBODY } from '../../src/ring/moves.js';
import type { StepOfMove } from './evidence.js';

/** Of sim-node.ts, as far as it is asked for. */
export interface TakingNode {
  readonly node: number;
  readonly ordinal: number;
  readonly incarnation: number;
  /** Null: it is being opened. */
  readonly engine: { status(): { readonly suspectPartitions: readonly number[] } } | null;
}

interface Before {
  readonly incarnation: number;
  readonly ring: RingDocument;
}

export class StepsOfMoves {
  readonly all: StepOfMove[] = [];
  readonly #before: Map<number, Before> = new Map();

  onRing({ node, ordinal, incarnation, engine }: TakingNode, ring: RingDocument, isIntact: boolean): void {
    const before = this.#before.get(node);
    this.#before.set(node, { incarnation, ring });
    if (before?.incarnation !== incarnation || engine === null || !isIntact) return;
    const suspects = new Set(engine.status().suspectPartitions);
    for (const { partition, from, to, phase, since } of ring.moves) {
      if (to !== ordinal || from === NOBODY) continue;
      const known = before.ring.moves.find((move) => move.partition === partition && move.to === to);
      // Of a move that follows upon another it may believe what the first has brought.
      const isStep = phase === 'copy' ? known === undefined : known?.phase === 'copy' && known.since === since;
      const isSuspect = suspects.has(partition);
      if (isStep) this.all.push({ node, partition, version: ring.version, phase, isSuspect });
    }
  }
}
