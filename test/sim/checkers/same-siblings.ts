/*
 * Clocks decide nothing: the same run with clocks that are wrong ends with the same siblings. (Expiry is absolute time
 * in the version, so skew moves when it expires; runs that are compared have none.)
 */
import type { Evidence } from '../evidence.js';
import type { Violation } from '../violation.js';

type Finals = Pick<Evidence, 'final'>;

export function checkSameSiblings(straight: Finals, skewed: Finals): Violation[] {
  const violations: Violation[] = [];
  for (const key of new Set([...straight.final.keys(), ...skewed.final.keys()])) {
    const here = shown(straight, key);
    const there = shown(skewed, key);
    if (here === there) continue;
    violations.push({
      checker: 'same-siblings',
      key,
      text: `puts ${here} with right clocks, ${there} with wrong ones`,
    });
  }
  return violations;
}

function shown({ final }: Finals, key: string): string {
  const ids = final.get(key);
  if (ids === undefined || ids === null) return 'unread';
  return [...ids].sort((a, b) => a - b).join() || 'none';
}
