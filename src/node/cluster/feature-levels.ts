/*
 * Whether the feature level of the cluster can be raised (model/build.ts): to what all members understand. All of them: one
 * that cannot be reached may be of an older release, and one that is leaving still has to be talked to until it has handed
 * over what it holds.
 */
import { type Build, buildText } from '../../model/build.js';
import type { FinalizeFacts } from '../../model/cluster-facts.js';
import type { RingDocument } from '../../ring/document.js';
import type { PeerStatus } from '../peers/links.js';

export interface SeenBuilds {
  readonly self: number;
  readonly build: Build;
  readonly ring: RingDocument;
  readonly peers: readonly PeerStatus[];
}

/** As far as it is known; null: it was not reached since this node was started. */
export function buildOf({ self, build, peers }: SeenBuilds, ordinal: number): Build | null {
  return ordinal === self ? build : (peers.find((peer) => peer.ordinal === ordinal)?.build ?? null);
}

/** Null: no member that was reached understands more than the cluster is at. */
export function finalizeFacts(seen: SeenBuilds): FinalizeFacts | null {
  const { ring, self, peers } = seen;
  const highest = Math.max(...ring.members.map(({ ordinal }) => buildOf(seen, ordinal)?.levelMax ?? 0));
  if (highest <= ring.level) return null;
  const isReached = (ordinal: number): boolean =>
    ordinal === self || peers.some((peer) => peer.ordinal === ordinal && peer.state === 'ready');
  const inTheWay: string[] = [];
  let level = highest;
  for (const { ordinal, leaving } of ring.members) {
    const build = buildOf(seen, ordinal);
    const name = `node ${ordinal}${leaving ? ', which is leaving,' : ''}`;
    if (!isReached(ordinal) || build === null)
      inTheWay.push(`${name} cannot be reached, so it is not known what it understands`);
    else if (build.levelMax <= ring.level) inTheWay.push(`${name} has ${buildText(build)}`);
    else level = Math.min(level, build.levelMax);
  }
  const isReady = inTheWay.length === 0;
  const text = isReady
    ? `all ${ring.members.length} members understand feature level ${level}; run partita cluster finalize`
    : `feature level ${level} has to wait: ${inTheWay.join('; ')}`;
  return { level, isReady, text };
}
