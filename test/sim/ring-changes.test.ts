/* Administrators of simulated clusters, and what the simulation remembers of the rings that they make. */
import test from 'ava';
import { advanceRing, changeRing } from '../../src/ring/change.js';
import type { RingDocument } from '../../src/ring/document.js';
import { RingCluster } from './cluster.js';
import type { SimOptions } from './options.js';
import type { SimNode } from './sim-node.js';
import { placeOf } from './tools.js';
import { SimWorld } from './world.js';

const NOTES = { change: 'a test', changedAtMs: 1 };
const KEY = 'cart';
const CALM: Partial<SimOptions> = {
  nodes: 4,
  cluster: { kind: 'ring', replicaCount: 3, zones: 1, routing: 'ring' },
  partitionCount: 4,
  faultEveryMs: Number.POSITIVE_INFINITY,
};

function clusterOf(world: SimWorld): RingCluster {
  if (!(world.cluster instanceof RingCluster)) throw new Error('it is no ring');
  return world.cluster;
}

const nodeOf = (cluster: RingCluster, node: number): SimNode => cluster.nodes[node] as SimNode;

/** Node 4 joins, and takes over what it gets; nobody has heard of it yet. */
function ringsOf(cluster: RingCluster): { readonly joined: RingDocument; readonly copied: RingDocument } {
  const ordinal = 5;
  const { address, peerAddress } = placeOf(ordinal);
  const member = { nodeId: cluster.nodeIdOf(ordinal), ordinal, address, peerAddress, zone: '', capacity: 1 };
  const members = [...cluster.ring.members, { ...member, leaving: false }];
  const joined = changeRing(cluster.ring, members, 1, NOTES);
  if ('fault' in joined) throw new Error(joined.fault);
  const copied = advanceRing(joined, { copied: joined.moves, settled: [], left: [] }, NOTES);
  if (copied === null) throw new Error('nothing moves');
  return { joined, copied };
}

/** A key of a partition that the newcomer gets. */
function movingKey(cluster: RingCluster, { moves }: RingDocument): string {
  for (let i = 0; i < 1_000; i++) {
    const key = `${KEY} ${i}`;
    if (moves.some(({ partition }) => partition === cluster.partitionOf(key))) return key;
  }
  throw new Error('no key is of a partition that moves');
}

test('all that ever owned a key are its owners, by whatever ring', (t) => {
  const cluster = clusterOf(new SimWorld({ seed: 1, given: CALM }));
  const { joined, copied } = ringsOf(cluster);
  const key = movingKey(cluster, joined);
  for (const node of cluster.nodes) cluster.onRing(node, cluster.ring, 0);
  t.is(cluster.ownersEver(key).length, 3);
  cluster.onRing(nodeOf(cluster, 0), joined, 100);
  t.is(cluster.ownersEver(key).length, 3, 'it is copied first');
  cluster.onRing(nodeOf(cluster, 0), copied, 200);
  t.is(cluster.ownersEver(key).length, 4);
});

const LATER_MS = 10_000;

test('one voter at a time forgets, and before they have names none', (t) => {
  const cluster = clusterOf(new SimWorld({ seed: 1, given: { ...CALM, nodes: 5 } }));
  const [a, b, c] = [nodeOf(cluster, 0), nodeOf(cluster, 1), nodeOf(cluster, 2)];
  t.false(cluster.mayForget(a, LATER_MS));
  const voters = cluster.ring.voters.map(({ ordinal }) => ({ ordinal, acceptorId: String(ordinal).repeat(32) }));
  t.is(voters.length, 5);
  for (const { ordinal, acceptorId } of voters) {
    const machine = cluster.machine(ordinal);
    if (machine !== undefined) machine.acceptorId = acceptorId;
  }
  cluster.onRing(a, { ...cluster.ring, version: 2, voters }, 0);
  t.true(cluster.mayForget(a, LATER_MS));
  cluster.forgets(a, 0);
  for (const node of [a, b, c])
    t.false(cluster.mayForget(node, LATER_MS), 'the ring still names one by what it was called');
  const named = voters.map((voter) => (voter.ordinal === a.ordinal ? { ...voter, acceptorId: 'e'.repeat(32) } : voter));
  cluster.onRing(a, { ...cluster.ring, version: 3, voters: named }, 1);
  t.false(cluster.mayForget(b, 5_000), 'a ring that was proposed before may make a voter of one by what it was called');
  t.true(cluster.mayForget(b, LATER_MS));
});

test('a ring that was decided is never lost by all, the first may be', (t) => {
  const cluster = clusterOf(new SimWorld({ seed: 1, given: CALM }));
  const [a, b] = [nodeOf(cluster, 0), nodeOf(cluster, 1)];
  for (const node of [a, b]) cluster.onRing(node, cluster.ring, 0);
  cluster.forgets(a, 0);
  t.true(cluster.isRingKeptWithout(b));
  const second = { ...cluster.ring, version: 2 };
  cluster.onRing(a, second, 1);
  t.false(cluster.isRingKeptWithout(a));
  t.true(cluster.isRingKeptWithout(b), 'it has not got it yet');
  cluster.onRing(b, second, 2);
  t.true(cluster.isRingKeptWithout(a));
  cluster.forgets(a, 0);
  t.false(cluster.isRingKeptWithout(b));
});

