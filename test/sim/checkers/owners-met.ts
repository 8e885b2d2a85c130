/*
 * When everything has healed and owners have met, each holds the same bytes as the others under every key, and its Merkle
 * tree is the one that its records make. And where nothing ever went wrong there was nothing to move before that.
 */
import type { Evidence } from '../evidence.js';
import { isSameRecord } from '../same-record.js';
import type { Violation } from '../violation.js';

export function checkOwnersMet(evidence: Pick<Evidence, 'ownersMet' | 'mayBeUnknown'>): Violation[] {
  const { ownersMet } = evidence;
  if (ownersMet === null) return [];
  const violations: Violation[] = [];
  const say = (key: string, text: string): void => {
    violations.push({ checker: 'owners-met', key, text });
  };
  for (const [key, replicas] of ownersMet.replicas) {
    const sound = replicas.filter(({ state }) => state !== 'unknown');
    const [first] = sound;
    for (const { node, state } of replicas) {
      if (state === 'unknown' && !evidence.mayBeUnknown(key)) say(key, `node ${node} cannot say what it holds`);
    }
    for (const { node, state, record } of sound) {
      if (first === undefined || (state === first.state && isSameRecord(first.record, record))) continue;
      const theirs = `node ${first.node} ${first.record.length} (${first.state})`;
      say(key, `node ${node} holds ${record.length} bytes (${state}), ${theirs}, and they have met`);
    }
  }
  const byPartition: Map<number, string> = new Map();
  for (const { node, partition, root, isAsRebuilt } of ownersMet.trees) {
    if (!isAsRebuilt) say('', `node ${node}: the tree of partition ${partition} is not that of its records`);
    if ((byPartition.get(partition) ?? root) !== root && !ownersMet.uneven.has(partition))
      say('', `node ${node}: its tree of partition ${partition} is not that of the other owners`);
    byPartition.set(partition, root);
  }
  const { isUntouched, movedBefore } = ownersMet;
  if (isUntouched && movedBefore > 0) say('', `${movedBefore} records were moved though nothing had gone wrong`);
  return violations;
}
