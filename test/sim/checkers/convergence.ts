/*
 * After healing, and after one get of all owners, the owners of a key hold the same bytes. Stores are compared, not
 * answers: a get that merges hides a difference from whoever reads.
 *
 * Not claimed: that owners agree before anybody has read. A put whose coordinator died before every owner had it, or a
 * hint was kept for it, and what was destroyed on one disk, come to the other owners by read repair only, as long as
 * nothing compares whole stores. Where no process ended and no disk failed they do agree without a read: handed-off.ts.
 */
import type { Evidence, ReplicaView } from '../evidence.js';
import { isSameRecord } from '../same-record.js';
import type { Violation } from '../violation.js';

type Needed = Pick<Evidence, 'history' | 'view' | 'mayBeUnknown' | 'afterOneRead'>;

export function checkConvergence(evidence: Needed): Violation[] {
  const atLast = [...evidence.history.keys.keys()].flatMap((key) =>
    differences(evidence, key, evidence.view.replicas(key), ''),
  );
  const afterOne = [...evidence.afterOneRead].flatMap(([key, replicas]) =>
    differences(evidence, key, replicas, ', after one get of all owners'),
  );
  return [...atLast, ...afterOne];
}

function differences(evidence: Needed, key: string, replicas: readonly ReplicaView[], when: string): Violation[] {
  const violations: Violation[] = [];
  const [first] = replicas;
  for (const replica of replicas) {
    const say = (text: string): void => {
      violations.push({ checker: 'convergence', key, text: `node ${replica.node} ${text}${when}` });
    };
    if (replica.state === 'unknown') {
      // A single copy that was damaged stays so until its key is written: there is nobody to heal it from.
      // Several are repaired by whoever reads them, unless none of them is left.
      if (!evidence.mayBeUnknown(key)) say('cannot say what it holds');
    } else if (first !== undefined && first.state !== 'unknown' && !isSameRecord(first.record, replica.record)) {
      say(`holds ${replica.record.length} bytes, node ${first.node} other ${first.record.length}`);
    }
  }
  return violations;
}
