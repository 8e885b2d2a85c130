/*
 * Members that live by different rings for a moment: one has heard that a partition has moved, another has not. What a put
 * was acknowledged for is still there afterwards, where the newer ring looks for it; and nobody counts as an owner who is
 * none by a newer ring.
 */
import test from 'ava';
import type { RingDocument } from '../../../src/ring/document.js';
import type { RingMove } from '../../../src/ring/moves.js';
import { text } from '../../support/test-client.js';
import { ClusterBench } from './bench.js';
import { copied, leaving, rowOf, settled } from './moved-rings.js';

const GIVER = 5;
const ALL = [1, 2, 3, 4, 5];

interface Scene {
  readonly bench: ClusterBench;
  readonly key: string;
  readonly over: RingDocument;
  /** Owner by the newer ring alone. */
  readonly taker: number;
  /** Owners by both. */
  readonly staying: readonly number[];
}

/** Node 5 has given up all that it owned; nobody has been told. */
function scene(): Scene {
  const bench = new ClusterBench(5);
  const copying = leaving(bench.ring, GIVER);
  const over = settled(copied(copying));
  const { partition, to } = copying.moves[0] as RingMove;
  return {
    bench,
    key: bench.keyIn(partition),
    over,
    taker: to,
    staying: rowOf(over, partition).filter((owner) => owner !== to),
  };
}

const without = (...some: readonly number[]): readonly number[] => ALL.filter((one) => !some.includes(one));

/** It hears of no ring, and is reached all the same. */
function deafen({ bench, over }: Scene, ordinal: number): void {
  bench.install(over, without(ordinal));
}

test('a stand-in that is an owner by its older ring keeps no hint, and brings the copy home when it learns', async (t) => {
  const { bench, key, over, taker, staying } = scene();
  const giver = bench.node(GIVER);
  bench.isolate(taker);
  bench.install(over, without(GIVER, taker));
  const { origin } = bench.node(staying[0] as number).put(key, 'apple', { w: 3 });
  t.deepEqual(origin.fallbacks, [GIVER], 'it was asked to stand in, and counts');
  t.true(giver.holds(key));
  t.is(giver.hints(), '', 'by its ring it is an owner');
  for (const owner of staying) bench.node(owner).storage.remove(text(key)); // what it was counted for
  bench.install(over, without(taker));
  t.deepEqual(giver.node.clusterStatus()?.departing, [bench.partitionOf(key)]);
  await bench.settle(10_000);
  t.true(giver.holds(key), 'the owner that it is kept for is not back');
  bench.rejoin(taker);
  await bench.settle(20_000);
  for (const owner of [...staying, taker]) t.true(bench.node(owner).holds(key), `node ${owner}`);
  t.false(giver.holds(key));
});

test('the same after a restart that came before it had learnt', async (t) => {
  const { bench, key, over, taker, staying } = scene();
  bench.isolate(taker);
  bench.install(over, without(GIVER, taker));
  bench.node(staying[0] as number).put(key, 'apple', { w: 3 });
  t.true(bench.node(GIVER).holds(key));
  for (const owner of staying) bench.node(owner).storage.remove(text(key));
  bench.ring = over; // it starts with the ring that it has just kept
  bench.restart(GIVER);
  bench.install(over);
  bench.rejoin(taker);
  await bench.settle(20_000);
  for (const owner of [...staying, taker]) t.true(bench.node(owner).holds(key), `node ${owner}`);
  t.false(bench.node(GIVER).holds(key));
});

test('who has given a partition up counts as a stand-in for a put by an older ring, not as an owner', (t) => {
  const it = scene();
  const { bench, key, taker, staying } = it;
  const [first, second] = staying as [number, number];
  deafen(it, first);
  bench.isolate(second);
  bench.isolate(taker);
  const error = bench.node(first).putError(key, 'apple', { w: 2, strict: true });
  t.is(error.code, 'QUORUM_UNAVAILABLE');
  t.true(error.outcomeUnknown);
  t.regex(error.text, /lives by a newer ring/);
  t.true(bench.node(GIVER).hints().includes(`${taker}:1`), 'it is kept for who has taken it over');
});

test('an owner that knows a newer ring counts for a strict put by an older one as a stand-in, and tells it nothing in a strict get', (t) => {
  const it = scene();
  const { bench, key, over, staying } = it;
  const [first, second] = staying as [number, number];
  deafen(it, first);
  bench.install(over, [second]);
  const terms = { w: 2, strict: true };
  const error = bench.node(first).putError(key, 'apple', terms);
  t.regex(error.text, new RegExp(`node ${second} .*lives by a newer ring`));
  t.true(error.outcomeUnknown);
  t.true(bench.node(second).holds(key));
  t.is(bench.node(first).getError(key, { r: 2, strict: true }).code, 'UNKNOWN_STATE');
  t.deepEqual(bench.node(first).values(key, { r: 2 }), ['apple']);
  bench.install(over, [first]);
  t.false(bench.node(first).put(key, 'pear', terms).origin.sloppy);
});

test('without strict it counts, and says what it is', (t) => {
  const it = scene();
  const { bench, key, taker, staying } = it;
  const [first, second] = staying as [number, number];
  deafen(it, first);
  bench.isolate(second);
  bench.isolate(taker);
  const { origin } = bench.node(first).put(key, 'apple', { w: 3 });
  t.true(origin.sloppy);
  t.true(origin.fallbacks.includes(GIVER));
});

test('who has given a partition up does not answer for it as an owner', async (t) => {
  const { bench, key, over, taker, staying } = scene();
  const [first, second] = staying as [number, number];
  bench.install(over, without(first));
  await bench.settle(100);
  bench.node(taker).put(key, 'apple', { w: 3 });
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
