/*
 * What comes to a node that is no owner is kept for those who are: a hint stands beside it, from the first moment on. And
 * what was a node's own before the ring took the partition away is dropped only when each owner has had it on its disk:
 * of a put, that it has been there, or what replaced it. Nothing is claimed of a put that somebody who had read it may
 * have replaced, or that expires: owners may have forgotten all of it by then.
 */
import type { Evidence } from '../evidence.js';
import type { Violation } from '../violation.js';

export function checkStrangers({ strangers, history }: Pick<Evidence, 'strangers' | 'history'>): Violation[] {
  const violations: Violation[] = [];
  for (const { node, key, putId, atMs } of strangers.unhinted) {
    const text = `put ${putId} came to node ${node} at ${Math.round(atMs)} ms, which is no owner, and is kept for nobody`;
    violations.push({ checker: 'strangers', key, text });
  }
  for (const { node, key, putId, atMs, lacking } of strangers.dropped) {
    if (lacking.length === 0) continue;
    const known = history.of(key);
    const write = [...known.writes.values()].find((one) => one.putId === putId);
    if (write === undefined || write.ttlMs > 0 || known.readersOf(write.id).length > 0) continue;
    const text = `node ${node} dropped put ${write.id} at ${Math.round(atMs)} ms, and nodes ${lacking.join()} own it and have never had it`;
    violations.push({ checker: 'strangers', key, text });
  }
  return violations;
}
