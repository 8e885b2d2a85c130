/* What members count of gets and puts, and how one of them tells it of all. */
import test from 'ava';
import { BUILD, FIRST_BUILD } from '../../../src/model/build.js';
import type { NodeLoad, PartitionLoad } from '../../../src/model/load-messages.js';
import { gatherLoads } from '../../../src/node/cluster/load-asks.js';
import type { PeerLink } from '../../../src/node/peers/link.js';
import { type BalanceReply, decodeBalanceReply, encodeBalance } from '../../../src/wire/codec-loads.js';
import { BALANCE, BALANCE_REPLY, HELLO } from '../../../src/wire/kinds.js';
import { isFault } from '../../../src/wire/plain.js';
import { errorOf, helloBody, type Frame, NodeBench, TestConnection } from '../../support/node-bench.js';
import { TestClient, text } from '../../support/test-client.js';
import { members, ringMember } from '../../ring/rings.js';
import { SimulatedTime } from '../../support/simulated-time.js';
import { ClusterBench, type Member } from './bench.js';

const BUDGET_MS = 1_000;

function admin(member: Pick<Member, 'node'>): TestConnection {
  const connection = new TestConnection('admin');
  connection.events = member.node.acceptor(connection);
  connection.send(HELLO, 1, helloBody('admin'));
  connection.take();
  return connection;
}

function replyOf(frame: Frame | undefined): BalanceReply {
  if (frame?.kind !== BALANCE_REPLY) throw new Error(`Kind ${frame?.kind ?? 'none'}`);
  const reply = decodeBalanceReply(frame.body, 0, frame.body.length);
  if (isFault(reply)) throw new Error(reply);
  return reply;
}

function ask(bench: ClusterBench, ordinal: number): BalanceReply {
  const connection = admin(bench.node(ordinal));
  connection.send(BALANCE, 9, encodeBalance({ budgetMs: BUDGET_MS, windows: 1 }));
  let frame: Frame | undefined;
  bench.time.runUntil(() => {
    frame ??= connection.take()[0];
    return frame !== undefined;
  }, 2 * BUDGET_MS);
  return replyOf(frame);
}

type Row = readonly [ordinal: number, requests: number, reads: number, writes: number];

/** Nodes that have counted anything of this partition. */
function rowsOf(nodes: readonly NodeLoad[], partition: number): readonly Row[] {
  return nodes.flatMap(({ ordinal, report }) =>
    (report?.partitions ?? [])
      .filter((one: PartitionLoad) => one.partition === partition)
      .map(({ requests, reads, writes }): Row => [ordinal, requests, reads, writes]),
  );
}

test('a put counts as a write at each owner, and as one request where it is coordinated', (t) => {
  const bench = new ClusterBench(5);
  const key = bench.keyOf(2);
  bench.node(3).put(key, 'apple');
  bench.time.runFor(100);
  const { nodes, self } = ask(bench, 1);
  t.is(self, 1);
  t.deepEqual(
    nodes.map(({ ordinal, silence }) => [ordinal, silence]),
    [1, 2, 3, 4, 5].map((ordinal) => [ordinal, '']),
  );
  t.deepEqual(rowsOf(nodes, bench.partitionOf(key)), [
    [2, 0, 0, 1],
    [3, 1, 0, 1],
    [4, 0, 0, 1],
  ]);
  const bytes = nodes.flatMap(({ report }) => (report?.partitions ?? []).map(({ bytesWritten }) => bytesWritten));
  const record = bench.node(2).storage.record(text(key))?.length ?? 0;
  t.deepEqual(bytes, [record, record, record], 'of the record');
});

test('a put that is handed on counts where an owner coordinates it', (t) => {
  const bench = new ClusterBench(5);
  const key = bench.keyOf(2);
  const { origin } = bench.node(5).put(key, 'apple');
  bench.time.runFor(100);
  const rows = rowsOf(ask(bench, 5).nodes, bench.partitionOf(key));
  t.deepEqual(
    rows.filter(([, requests]) => requests > 0),
    [[Number.parseInt(origin.nodeId, 16), 1, 0, 1]],
  );
  t.is(rows.length, 3);
});

