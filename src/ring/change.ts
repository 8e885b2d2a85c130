/*
 * New rings from old ones, for what an administrator asks and for what has become of the moves: so what is wrong with a
 * list of members is an answer, with the reason, and never an assertion. What comes back is a plan: nothing is decided
 * until the voters have agreed on it.
 */
import {
  headFault,
  type NewRing,
  type RingDocument,
  type RingHead,
  type RingMember,
  stayingMembers,
  unchanged,
} from './document.js';
import { FIRST_LEVEL } from '../model/build.js';
import { NOBODY, moves, replaceIn, type ReplicaMove, type RingMove } from './moves.js';
import { changeOwners, layoutRing } from './placement.js';
import { chooseVoters } from './voters.js';

export type RingPlan = RingDocument | { readonly fault: string };

/** What people will read in the history of the cluster, and what is known of the voters' memories (voters.ts). */
export interface ChangeNotes {
  readonly change: string;
  readonly changedAtMs: number;
  readonly acceptorIds?: ReadonlyMap<number, string>;
}

/** Ring version 1 of a new cluster; the seed draws the rows. */
export function newRing(first: Omit<NewRing, 'version'>, seed: number): RingPlan {
  const head = { level: FIRST_LEVEL, ...first, version: 1 };
  const fault = headFault(head);
  if (fault !== null) return { fault };
  return unchanged({ ...head, owners: layoutRing(head.members, head.partitionCount, head.replicaCount, seed) });
}

/**
 * The next version of a ring, for members that joined, or leave, or were lost, or changed capacity, zone or address:
 * balanced where its moves lead to, with the fewest replicas moved. Who is to leave stays a member and is marked so; who
 * is no member any more gives nothing. `ring` is a ring in force, that is, `ringFault` found nothing wrong with it.
 */
export function changeRing(
  ring: RingDocument,
  members: readonly RingMember[],
  seed: number,
  notes: ChangeNotes,
): RingPlan {
  const head: RingHead = { ...ring, version: ring.version + 1, members };
  const fault = headFault(head) ?? identityFault(ring, members);
  if (fault !== null) return { fault };
  const { replicaCount: n } = ring;
  const since = head.version;
  const target = changeOwners(ring, stayingMembers(members), seed);
  const isMember = new Set(members.map(({ ordinal }) => ordinal));
  const owners = [...target];
  const underWay: RingMove[] = [];
  for (const { partition, from, to } of moves(ring, { ...ring, owners: target })) {
    if (isMember.has(from)) {
      replaceIn(owners, partition, n, to, from);
      const known = ring.moves.find(
        (move) => move.phase === 'copy' && nameOf(move) === nameOf({ partition, from, to }),
      );
      underWay.push(known ?? { partition, from, to, phase: 'copy', since });
    } else underWay.push({ partition, from: NOBODY, to, phase: 'settle', since });
  }
  const kept = ring.moves.filter((move) => stillSettles(move, ring, owners, target, isMember));
  const next: RingDocument = {
    ...head,
    owners,
    moves: [...kept, ...underWay].sort((a, b) => a.partition - b.partition),
    voters: chooseVoters(members, ring.voters, notes.acceptorIds),
    ordinalNext: members.reduce((highest, { ordinal }) => Math.max(highest, ordinal + 1), ring.ordinalNext),
    change: notes.change,
    changedAtMs: notes.changedAtMs,
  };
  return next;
}

/** The next version of a ring, at a higher feature level and otherwise the same. */
export function raiseLevel(ring: RingDocument, level: number, notes: ChangeNotes): RingPlan {
  if (level <= ring.level) return { fault: `the ring is at feature level ${ring.level} already` };
  const voters = chooseVoters(ring.members, ring.voters, notes.acceptorIds);
  const { change, changedAtMs } = notes;
  return { ...ring, version: ring.version + 1, level, voters, change, changedAtMs };
}

