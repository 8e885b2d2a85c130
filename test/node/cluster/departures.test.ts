/* What becomes of copies of partitions that are not a node's own any more: they go home first, and then they go. */
import test from 'ava';
import type { RingDocument } from '../../../src/ring/document.js';
import type { RingMove } from '../../../src/ring/moves.js';
import { text } from '../../support/test-client.js';
import { ClusterBench } from './bench.js';
import { copied, leaving, nextVersion, rowOf, settled } from './moved-rings.js';

const LEAVER = 5;

interface Scene {
  readonly bench: ClusterBench;
  readonly key: string;
  readonly owners: readonly number[];
  readonly over: RingDocument;
  departing(): readonly number[];
}

/** Node 5 has given up all that it owned, and holds a record of one of those partitions. */
function scene(): Scene {
  const bench = new ClusterBench(5);
  const copying = leaving(bench.ring, LEAVER);
  const over = settled(copied(copying));
  const { partition } = copying.moves[0] as RingMove;
  const key = bench.keyIn(partition);
  const owners = rowOf(over, partition);
  bench.node(LEAVER).put(key, 'apple', { w: 3 });
  bench.time.runFor(200);
  const departing = (): readonly number[] => bench.node(LEAVER).node.clusterStatus()?.departing ?? [];
  return { bench, key, owners, over, departing };
}

/** Node 5 is sent a record, by an older ring. */
function store(bench: ClusterBench, key: string, record: Uint8Array, hintFor: number): void {
  const partition = bench.partitionOf(key);
  const head = {
    partition,
    ringVersion: 1,
    budgetMs: 1_000,
    hintFor,
    fence: 0,
    durable: false,
    reason: 'put',
  } as const;
  const asker = { onStored: () => undefined, onRefused: () => undefined, onUnanswered: () => undefined };
  const links = bench.playing(3);
  bench.time.runFor(100);
  links.get(LEAVER)?.store(head, record, true, 1_000, asker, 0);
  bench.time.runFor(50);
}

test('a copy is dropped when every owner has it, whoever lacked it before', async (t) => {
  const { bench, key, owners, over, departing } = scene();
  for (const owner of owners) bench.node(owner).storage.remove(text(key));
  bench.install(over);
  t.deepEqual(departing(), [bench.partitionOf(key)]);
  await bench.settle(2_500);
  t.true(bench.node(LEAVER).holds(key), 'what is under way by the old ring may yet come');
  await bench.settle(5_000);
  for (const owner of owners) t.true(bench.node(owner).holds(key), `node ${owner}`);
  t.false(bench.node(LEAVER).holds(key));
  t.deepEqual(departing(), []);
  t.deepEqual(bench.node(LEAVER).storage.dropped, [bench.partitionOf(key)], 'as a whole');
});

test('nothing is dropped before every owner has it on its disk', async (t) => {
  const { bench, key, owners, over, departing } = scene();
  const { storage } = bench.node(owners[2] as number);
  storage.remove(text(key));
  bench.install(over);
  storage.holdAcks = true; // it stores, and does not come to sync
  await bench.settle(8_000);
  t.true(storage.record(text(key)) !== undefined);
  t.true(bench.node(LEAVER).holds(key));
  storage.holdAcks = false;
  storage.sync();
  await bench.settle(20_000);
  t.false(bench.node(LEAVER).holds(key));
  t.deepEqual(departing(), []);
});

test('an owner that is down holds it up until it is back', async (t) => {
  const { bench, key, owners, over, departing } = scene();
  const [first] = owners as [number];
  bench.node(first).storage.remove(text(key));
  bench.isolate(first);
  bench.install(
    over,
    [1, 2, 3, 4, 5].filter((one) => one !== first),
  );
  await bench.settle(20_000);
  t.true(bench.node(LEAVER).holds(key));
  t.deepEqual(departing(), [bench.partitionOf(key)]);
  bench.rejoin(first);
  await bench.settle(12_000);
  t.true(bench.node(first).holds(key));
  t.false(bench.node(LEAVER).holds(key));
  t.deepEqual(departing(), []);
});

test('an owner that cannot be believed holds it up until it can', async (t) => {
  const { bench, key, owners, over, departing } = scene();
  const { storage } = bench.node(owners[1] as number);
  bench.install(over);
  storage.suspectPartitions = [bench.partitionOf(key)];
  await bench.settle(9_000);
  t.true(bench.node(LEAVER).holds(key), 'its tree may say that it has what it has not');
  storage.suspectPartitions = [];
  await bench.settle(6_000);
  t.false(bench.node(LEAVER).holds(key));
  t.deepEqual(departing(), []);
});

