/*
 * Where a key has one copy, every get, and not only the last one, shows what the writes before it left: each put that was
 * acknowledged before the get began, unless somebody who had read it may have replaced it before the get ended; and no
 * put that was replaced by a write acknowledged before the get began.
 *
 * With replicas and sloppy quorums a get may be older than that, so this is asked only where the view says so.
 */
import type { Evidence } from '../evidence.js';
import type { KeyHistory, ReadOp } from '../history.js';
import type { Violation } from '../violation.js';
import { isOwed, mayBeReplaced } from './certain.js';
import { mayHaveExpired } from './expiry.js';

export function checkSingleCopy(evidence: Evidence): Violation[] {
  if (!evidence.view.isSingleCopy) return [];
  const violations: Violation[] = [];
  for (const history of evidence.history.keys.values()) {
    for (const read of history.reads) {
      if (read.from !== 'get') continue;
      for (const text of [...missing(evidence, history, read), ...stale(evidence, history, read)]) {
        violations.push({
          checker: 'single-copy',
          key: history.key,
          text: `a get at ${Math.round(read.endMs)} ms ${text}`,
        });
      }
    }
  }
  return violations;
}

function missing(evidence: Evidence, history: KeyHistory, read: ReadOp): readonly string[] {
  const texts: string[] = [];
  for (const write of history.writes.values()) {
    if (write.kind !== 'put' || write.endMs > read.startMs || !isOwed(evidence, write)) continue;
    if (read.ids.includes(write.id) || mayBeReplaced(history, write.id, read.endMs)) continue;
    if (mayHaveExpired(evidence, write, read.endMs)) continue;
    texts.push(`misses put ${write.id}, acknowledged at ${Math.round(write.endMs)} ms`);
  }
  return texts;
}

function stale(evidence: Evidence, history: KeyHistory, read: ReadOp): readonly string[] {
  const texts: string[] = [];
  for (const id of read.ids) {
    const by = history
      .readersOf(id)
      .find((reader) => reader.id !== id && reader.endMs <= read.startMs && isOwed(evidence, reader));
    if (by !== undefined) texts.push(`shows put ${id}, replaced by ${by.kind} ${by.id} at ${Math.round(by.endMs)} ms`);
  }
  return texts;
}
