import test from 'ava';
import { getFailure } from '../../src/coordinator/failures.js';
import { DEADLINE_MS, GetScript, PATIENCE_MS } from './script.js';

const nameOf = (node: number): string => `n${node}`;

test('A get asks R, itself first, then the owner that has lately been fastest', (t) => {
  const get = new GetScript({ costs: { 2: 5, 3: 2 } });
  t.deepEqual(get.lines, ['read', 'ask 3']);
  t.deepEqual(get.answer(1), ['merge 1']);
  t.deepEqual(get.answer(3), ['merge 3', 'answered 2/2', 'ended']);
  t.is(get.get.fastest, 1);
});

test('A slow node gets company; whoever answers first counts, and the late one is looked at in its grace', (t) => {
  const get = new GetScript({ stale: [2] });
  get.answer(1);
  t.deepEqual(get.waitUntil(PATIENCE_MS), ['ask 3']);
  t.deepEqual(get.answer(3), ['merge 3', 'answered 2/2']);
  t.deepEqual(get.answer(2), ['merge 2', 'repair 2', 'ended']);
});

test('Who does not answer within the grace is left to hints and anti-entropy', (t) => {
  const get = new GetScript({ stale: [1] });
  get.answer(1);
  get.waitUntil(PATIENCE_MS);
  get.answer(3);
  t.deepEqual(get.waitUntil(PATIENCE_MS + 29), []);
  t.deepEqual(get.waitUntil(PATIENCE_MS + 30), ['repair 1', 'ended']);
  t.deepEqual(get.answer(2), []);
});

test('Unknown is no answer: another node is asked, and the owner that did not know is repaired', (t) => {
  const get = new GetScript();
  get.answer(1);
  t.deepEqual(get.answer(2, 'unknown'), ['ask 3']);
  t.deepEqual(get.answer(3), ['merge 3', 'answered 2/2', 'repair 2', 'ended']);
});

test('That there is nothing is an answer, and with nothing anywhere nothing is repaired', (t) => {
  const get = new GetScript();
  get.answer(1, 'absent');
  t.deepEqual(get.answer(2, 'absent'), ['answered 2/2', 'ended']);
});

test('An owner that has nothing is repaired where another has something', (t) => {
  const get = new GetScript();
  get.answer(1, 'absent');
  t.deepEqual(get.answer(2), ['merge 2', 'answered 2/2', 'repair 1', 'ended']);
});

test('Fallbacks are asked for owners that are down, are told apart, and never repaired', (t) => {
  const get = new GetScript({ suspects: [2, 3] });
  t.deepEqual(get.lines, ['read', 'ask 4']);
  get.answer(1);
  t.deepEqual(get.answer(4, 'absent'), ['answered 2/2 sloppy', 'ended']);
});

test('Strict asks owners only, suspect ones where it must', (t) => {
  const get = new GetScript({ strict: true, suspects: [2, 3] });
  t.deepEqual(get.lines, ['read', 'ask 2']);
  get.answer(1);
  t.deepEqual(get.fail(2, 'unsent'), ['ask 3']);
  t.deepEqual(get.fail(3, 'unsent'), ['too-few 1/2', 'ended']);
  t.is(
    getFailure(get.get, nameOf).text,
    '1 of 2 replicas answered (n1: found; n2: not reached; n3: not reached; ring version 7)',
  );
});

test('A failed get says whether nodes were missing or did not know', (t) => {
  const missing = new GetScript({ nodes: [1, 2, 3] });
  missing.answer(1);
  missing.waitUntil(PATIENCE_MS);
  t.deepEqual(missing.waitUntil(DEADLINE_MS), ['too-few 1/2', 'ended']);
  t.is(getFailure(missing.get, nameOf).code, 'QUORUM_UNAVAILABLE');
  const unknowing = new GetScript({ nodes: [1], ownerCount: 1, quorum: 1 });
  t.deepEqual([...unknowing.lines, ...unknowing.answer(1, 'unknown')], ['read', 'too-few 0/1', 'ended']);
  t.is(getFailure(unknowing.get, nameOf).code, 'UNKNOWN_STATE');
  t.false(getFailure(unknowing.get, nameOf).outcomeUnknown);
});

test('Too few because one does not know: it is told what the others have, and so the next get may succeed', (t) => {
  const get = new GetScript({ nodes: [1, 2, 3], quorum: 3 });
  get.answer(1);
  get.answer(2);
  t.deepEqual(get.answer(3, 'unknown'), ['too-few 2/3', 'repair 3', 'ended']);
  const nothing = new GetScript({ nodes: [1, 2, 3], quorum: 3 });
  nothing.answer(1, 'absent');
  nothing.answer(2, 'absent');
  t.deepEqual(nothing.answer(3, 'unknown'), ['too-few 2/3', 'ended']);
});

test('A node that holds the key only as a fallback looks into its own store before it asks another fallback', (t) => {
  const get = new GetScript({ self: 5, suspects: [1, 2, 3] });
  t.deepEqual(get.lines, ['read', 'ask 4']);
});