test('a record that a hint is kept of stays until the hint has gone home', async (t) => {
  const { bench, key, owners, over, departing } = scene();
  const partition = bench.partitionOf(key);
  const record = Uint8Array.from(bench.node(LEAVER).storage.record(text(key)) as Uint8Array);
  for (const owner of owners) bench.node(owner).storage.replace(text(key), record, partition); // all have it
  const refuser = bench.node(owners[1] as number);
  bench.install(over);
  refuser.storage.refusal = { code: 'OVERLOADED', text: 'Not now' } as never;
  store(bench, key, record, 0);
  await bench.settle(10_000);
  t.is(bench.node(LEAVER).hints(), `${refuser.ordinal}:1`);
  t.deepEqual(departing(), [], 'all owners have been met');
  t.true(bench.node(LEAVER).holds(key));
  t.deepEqual(bench.node(LEAVER).storage.dropped, []);
  refuser.storage.refusal = null;
  await bench.settle(35_000);
  t.is(bench.node(LEAVER).hints(), '');
  t.false(bench.node(LEAVER).holds(key));
  await bench.settle(10_000);
  t.deepEqual(bench.node(LEAVER).storage.dropped, [partition], 'the file goes when nothing is in it any more');
  await bench.settle(20_000);
  t.deepEqual(bench.node(LEAVER).storage.dropped, [partition], 'once');
});

test('what comes between the last look and the drop is not dropped with the rest', async (t) => {
  const { bench, key, owners, over } = scene();
  const { storage } = bench.node(LEAVER);
  const partition = bench.partitionOf(key);
  const late = bench.keyIn(partition, 'late');
  bench.node(LEAVER).put(late, 'pear', { w: 3 });
  bench.time.runFor(200);
  const bytes = Uint8Array.from(storage.record(text(late)) as Uint8Array);
  for (const one of [1, 2, 3, 4, 5]) bench.node(one).storage.remove(text(late));
  bench.install(over);
  const links = bench.playing(3);
  bench.time.runFor(100);
  const head = { partition, ringVersion: 1, budgetMs: 1_000, hintFor: 0, fence: 0, durable: false } as const;
  const asker = { onStored: () => undefined, onRefused: () => undefined, onUnanswered: () => undefined };
  storage.beforeDrop = () => {
    for (const owner of owners) bench.node(owner).storage.refusal = { code: 'OVERLOADED', text: 'Not now' } as never;
    links.get(LEAVER)?.store({ ...head, reason: 'put' }, bytes, true, 1_000, asker, 0);
    bench.time.runFor(50);
  };
  await bench.settle(12_000);
  t.false(bench.node(LEAVER).holds(key), 'what all owners have has gone');
  t.true(bench.node(LEAVER).holds(late), 'and what came since has not');
  t.deepEqual(storage.dropped, []);
  t.is(bench.node(LEAVER).hints(), owners.map((owner) => `${owner}:1`).join(' '));
  for (const owner of owners) bench.node(owner).storage.refusal = null;
  await bench.settle(60_000);
  for (const owner of owners) t.true(bench.node(owner).holds(late), `node ${owner}`);
  t.false(bench.node(LEAVER).holds(late));
  t.deepEqual(storage.dropped, [partition]);
});

test('a record that cannot be read goes with the others, when all owners have these', async (t) => {
  const { bench, key, owners, over, departing } = scene();
  const { storage } = bench.node(LEAVER);
  const other = bench.keyIn(bench.partitionOf(key), 'other');
  bench.node(LEAVER).put(other, 'pear', { w: 3 });
  bench.time.runFor(200);
  for (const owner of owners) for (const one of [key, other]) bench.node(owner).storage.remove(text(one));
  bench.install(over);
  storage.rot(text(other));
  await bench.settle(9_000);
  for (const owner of owners) {
    t.true(bench.node(owner).holds(key), `node ${owner} has what can be read`);
    t.false(bench.node(owner).holds(other), 'and nobody what cannot');
  }
  t.false(bench.node(LEAVER).holds(other));
  t.deepEqual(departing(), []);
  t.is(bench.node(LEAVER).hints(), '', 'no hint is kept of what could never be sent');
  t.deepEqual(bench.node(LEAVER).errors, ['partition-left-damaged']);
});

for (const what of ['file', 'tree'] as const) {
  test(`a copy whose ${what} cannot be read is given up, but not at once, and not before all owners were there`, async (t) => {
    const { bench, key, owners, over, departing } = scene();
    const partition = bench.partitionOf(key);
    const { storage } = bench.node(LEAVER);
    for (const owner of owners) bench.node(owner).storage.remove(text(key));
    const [away] = owners as [number];
    storage.brokenPartition = partition;
    storage.isTreeBroken = what === 'tree';
    bench.isolate(away);
    bench.install(
      over,
      [1, 2, 3, 4, 5].filter((one) => one !== away),
    );
    await bench.settle(90_000);
    t.deepEqual(departing(), [partition]);
    bench.rejoin(away);
    await bench.settle(20_000);
    t.deepEqual(departing(), [partition], 'it is tried several times');
    await bench.settle(60_000);
    t.deepEqual(departing(), []);
    t.deepEqual(storage.dropped, [partition]);
  });
}

