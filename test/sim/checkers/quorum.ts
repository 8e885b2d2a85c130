/*
 * Yes means W: an acknowledgement names W nodes at least, and when it says durable, at least W distinct nodes had the put on
 * their disks, each by the word of its own storage. An ack that the network repeats, or one node counted twice, does not
 * make two.
 */
import type { Evidence } from '../evidence.js';
import type { WriteOp } from '../history.js';
import type { Violation } from '../violation.js';

export function checkQuorum(evidence: Evidence): Violation[] {
  const violations: Violation[] = [];
  for (const { key, writes } of evidence.history.keys.values()) {
    for (const write of writes.values()) {
      const text = write.outcome === 'ok' ? fault(evidence, write) : '';
      if (text !== '') violations.push({ checker: 'quorum', key, text });
    }
  }
  return violations;
}

function fault(evidence: Evidence, { key, kind, id, putId, w, strict, acked, isDurable, endMs }: WriteOp): string {
  if (acked < w) return `${kind} ${id} was acknowledged by ${acked} nodes, ${w} are needed`;
  if (!isDurable) return '';
  const owners = strict ? evidence.ownersEver(key) : null;
  const holders = [...(evidence.durable.get(putId) ?? [])].filter(
    ([node, atMs]) => atMs <= endMs && (owners === null || owners.includes(node)),
  ).length;
  if (holders >= w) return '';
  return `${kind} ${id} was acknowledged with ${holders} durable copies${strict ? ' at owners' : ''}, ${w} are needed`;
}
