/* What is written down of a partition that is taken over, and what the checker says of it. */
import test from 'ava';
import { advanceRing, changeRing, newRing } from '../../src/ring/change.js';
import type { RingDocument } from '../../src/ring/document.js';
import { members, ringMember } from '../ring/rings.js';
import { texts } from './checkers/made-up.js';
import { checkTakenOver } from './checkers/taken-over.js';
import { StepsOfMoves, type TakingNode } from './steps-of-moves.js';

const NOTES = { change: 'a test', changedAtMs: 1 };
const HEAD = { cluster: 'shop', clusterId: 'a'.repeat(32), partitionCount: 4, replicaCount: 3 };
const FIRST = newRing({ ...HEAD, members: members(4).map(ringMember) }, 1) as RingDocument;
const LEAVING = members(4)
  .map(ringMember)
  .map((member) => ({ ...member, leaving: member.ordinal === 1 }));
const COPYING = changeRing(FIRST, LEAVING, 1, NOTES) as RingDocument;
const SETTLING = advanceRing(COPYING, { copied: COPYING.moves, settled: [], left: [] }, NOTES) as RingDocument;
const [MOVE] = COPYING.moves;
const TO = MOVE?.to ?? 0;
const MINE = COPYING.moves.filter(({ to }) => to === TO).map(({ partition }) => partition);

const node = (suspectPartitions: readonly number[], incarnation: number = 1): TakingNode => ({
  node: TO - 1,
  ordinal: TO,
  incarnation,
  engine: { status: () => ({ suspectPartitions }) },
});

function found(...steps: readonly (readonly [TakingNode, RingDocument])[]): readonly string[] {
  const watch = new StepsOfMoves();
  for (const [taking, ring] of steps) watch.onRing(taking, ring, true);
  return texts(checkTakenOver({ stepsOfMoves: watch.all }));
}

test('taken over: not believed when it begins, and believed when it is an owner', (t) => {
  t.true(MINE.length > 0);
  t.deepEqual(found([node([]), FIRST], [node(MINE), COPYING], [node(MINE), COPYING], [node([]), SETTLING]), []);
});

test('taken over: what lay there is believed from the first moment on', (t) => {
  const texts = found([node([]), FIRST], [node([]), COPYING]);
  t.is(texts.length, MINE.length);
  t.regex(texts[0] ?? '', /^partition \d+: by ring 2 node \d begins to take it over, and believes it$/);
});

test('taken over: an owner that has not caught up', (t) => {
  const texts = found([node([]), FIRST], [node(MINE), COPYING], [node(MINE), SETTLING]);
  t.is(texts.length, MINE.length);
  t.regex(texts[0] ?? '', /^partition \d+: by ring 3 node \d has become an owner of it, and does not believe it$/);
});

test('taken over: nothing is said of a node that was started in between, or whose disk was destroyed', (t) => {
  t.deepEqual(found([node([]), FIRST], [node([], 2), COPYING]), []);
  t.deepEqual(found([node(MINE), COPYING], [node(MINE, 2), SETTLING]), []);
  t.deepEqual(found([{ ...node([]), ordinal: 1 }, FIRST], [{ ...node([]), ordinal: 1 }, COPYING]), [], 'it gives');
  const watch = new StepsOfMoves();
  watch.onRing(node([]), FIRST, true);
  watch.onRing(node([]), COPYING, false);
  t.deepEqual(watch.all, []);
});
