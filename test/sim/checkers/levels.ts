/*
 * Feature levels: from one ring version to the next the level is the same or a higher one; and what belongs to a level is not
 * done by a node that lives by a ring below it.
 */
import { isOn } from '../../../src/model/build.js';
import type { Evidence, RingInForce } from '../evidence.js';
import type { Violation } from '../violation.js';

export function checkLevels({ rings, compactions }: Pick<Evidence, 'rings' | 'compactions'>): Violation[] {
  const texts = [...fallingLevels(rings)];
  for (const { node, atMs } of compactions) {
    const ring = ringOf(rings, node, atMs);
    if (ring !== null && isOn(ring, 'compaction')) continue;
    texts.push(`node ${node} compacts a record at ${Math.round(atMs)} ms, at feature level ${ring?.level ?? 'none'}`);
  }
  return texts.map((text) => ({ checker: 'levels', key: '', text }));
}

function fallingLevels(rings: readonly RingInForce[]): readonly string[] {
  const levels = new Map(rings.map(({ ring }) => [ring.version, ring.level]));
  const inOrder = [...levels].sort(([a], [b]) => a - b);
  return inOrder.flatMap(([version, level], i) => {
    const before = inOrder[i - 1]?.[1] ?? level;
    return level >= before ? [] : [`ring ${version} has feature level ${level}, after ${before}`];
  });
}

/** By which the node lived at that time. */
function ringOf(rings: readonly RingInForce[], node: number, atMs: number): RingInForce['ring'] | null {
  return rings.filter((one) => one.node === node && one.atMs <= atMs).at(-1)?.ring ?? null;
}
