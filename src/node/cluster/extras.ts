/* What a put sends to nodes that take its partition over, or have given it up (ring/moves.ts). */
import type { StoreHead } from '../../model/peer-messages.js';
import type { Preference } from '../../coordinator/preference.js';
import type { StoreAsker } from '../peers/request.js';
import { type ClusterParts, peerTimeoutMs } from './parts.js';

const NOBODY_WAITS: StoreAsker = {
  onStored: () => undefined,
  onRefused: () => undefined,
  onUnanswered: () => undefined,
};

/** Nobody waits for them, and what does not arrive they catch up with by themselves: so the record is copied, not kept. */
export function sendExtras(
  { links, self }: ClusterParts,
  { handovers }: Preference,
  copy: StoreHead,
  record: Uint8Array,
  budgetMs: number,
): void {
  const head: StoreHead = { ...copy, budgetMs, hintFor: 0, durable: false };
  for (const { other } of handovers) {
    if (other !== self) links.get(other)?.store(head, record, false, peerTimeoutMs(budgetMs), NOBODY_WAITS, 0);
  }
}
