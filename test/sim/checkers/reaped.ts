/*
 * Deletes are forgotten in the end, when everything is healed; and what was deleted stays so: after it every key shows
 * what it showed before.
 */
import type { Evidence } from '../evidence.js';
import type { Violation } from '../violation.js';

export function checkReaped({ reaped, final }: Evidence): Violation[] {
  if (reaped === null) return [];
  const violations: Violation[] = reaped.left.map((key) => ({
    checker: 'reaped',
    key,
    text: 'all that is left of it is deleted, and its owners keep that for ever',
  }));
  for (const [key, ids] of reaped.shown) {
    const before = final.get(key) ?? null;
    if (ids === null || before === null || sameIds(ids, before)) continue;
    const text = `showed [${before.join(' ')}], and [${ids.join(' ')}] once deletes were forgotten`;
    violations.push({ checker: 'reaped', key, text });
  }
  return violations;
}

function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}
