/*
 * Who coordinates (§5): an owner of the key, so that what is stored first is an owner's copy. A node that is none hands
 * the request to one; the request is marked as forwarded, and whoever gets a forwarded request coordinates it, owner or
 * not, even if its ring says otherwise. So a request travels at most one hop, whatever the nodes believe of each other,
 * and two nodes with different rings never play ball with it.
 *
 * If no owner can be reached, the node coordinates as a fallback: that is what makes W = 1 always writeable. The same
 * holds when forwarding failed: the node calls again with the one that failed excluded, up to FORWARDS_MAX of them,
 * and marks the put as a retry if the first may have done it; the put's id then keeps it from being shown twice.
 */
import { isOwner, type PeerView, type Preference } from './preference.js';

/** This node is to coordinate. */
export const HERE = -1;
/** After so many forwards that failed, the node coordinates itself: each costs the client a part of its time. */
export const FORWARDS_MAX = 2;

export interface Circumstances {
  /** The request was forwarded to this node. */
  readonly forwarded: boolean;
  /** A put, and the disk here is full: better another node mints the version. */
  readonly cannotStore: boolean;
  /** To whom it was forwarded in vain. */
  readonly excluded: readonly number[];
}

/** The node to forward to, or HERE. */
export function chooseCoordinator(
  self: number,
  preference: Preference,
  peers: PeerView,
  circumstances: Circumstances,
  nowMs: number,
): number {
  const { forwarded, cannotStore, excluded } = circumstances;
  if (forwarded || excluded.length >= FORWARDS_MAX) return HERE;
  if (!cannotStore && isOwner(preference, self)) return HERE;
  const { nodes, ownerCount } = preference;
  let best = HERE;
  let bestCost = Infinity;
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[i] as number;
    if (i >= ownerCount && (best !== HERE || !cannotStore)) break;
    if (node === self || excluded.includes(node) || !peers.isHealthy(node, nowMs)) continue;
    const cost = i < ownerCount ? peers.readCost(node, nowMs) : 0; // of fallbacks the first will do
    if (best !== HERE && cost >= bestCost) continue;
    best = node;
    bestCost = cost;
  }
  return best;
}
