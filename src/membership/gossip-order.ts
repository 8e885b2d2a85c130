/*
 * Which of two words about one node is the newer one. A node alone makes words about itself, and counts them: by the
 * opening of its store, which outlives restarts, and by its beat within that. So the newer word is right, by whatever way
 * it came, and `newest` has the laws that let gossip arrive in any order, twice, or not at all: it is commutative,
 * associative and idempotent. Two words with the same count are the same, unless two processes pass for one node (rival.ts);
 * then too all have to choose the same.
 */
import type { GossipBeat, GossipEntry } from '../model/gossip-messages.js';

export type Count = Pick<GossipBeat, 'opening' | 'beat'>;

/** Above 0: `a` is newer. */
export function compareCounts(a: Count, b: Count): number {
  return a.opening - b.opening || a.beat - b.beat;
}

/** Both of one ordinal. */
export function newest(a: GossipEntry, b: GossipEntry): GossipEntry {
  const order =
    compareCounts(a, b) ||
    a.ringVersion - b.ringVersion ||
    compareTexts(a.ringHash, b.ringHash) ||
    compareTexts(a.nodeId, b.nodeId) ||
    compareTexts(a.peerAddress, b.peerAddress);
  return order >= 0 ? a : b;
}

/** Nothing but the beat tells them apart. */
export function isSameState(a: GossipBeat, b: GossipBeat): boolean {
  return a.opening === b.opening && a.ringVersion === b.ringVersion;
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
