import test from 'ava';
import type { PeerLink } from '../../../src/node/peers/link.js';
import { addressOf, PeerCluster, ringOf, type PeerNode } from './cluster.js';
import { Recorder } from './recorder.js';

interface Pair {
  readonly cluster: PeerCluster;
  readonly one: PeerNode;
  readonly two: PeerNode;
  readonly link: PeerLink;
  readonly asked: Recorder;
}

function pair(options: Parameters<typeof PeerCluster.connected>[2] = {}, seed: number = 1): Pair {
  const cluster = PeerCluster.connected(2, seed, options);
  const [one, two] = [cluster.node(1), cluster.node(2)];
  const link = one.links.get(2);
  if (link === undefined) throw new Error('No link to the other');
  return { cluster, one, two, link, asked: new Recorder(() => cluster.time.monotonicMs()) };
}

test('requests of every kind are answered, however the bytes are cut', (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const { cluster, link, asked } = pair({}, seed);
    t.is(link.state, 'ready');
    for (let i = 0; i < 20; i++) {
      asked.store(link, Buffer.from(`record ${i}`), 1_000);
      asked.read(link, `key ${i}`, 1_000);
      asked.forward(link, `body ${i}`, 1_000);
    }
    cluster.time.runFor(200);
    t.deepEqual(asked.counts(), { answered: 60 });
    t.is(link.inFlight, 0);
  }
});

test('answers in any order find their requests; a refusal is one', (t) => {
  const { cluster, two, link, asked } = pair();
  two.manners.delayMsMax = 50;
  two.manners.refused = 0.3;
  for (let i = 0; i < 200; i++) asked.store(link, Buffer.from(`record ${i}`), 1_000);
  cluster.time.runFor(200);
  const { answered = 0, refused = 0, ...others } = asked.counts();
  t.deepEqual(others, {});
  t.true(answered > 100 && refused > 30, `${answered} answered, ${refused} refused`);
});

test('a request ends when its own time is over; the late answer is dropped, and its id is not used before', (t) => {
  const { cluster, one, two, link, asked } = pair({ links: { inFlightMax: 2 } });
  two.host.stop();
  const first = asked.read(link, 'first', 100);
  const second = asked.read(link, 'second', 300);
  t.is(asked.endingOf(asked.read(link, 'third', 100)), 'unsent', 'no more than two under way');
  cluster.time.runFor(98);
  t.is(asked.endingOf(first), '');
  cluster.time.runFor(10);
  t.is(asked.endingOf(first), 'timeout');
  t.is(asked.endingOf(second), '');
  t.is(asked.endingOf(asked.read(link, 'fourth', 100)), 'unsent', 'the id of the first is still taken');
  two.host.resume();
  cluster.time.runFor(50);
  t.is(asked.endingOf(first), 'timeout');
  t.is(asked.endingOf(second), 'answered');
  const fifth = asked.read(link, 'fifth', 100);
  cluster.time.runFor(50);
  t.is(asked.endingOf(fifth), 'answered');
  t.is(link.state, 'ready');
  t.is(one.links.status()[0]?.inFlight, 0);
});

test('an abandoned request is not told of, and its answer is nobody else’s', (t) => {
  const { cluster, link, asked } = pair();
  const request = link.read({ key: Buffer.from('x'), partition: 0, ringVersion: 1, budgetMs: 100 }, 100, asked, 77);
  request?.abandon();
  const other = asked.read(link, 'other', 100);
  cluster.time.runFor(300);
  t.is(asked.endingOf(other), 'answered');
  t.is(link.inFlight, 0);
});

test('a lost connection ends what was under way as lost, and is made again', (t) => {
  const { cluster, one, two, link, asked } = pair();
  two.manners.ignored = 1;
  const tags = Array.from({ length: 10 }, (_, i) => asked.store(link, Buffer.from(`record ${i}`), 2_000));
  const states: string[] = [];
  asked.onEnded = () => states.push(link.state);
  cluster.time.runFor(5);
  cluster.network.cut(addressOf(1), addressOf(2));
  cluster.time.runFor(1);
  t.true(
    tags.every((tag) => asked.endingOf(tag) === 'lost'),
    JSON.stringify(asked.counts()),
  );
  t.true(
    states.every((state) => state === 'down'),
    'who asks again at once is told at once',
  );
  t.is(asked.endingOf(asked.read(link, 'now', 100)), 'unsent');
  cluster.time.runFor(300);
  t.is(link.state, 'ready');
  two.manners.ignored = 0;
  const later = asked.read(link, 'later', 100);
  cluster.time.runFor(100);
  t.is(asked.endingOf(later), 'answered');
  t.is(one.warnings('peer-lost'), 1);
});

