/*
 * Which rings this release serves: those of one node. A member of a larger ring that served it as if it were alone would
 * take writes for partitions that are not its own and tell nobody. So it is refused, wherever a ring comes from, and this
 * file is the only place that knows.
 */
import type { RingDocument } from '../ring/document.js';
import { StartRefusedError } from './running-node.js';

/** Why no node can serve this ring yet, or null. */
export function unservedReason({ members, replicaCount }: RingDocument): string | null {
  if (members.length === 1) return null;
  const replicas = `${replicaCount} replica${replicaCount === 1 ? '' : 's'}`;
  return `a ring of ${members.length} nodes with ${replicas}; serving replicated rings is not part of this release yet`;
}

/** Throws StartRefusedError; the directory stays as it is. */
export function refuseUnserved(path: string, ring: RingDocument): void {
  const reason = unservedReason(ring);
  if (reason === null) return;
  throw new StartRefusedError(
    `${path} is the directory of a member of cluster ${ring.cluster}, ${reason}. It is initialised and keeps its place in the ring; nothing was started`,
  );
}
