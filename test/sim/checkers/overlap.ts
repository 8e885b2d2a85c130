/*
 * Where R + W > N and only owners count, whoever reads meets somebody who has what was written: a strict get shows each put
 * that a strict write left before the get began, unless somebody who had read it may have replaced it by then; and nothing
 * that such a write had replaced.
 *
 * An owner on which something was destroyed since the write began may have lost it, so it is not counted: R + W must
 * exceed N by as many. Unless it knows: a store that is new says nothing before it has met all other owners, so as long
 * as the write is on one of their disks it counts as if it had never lost anything. Nothing is claimed of gets and puts for which fallbacks count; with sloppy quorums a get may be
 * older than the last put, and the design says so. That owners change excuses nothing: a strict put waits for those who take
 * a place over.
 */
import type { Evidence } from '../evidence.js';
import type { KeyHistory, ReadOp, WriteOp } from '../history.js';
import type { Violation } from '../violation.js';
import { mayBeReplaced, mayReturn } from './certain.js';
import { mayHaveExpired } from './expiry.js';

export function checkOverlap(evidence: Evidence): Violation[] {
  const violations: Violation[] = [];
  for (const history of evidence.history.keys.values()) {
    for (const read of history.reads) {
      if (read.from !== 'get' || !read.strict) continue;
      for (const write of history.writes.values()) {
        if (write.outcome !== 'ok' || !write.strict || write.endMs > read.startMs) continue;
        const text = fault(evidence, history, read, write);
        if (text !== '' && meets(evidence, read, write))
          violations.push({ checker: 'overlap', key: history.key, text });
      }
    }
  }
  return violations;
}

/** An owner that has the write on its disk is among those that must have answered the get. */
function meets(evidence: Evidence, read: ReadOp, write: WriteOp): boolean {
  const { replicaCount } = evidence.view;
  const lost = evidence.ownersLost(write.key, write.isDurable, write.startMs, read.endMs);
  const missing = lost < write.w ? evidence.ownersDoubtful(write, read.endMs) : lost;
  return read.r + write.w - missing > replicaCount;
}

function fault(evidence: Evidence, history: KeyHistory, read: ReadOp, write: WriteOp): string {
  const get = `a strict get with R = ${read.r} at ${Math.round(read.endMs)} ms`;
  const by = `${write.kind} ${write.id}, acknowledged with W = ${write.w} at ${Math.round(write.endMs)} ms`;
  const isMissing = write.kind === 'put' && !read.ids.includes(write.id);
  if (isMissing && !mayBeReplaced(history, write.id, read.endMs) && !mayHaveExpired(evidence, write, read.endMs))
    return `${get} misses ${by}`;
  const back = write.read.find((id) => {
    const other = history.writes.get(id);
    return (
      id !== write.id && read.ids.includes(id) && other !== undefined && !mayReturn(evidence, history, other, write)
    );
  });
  return back === undefined ? '' : `${get} shows put ${back}, which ${by} had replaced`;
}