test('members come and go, never fewer than N, and every proposal comes to an end', (t) => {
  const world = new SimWorld({ seed: 3, given: { ...CALM, changeEveryMs: 1_500 } });
  const cluster = clusterOf(world);
  const first = cluster.ring.ordinalNext;
  for (const node of cluster.nodes) node.start();
  world.changes?.start();
  world.runFor(40_000);
  world.changes?.stop();
  world.runFor(15_000);
  const sum = (counts: ReadonlyMap<string, number> = new Map()): number =>
    [...counts.values()].reduce((total, count) => total + count, 0);
  t.true(sum(world.changes?.proposed) > 10);
  t.is(sum(world.changes?.outcomes), sum(world.changes?.proposed));
  t.true(cluster.ring.version > 10);
  for (const { members, replicaCount } of cluster.history.rings.values())
    t.true(members.filter(({ leaving }) => !leaving).length >= replicaCount);
  t.true(cluster.ring.ordinalNext > first && cluster.ring.ordinalNext <= first + 6);
  t.deepEqual(world.violations, []);
});

test('who has lost a node removes it, though others have been told to leave meanwhile', (t) => {
  const world = new SimWorld({ seed: 4, given: { ...CALM, changeEveryMs: 1e9 } });
  const cluster = clusterOf(world);
  for (const node of cluster.nodes) node.start();
  world.changes?.start();
  world.runFor(10_000);
  const [a, b] = [nodeOf(cluster, 0), nodeOf(cluster, 1)];
  a.process?.run(() => {
    a.server?.changeRing([{ kind: 'leave', ordinal: 1 }], { seed: 1, change: 'leave' }, () => undefined);
  });
  t.true(world.pump(() => cluster.ring.members.some(({ leaving }) => leaving), 5_000));
  b.burn();
  cluster.hasLeft(b);
  t.true(world.pump(() => !cluster.ring.members.some(({ ordinal }) => ordinal === 2), 30_000));
  t.is(cluster.ring.members.filter(({ leaving }) => !leaving).length, 3);
});

test('where members are to stay nobody proposes anything', (t) => {
  const world = new SimWorld({ seed: 3, given: { ...CALM, changeEveryMs: Number.POSITIVE_INFINITY } });
  for (const node of world.cluster.nodes) node.start();
  world.changes?.start();
  world.runFor(10_000);
  t.is(world.changes?.proposed.size, 0);
});

test('a ring whose voters have lost their memories changes again when they are named by force, and not before', (t) => {
  const world = new SimWorld({ seed: 5, given: { ...CALM, changeEveryMs: Number.POSITIVE_INFINITY } });
  const cluster = clusterOf(world);
  for (const node of cluster.nodes) node.start();
  const areNamed = (): boolean => cluster.ring.voters.every(({ acceptorId }) => acceptorId !== '');
  t.true(world.pump(areNamed, 20_000));
  const by = nodeOf(cluster, 2);
  const forced = (lost: readonly number[]): string => {
    let said = '';
    by.process?.run(() => {
      by.server?.nameVoters(lost, ({ kind, text }) => {
        said = `${kind} ${text}`;
      });
    });
    return said;
  };
  const change = (): string => {
    let said = '';
    by.process?.run(() => {
      by.server?.changeRing([{ kind: 'set', ordinal: 1, capacity: 2 }], { seed: 1, change: 'set' }, ({ kind }) => {
        said = kind;
      });
    });
    world.pump(() => said !== '', 30_000);
    return said;
  };
  world.runFor(5_000);
  t.regex(forced([]), /^refused .*3 of its 3 voters may agree/);
  const { version } = cluster.ring;
  for (const node of [nodeOf(cluster, 0), nodeOf(cluster, 1)]) {
    node.crash('power');
    node.loseDisk();
    node.start();
  }
  world.runFor(20_000);
  t.is(change(), 'no-quorum');
  t.is(cluster.ring.version, version, 'nobody can name them');
  t.regex(forced([1]), /^refused .*node 1 answers, so it is not lost/);
  t.regex(forced([]), /^done Ring version \d+ comes into force/);
  t.true(world.pump(() => cluster.nodes.every(({ server }) => (server?.ringVersion ?? 0) > version + 50_000), 20_000));
  world.runFor(10_000);
  t.is(change(), 'done');
  t.true(world.pump(() => cluster.nodes.every(({ server }) => server?.ringVersion === cluster.ring.version), 20_000));
  t.deepEqual(world.violations, []);
});
