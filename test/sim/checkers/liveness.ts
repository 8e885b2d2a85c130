/*
 * Once everything is healed everything works: each operation of the last phase succeeds, in time, and a client that reads
 * a key, merges what it read and writes it back leaves exactly one sibling, its own.
 */
import type { Violation } from '../violation.js';

/** One operation of the phase after healing. `got`: puts that it showed; undefined: it failed, and `failure` says how. */
export interface HealedOp {
  readonly kind: 'get' | 'put';
  readonly key: string;
  readonly tookMs: number;
  readonly got: readonly number[] | undefined;
  /** What a get must show, where nobody else writes. */
  readonly expected: readonly number[] | null;
  /** Nothing of what was stored before can be asked for: what stored it was destroyed. */
  readonly isExcused: boolean;
}

export function checkLiveness(operations: readonly HealedOp[], tookMsMax: number): Violation[] {
  const violations: Violation[] = [];
  for (const { kind, key, tookMs, got, expected, isExcused } of operations) {
    const say = (text: string): void => {
      violations.push({ checker: 'liveness', key, text: `after healing a ${kind} ${text}` });
    };
    if (got === undefined) {
      if (!isExcused) say('failed');
    } else if (tookMs > tookMsMax) say(`took ${Math.round(tookMs)} ms, ${tookMsMax} are allowed`);
    else if (expected !== null && [...got].sort().join() !== [...expected].sort().join()) {
      say(`showed the puts ${got.join() || 'none'}, expected ${expected.join() || 'none'}`);
    }
  }
  return violations;
}
