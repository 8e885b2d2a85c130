/* Puts and hints while the ring changes: what was acknowledged by the one ring is with the owners of the next. */
import test from 'ava';
import type { RingDocument } from '../../../src/ring/document.js';
import { ClusterBench } from './bench.js';
import { GIVER, leavingScene } from './leaving-scene.js';
import { removed, rowOf } from './moved-rings.js';

const sorted = (ordinals: readonly number[]): string => [...ordinals].sort((a, b) => a - b).join(' ');
const hintsFor = (owners: readonly number[]): string =>
  [...owners]
    .sort((a, b) => a - b)
    .map((owner) => `${owner}:1`)
    .join(' ');
const hintsOf = (bench: ClusterBench, ordinal: number): string =>
  bench.node(ordinal).hints().split(' ').sort().join(' ');

test('while a partition is copied every put reaches the receiver, too, and what that says counts for nothing', (t) => {
  const { bench, move, key, copying, stays } = leavingScene();
  bench.install(copying);
  const [first, second] = stays;
  bench.node(first).put(key, 'apple', { w: 3, strict: true });
  bench.time.runFor(200);
  const holders = bench.members.filter((member) => member.holds(key)).map(({ ordinal }) => ordinal);
  t.is(sorted(holders), sorted([...stays, GIVER, move.to]));
  t.is(bench.node(move.to).hints(), '', 'it keeps it for itself');

  bench.node(second).storage.holdAcks = true;
  const other = bench.keyIn(move.partition, 'other-');
  t.is(bench.node(first).putError(other, 'pear', { w: 3, strict: true, budgetMs: 500 }).code, 'QUORUM_UNAVAILABLE');
  t.true(bench.node(GIVER).holds(other));
  t.true(bench.node(move.to).holds(other), 'three nodes have it, and two of them are owners');
});

test('while a move settles every put reaches the giver, too, and what that says counts for nothing', (t) => {
  const { bench, move, key, settling, stays } = leavingScene();
  bench.install(settling);
  const [first, second] = stays;
  bench.node(first).put(key, 'apple', { w: 3, strict: true });
  bench.time.runFor(200);
  t.true(bench.node(GIVER).holds(key));
  t.is(bench.node(GIVER).hints(), '');
  t.true(bench.node(move.to).holds(key));

  bench.node(second).storage.holdAcks = true;
  const other = bench.keyIn(move.partition, 'other-');
  t.is(bench.node(first).putError(other, 'pear', { w: 3, strict: true, budgetMs: 500 }).code, 'QUORUM_UNAVAILABLE');
  t.true(bench.node(GIVER).holds(other));
  t.true(bench.node(move.to).holds(other));
});

test('a node that is no owner by its own ring keeps what it is sent as hints for all owners', async (t) => {
  const { bench, key, over, stays, move } = leavingScene();
  bench.install(over, [GIVER]);
  bench.node(stays[0]).askPut(key, 'apple', { w: 3 });
  bench.time.runFor(50);
  t.is(hintsOf(bench, GIVER), hintsFor([...stays, move.to]));
  await bench.settle(12_000); // they hear of the ring, and the hints go home
  t.is(bench.node(GIVER).hints(), '');
  t.false(bench.node(GIVER).holds(key));
  for (const owner of [...stays, move.to]) t.true(bench.node(owner).holds(key), `node ${owner}`);
});

test('a put whose partition the ring takes away before it is stored is kept for all owners', async (t) => {
  const { bench, key, over, stays, move } = leavingScene();
  const { storage } = bench.node(GIVER);
  storage.cold = true;
  bench.node(GIVER).askPut(key, 'apple', { w: 1 });
  bench.time.runFor(20);
  bench.install(over);
  storage.cold = false;
  storage.serve();
  t.true(bench.node(GIVER).holds(key));
  t.is(hintsOf(bench, GIVER), hintsFor([...stays, move.to]));
  await bench.settle(12_000);
  t.false(bench.node(GIVER).holds(key));
  for (const owner of [...stays, move.to]) t.true(bench.node(owner).holds(key), `node ${owner}`);
});

