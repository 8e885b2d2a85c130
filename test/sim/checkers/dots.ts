/*
 * A dot never names two values: whatever crashes, disks lost, rolled back or full did to the store that mints it. The
 * only check that sees a store forget its counter before data is lost.
 */
import type { Evidence } from '../evidence.js';
import type { Violation } from '../violation.js';

export function checkDots(evidence: Pick<Evidence, 'minted'>): Violation[] {
  const violations: Violation[] = [];
  const first: Map<string, string> = new Map();
  for (const { key, dot, putId, node, atMs } of evidence.minted) {
    const name = `${key} ${dot}`;
    const before = first.get(name);
    if (before === undefined) first.set(name, putId);
    else if (before !== putId) {
      violations.push({
        checker: 'dots',
        key,
        text: `dot ${dot} names the puts ${before} and ${putId} (node ${node}, ${Math.round(atMs)} ms)`,
      });
    }
  }
  return violations;
}
