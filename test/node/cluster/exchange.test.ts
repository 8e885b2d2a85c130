/* Members that compare what they hold: what they ask and answer on the wire, and that they agree afterwards. */
import test from 'ava';
import { PeerTable } from '../../../src/coordinator/peer-table.js';
import { PeerCredentials } from '../../../src/node/peers/credentials.js';
import type { PeerLink } from '../../../src/node/peers/link.js';
import { PeerLinks } from '../../../src/node/peers/links.js';
import type { BodyAsker } from '../../../src/node/peers/request.js';
import {
  decodeTreeReply,
  encodeLeaves,
  encodePull,
  encodeTree,
  type decodeLeavesReply,
} from '../../../src/wire/codec-exchange.js';
import { LEAVES, PULL, TREE } from '../../../src/wire/kinds.js';
import { PoisonPool } from '../../support/poison-pool.js';
import { silentLog } from '../../support/silent.js';
import { text } from '../../support/test-client.js';
import { idOf, keyedDigest, SECRET } from '../peers/cluster.js';
import { ClusterBench } from './bench.js';

const HEAD = { partition: 0, ringVersion: 1, budgetMs: 1_000 };

/** Member 4 of the ring, played by the test: it owns no copy of what it asks about. */
class Player implements BodyAsker {
  readonly said: string[] = [];
  readonly #link: PeerLink;
  readonly #bench: ClusterBench;
  answer: ReturnType<typeof decodeTreeReply | typeof decodeLeavesReply> | null = null;

  constructor(bench: ClusterBench) {
    this.#bench = bench;
    const host = bench.network.host('10.9.9.9:1');
    const { ring, random, time: clock } = bench;
    const credentials = new PeerCredentials({
      nodeId: idOf(4),
      secret: SECRET,
      digest: keyedDigest,
      random: random.fork(),
      ring,
    });
    const links = new PeerLinks({
      clock,
      timers: host,
      random: random.fork(),
      dialer: bench.network.dialerOf(host),
      log: silentLog,
      pool: new PoisonPool(),
      credentials,
      table: new PeerTable(4),
    });
    links.start();
    clock.runFor(500);
    this.#link = links.get(1) as PeerLink;
  }

  onAnswered(_from: number, _tag: number, bytes: Uint8Array, start: number, end: number): void {
    this.answer = decodeTreeReply(bytes, start, end);
    this.said.push('answered');
  }

  onRefused(_from: number, _tag: number, refusal: { readonly code: string; readonly text: string }): void {
    this.said.push(`${refusal.code}: ${refusal.text}`);
  }

  onUnanswered(_from: number, _tag: number, why: string): void {
    this.said.push(why);
  }

  ask(kind: number, body: Uint8Array): string {
    this.#link.ask(kind, body, 1_000, this, 0);
    this.#bench.time.runFor(100);
    return this.said.pop() ?? 'nothing';
  }
}

test('questions that make no sense are refused with a reason, and the connection goes on', (t) => {
  const bench = new ClusterBench(4);
  const player = new Player(bench);
  const partitions = bench.ring.partitionCount;
  const owned = Array.from({ length: partitions }, (_, id) => id).find((id) =>
    bench.ownersOf(id).includes(1),
  ) as number;
  const other = Array.from({ length: partitions }, (_, id) => id).find(
    (id) => !bench.ownersOf(id).includes(1),
  ) as number;
  const tree = (more: object): string =>
    player.ask(TREE, encodeTree({ ...HEAD, partition: owned, level: 0, parents: [0], ...more }));
  t.is(tree({}), 'answered');
  t.is(
    tree({ partition: partitions }),
    `INVALID_ARGUMENT: There is no partition ${partitions}: there are ${partitions}`,
  );
  t.is(tree({ level: 9 }), 'INVALID_ARGUMENT: The tree has no such nodes of level 9');
  const start = { hi: 0, lo: 0 };
  t.regex(
    player.ask(LEAVES, encodeLeaves({ ...HEAD, partition: other, leaves: [], from: start })),
    /^INVALID_ARGUMENT: Partition \d+ has no copy here, by ring 1$/,
  );
  t.regex(
    player.ask(LEAVES, encodeLeaves({ ...HEAD, partition: owned, leaves: [3, 2], from: start })),
    /^INVALID_ARGUMENT: A partition has \d+ leaves, and these are not some of them in order$/,
  );
  const twice = [start, start];
  t.is(
    player.ask(PULL, encodePull({ ...HEAD, partition: owned, hashes: twice })),
    'INVALID_ARGUMENT: Hashes are named in order, each once, and at least one',
  );
  t.is(tree({}), 'answered');
});

