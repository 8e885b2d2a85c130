/*
 * The way out of a ring that cannot change any more, because more than half of its voters have lost what they had promised
 * and accepted: a ring with the same members and the same table that names its voters anew. Nobody agrees on it; an
 * administrator says so by force, and it is refused as long as a majority may exist.
 *
 *   standing    answers by the name that the ring has for it
 *   forgotten   answers by another name: it has lost its memory, and never has that name again
 *   lost        does not answer, and the administrator says that it never will
 *   away        does not answer. It may come back, with its memory, and so it is counted as if it could agree
 *
 * What can go wrong: the version after this one may have been decided on before the memories were lost, and be known only
 * to nodes that are away. Therefore the version makes a leap, so that whoever has that one takes this one for newer, as
 * after versions that it has missed; what it did by the other ring is undone as by any change. The leap is drawn, so that two
 * administrators who force at once, each without the other, have made two versions of which one wins, and not one twice.
 */
import type { RingVoter } from '../model/ring-log-messages.js';
import type { RingPlan } from '../ring/change.js';
import type { RingDocument } from '../ring/document.js';
import { chooseVoters } from '../ring/voters.js';
import { ringQuorum } from './ring-proposer.js';

/** More versions than a majority makes while nobody looks; the leap is up to twice as far. */
const LEAP = 100_000;

export interface Rescue {
  /** Said to be lost for good. */
  readonly lost: readonly number[];
  /** Names by which members have said lately that they vote. */
  readonly acceptorIds: ReadonlyMap<number, string>;
  readonly isReachable: (ordinal: number) => boolean;
  /** 32 random bits. */
  readonly draw: number;
  readonly changedAtMs: number;
}

export function renamedVoters(ring: RingDocument, rescue: Rescue): RingPlan {
  const { lost, acceptorIds, draw, changedAtMs } = rescue;
  const fault = lossFault(ring, rescue) ?? majorityFault(ring, rescue);
  if (fault !== null) return { fault };
  const members = ring.members.filter(({ ordinal }) => acceptorIds.has(ordinal) && !lost.includes(ordinal));
  const voters = chooseVoters(members, [], acceptorIds);
  if (voters.length === 0)
    return { fault: 'no member has said in the last seconds by which name it votes. Try again in a moment' };
  const version = ring.version + LEAP + (draw % LEAP);
  return { ...ring, version, voters, change: 'voters were named by force', changedAtMs };
}

function lossFault({ members }: RingDocument, { lost, isReachable }: Rescue): string | null {
  for (const ordinal of lost) {
    if (!members.some((member) => member.ordinal === ordinal)) return `node ${ordinal} is no member`;
    if (isReachable(ordinal)) return `node ${ordinal} answers, so it is not lost`;
  }
  return null;
}

function majorityFault({ voters }: RingDocument, { lost, acceptorIds, isReachable }: Rescue): string | null {
  const quorum = ringQuorum(voters);
  const isLost = ({ ordinal, acceptorId }: RingVoter): boolean => {
    if (lost.includes(ordinal)) return true;
    const heard = acceptorIds.get(ordinal);
    return acceptorId !== '' && heard !== undefined && heard !== acceptorId;
  };
  const left = voters.filter((voter) => !isLost(voter));
  if (left.length < quorum) return null;
  const away = left.filter(({ ordinal }) => !isReachable(ordinal)).map(({ ordinal }) => ordinal);
  const text = `${left.length} of its ${voters.length} voters may agree on a change, and ${quorum} are enough, so no force is needed`;
  if (away.length === 0) return `${text}: plan and commit as usual`;
  return `${text}: bring back those that cannot be reached (${away.join(', ')}). Only if they are lost for good, name them: --lost ${away.join(',')}`;
}
