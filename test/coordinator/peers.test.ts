import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { LatencyEstimate } from '../../src/lib/latency-estimate.js';
import { PeerHealth } from '../../src/coordinator/peer-health.js';
import { PeerTable } from '../../src/coordinator/peer-table.js';
import { Prng } from '../../src/lib/prng.js';

const LIMITS = { failuresMax: 3, streakMsMin: 0, silenceMsMax: 3_000, holdMsMin: 500, holdMsMax: 1_500 };

test('Failures in a row make a peer suspect, a success between them does not', (t) => {
  const peer = new PeerHealth(LIMITS, 0);
  peer.failed(1);
  peer.failed(2);
  peer.succeeded(3);
  peer.failed(4);
  peer.failed(5);
  t.false(peer.isSuspect(5));
  peer.failed(6);
  t.true(peer.isSuspect(6));
  peer.succeeded(7);
  t.false(peer.isSuspect(7));
});

test('A peer that answers late is as bad as one that does not answer, except that it lives', (t) => {
  const peer = new PeerHealth(LIMITS, 0);
  for (let i = 0; i < 3; i++) {
    peer.failed(i);
    peer.late(i);
  }
  t.true(peer.isSuspect(3));
  const idle = new PeerHealth(LIMITS, 0);
  idle.late(2_000);
  t.false(idle.isSuspect(4_000));
});

test('Many requests that fail in one breath are one pause, not a dead peer', (t) => {
  const peer = new PeerHealth({ ...LIMITS, streakMsMin: 200 }, 0);
  for (let i = 0; i < 64; i++) peer.failed(100);
  t.false(peer.isSuspect(100));
  peer.succeeded(150);
  for (let i = 0; i < 64; i++) peer.failed(310);
  t.false(peer.isSuspect(310));
  peer.failed(510);
  t.true(peer.isSuspect(510));
});

test('Puts do not hide that a peer was not asked by a get for long', (t) => {
  const table = new PeerTable(1);
  table.add(2, 0);
  for (let now = 0; now <= 1_000; now += 100) {
    table.asked(2, 'put', now);
    table.answered(2, 'put', 1, now);
  }
  t.true(table.readCost(2, 1_000) < 0);
  table.asked(2, 'get', 1_000);
  t.true(table.readCost(2, 1_001) > 0);
});

test('A get that takes a tenth of a second is a failure, and so is a put that is missed', (t) => {
  const table = new PeerTable(1, LIMITS);
  table.add(2, 0);
  table.add(3, 0);
  for (let i = 0; i < 3; i++) {
    table.answered(2, 'get', 101, i);
    table.missed(3, i);
    table.answered(3, 'put', 300, i);
  }
  t.false(table.isHealthy(2, 3));
  t.false(table.isHealthy(3, 3));
});

test('Silence makes a peer suspect, and a heartbeat ends that at once', (t) => {
  const peer = new PeerHealth(LIMITS, 0);
  t.false(peer.isSuspect(2_999));
  t.true(peer.isSuspect(3_000));
  peer.heartbeat(4_000);
  t.false(peer.isSuspect(4_000));
});

test('Heartbeats of a peer whose requests fail win it back less and less often, a success resets that', (t) => {
  const peer = new PeerHealth(LIMITS, 0);
  const holds: number[] = [];
  let now = 0;
  const suspected = (): number => {
    for (let i = 0; i < 3; i++) peer.failed(now);
    const from = now;
    while (peer.isSuspect(now)) peer.heartbeat((now += 10));
    return now - from;
  };
  for (let i = 0; i < 4; i++) holds.push(suspected());
  t.deepEqual(holds, [500, 1_000, 1_500, 1_500]);
  peer.succeeded(now);
  t.is(suspected(), 500);
});

test('An estimate is the quantile, follows a change within some hundred answers, and forgets', (t) => {
  const random = new Prng(1);
  const p95 = new LatencyEstimate(0.95, 20);
  t.is(p95.valueMs, 20);
  let now = 0;
  const feed = (count: number, draw: () => number): void => {
    for (let i = 0; i < count; i++) p95.record(draw(), (now += 1));
  };
  feed(1_000, () => 1 + random.float());
  t.true(p95.valueMs >= 1.95 && p95.valueMs <= 1.95 * 1.2, `${p95.valueMs}`);
  feed(400, () => (random.chance(0.1) ? 30 : 1));
  t.true(p95.valueMs >= 30 && p95.valueMs <= 36, `${p95.valueMs}: the second hump counts`);
  feed(1_500, () => 1);
  t.true(p95.valueMs <= 1.2, `${p95.valueMs}: the hump is forgotten`);
});

