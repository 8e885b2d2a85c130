import test from 'ava';
import { BUILD, FIRST_BUILD } from '../../../src/model/build.js';
import { ClockWatch } from '../../../src/node/peers/clock-watch.js';
import { addressOf, idOf, PeerCluster, ringOf } from './cluster.js';
import { Recorder } from './recorder.js';

test('all members meet, and each knows the others as healthy by their heartbeats alone', (t) => {
  const cluster = PeerCluster.connected(5, 1);
  cluster.time.runFor(60_000);
  const nowMs = cluster.time.monotonicMs();
  for (const node of cluster.nodes.values()) {
    t.deepEqual(
      node.links.status().map(({ ordinal, state }) => [ordinal, state]),
      [1, 2, 3, 4, 5].filter((it) => it !== node.ordinal).map((it) => [it, 'ready']),
    );
    for (let other = 1; other <= 5; other++) t.true(node.table.isHealthy(other, nowMs));
    for (const { roundTripMs, offsetMs, ringVersion } of node.links.status()) {
      t.true(roundTripMs > 0 && roundTripMs <= 2 * cluster.network.delayMsMax, `${roundTripMs}`);
      t.true(offsetMs !== null && Math.abs(offsetMs) <= 3);
      t.is(ringVersion, 1);
    }
  }
});

test('heartbeats: every second to those that share a partition, every other second to the rest', (t) => {
  const cluster = new PeerCluster(1);
  const ring = ringOf(6, 2); // 1 shares partitions with 2 and 6
  for (let ordinal = 1; ordinal <= 6; ordinal++) cluster.add(ordinal, ring);
  cluster.node(1).links.start();
  cluster.time.runFor(500);
  const beats = new Map<string, number>();
  cluster.network.tamper = (_from, to, bytes) => {
    if (bytes[4] === 0x03) beats.set(to, (beats.get(to) ?? 0) + 1);
    return bytes;
  };
  cluster.time.runFor(20_000);
  t.deepEqual(
    [2, 3, 4, 5, 6].map((ordinal) => beats.get(addressOf(ordinal))),
    [20, 10, 10, 10, 20],
  );
  for (let ordinal = 2; ordinal <= 6; ordinal++)
    t.true(cluster.node(1).table.isHealthy(ordinal, cluster.time.monotonicMs()));
});

test('a stopped peer becomes suspect by its silence, and healthy when it goes on', (t) => {
  const cluster = PeerCluster.connected(3, 2);
  const { table } = cluster.node(1);
  const now = (): number => cluster.time.monotonicMs();
  cluster.time.runFor(3_000);
  cluster.node(2).host.stop();
  cluster.time.runFor(4_500);
  t.false(table.isHealthy(2, now()));
  t.true(table.isHealthy(3, now()));
  cluster.node(2).host.resume();
  cluster.time.runFor(2_500);
  t.true(table.isHealthy(2, now()));
});

test('failed requests tell the table, and so do those that could not be sent', (t) => {
  const cluster = PeerCluster.connected(3, 3);
  const node = cluster.node(1);
  const asked = new Recorder(() => cluster.time.monotonicMs());
  const link = node.links.get(2);
  if (link === undefined) throw new Error('No link');
  cluster.network.unreachable.add(addressOf(2));
  cluster.network.cut(addressOf(1), addressOf(2));
  for (let i = 0; i < 6; i++) {
    asked.read(link, 'key', 100);
    cluster.time.runFor(60);
  }
  t.deepEqual(asked.counts(), { unsent: 6 });
  t.false(node.table.isHealthy(2, cluster.time.monotonicMs()));
  t.true(node.table.isHealthy(3, cluster.time.monotonicMs()));
});

test('answers tell the table how fast a peer is', (t) => {
  const cluster = PeerCluster.connected(3, 4);
  const node = cluster.node(1);
  const asked = new Recorder(() => cluster.time.monotonicMs());
  cluster.node(3).manners.delayMsMax = 40;
  for (let i = 0; i < 200; i++) {
    for (const ordinal of [2, 3]) {
      const link = node.links.get(ordinal);
      if (link !== undefined) asked.read(link, `key ${i}`, 100);
    }
    cluster.time.runFor(50);
  }
  const nowMs = cluster.time.monotonicMs();
  t.true(node.table.readCost(2, nowMs) * 3 < node.table.readCost(3, nowMs));
  t.true(node.table.getPatienceMs() > 20);
});

