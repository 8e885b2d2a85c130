/*
 * After healing the owners of a key hold the same bytes. Stores are compared, not answers: read repair hides a difference
 * from whoever reads.
 */
import type { Evidence } from '../evidence.js';
import type { Violation } from '../violation.js';

export function checkConvergence(evidence: Pick<Evidence, 'history' | 'view' | 'doubtMs'>): Violation[] {
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
        if (replicas.length > 1 || evidence.doubtMs(key, true) === Number.NEGATIVE_INFINITY)
          say('cannot say what it holds');
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
