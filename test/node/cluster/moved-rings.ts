/* The rings that follow one another while a member leaves, or after one was lost. */
import { type Advances, advanceRing, changeRing, type RingPlan } from '../../../src/ring/change.js';
import { encodeRing, decodeRing, type RingDocument } from '../../../src/ring/document.js';

const NOTES = { change: 'a test', changedAtMs: 1 };
const NOTHING: Advances = { copied: [], settled: [], left: [] };

function ringOf(plan: RingPlan | null): RingDocument {
  if (plan === null || 'fault' in plan) throw new Error(plan?.fault ?? 'nothing has changed');
  const again = decodeRing(encodeRing(plan));
  if ('fault' in again) throw new Error(again.fault);
  return plan;
}

/** All that the member owns is to be copied to others. */
export function leaving(ring: RingDocument, ordinal: number, isLeaving: boolean = true): RingDocument {
  const members = ring.members.map((one) => (one.ordinal === ordinal ? { ...one, leaving: isLeaving } : one));
  return ringOf(changeRing(ring, members, 1, NOTES));
}

/** Others own at once what the member did. */
export function removed(ring: RingDocument, ordinal: number): RingDocument {
  const members = ring.members.filter((one) => one.ordinal !== ordinal);
  return ringOf(changeRing(ring, members, 1, NOTES));
}

/** Everything has been copied. */
export function copied(ring: RingDocument): RingDocument {
  return ringOf(advanceRing(ring, { ...NOTHING, copied: ring.moves }, NOTES));
}

/** Everything has settled. */
export function settled(ring: RingDocument): RingDocument {
  return ringOf(advanceRing(ring, { ...NOTHING, settled: ring.moves }, NOTES));
}

/** Without any change. */
export function nextVersion(ring: RingDocument): RingDocument {
  return { ...ring, version: ring.version + 1, change: NOTES.change, changedAtMs: NOTES.changedAtMs };
}

export function rowOf({ owners, replicaCount: n }: RingDocument, partition: number): readonly number[] {
  return owners.slice(partition * n, partition * n + n);
}
