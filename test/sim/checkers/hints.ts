/* After healing every hint has gone home. */
import type { Evidence } from '../evidence.js';
import type { Violation } from '../violation.js';

export function checkHints(evidence: Pick<Evidence, 'view'>): Violation[] {
  return evidence.view.hints().map(({ node, owner, count }) => ({
    checker: 'hints',
    key: '',
    text: `node ${node} still has ${count} hints for node ${owner}`,
  }));
}
