/*
 * After healing, and after a read of all owners, the owners of a key hold the same bytes. Stores are compared, not
 * answers: a get that merges hides a difference from whoever reads.
 *
 * Not claimed: that owners agree before anybody has read. A put whose coordinator died before every owner had it, or a
 * hint was kept for it, and what was destroyed on one disk, come to the other owners by read repair only, as long as
 * nothing compares whole stores. Where no process ended and no disk failed they do agree without a read: handed-off.ts.
 */
import type { Evidence } from '../evidence.js';
import type { Violation } from '../violation.js';

export function checkConvergence(evidence: Pick<Evidence, 'history' | 'view' | 'mayBeUnknown'>): Violation[] {
  const violations: Violation[] = [];
  for (const key of evidence.history.keys.keys()) {
    const replicas = evidence.view.replicas(key);
    const [first] = replicas;
    for (const replica of replicas) {
      const say = (text: string): void => {
        violations.push({ checker: 'convergence', key, text: `node ${replica.node} ${text}` });
      };
      if (replica.state === 'unknown') {
        // A single copy that was damaged stays so until its key is written: there is nobody to heal it from.
        // Several are repaired by whoever reads them, unless none of them is left.
        if (!evidence.mayBeUnknown(key)) say('cannot say what it holds');
      } else if (
        first !== undefined &&
        first.state !== 'unknown' &&
        !Buffer.from(first.record).equals(replica.record)
      ) {
        say(`holds ${replica.record.length} bytes, node ${first.node} other ${first.record.length}`);
      }
    }
  }
  return violations;
}