/** A ring of six without node 5, and a partition of it whose stand-in does not become an owner. */
function lossScene(): { bench: ClusterBench; lost: RingDocument; key: string; coordinator: number; standIn: number } {
  const bench = new ClusterBench(6);
  const lost = removed(bench.ring, GIVER);
  for (const { partition } of lost.moves) {
    const key = bench.keyIn(partition);
    const list = bench.preferenceList(key);
    const [standIn] = list.slice(3).filter((node) => node !== GIVER) as [number];
    if (rowOf(lost, partition).includes(standIn)) continue;
    const coordinator = list.slice(0, 3).find((owner) => owner !== GIVER) as number;
    return { bench, lost, key, coordinator, standIn };
  }
  throw new Error('Every stand-in becomes an owner');
}

const others = (bench: ClusterBench): readonly number[] =>
  bench.members.map(({ ordinal }) => ordinal).filter((ordinal) => ordinal !== GIVER);

test('hints for a node that was lost are kept for the owners of now, and in the log they come before the old ones go', async (t) => {
  const { bench, lost, key, coordinator, standIn } = lossScene();
  bench.isolate(GIVER);
  bench.time.runFor(4_000);
  bench.node(coordinator).put(key, 'apple', { w: 3 });
  bench.time.runFor(200);
  t.is(bench.node(standIn).hints(), `${GIVER}:1`);

  const log: string[] = [];
  const { hints } = bench.node(standIn).storage;
  const { keep, drop } = hints;
  hints.keep = (hint, ack): void => {
    log.push(`keep for ${hint.owner}`);
    keep.call(hints, hint, ack);
  };
  hints.drop = (hint, ack): void => {
    log.push(`drop for ${hint.owner}`);
    drop.call(hints, hint, ack);
  };
  bench.install(lost, others(bench));
  const owners = rowOf(lost, bench.partitionOf(key));
  t.is(sorted(log.slice(0, 3).map((line) => Number(line.replace('keep for ', '')))), sorted(owners));
  t.is(log[3], `drop for ${GIVER}`);
  t.is(hintsOf(bench, standIn), hintsFor(owners));
  await bench.settle(4_000);
  for (const owner of owners) t.true(bench.node(owner).holds(key), `node ${owner}`);
  t.is(bench.node(standIn).hints(), '');
  t.false(bench.node(standIn).holds(key));
});

test('what a stand-in stores for a node that was lost meanwhile is kept for the owners of now', async (t) => {
  const { bench, lost, key, coordinator, standIn } = lossScene();
  bench.isolate(GIVER);
  bench.time.runFor(4_000);
  const { storage } = bench.node(standIn);
  storage.cold = true;
  bench.node(coordinator).askPut(key, 'apple', { w: 1 });
  bench.time.runFor(20);
  bench.install(lost, others(bench));
  storage.cold = false;
  storage.serve();
  const owners = rowOf(lost, bench.partitionOf(key));
  t.is(hintsOf(bench, standIn), hintsFor(owners));
  await bench.settle(4_000);
  t.is(bench.node(standIn).hints(), '');
  for (const owner of owners) t.true(bench.node(owner).holds(key), `node ${owner}`);
});

test('a coordinator that finds nobody to stand in for a node that was lost meanwhile keeps hints for the owners of now', async (t) => {
  const { bench, lost, key, coordinator } = lossScene();
  const owners = rowOf(lost, bench.partitionOf(key));
  const { storage } = bench.node(coordinator);
  bench.isolate(GIVER);
  for (const other of others(bench).filter((one) => one !== coordinator)) {
    bench.node(other).storage.refusal = { code: 'OVERLOADED', text: 'Not now' } as never;
  }
  storage.cold = true;
  bench.node(coordinator).askPut(key, 'apple', { w: 1 });
  bench.time.runFor(20);
  bench.install(lost, others(bench));
  storage.cold = false;
  storage.serve();
  bench.time.runFor(3_000);
  t.is(hintsOf(bench, coordinator), hintsFor(owners.filter((owner) => owner !== coordinator)));
  for (const other of others(bench)) bench.node(other).storage.refusal = null;
  await bench.settle(40_000);
  for (const owner of owners) t.true(bench.node(owner).holds(key), `node ${owner}`);
  t.is(bench.node(coordinator).hints(), '');
});
