/*
 * What a put or a get needs to know of the ring and of its peers. The ring hands out one Preference a partition, made
 * once a ring version; nodes are named by their ordinals everywhere in this folder.
 */
export interface Preference {
  /** Ordinals, best first: the owners, then every other member in the partition's own order of fallbacks. */
  readonly nodes: ArrayLike<number>;
  /** How many of `nodes` are owners: N. */
  readonly ownerCount: number;
  readonly ringVersion: number;
  /** Places of owners that change hands; nearly always none. */
  readonly handovers: readonly Handover[];
}

/** `owner` is asked now; `other` takes its place over, or has just given it up, and is asked by an older or newer ring. */
export interface Handover {
  readonly owner: number;
  readonly other: number;
}

/** What this node believes of its peers just now; of itself it believes the best. PeerTable is the real one. */
export interface PeerView {
  isHealthy(node: number, nowMs: number): boolean;
  /** How long a put waits for this node before a fallback gets a copy too, ms. */
  putPatienceMs(node: number): number;
  /** How long a get waits for this node before another is asked too, ms. */
  getPatienceMs(node: number): number;
  /** The lower, the sooner a get asks this node; below 0 when it has not been asked for long and is due for a probe. */
  readCost(node: number, nowMs: number): number;
  /** A put has waited for this node for its patience, in vain. */
  missed(node: number, nowMs: number): void;
}

export function isOwner(preference: Preference, node: number): boolean {
  for (let i = 0; i < preference.ownerCount; i++) if (preference.nodes[i] === node) return true;
  return false;
}

/** The first of the owners if all are healthy. */
export function firstUnhealthyOwner({ nodes, ownerCount }: Preference, peers: PeerView, nowMs: number): number {
  for (let i = 0; i < ownerCount; i++) {
    const owner = nodes[i] as number;
    if (!peers.isHealthy(owner, nowMs)) return owner;
  }
  return nodes[0] as number;
}