test('a member that owns no copy tells of its hints and of no tree', (t) => {
  const bench = new ClusterBench(4);
  const player = new Player(bench);
  const key = bench.keyOf(2);
  const [first, second] = bench.preferenceList(key) as [number, number];
  bench.isolate(second);
  bench.time.runFor(20_000);
  bench.node(first).put(key, 'value');
  bench.time.runFor(5_000);
  const partition = bench.partitionOf(key);
  const asked = encodeTree({ ...HEAD, partition, level: 0, parents: [0] });
  t.is(player.ask(TREE, asked), 'answered');
  const hints = bench.node(1).hints() !== '';
  const isOwner = bench.ownersOf(partition).includes(1);
  t.false(isOwner);
  t.like(player.answer, { suspect: false, hasHints: hints });
  t.is((player.answer as { readonly nodes: Uint8Array }).nodes.length, 0);
});

test('an owner that has missed a put gets it when owners meet, and one that is young stays young', async (t) => {
  const bench = new ClusterBench(3);
  const key = bench.overwritten(2);
  const holdSame = (): boolean =>
    Buffer.from(bench.node(2).storage.record(text(key)) as Uint8Array).equals(
      bench.node(1).storage.record(text(key)) as Uint8Array,
    );
  const meet = async (): Promise<void> => {
    for (const { node } of bench.members) node.meetOwners();
    await bench.settle();
  };
  await meet();
  t.false(holdSame(), 'it may be on its way');
  bench.time.runFor(6_000);
  await meet();
  t.true(holdSame());
  const moved = bench.members.reduce((sum, { node }) => {
    const repair = node.clusterStatus()?.repair;
    return sum + (repair?.received ?? 0) + (repair?.sent ?? 0);
  }, 0);
  t.true(moved >= 1 && moved <= 3, `${moved} records`);
});

test('a record that cannot be read is brought by the others, all of them, and not before all can be asked', async (t) => {
  const bench = new ClusterBench(3);
  const key = bench.overwritten(2);
  bench.isolate(3);
  bench.time.runFor(20_000);
  bench.node(1).storage.rot(text(key));
  await bench.settle();
  t.is(bench.node(1).getError(key, { r: 2, strict: true }).code, 'UNKNOWN_STATE', 'node 2 may have missed a put');
  bench.rejoin(3);
  bench.time.runFor(20_000);
  await bench.settle();
  t.deepEqual(bench.node(1).values(key, { r: 1 }), ['second']);
  t.is(bench.node(1).node.clusterStatus()?.repair.damagedHealed, 1);
});

test('an owner that is suspect itself does not count as one that has nothing: who asks it waits', async (t) => {
  const bench = new ClusterBench(3);
  const key = bench.overwritten(2);
  const second = Buffer.from(bench.node(3).storage.record(text(key)) as Uint8Array);
  bench.node(3).storage.remove(text(key));
  bench.node(3).storage.suspectPartitions = [bench.partitionOf(key)];
  bench.node(1).storage.rot(text(key));
  const healed = (): number | undefined => bench.node(1).node.clusterStatus()?.repair.damagedHealed;
  for (let i = 0; i < 5; i++) await bench.settle();
  t.is(healed(), 0);
  t.regex(bench.node(1).getError(key, { r: 3 }).text, /node 1 \([^)]*\): does not know/);
  bench.node(3).storage.replace(text(key), second);
  bench.node(3).storage.suspectPartitions = [];
  for (let i = 0; i < 5; i++) await bench.settle();
  t.is(healed(), 1);
  t.deepEqual(bench.node(1).values(key, { r: 1 }), ['second']);
});

test('what none of the others has is dropped, unless it was put here anew meanwhile', async (t) => {
  const bench = new ClusterBench(3);
  const [lost, renewed] = [bench.keyOf(1), bench.keyOf(1, 'renewed')];
  for (const key of [lost, renewed]) {
    bench.node(1).put(key, 'value');
    bench.time.runFor(500);
    for (const other of [2, 3]) bench.node(other).storage.remove(text(key));
    bench.node(1).storage.rot(text(key));
  }
  t.deepEqual(bench.node(1).values(lost, { r: 2 }), [], 'by the two others');
  t.regex(bench.node(1).getError(lost, { r: 3 }).text, /node 1 \([^)]*\): does not know/);
  bench.node(1).put(renewed, 'anew');
  await bench.settle();
  await bench.settle();
  t.deepEqual(bench.node(1).values(lost, { r: 3 }), []);
  t.deepEqual(bench.node(1).values(renewed, { r: 3 }), ['anew']);
});

test('a copy for somebody else of which no hint tells, and which cannot be read, is given up', async (t) => {
  const bench = new ClusterBench(4);
  const key = bench.keyOf(1);
  const partition = bench.partitionOf(key);
  const stranger = [1, 2, 3, 4].find((one) => !bench.ownersOf(partition).includes(one)) as number;
  bench.node(1).put(key, 'value');
  bench.time.runFor(500);
  const { storage } = bench.node(stranger);
  storage.replace(text(key), bench.node(1).storage.record(text(key)) as Uint8Array, partition);
  storage.rot(text(key));
  await bench.settle(6_000);
  t.is(storage.record(text(key)), undefined);
  t.is(bench.node(stranger).hints(), '');
  t.deepEqual(bench.node(1).values(key, { r: 3 }), ['value']);
});