testProp(
  'An estimate is never more than a bucket beside the true quantile of a steady stream',
  [fc.integer(), fc.constantFrom(0.5, 0.9, 0.95, 0.99), fc.double({ min: 0.1, max: 500, noNaN: true })],
  (t, seed, quantile, scale) => {
    const random = new Prng(seed);
    const estimate = new LatencyEstimate(quantile, 1);
    const values = Array.from({ length: 2_000 }, () => scale * (0.2 + random.float()));
    values.forEach((value, i) => {
      estimate.record(value, i);
    });
    const recent = values.slice(-512).sort((a, b) => a - b);
    const low = recent[Math.floor(512 * (quantile - 0.06))] as number;
    const high = recent[Math.min(511, Math.floor(512 * (quantile + 0.06)))] as number;
    t.true(estimate.valueMs >= low && estimate.valueMs <= high * 1.2, `${low} ${estimate.valueMs} ${high}`);
  },
  { numRuns: 100 },
);

test('Odd times do no harm', (t) => {
  const estimate = new LatencyEstimate(0.5, 1);
  for (const ms of [0, -1, Number.NaN, 1e9, Infinity]) for (let i = 0; i < 16; i++) estimate.record(ms, i);
  t.true(Number.isFinite(estimate.valueMs));
});

test('A slow peer is asked last, yet is probed, and found out when it is fast again', (t) => {
  const table = new PeerTable(1);
  table.add(2, 0);
  table.add(3, 0);
  let slowMs = 50;
  const asked = [0, 0];
  let now = 0;
  const round = (count: number): void => {
    asked.fill(0);
    for (let i = 0; i < count; i++) {
      now += 10;
      const node = table.readCost(2, now) <= table.readCost(3, now) ? 2 : 3;
      table.asked(node, 'get', now);
      table.answered(node, 'get', node === 2 ? slowMs : 5, now);
      asked[node - 2] = (asked[node - 2] as number) + 1;
    }
  };
  round(1_000);
  t.true((asked[0] as number) >= 8 && (asked[0] as number) <= 20, `${asked[0]} probes in 10 s`);
  slowMs = 1;
  round(3_000);
  t.true((asked[0] as number) > 2_000, `${asked[0]} of 3000 go to the peer that has become fast`);
});

test('A peer that has stopped loses its place before its first answer is missed', (t) => {
  const table = new PeerTable(1);
  table.add(2, 0);
  table.add(3, 0);
  for (let i = 0; i < 3; i++) table.asked(2, 'get', 0);
  t.true(table.readCost(3, 0) < table.readCost(2, 0));
});

test('One slow peer does not earn patience by being slow', (t) => {
  const table = new PeerTable(1);
  table.add(2, 0);
  table.add(3, 0);
  for (let i = 0; i < 500; i++) {
    table.asked(2, 'get', i);
    table.answered(2, 'get', 1, i);
    table.answered(2, 'put', 4, i);
    if (i % 50 === 0) table.answered(3, 'get', 400, i);
  }
  t.true(table.getPatienceMs() <= 3, `${table.getPatienceMs()}`);
  t.true(table.putPatienceMs() <= 20, `${table.putPatienceMs()}`);
});

test('The table believes in itself, suspects strangers, and forgets who left', (t) => {
  const table = new PeerTable(1, LIMITS);
  t.true(table.isHealthy(1, 1e9));
  t.false(table.isHealthy(2, 0));
  table.add(2, 0);
  t.true(table.isHealthy(2, 0));
  for (let i = 0; i < 3; i++) table.failed(2, 10);
  t.false(table.isHealthy(2, 10));
  table.heartbeat(2, 600);
  t.true(table.isHealthy(2, 600));
  table.remove(2);
  t.false(table.isHealthy(2, 600));
  t.is(table.readCost(2, 0), Infinity);
});
