/*
 * What was replaced stays replaced: after healing no value is there that an acknowledged put or delete, whose client had
 * read it, took away. Late retries, replayed logs and old hints try to bring it back.
 */
import type { Evidence } from '../evidence.js';
import type { Violation } from '../violation.js';
import { isOwed, mayReturn } from './certain.js';

export function checkResurrection(evidence: Evidence): Violation[] {
  const violations: Violation[] = [];
  for (const [key, ids] of evidence.final) {
    const history = evidence.history.of(key);
    for (const id of ids ?? []) {
      const by = history.readersOf(id).find((reader) => reader.id !== id && isOwed(evidence, reader));
      const write = history.writes.get(id);
      if (by === undefined || (write !== undefined && mayReturn(evidence, history, write, by))) continue;
      violations.push({
        checker: 'resurrection',
        key,
        text: `put ${id} is there, though ${by.kind} ${by.id}, acknowledged at ${Math.round(by.endMs)} ms, replaced it`,
      });
    }
  }
  return violations;
}
