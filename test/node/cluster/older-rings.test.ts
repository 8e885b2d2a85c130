/*
 * Members that live by different rings for a moment: one has heard that a partition has moved, another has not. What a put
 * was acknowledged for is still there afterwards, where the newer ring looks for it; and nobody counts as an owner who is
 * none by a newer ring.
 */
import test from 'ava';
import { text } from '../../support/test-client.js';
import type { Member } from './bench.js';
import { GIVER, type LeavingScene, leavingScene } from './leaving-scene.js';

const ALL = [1, 2, 3, 4, 5];

const without = (...some: readonly number[]): readonly number[] => ALL.filter((one) => !some.includes(one));

/** Of the two owners that stay one has heard of no ring, and neither the other nor the new one is reached. */
function alone({ bench, over, stays: [first, second], move }: LeavingScene): Member {
  bench.install(over, without(first));
  bench.isolate(second);
  bench.isolate(move.to);
  return bench.node(first);
}

test('a stand-in that is an owner by its older ring keeps no hint, and brings the copy home when it learns', async (t) => {
  const { bench, key, over, move, stays } = leavingScene();
  const giver = bench.node(GIVER);
  bench.isolate(move.to);
  bench.install(over, without(GIVER, move.to));
  const { origin } = bench.node(stays[0]).put(key, 'apple', { w: 3 });
  t.deepEqual(origin.fallbacks, [GIVER], 'it was asked to stand in, and counts');
  t.true(giver.holds(key));
  t.is(giver.hints(), '', 'by its ring it is an owner');
  for (const owner of stays) bench.node(owner).storage.remove(text(key)); // what it was counted for
  bench.install(over, without(move.to));
  t.deepEqual(giver.node.clusterStatus()?.departing, [bench.partitionOf(key)]);
  await bench.settle(10_000);
  t.true(giver.holds(key), 'the owner that it is kept for is not back');
  bench.rejoin(move.to);
  await bench.settle(20_000);
  for (const owner of [...stays, move.to]) t.true(bench.node(owner).holds(key), `node ${owner}`);
  t.false(giver.holds(key));
});

test('the same after a restart that came before it had learnt', async (t) => {
  const { bench, key, over, move, stays } = leavingScene();
  bench.isolate(move.to);
  bench.install(over, without(GIVER, move.to));
  bench.node(stays[0]).put(key, 'apple', { w: 3 });
  t.true(bench.node(GIVER).holds(key));
  for (const owner of stays) bench.node(owner).storage.remove(text(key));
  bench.ring = over; // it starts with the ring that it has just kept
  bench.restart(GIVER);
  bench.install(over);
  bench.rejoin(move.to);
  await bench.settle(20_000);
  for (const owner of [...stays, move.to]) t.true(bench.node(owner).holds(key), `node ${owner}`);
  t.false(bench.node(GIVER).holds(key));
});

test('who has given a partition up counts as a stand-in for a put by an older ring, not as an owner', (t) => {
  const it = leavingScene();
  const { bench, key, move } = it;
  const error = alone(it).putError(key, 'apple', { w: 2, strict: true });
  t.is(error.code, 'QUORUM_UNAVAILABLE');
  t.true(error.outcomeUnknown);
  t.regex(error.text, /lives by a newer ring/);
  t.true(bench.node(GIVER).hints().includes(`${move.to}:1`), 'it is kept for who has taken it over');
});

test('an owner that knows a newer ring counts for a strict put by an older one as a stand-in, and tells it nothing in a strict get', (t) => {
  const it = leavingScene();
  const { bench, key, over, stays } = it;
  const [first, second] = stays;
  const old = alone(it);
  bench.rejoin(second);
  bench.time.runFor(100);
  const terms = { w: 2, strict: true };
  const error = old.putError(key, 'apple', terms);
  t.regex(error.text, new RegExp(`node ${second} .*lives by a newer ring`));
  t.true(error.outcomeUnknown);
  t.true(bench.node(second).holds(key));
  t.is(old.getError(key, { r: 2, strict: true }).code, 'UNKNOWN_STATE');
  t.deepEqual(old.values(key, { r: 2 }), ['apple']);
  bench.install(over, [first]);
  t.true(old.put(key, 'pear', terms).origin.owners.length >= 2);
});

test('without strict it counts, and says what it is', (t) => {
  const it = leavingScene();
  const { origin } = alone(it).put(it.key, 'apple', { w: 3 });
  t.true(origin.sloppy);
  t.true(origin.fallbacks.includes(GIVER));
});

test('who has given a partition up does not answer for it as an owner', async (t) => {
  const { bench, key, over, move, stays } = leavingScene();
  const [first, second] = stays;
  bench.install(over, without(first));
  await bench.settle(100);
  bench.node(move.to).put(key, 'apple', { w: 3 });
  bench.time.runFor(50);
  bench.node(first).storage.remove(text(key)); // a put that it has missed
  bench.isolate(second);
  // By the ring of `first`: two of its three owners have nothing. By the newer one the two that have it were enough.
  const error = bench.node(first).getError(key, { r: 2, strict: true });
  t.is(error.code, 'UNKNOWN_STATE');
  t.regex(error.text, /does not know/);
  bench.install(over, [first]);
  t.deepEqual(bench.node(first).values(key, { r: 2, strict: true }), ['apple']);
});
