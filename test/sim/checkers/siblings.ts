/*
 * One put is one sibling, however often it was sent: no answer shows a put twice.
 */
import type { Evidence } from '../evidence.js';
import type { Violation } from '../violation.js';

export function checkSiblings(evidence: Pick<Evidence, 'history'>): Violation[] {
  const violations: Violation[] = [];
  for (const { key, reads } of evidence.history.keys.values()) {
    for (const { ids, endMs } of reads) {
      const twice = ids.find((id, index) => ids.indexOf(id) !== index);
      if (twice === undefined) continue;
      violations.push({ checker: 'siblings', key, text: `put ${twice} was shown twice at ${Math.round(endMs)} ms` });
    }
  }
  return violations;
}
