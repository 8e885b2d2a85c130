/*
 * No acknowledged write is lost: after healing its value is still there, or somebody who had *read* that value wrote over
 * it, and what he wrote is accounted for in turn; or it has expired.
 *
 * The server's own clocks have no say in it. "A later write's context covers its dot" would excuse a store whose
 * counters went backwards, and that is the very bug that loses data without a trace.
 */
import type { Evidence } from '../evidence.js';
import type { KeyHistory } from '../history.js';
import type { Violation } from '../violation.js';
import { isOwed } from './certain.js';
import { mayHaveExpired } from './expiry.js';

export function checkAcknowledged(evidence: Evidence): Violation[] {
  const violations: Violation[] = [];
  for (const [key, ids] of evidence.final) {
    if (ids === null) continue; // liveness says so
    const history = evidence.history.of(key);
    const present = new Set(ids);
    for (const write of history.writes.values()) {
      if (write.kind !== 'put' || !isOwed(evidence, write)) continue;
      const isThere = (id: number): boolean => {
        const other = history.writes.get(id);
        return present.has(id) || (other !== undefined && mayHaveExpired(evidence, other, evidence.endMs));
      };
      if (isAccountedFor(history, write.id, isThere)) continue;
      violations.push({
        checker: 'acknowledged',
        key,
        text: `put ${write.id} of client ${write.client} was acknowledged at ${Math.round(write.endMs)} ms, and nobody who read it wrote over it`,
      });
    }
  }
  return violations;
}

/** Writers have read only what was there before them, so this ends. */
function isAccountedFor(history: KeyHistory, id: number, isThere: (id: number) => boolean): boolean {
  if (isThere(id)) return true;
  return history
    .readersOf(id)
    .some(
      (reader) =>
        reader.id !== id &&
        reader.outcome !== 'refused' &&
        (reader.kind === 'delete' || isAccountedFor(history, reader.id, isThere)),
    );
}
