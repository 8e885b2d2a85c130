/* After healing, who asks all owners of a key is shown the same, whichever node coordinates. */
import type { Evidence } from '../evidence.js';
import { type Clocks, mayHaveExpired } from './expiry.js';
import type { Violation } from '../violation.js';

export function checkSameAnywhere(
  evidence: Clocks & Pick<Evidence, 'byCoordinator' | 'history' | 'endMs'>,
): Violation[] {
  const violations: Violation[] = [];
  for (const [key, answers] of evidence.byCoordinator) {
    let first: { readonly node: number; readonly shown: string } | null = null;
    for (const [node, ids] of answers) {
      if (ids === null) continue; // liveness says so
      // By one clock it has expired, by another it has not: that is what clocks are like.
      const certain = ids.filter((id) => {
        const write = evidence.history.of(key).writes.get(id);
        return write === undefined || !mayHaveExpired(evidence, write, evidence.endMs);
      });
      const shown = certain.sort((a, b) => a - b).join() || 'none';
      first ??= { node, shown };
      if (shown === first.shown) continue;
      const text = `node ${node} shows the puts ${shown}, node ${first.node} ${first.shown}`;
      violations.push({ checker: 'same-anywhere', key, text });
    }
  }
  return violations;
}
