/*
 * After healing every hint has gone home, and not by itself: of every put that one was kept for, the owner has it. Before
 * owners meet, since those that have met have it one way or the other.
 *
 * Where owners have changed, those of today may have forgotten a put, with what replaced it, before they were owners: then
 * nothing is claimed of a delete, of a put that somebody who had read it may have replaced, or of one that expires.
 */
import type { Evidence } from '../evidence.js';
import type { Violation } from '../violation.js';

type Needed = Pick<Evidence, 'view' | 'history' | 'brokenHints' | 'ownersEver'>;

export function checkHints(evidence: Needed): Violation[] {
  return [...left(evidence), ...broken(evidence)];
}

function broken({ brokenHints, history, ownersEver, view }: Needed): Violation[] {
  return brokenHints.flatMap(({ node, owner, key, putId, atMs, lacking }) => {
    const known = history.of(key);
    const write = [...known.writes.values()].find((one) => one.putId === putId);
    const mayBeForgotten = write?.kind !== 'put' || write.ttlMs > 0 || known.readersOf(write.id).length > 0;
    if (mayBeForgotten && ownersEver(key).length > view.replicaCount) return [];
    const text = `node ${node} kept put ${write?.id ?? putId} for node ${owner} at ${Math.round(atMs)} ms, and nodes ${lacking.join()} have never had it`;
    return [{ checker: 'hints', key, text }];
  });
}

function left(evidence: Pick<Evidence, 'view'>): readonly Violation[] {
  return evidence.view.hints().map(({ node, owner, count }) => ({
    checker: 'hints',
    key: '',
    text: `node ${node} still has ${count} hints for node ${owner}`,
  }));
}