test('a clock that is off is reported once, and once when it is back', (t) => {
  const cluster = PeerCluster.connected(2, 5);
  const one = cluster.node(1);
  const two = cluster.node(2);
  const reported = (event: string): number => one.logged.filter((entry) => entry.event === event).length;
  two.clockOffsetMs = 900;
  cluster.time.runFor(10_000);
  t.is(reported('peer-clock-apart'), 0);
  two.clockOffsetMs = -1_500;
  cluster.time.runFor(10_000);
  t.is(reported('peer-clock-apart'), 1);
  t.true(Math.abs((one.links.status()[0]?.offsetMs ?? 0) + 1_500) <= 3);
  t.is(reported('peer-clock-back'), 0);
  two.clockOffsetMs = 0;
  cluster.time.runFor(10_000);
  t.is(reported('peer-clock-back'), 1);
  t.is(reported('peer-clock-apart'), 1);
});

test('an echo that took long says nothing of the clock', (t) => {
  const watch = new ClockWatch();
  t.is(watch.note(30_000, 0, 15_000), null);
  t.is(watch.offsetMs, null);
  t.is(watch.note(100, 6_000, 5_000), 'apart', 'stamped 50 ms ago, by the look of it');
  t.is(watch.offsetMs, 1_050);
  t.is(watch.note(0, 5_900, 5_000), null);
  t.is(watch.note(0, 4_300, 5_000), 'close');
  t.is(watch.note(0, 3_999, 5_000), 'apart');
});

test('another ring: who has left is let go, who is new is dialed, who has moved is dialed there', (t) => {
  const cluster = PeerCluster.connected(3, 6);
  const one = cluster.node(1);
  const asked = new Recorder(() => cluster.time.monotonicMs());
  const old = one.links.get(2);
  if (old === undefined) throw new Error('No link');
  cluster.node(2).manners.delayMsMax = 1_000;
  const waiting = asked.read(old, 'key', 2_000);
  const ring = ringOf(4, 3, 2);
  const members = ring.members
    .filter(({ ordinal }) => ordinal !== 2)
    .map((it) => (it.ordinal === 3 ? { ...it, peerAddress: addressOf(9) } : it));
  cluster.add(4, ring).links.start();
  for (const ordinal of [3, 4]) cluster.node(ordinal).links.setRing(ring);
  one.links.setRing({ ...ring, members, owners: ring.owners.map((it) => (it === 2 ? 4 : it)) });
  t.is(asked.endingOf(waiting), 'lost');
  t.is(one.links.get(2), undefined);
  t.is(asked.endingOf(asked.read(old, 'key', 100)), 'unsent');
  cluster.time.runFor(1_000);
  t.is(one.links.get(4)?.state, 'ready');
  t.is(one.links.get(3)?.state, 'connecting', 'nobody is at its new address');
  t.false(one.table.isHealthy(2, cluster.time.monotonicMs()));
  t.true(one.table.isHealthy(4, cluster.time.monotonicMs()));
  one.links.stop();
  cluster.time.runFor(1_000);
  t.is(one.links.status().length, 0);
  t.is([...cluster.network.open].filter((end) => end.self === one.host && end.group === 'client').length, 0);
});

test('each that is refused says why: wrong secret, wrong address, not a member, itself', (t) => {
  const secret = Buffer.from('not the secret of the others');
  const cluster = new PeerCluster(7);
  const ring = ringOf(3);
  cluster.add(1, ring);
  cluster.add(2, ring, { secret });
  cluster.add(3, ring, { nodeId: idOf(1) });
  for (const node of cluster.nodes.values()) node.links.start();
  cluster.time.runFor(3_000);
  const one = cluster.node(1);
  t.regex(one.reasons(), /000002 at 10\.0\.0\.2:7702 has not proved that it knows the secret/);
  t.regex(one.reasons(), /itself, or there are two with its id/);
  t.regex(cluster.node(2).reasons(), /000001 at 10\.0\.0\.1:7702 has not proved that it knows the secret/);
  t.is(one.warnings('peer-unreachable'), 2, 'once each, not once an attempt');
  for (const node of cluster.nodes.values()) {
    t.true(node.links.status().every(({ state, reason }) => state !== 'ready' && reason !== ''));
    t.is(node.served, 0);
  }
});

test('what a peer is comes with its greeting; who does not understand a newer ring is not talked to any more', (t) => {
  const cluster = new PeerCluster(9);
  const ring = ringOf(3, 3, 1, 1);
  for (const ordinal of [1, 2]) cluster.add(ordinal, ring);
  cluster.add(3, ring, { build: FIRST_BUILD });
  const { links } = cluster.node(1);
  links.start();
  cluster.time.runFor(1_000);
  const seen = (): unknown => links.status().map(({ state, build }) => [state, build?.levelMax]);
  t.deepEqual(seen(), [
    ['ready', BUILD.levelMax],
    ['ready', 1],
  ]);
  links.setRing(ringOf(3, 3, 2, 2));
  cluster.time.runFor(5_000);
  const [capable, older] = links.status();
  t.is(capable?.state, 'ready');
  t.not(older?.state, 'ready');
  t.regex(older?.reason ?? '', /feature level 1\), and the cluster is at feature level 2: install Partita .* on it/);
});