test('a peer that cannot be reached is dialed at growing intervals, and reported once', (t) => {
  const cluster = new PeerCluster(3);
  const ring = ringOf(2);
  const one = cluster.add(1, ring);
  cluster.add(2, ring);
  cluster.network.unreachable.add(addressOf(2));
  one.links.start();
  cluster.time.runFor(60_000);
  t.true(cluster.network.dials >= 15 && cluster.network.dials <= 60, `${cluster.network.dials} dials in a minute`);
  t.is(one.warnings('peer-unreachable'), 1, one.reasons());
  cluster.network.unreachable.clear();
  cluster.time.runFor(5_000);
  t.is(one.links.get(2)?.state, 'ready');
});

test('the pause grows as well after a connection that had held for long', (t) => {
  const { cluster, two, link } = pair();
  cluster.time.runFor(10_000);
  two.host.acceptor = null;
  cluster.network.cut(addressOf(1), addressOf(2));
  const before = cluster.network.dials;
  cluster.time.runFor(30_000);
  t.true(cluster.network.dials - before < 70, `${cluster.network.dials - before} dials in 30 s`);
  t.not(link.state, 'ready');
});

test('a request that is asked when another ends is not taken for it, when both were due', (t) => {
  const cluster = PeerCluster.connected(3, 8);
  const asked = new Recorder(() => cluster.time.monotonicMs());
  const [stopped, well] = [cluster.node(1).links.get(2), cluster.node(1).links.get(3)];
  if (stopped === undefined || well === undefined) throw new Error('No links');
  cluster.node(2).host.stop();
  // The later one is expired first and takes the connection with it, so the earlier one ends as lost: and is asked anew.
  const earlier = asked.read(stopped, 'earlier', 100);
  const later = asked.store(stopped, Buffer.alloc(500_000, 1), 100, true);
  let anew = -1;
  asked.onEnded = (tag) => {
    if (tag === earlier) anew = asked.read(well, 'anew', 1_000);
  };
  cluster.time.runFor(200);
  t.deepEqual(
    [later, earlier, anew].map((tag) => asked.endingOf(tag)),
    ['timeout', 'lost', 'answered'],
  );
});

test('a peer that accepts and hangs up at once is not dialed without a pause', (t) => {
  const { cluster, link } = pair();
  const before = cluster.network.dials;
  for (let i = 0; i < 3_000; i++) {
    if (link.state === 'ready') cluster.network.cut(addressOf(1), addressOf(2));
    cluster.time.runFor(10);
  }
  t.true(cluster.network.dials - before < 100, `${cluster.network.dials - before} dials in 30 s`);
});

test('what waits for a peer that takes nothing is bounded in bytes, and it is cut off; another peer notices nothing', (t) => {
  const cluster = PeerCluster.connected(3, 5, { links: { queuedBytesMax: 1_000_000 } });
  const [one, two] = [cluster.node(1), cluster.node(2)];
  const [stopped, well] = [one.links.get(2), one.links.get(3)];
  if (stopped === undefined || well === undefined) throw new Error('No links');
  const asked = new Recorder(() => cluster.time.monotonicMs());
  two.host.stop();
  const record = Buffer.alloc(10_000, 1);
  let [queuedMax, slowest] = [0, 0];
  for (let ms = 0; ms < 12_000; ms += 10) {
    asked.store(stopped, record, 500);
    const tag = asked.store(well, record, 500);
    const startMs = cluster.time.monotonicMs();
    cluster.time.runFor(10);
    queuedMax = Math.max(queuedMax, stopped.queuedBytes);
    t.is(asked.endingOf(tag), 'answered');
    slowest = Math.max(slowest, (asked.expected[tag]?.endedMs ?? Infinity) - startMs);
  }
  t.true(queuedMax > 900_000 && queuedMax <= 1_000_000, `${queuedMax} bytes waited`);
  t.true(slowest <= 2 * cluster.network.delayMsMax + 1, `the other peer took ${slowest} ms at most`);
  t.not(stopped.state, 'ready');
  t.regex(one.reasons(), /has taken none of the \d+ bytes/);
  t.false(one.table.isHealthy(2, cluster.time.monotonicMs()));
  t.true(one.table.isHealthy(3, cluster.time.monotonicMs()));
  two.host.resume();
  cluster.time.runFor(5_000);
  t.is(stopped.state, 'ready');
  t.true(one.table.isHealthy(2, cluster.time.monotonicMs()));
});

test('a peer that takes what it gets and says nothing is cut off after ten seconds', (t) => {
  const { cluster, one, two, link } = pair();
  two.host.stop();
  cluster.time.runFor(9_000);
  t.is(link.state, 'ready');
  cluster.time.runFor(3_500);
  t.not(link.state, 'ready');
  t.regex(one.reasons(), /has said nothing for 10000 ms/);
});

