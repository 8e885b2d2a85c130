/*
 * Where no process ended and nothing was destroyed, hints alone make owners agree: a coordinator goes on with a put until
 * every owner has it or a durable hint stands for it, so when all hints have gone home each owner holds what each other
 * holds, though nobody has read anything since. Without that, hints would be lost and read repair would hide it.
 */
import type { Evidence } from '../evidence.js';
import { isSameRecord } from '../same-record.js';
import type { Violation } from '../violation.js';

export function checkHandedOff(evidence: Pick<Evidence, 'handedOff'>): Violation[] {
  const violations: Violation[] = [];
  for (const [key, replicas] of evidence.handedOff ?? []) {
    const [first] = replicas;
    for (const { node, state, record } of replicas) {
      if (first === undefined || (state === first.state && isSameRecord(first.record, record))) continue;
      const text = `node ${node} holds ${record.length} bytes (${state}), node ${first.node} ${first.record.length} (${first.state}), and no hint is left`;
      violations.push({ checker: 'handed-off', key, text });
    }
  }
  return violations;
}
