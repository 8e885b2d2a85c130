/*
 * A record that fails its check is unknown, never "not found": from the moment at which a bit of it flipped until somebody
 * writes the key again, a get either fails or shows all that is owed. In a ring with one copy of each key that holds where
 * only the owner counts: a stand-in may rightly say that it has nothing.
 */
import type { Evidence } from '../evidence.js';
import type { Violation } from '../violation.js';
import { mayBeReplaced } from './certain.js';
import { type Clocks, mayHaveExpired } from './expiry.js';

export function checkDamage(evidence: Clocks & Pick<Evidence, 'history' | 'flips' | 'view'>): Violation[] {
  const violations: Violation[] = [];
  const { isSingleCopy, owners } = evidence.view;
  for (const { node, key, atMs, sinceMs, untilMs } of evidence.flips) {
    if (!owners(key).includes(node)) continue;
    const history = evidence.history.of(key);
    const writes = [...history.writes.values()];
    for (const read of history.reads) {
      if (read.from !== 'get' || !(isSingleCopy || read.strict) || read.startMs < atMs || read.endMs > untilMs)
        continue;
      if (writes.some((write) => write.endMs >= atMs && write.startMs <= read.endMs)) continue;
      const missed = writes.find(
        (write) =>
          write.kind === 'put' &&
          write.outcome === 'ok' &&
          write.isDurable &&
          (isSingleCopy || write.strict) &&
          write.startMs > sinceMs &&
          write.endMs < read.startMs &&
          !read.ids.includes(write.id) &&
          !mayBeReplaced(history, write.id, read.endMs) &&
          !mayHaveExpired(evidence, write, read.endMs),
      );
      if (missed === undefined) continue;
      violations.push({
        checker: 'damage',
        key,
        text: `a get at ${Math.round(read.endMs)} ms misses put ${missed.id}, of which a bit had flipped at ${Math.round(atMs)} ms, and does not say so`,
      });
    }
  }
  return violations;
}
