/*
 * New rings from lists of members that an administrator wrote: so what is wrong with a list is an answer, with the reason,
 * and never an assertion. What comes back is a plan: nothing is decided until the members have agreed on it.
 */
import { type RingDocument, type RingMember, headFault } from './document.js';
import { changeOwners, layoutRing } from './placement.js';

export type RingPlan = RingDocument | { readonly fault: string };

/** Ring version 1 of a new cluster; the seed draws the rows. */
export function newRing(first: Omit<RingDocument, 'version' | 'owners'>, seed: number): RingPlan {
  const head = { ...first, version: 1 };
  const fault = headFault(head);
  if (fault !== null) return { fault };
  return { ...head, owners: layoutRing(head.members, head.partitionCount, head.replicaCount, seed) };
}

/**
 * The next version of a ring, for members that joined or left or changed capacity, zone or address: balanced, with the
 * fewest replicas moved. `ring` is a ring in force, that is, `ringFault` found nothing wrong with it.
 */
export function changeRing(ring: RingDocument, members: readonly RingMember[], seed: number): RingPlan {
  const head = { ...ring, version: ring.version + 1, members };
  const fault = headFault(head) ?? identityFault(ring.members, members);
  return fault === null ? { ...head, owners: changeOwners(ring, members, seed) } : { fault };
}

/** An ordinal stands for one node for ever: actors begin with it. */
function identityFault(before: readonly RingMember[], after: readonly RingMember[]): string | null {
  const nodeIds = new Map(before.map(({ ordinal, nodeId }) => [ordinal, nodeId]));
  const ordinals = new Map(before.map(({ ordinal, nodeId }) => [nodeId, ordinal]));
  for (const { nodeId, ordinal } of after) {
    const holder = nodeIds.get(ordinal);
    if (holder !== undefined && holder !== nodeId) {
      return `ordinal ${ordinal} is given to node ${nodeId}, but is node ${holder}'s: choose one that was never used`;
    }
    const known = ordinals.get(nodeId);
    if (known !== undefined && known !== ordinal) {
      return `node ${nodeId} has ordinal ${known} and cannot become ${ordinal}`;
    }
  }
  return null;
}
