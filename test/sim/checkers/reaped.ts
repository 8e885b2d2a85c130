/*
 * Deletes are forgotten in the end, when everything is healed; and what was deleted stays so: after it every key shows
 * what it showed before, but for what has expired meanwhile.
 */
import type { Evidence } from '../evidence.js';
import type { Violation } from '../violation.js';
import { mayHaveExpired } from './expiry.js';

export function checkReaped(evidence: Evidence): Violation[] {
  const { reaped, final, history, endMs } = evidence;
  if (reaped === null) return [];
  const violations: Violation[] = reaped.left.map((key) => ({
    checker: 'reaped',
    key,
    text: 'all that is left of it is deleted, and its owners keep that for ever',
  }));
  for (const [key, ids] of reaped.shown) {
    const before = final.get(key) ?? null;
    const writes = history.keys.get(key)?.writes;
    const mayEnd = (id: number): boolean => {
      const write = writes?.get(id);
      return write !== undefined && mayHaveExpired(evidence, write, endMs);
    };
    if (ids === null || before === null || isSame(ids, before, mayEnd)) continue;
    const text = `showed [${before.join(' ')}], and [${ids.join(' ')}] once deletes were forgotten`;
    violations.push({ checker: 'reaped', key, text });
  }
  return violations;
}

/** Nothing has come, and nothing has gone but what did not live for ever. */
function isSame(after: readonly number[], before: readonly number[], mayEnd: (id: number) => boolean): boolean {
  return after.every((id) => before.includes(id)) && before.every((id) => after.includes(id) || mayEnd(id));
}