test('a get counts as a read at each node that is asked, its bytes with it, and repairs count nowhere', (t) => {
  const bench = new ClusterBench(5);
  const key = bench.overwritten(3);
  const before = ask(bench, 1).nodes;
  bench.node(2).get(key, { r: 3 });
  bench.time.runFor(2_000);
  const after = ask(bench, 1).nodes;
  const partition = bench.partitionOf(key);
  const total = (nodes: readonly NodeLoad[], of: 1 | 2 | 3): number =>
    rowsOf(nodes, partition).reduce((sum, row) => sum + row[of], 0);
  t.is(total(after, 1) - total(before, 1), 1);
  t.is(total(after, 2) - total(before, 2), 3);
  t.is(total(after, 3), total(before, 3), 'the repair that the get has sent');
  const read = after.flatMap(({ report }) => (report?.partitions ?? []).map(({ bytesRead }) => bytesRead));
  t.true(read.every((bytes) => bytes > 0));
});

test('the key that is asked for most is named by the node that coordinates it', (t) => {
  const bench = new ClusterBench(3);
  const key = bench.keyOf(1);
  bench.node(1).put(key, 'apple');
  for (let i = 0; i < 200; i++) bench.node(1).get(key);
  const [first] = ask(bench, 2).nodes[0]?.report?.keys ?? [];
  t.is(Buffer.from(first?.key ?? []).toString(), key);
  t.true((first?.samples ?? 0) > 10 && (first?.samples ?? 0) < 50, '201 requests, one in eight of them');
});

test('who cannot be reached is named, at once or when its time is over', (t) => {
  const bench = new ClusterBench(3);
  bench.isolate(3);
  bench.node(1).put(bench.keyOf(1), 'apple');
  const startedMs = bench.time.monotonicMs();
  const { nodes } = ask(bench, 1);
  t.true(bench.time.monotonicMs() - startedMs < BUDGET_MS);
  t.deepEqual(
    nodes.map(({ ordinal, report }) => [ordinal, report !== null]),
    [
      [1, true],
      [2, true],
      [3, false],
    ],
  );
  t.regex(nodes[2]?.silence ?? '', /did not answer within|is not connected|was lost/);
});

test('a member of an older release is not asked what it would end the connection over', (t) => {
  const time = new SimulatedTime();
  const asked: number[] = [];
  const linkTo = (ordinal: number): Pick<PeerLink, 'ask' | 'build' | 'reason'> => ({
    build: ordinal === 3 ? FIRST_BUILD : BUILD,
    reason: '',
    ask: () => {
      asked.push(ordinal);
      return null;
    },
  });
  const links = { get: linkTo };
  let heard: readonly NodeLoad[] = [];
  gatherLoads(
    { services: { ring: { members: members(3).map(ringMember) } }, self: 1, links, timers: time.scope() },
    1,
    BUDGET_MS,
    (nodes) => {
      heard = nodes;
    },
  );
  time.runFor(1);
  t.deepEqual(asked, [2]);
  t.deepEqual(
    heard.map(({ ordinal, silence }) => [ordinal, silence]),
    [
      [2, 'is not connected'],
      [3, 'cannot tell: it has a release that names no levels (feature level 1)'],
    ],
  );
});

test('a node that is a cluster of its own tells of itself', (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  client.put('k', 'v');
  client.get('k');
  const connection = admin(bench);
  connection.send(BALANCE, 9, encodeBalance({ budgetMs: BUDGET_MS, windows: 48 }));
  const { self, nodes } = replyOf(connection.take()[0]);
  t.is(self, 7);
  const partitions = nodes[0]?.report?.partitions ?? [];
  t.deepEqual(
    partitions.map(({ requests, reads, writes }) => [requests, reads, writes]),
    [[2, 1, 1]],
  );
  t.true((partitions[0]?.bytesRead ?? 0) > 0 && partitions[0]?.bytesRead === partitions[0]?.bytesWritten);
});

test('a request for no windows, or for more than are kept, is no request', (t) => {
  for (const windows of [0, 49]) {
    const connection = admin(new NodeBench());
    connection.send(BALANCE, 9, encodeBalance({ budgetMs: BUDGET_MS, windows }));
    const [frame] = connection.take();
    t.regex(errorOf(frame).text, new RegExp(`^BALANCE cannot be read: ${windows} windows are none of 1 to 48`));
  }
});