test('a node that was stopped itself does not blame its peers', (t) => {
  const { cluster, one, link } = pair();
  one.host.stop();
  cluster.time.runFor(60_000);
  one.host.resume();
  cluster.time.runFor(5_000);
  t.is(link.state, 'ready');
  t.is(one.warnings('peer-lost'), 0, one.reasons());
});

test('one record may be larger than all that may wait; larger than the peer accepts it is not sent', (t) => {
  const { cluster, link, asked } = pair({ links: { queuedBytesMax: 50_000 }, node: { frameBodyBytesMax: 300_000 } });
  const large = asked.store(link, Buffer.alloc(200_000, 7), 1_000);
  t.is(asked.endingOf(asked.store(link, Buffer.alloc(10), 1_000)), 'unsent', 'behind it there is no room');
  cluster.time.runFor(200);
  t.is(asked.endingOf(large), 'answered');
  t.is(asked.endingOf(asked.store(link, Buffer.alloc(300_001), 1_000)), 'unsent');
  t.is(link.state, 'ready');
});

test('large records are not copied where they stay, and small or fleeting ones are', (t) => {
  const { cluster, one, two, link, asked } = pair();
  two.manners.delayMsMax = 1;
  const staying = Buffer.alloc(300_000, 1);
  const fleeting = Buffer.alloc(300_000, 2);
  const small = Buffer.alloc(1_000, 3);
  const tags = [
    asked.store(link, staying, 1_000, true),
    asked.store(link, fleeting, 1_000),
    asked.store(link, small, 1_000, true),
  ];
  fleeting.fill(0xee);
  small.fill(0xee);
  cluster.time.runFor(200);
  t.deepEqual(
    tags.map((tag) => asked.endingOf(tag)),
    ['answered', 'answered', 'answered'],
  );
  // Not copied: what the bytes become before they leave is what arrives. So the answer does not fit.
  const changed = asked.store(link, staying, 1_000, true);
  staying.fill(9);
  cluster.time.runFor(200);
  t.is(asked.endingOf(changed), 'wrong');
  t.is(one.warnings('peer-lost'), 0);
});

test('a record that still waits when its request ends is not sent any more, whatever its bytes become', (t) => {
  const { cluster, one, two, link, asked } = pair();
  const changed = Buffer.alloc(16, 0xc7);
  let sawChanged = false;
  cluster.network.tamper = (_from, to, bytes) => {
    if (to === addressOf(2) && Buffer.from(bytes).includes(changed)) sawChanged = true;
    return bytes;
  };
  two.host.stop();
  const record = Buffer.alloc(500_000, 0x55);
  const tag = asked.store(link, record, 200, true);
  asked.onEnded = () => record.fill(0xc7);
  const behind = asked.read(link, 'behind', 1_000);
  cluster.time.runFor(250);
  t.is(asked.endingOf(tag), 'timeout');
  t.is(asked.endingOf(behind), 'lost');
  two.host.resume();
  cluster.time.runFor(2_000);
  t.false(sawChanged);
  t.is(link.state, 'ready');
  t.is(one.warnings('peer-lost'), 1);
});

test('a peer that drains gets nothing new, answers what it has, and is dialed again', (t) => {
  const { cluster, one, two, link, asked } = pair();
  two.manners.delayMsMax = 40;
  const tags = Array.from({ length: 10 }, (_, i) => asked.read(link, `key ${i}`, 1_000));
  cluster.time.runFor(5);
  let drained = false;
  two.node.drain('The node is being stopped', 1_000, () => {
    drained = true;
  });
  cluster.time.runFor(5);
  t.is(asked.endingOf(asked.read(link, 'late', 1_000)), 'unsent');
  cluster.time.runFor(600);
  t.true(
    tags.every((tag) => asked.endingOf(tag) === 'answered'),
    JSON.stringify(asked.counts()),
  );
  t.true(drained);
  t.not(link.state, 'ready');
  t.regex(one.reasons(), /DRAINING/);
});

test('what a peer may not say ends the connection: an answer to nothing, of another kind, or that cannot be read', (t) => {
  for (const [offset, byte, what] of [
    [11, 0x40, 'is not under way'],
    [4, 0x45, 'was answered by a FORWARD_REPLY'],
    [12, 0x00, 'cannot be read'],
    [0, 0xff, 'announces'],
  ] as const) {
    const { cluster, one, link, asked } = pair();
    let done = false;
    cluster.network.tamper = (from, _to, bytes) => {
      if (from !== addressOf(2) || bytes[4] !== 0x43 || done) return bytes;
      done = true;
      const changed = Uint8Array.from(bytes);
      changed[offset] = byte;
      return changed;
    };
    const tag = asked.read(link, 'key', 100);
    cluster.time.runFor(20);
    t.is(asked.endingOf(tag), 'lost', what);
    t.true(one.reasons().includes(what), `${what}: ${one.reasons()}`);
    cluster.time.runFor(500);
    t.is(link.state, 'ready');
  }
});
