/*
 * Scrubbing finds what has rotted and has it repaired, before anybody reads: an owner says `unknown` only if the others
 * cannot help it. They can if as many of them as a read needs say what they hold, and one of them holds anything.
 *
 * And it raises no alarm about the tree: no fault of the simulated world changes a leaf, so a leaf that is not what its
 * records come to is a fault of the program.
 */
import { majorityOf } from '../cluster.js';
import type { Evidence } from '../evidence.js';
import type { Violation } from '../violation.js';

export function checkScrubbed({
  afterScrub,
  counts,
  view,
}: Pick<Evidence, 'afterScrub' | 'counts' | 'view'>): Violation[] {
  const violations: Violation[] = [];
  for (const leaves of ['stored', 'live']) {
    const wrong = counts.get(`partita_scrub_wrong_leaves_total ${leaves}`) ?? 0;
    if (wrong > 0)
      violations.push({
        checker: 'tree',
        key: '',
        text: `${wrong} ${leaves} leaves are not what their records come to`,
      });
  }
  const { replicaCount } = view;
  if (replicaCount === 1) return violations;
  const needed = Math.max(1, Math.min(majorityOf(replicaCount), replicaCount - 1));
  for (const [key, replicas] of afterScrub ?? []) {
    const answering = replicas.filter(({ state }) => state !== 'unknown');
    if (answering.length < needed || !answering.some(({ state }) => state === 'ok')) continue;
    for (const { node, state } of replicas)
      if (state === 'unknown')
        violations.push({ checker: 'scrubbed', key, text: `node ${node} cannot say what it holds, after a scrub` });
  }
  return violations;
}
