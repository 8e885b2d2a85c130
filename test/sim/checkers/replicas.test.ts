/* Checkers of what several replicas owe together, on histories made up for them. */
import test from 'ava';
import type { ReplicaView } from '../evidence.js';
import type { ReadOp, WriteOp } from '../history.js';
import { mayReturn } from './certain.js';
import { checkHandedOff } from './handed-off.js';
import { KEY, MadeUp, putIdOf } from './made-up.js';
import { checkNever } from './never.js';
import { checkOverlap } from './overlap.js';
import { checkResurrection } from './resurrection.js';
import { checkSameAnywhere } from './same-anywhere.js';

const STRICT: Partial<WriteOp> = { w: 2, strict: true };
const READ: Partial<ReadOp> = { r: 2, strict: true };

function ofThree(): MadeUp {
  const evidence = new MadeUp();
  evidence.view = { ...evidence.view, isSingleCopy: false, replicaCount: 3 };
  return evidence;
}

test('overlap: a strict get misses what a strict put had left', (t) => {
  t.is(checkOverlap(ofThree().put(1, 10, [], STRICT).get(20, [], READ)).length, 1);
  t.is(checkOverlap(ofThree().put(1, 10, [], STRICT).get(20, [1], READ)).length, 0);
  t.is(checkOverlap(ofThree().put(1, 10, [], STRICT).get(12, [], READ)).length, 0, 'the put was under way');
  t.is(checkOverlap(ofThree().put(1, 10, [], STRICT).put(2, 16, [1]).get(20, [2], READ)).length, 0, 'it was replaced');
});

test('overlap: nothing is asked where R + W is no more than N, or a stand-in counts', (t) => {
  t.is(
    checkOverlap(
      ofThree()
        .put(1, 10, [], { ...STRICT, w: 1 })
        .get(20, [], READ),
    ).length,
    0,
  );
  t.is(
    checkOverlap(
      ofThree()
        .put(1, 10, [], { ...STRICT, strict: false })
        .get(20, [], READ),
    ).length,
    0,
  );
  t.is(
    checkOverlap(
      ofThree()
        .put(1, 10, [], STRICT)
        .get(20, [], { ...READ, strict: false }),
    ).length,
    0,
  );
});

test('overlap: an owner that lost its disk is one less', (t) => {
  const lost = ofThree().put(1, 10, [], STRICT).get(20, [], READ);
  lost.lostOwners = 1;
  t.is(checkOverlap(lost).length, 0);
  lost.doubtfulOwners = 0;
  t.is(checkOverlap(lost).length, 1, 'it knows that it has lost something, and counts only when it has it again');
  lost.lostOwners = 2;
  t.is(checkOverlap(lost).length, 0, 'nobody may have it any more');
  const all = ofThree()
    .put(1, 10, [], { ...STRICT, w: 3 })
    .get(20, [], READ);
  all.lostOwners = 1;
  t.is(checkOverlap(all).length, 1, 'three of three, one lost: two of three readers still meet one');
});

test('overlap: a strict get shows what a strict write had replaced', (t) => {
  t.is(checkOverlap(ofThree().put(1, 10).put(2, 20, [1], STRICT).get(30, [1, 2], READ)).length, 1);
});

test('a put that was minted twice may return when its id is forgotten, one that was minted once never', (t) => {
  const many = (minted: number, puts: number): MadeUp => {
    const evidence = ofThree().put(1, 10);
    for (let dot = 1; dot <= minted; dot++) evidence.mint(1, dot);
    for (let id = 2; id <= puts; id++) evidence.put(id, 10 * id, [id - 1]);
    return evidence.left([puts, 1]);
  };
  t.is(checkResurrection(many(1, 30)).length, 1);
  t.is(checkResurrection(many(2, 10)).length, 1);
  t.is(checkResurrection(many(2, 30)).length, 0);
  const late = many(2, 3).put(9, 50, [3], { putId: `000000ff${putIdOf(9).slice(8)}` });
  const history = late.history.of(KEY);
  const [first, second] = [...history.writes.values()] as [WriteOp, WriteOp];
  t.true(mayReturn(late, history, first, second), 'a younger id has moved the window');
});

test('same anywhere: two coordinators show different siblings', (t) => {
  const evidence = new MadeUp();
  const answers = (...ids: readonly (readonly number[] | null)[]): number => {
    evidence.byCoordinator = new Map([[KEY, new Map(ids.map((shown, node) => [node, shown]))]]);
    return checkSameAnywhere(evidence).length;
  };
  t.is(answers([1, 2], [2, 1], null), 0);
  t.is(answers([1, 2], [2]), 1);
  t.is(answers(null, [2], []), 1);
});

test('handed off: an owner holds other bytes, or nothing, and no hint is left', (t) => {
  const evidence = new MadeUp();
  t.is(checkHandedOff(evidence).length, 0, 'no claim');
  const holds = (node: number, text: string): ReplicaView => ({
    node,
    state: text === '' ? 'absent' : 'ok',
    record: Buffer.from(text),
  });
  const owners = (...texts: readonly string[]): number => {
    evidence.handedOff = new Map([[KEY, texts.map((text, node) => holds(node, text))]]);
    return checkHandedOff(evidence).length;
  };
  t.is(owners('a', 'a', 'a'), 0);
  t.is(owners('a', 'b', 'a'), 1);
  t.is(owners('a', 'a', ''), 1);
});

test('never: what nodes count and must not', (t) => {
  const evidence = new MadeUp();
  t.is(checkNever(evidence).length, 0);
  evidence.counts.set('partita_dot_collisions_total', 1).set('partita_hints_lost_total', 1);
  t.is(checkNever(evidence).length, 2);
  evidence.isUndisturbed = false;
  t.is(checkNever(evidence).length, 1, 'a power cut leaves hints without records');
});