/** A move whose receiver is an owner already is not undone: it goes on where the change leaves it in place. */
function stillSettles(
  { partition, from, to, phase }: RingMove,
  { replicaCount: n }: RingDocument,
  owners: readonly number[],
  target: readonly number[],
  isMember: ReadonlySet<number>,
): boolean {
  if (phase !== 'settle' || (from !== NOBODY && !isMember.has(from))) return false;
  const rowOf = (all: readonly number[]): readonly number[] => all.slice(partition * n, partition * n + n);
  return (
    rowOf(owners).includes(to) &&
    rowOf(target).includes(to) &&
    !rowOf(owners).includes(from) &&
    !rowOf(target).includes(from)
  );
}

/** What has become of moves, and of members that leave. */
export interface Advances {
  /** Moves in the state `copy` whose receivers have caught up. */
  readonly copied: readonly ReplicaMove[];
  /** Moves in the state `settle` that need nothing any more. */
  readonly settled: readonly ReplicaMove[];
  /** Ordinals of leaving members that hold nothing any more. */
  readonly left: readonly number[];
}

/** The next version of a ring, in which its moves are as far as they have come; null: nothing of it is true of `ring`. */
export function advanceRing(ring: RingDocument, advances: Advances, notes: ChangeNotes): RingDocument | null {
  const copied = new Set(advances.copied.map(nameOf));
  const settled = new Set(advances.settled.map(nameOf));
  const owners = [...ring.owners];
  let isChanged = false;
  const left: RingMove[] = [];
  for (const move of ring.moves) {
    const name = nameOf(move);
    if (move.phase === 'copy' && copied.has(name)) {
      replaceIn(owners, move.partition, ring.replicaCount, move.from, move.to);
      left.push({ ...move, phase: 'settle' });
      isChanged = true;
    } else if (move.phase === 'settle' && settled.has(name)) isChanged = true;
    else left.push(move);
  }
  const members = ring.members.filter(({ ordinal, leaving }) => {
    const isGone = leaving && advances.left.includes(ordinal) && !isNeeded(ordinal, owners, left);
    if (isGone) isChanged = true;
    return !isGone;
  });
  const voters = chooseVoters(members, ring.voters, notes.acceptorIds);
  if (JSON.stringify(voters) !== JSON.stringify(ring.voters)) isChanged = true;
  if (!isChanged) return null;
  const { change, changedAtMs } = notes;
  return { ...ring, version: ring.version + 1, members, owners, moves: left, voters, change, changedAtMs };
}

/** Whether a member owns something, or gives or takes something over. */
export function isNeeded(ordinal: number, owners: readonly number[], underWay: readonly RingMove[]): boolean {
  return owners.includes(ordinal) || underWay.some(({ from, to }) => from === ordinal || to === ordinal);
}

function nameOf({ partition, from, to }: ReplicaMove): string {
  return `${partition}/${from}/${to}`;
}

/** An ordinal stands for one node for ever: actors begin with it. */
function identityFault(before: RingDocument, after: readonly RingMember[]): string | null {
  const nodeIds = new Map(before.members.map(({ ordinal, nodeId }) => [ordinal, nodeId]));
  const ordinals = new Map(before.members.map(({ ordinal, nodeId }) => [nodeId, ordinal]));
  for (const { nodeId, ordinal } of after) {
    const holder = nodeIds.get(ordinal);
    if (holder !== undefined && holder !== nodeId) {
      return `ordinal ${ordinal} is given to node ${nodeId}, but is node ${holder}'s: choose one that was never used`;
    }
    const known = ordinals.get(nodeId);
    if (known !== undefined && known !== ordinal) {
      return `node ${nodeId} has ordinal ${known} and cannot become ${ordinal}`;
    }
    if (holder === undefined && ordinal < before.ordinalNext) {
      return `ordinal ${ordinal} was another node's once: the next that is free is ${before.ordinalNext}`;
    }
  }
  return null;
}
