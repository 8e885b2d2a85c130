/* Node 5 leaves a ring of five, and what it owns goes to the others; nothing of it is in force yet. */
import type { RingDocument } from '../../../src/ring/document.js';
import type { RingMove } from '../../../src/ring/moves.js';
import { ClusterBench } from './bench.js';
import { copied, leaving, rowOf, settled } from './moved-rings.js';

export const GIVER = 5;

export interface LeavingScene {
  readonly bench: ClusterBench;
  readonly move: RingMove;
  /** Of the partition that moves. */
  readonly key: string;
  readonly copying: RingDocument;
  readonly settling: RingDocument;
  readonly over: RingDocument;
  /** Owners before and after the move. */
  readonly stays: readonly [number, number];
}

export function leavingScene(): LeavingScene {
  const bench = new ClusterBench(5);
  const copying = leaving(bench.ring, GIVER);
  const settling = copied(copying);
  const move = copying.moves[0] as RingMove;
  const [first, second] = rowOf(copying, move.partition).filter((owner) => owner !== GIVER) as [number, number];
  const key = bench.keyIn(move.partition);
  return { bench, move, key, copying, settling, over: settled(settling), stays: [first, second] };
}
