/*
 * Replicas of partitions on their way from one node to another. A ring names the moves under way; each goes through two
 * states, and every step is a ring version of its own that the voters have agreed on:
 *
 *   copy     The old node is an owner still. The new one gets every write too, and catches up; what it says counts for
 *            nothing yet. It has caught up when it has compared everything with all owners.
 *   settle   The new node is an owner. The old one gets every write too, for whoever does not know this ring yet, and
 *            keeps what it has.
 *   (gone)   The old node sends home what it holds beyond the owners, and then drops its copy.
 *
 * So at every moment a partition has exactly N owners, and no node drops a copy before all nodes know that it is none
 * of the owners. A node that was lost gives nothing: then the new node is an owner from the start, which answers
 * "unknown" until it has caught up, and the move stays listed in the state `settle` so that its end can be seen.
 *
 * Moves are independent of each other: another change while they are under way looks only at who owns what now. What a
 * move that is given up has copied is sent home and dropped like every copy of a node that is no owner.
 */
import { assert } from '../lib/assert.js';
import type { RingTable } from './shares.js';

export type MovePhase = 'copy' | 'settle';

export interface RingMove {
  readonly partition: number;
  /** Ordinal of the node that gives it up; NOBODY if that was lost. */
  readonly from: number;
  readonly to: number;
  readonly phase: MovePhase;
  /** The ring version that began it: with partition and receiver a name that no other move ever has. */
  readonly since: number;
}

/** In the place of a giver. */
export const NOBODY = 0;

/** One replica of a partition that changes hands. */
export type ReplicaMove = Pick<RingMove, 'partition' | 'from' | 'to'>;

type Owners = Pick<RingTable, 'partitionCount' | 'replicaCount' | 'owners'>;
type Moving = Owners & { readonly moves: readonly RingMove[] };

/**
 * What has to be copied between two rings of one Q and N, by partition. A changed order within a row is no move. The
 * leaving and the coming owners of one partition are paired in the order of their places.
 */
export function moves(before: Owners, after: Owners): readonly ReplicaMove[] {
  const { partitionCount, replicaCount: n } = before;
  assert(partitionCount === after.partitionCount, 'Q is fixed for the life of a cluster');
  assert(n === after.replicaCount, 'moves are between rings of one N');
  const found: ReplicaMove[] = [];
  for (let partition = 0; partition < partitionCount; partition++) {
    const old = before.owners.slice(partition * n, partition * n + n);
    const next = after.owners.slice(partition * n, partition * n + n);
    const leaving = old.filter((ordinal) => !next.includes(ordinal));
    const coming = next.filter((ordinal) => !old.includes(ordinal));
    coming.forEach((to, index) => {
      found.push({ partition, from: leaving[index] ?? NOBODY, to });
    });
  }
  return found;
}

/** The owners that the moves lead to. */
export function targetOwners({ replicaCount: n, owners, moves: underWay }: Moving): readonly number[] {
  const target = [...owners];
  for (const { partition, from, to, phase } of underWay) {
    if (phase === 'copy') replaceIn(target, partition, n, from, to);
  }
  return target;
}

/** Puts one owner in the place of another. */
export function replaceIn(owners: number[], partition: number, n: number, from: number, to: number): void {
  const at = owners.indexOf(from, partition * n);
  assert(at >= 0 && at < (partition + 1) * n, 'a replica is taken over from an owner');
  owners[at] = to;
}

/** What is wrong with the moves of a ring, or null. */
export function movesFault(
  ring: Moving & {
    readonly version: number;
    readonly members: readonly { readonly ordinal: number; readonly leaving: boolean }[];
  },
): string | null {
  const staying = new Map(ring.members.map(({ ordinal, leaving }) => [ordinal, !leaving]));
  const named = new Set<string>();
  for (const { partition, from, to, phase, since } of ring.moves) {
    const what = `the move of partition ${partition} from node ${from} to node ${to}`;
    if (!Number.isInteger(partition) || partition < 0 || partition >= ring.partitionCount)
      return `${what}: there is no such partition`;
    if (!Number.isInteger(since) || since < 2 || since > ring.version)
      return `${what}: it began with ring version ${since}, and this one is ${ring.version}`;
    const row = ring.owners.slice(partition * ring.replicaCount, (partition + 1) * ring.replicaCount);
    if (staying.get(to) !== true) return `${what}: the receiver is no member that stays`;
    if (from !== NOBODY && !staying.has(from)) return `${what}: the giver is no member`;
    const isGiver = row.includes(from);
    const isReceiver = row.includes(to);
    if (phase === 'copy' && (!isGiver || isReceiver))
      return `${what}: it is to be copied, and the giver is not the owner`;
    if (phase === 'settle' && (isGiver || !isReceiver))
      return `${what}: it has settled, and the receiver is not the owner`;
    for (const name of [`${partition}/${to}`, `${partition}/${from === NOBODY ? `-${to}` : from}`]) {
      if (named.has(name)) return `${what}: one of them is in another move of it`;
      named.add(name);
    }
  }
  return null;
}
