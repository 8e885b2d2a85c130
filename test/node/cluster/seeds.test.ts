/* A node that comes back when all other members are elsewhere: it finds them by a seed, and only in its own cluster. */
import test from 'ava';
import type { RingDocument } from '../../../src/ring/document.js';
import { PeerNetwork } from '../peers/network.js';
import { addressOf } from '../peers/cluster.js';
import { ClusterBench } from './bench.js';
import { nextVersion, removed } from './moved-rings.js';

const AWAY = 5;
const OTHERS = [1, 2, 3, 4];
const newAddressOf = (ordinal: number): string => `10.7.0.${ordinal}:7702`;

/** Node 5 is down while all others move to other addresses. */
async function scene(): Promise<{ readonly bench: ClusterBench; readonly first: RingDocument }> {
  const bench = new ClusterBench(5);
  const first = bench.ring;
  bench.node(AWAY).node.stop();
  const members = first.members.map((member) =>
    member.ordinal === AWAY ? member : { ...member, peerAddress: newAddressOf(member.ordinal) },
  );
  const { hosts } = bench.network;
  for (const ordinal of OTHERS) hosts.set(newAddressOf(ordinal), bench.node(ordinal).host);
  bench.install({ ...nextVersion(first), members }, OTHERS);
  for (const ordinal of OTHERS) hosts.delete(addressOf(ordinal));
  await bench.settle(3_000);
  return { bench, first };
}

/** With the ring that it knew when it went. */
function comesBack(bench: ClusterBench, first: RingDocument, seeds: readonly string[]): void {
  const { ring } = bench;
  bench.ring = first;
  bench.seeds = seeds;
  bench.restart(AWAY);
  bench.ring = ring;
}

const statesOf = (bench: ClusterBench): readonly string[] =>
  (bench.node(AWAY).node.clusterStatus()?.peers ?? []).map(({ state }) => state);

test('a node whose members have all moved meets them again by one seed', async (t) => {
  const { bench, first } = await scene();
  comesBack(bench, first, ['10.8.0.1:1', newAddressOf(3), '10.8.0.2:1']);
  await bench.settle(30_000);
  t.is(bench.node(AWAY).node.ringVersion, 2);
  t.deepEqual(statesOf(bench), ['ready', 'ready', 'ready', 'ready']);
  const key = bench.keyOf(1);
  bench.node(AWAY).put(key, 'apple', { w: 3 });
  t.deepEqual(bench.node(1).values(key, { r: 3 }), ['apple']);
});

test('without a seed it finds nobody', async (t) => {
  const { bench, first } = await scene();
  comesBack(bench, first, []);
  await bench.settle(20_000);
  t.is(bench.node(AWAY).node.ringVersion, 1);
  t.false(statesOf(bench).includes('ready'));
});

test('a seed is not called while a member can be reached, and its own address does no harm', async (t) => {
  const bench = new ClusterBench(5);
  bench.seeds = [newAddressOf(9)];
  bench.restart(AWAY);
  const { dials } = bench.network;
  await bench.settle(10_000);
  t.is(bench.network.dials, dials);
  const alone = await scene();
  comesBack(alone.bench, alone.first, [addressOf(AWAY), newAddressOf(2)]);
  await alone.bench.settle(30_000);
  t.is(alone.bench.node(AWAY).node.ringVersion, 2);
});

test('another cluster at the seed is turned away, whatever secret it knows', async (t) => {
  const { bench, first } = await scene();
  const network = new PeerNetwork(bench.time, bench.random.fork());
  const other = new ClusterBench(3, 3, undefined, { network, time: bench.time, clusterId: 'd'.repeat(32) });
  other.install(nextVersion(other.ring));
  const foreign = newAddressOf(7);
  bench.network.hosts.set(foreign, other.node(1).host);
  comesBack(bench, first, [foreign]);
  await bench.settle(15_000);
  t.is(bench.node(AWAY).node.ringVersion, 1);
  t.is(bench.node(AWAY).warnings.filter((event) => event === 'seed-unreachable').length, 1, 'said once');
});

test('a node that was removed while it was away is told so by a seed', async (t) => {
  const { bench, first } = await scene();
  bench.install(removed(bench.ring, AWAY), OTHERS);
  comesBack(bench, first, [newAddressOf(1)]);
  await bench.settle(15_000);
  t.true(bench.node(AWAY).isRemoved);
});