test('a file that can be read again is no lost one', async (t) => {
  const { bench, key, owners, over } = scene();
  const { storage } = bench.node(LEAVER);
  for (const owner of owners) bench.node(owner).storage.remove(text(key));
  storage.brokenPartition = bench.partitionOf(key);
  bench.install(over);
  await bench.settle(15_000);
  t.true(bench.node(LEAVER).holds(key));
  storage.brokenPartition = -1;
  await bench.settle(40_000);
  for (const owner of owners) t.true(bench.node(owner).holds(key), `node ${owner}`);
  t.false(bench.node(LEAVER).holds(key));
});

test('a node that is started anew brings home what it held before, hints or not', async (t) => {
  const { bench, key, owners, over } = scene();
  const partition = bench.partitionOf(key);
  const [hinted, away] = owners as [number, number];
  bench.node(hinted).storage.refusal = { code: 'OVERLOADED', text: 'Not now' } as never;
  const record = Uint8Array.from(bench.node(LEAVER).storage.record(text(key)) as Uint8Array);
  store(bench, key, record, hinted);
  for (const owner of owners) bench.node(owner).storage.remove(text(key));
  bench.isolate(away);
  bench.install(
    over,
    [1, 2, 3, 4, 5].filter((one) => one !== away),
  );
  bench.restart(LEAVER);
  bench.node(hinted).storage.refusal = null;
  await bench.settle(8_000);
  t.is(bench.node(LEAVER).hints(), '', 'the hint has gone home');
  t.true(bench.node(LEAVER).holds(key), `node ${away} has none, and so the copy stays`);
  bench.rejoin(away);
  await bench.settle(30_000);
  for (const owner of owners) t.true(bench.node(owner).holds(key), `node ${owner}`);
  t.false(bench.node(LEAVER).holds(key));
  t.deepEqual(bench.node(LEAVER).storage.dropped, [partition]);
});

test('the last hint of a record going home does not take along what other owners lack', async (t) => {
  const { bench, key, owners, over } = scene();
  const partition = bench.partitionOf(key);
  const record = Uint8Array.from(bench.node(LEAVER).storage.record(text(key)) as Uint8Array);
  const [hinted, away] = owners.filter((owner) => bench.ownersOf(partition).includes(owner)) as [number, number];
  bench.node(hinted).storage.refusal = { code: 'OVERLOADED', text: 'Not now' } as never;
  store(bench, key, record, hinted);
  t.is(bench.node(LEAVER).hints(), `${hinted}:1`);
  for (const owner of owners) bench.node(owner).storage.remove(text(key));
  bench.isolate(away);
  bench.install(
    over,
    [1, 2, 3, 4, 5].filter((one) => one !== away),
  );
  bench.node(hinted).storage.refusal = null;
  await bench.settle(5_000);
  t.is(bench.node(LEAVER).hints(), '');
  t.true(bench.node(hinted).holds(key));
  t.true(bench.node(LEAVER).holds(key), `node ${away} has none`);
  bench.rejoin(away);
  await bench.settle(30_000);
  for (const owner of owners) t.true(bench.node(owner).holds(key), `node ${owner}`);
  t.false(bench.node(LEAVER).holds(key));
});

test('a ring that gives the partition back stops it, and what is here stays', async (t) => {
  const { bench, key, over, departing } = scene();
  const partition = bench.partitionOf(key);
  bench.install(over);
  t.deepEqual(departing(), [partition]);
  await bench.settle(1_000);
  const back = leaving(over, LEAVER, false);
  t.true(back.moves.some((move) => move.partition === partition && move.to === LEAVER));
  bench.install(back);
  t.deepEqual(departing(), []);
  await bench.settle(10_000);
  t.true(bench.node(LEAVER).holds(key));
});

test('a ring with other owners lets the meetings begin anew', async (t) => {
  const { bench, key, owners, over, departing } = scene();
  const [first, second, third] = owners as [number, number, number];
  bench.isolate(third);
  const reached = [1, 2, 3, 4, 5].filter((one) => one !== third);
  bench.install(over, reached);
  await bench.settle(8_000); // the first two have been met
  for (const owner of [first, second]) bench.node(owner).storage.remove(text(key)); // as an owner that has not been met
  bench.install(nextVersion(over), reached);
  bench.rejoin(third);
  await bench.settle(12_000);
  for (const owner of owners) t.true(bench.node(owner).holds(key), `node ${owner}`);
  t.false(bench.node(LEAVER).holds(key));
  t.deepEqual(departing(), []);
});

test('a node that holds nothing of others has nothing on its way out', async (t) => {
  const bench = new ClusterBench(5);
  await bench.settle(4_000);
  for (const { node } of bench.members) t.deepEqual(node.clusterStatus()?.departing, []);
});
