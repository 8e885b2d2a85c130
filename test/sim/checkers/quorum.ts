/*
 * Yes means W: when a put was acknowledged as durable, at least W distinct nodes had it on their disks, each by the word
 * of its own storage. An ack that the network repeats, or one node counted twice, does not make two.
 */
import type { Evidence } from '../evidence.js';
import type { Violation } from '../violation.js';

export function checkQuorum(evidence: Evidence): Violation[] {
  const violations: Violation[] = [];
  for (const { key, writes } of evidence.history.keys.values()) {
    for (const write of writes.values()) {
      if (write.outcome !== 'ok' || !write.isDurable) continue;
      const { w, strict } = write;
      const owners = strict ? evidence.view.owners(key) : null;
      const holders = [...(evidence.durable.get(write.putId) ?? [])].filter(
        ([node, atMs]) => atMs <= write.endMs && (owners === null || owners.includes(node)),
      ).length;
      const text =
        holders < w
          ? `${write.kind} ${write.id} was acknowledged with ${holders} durable copies${strict ? ' at owners' : ''}, ${w} are needed`
          : write.acked < w
            ? `${write.kind} ${write.id} was acknowledged by ${write.acked} nodes, ${w} are needed`
            : '';
      if (text !== '') violations.push({ checker: 'quorum', key, text });
    }
  }
  return violations;
}
