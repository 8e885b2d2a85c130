/* Efficiency and what it is made of. */
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { nodeShares } from '../../src/balance/node-shares.js';
import { balanceReport } from '../../src/balance/report.js';
import { placementEfficiency } from '../../src/ring/balance.js';
import { arbitraryMembers, members, tableOf } from '../ring/rings.js';
import { keyIn, nodesOf, NOW_MS, reportOf } from './loads.js';

const Q = 16;
const BITS = 4;
const close = (a: number, b: number): boolean => Math.abs(a - b) < 1e-9;
const even = Array.from({ length: Q }, () => 1_000);

testProp(
  'efficiency is above 0 and at most 1, and deviations add up to nothing',
  [
    fc.array(fc.record({ load: fc.nat(1_000_000), capacity: fc.integer({ min: 1, max: 9 }) }), {
      minLength: 1,
      maxLength: 40,
    }),
  ],
  (t, nodes) => {
    const capacities = nodes.map(({ capacity }) => capacity);
    const { efficiency, deviations, offBalance } = nodeShares(
      nodes.map(({ load }) => load),
      capacities,
    );
    t.true(efficiency > 0 && efficiency <= 1 + 1e-12, String(efficiency));
    t.true(offBalance >= 0 && offBalance <= 1);
    const off = deviations.filter((deviation) => Math.abs(deviation) > 0.15).length;
    t.true(close(offBalance, off / nodes.length));
    const weighted = deviations.reduce((sum, deviation, at) => sum + deviation * (capacities[at] ?? 0), 0);
    t.true(Math.abs(weighted) < 1e-6);
    const hottest = Math.max(...deviations);
    t.true(close(efficiency, 1 / (1 + hottest)));
  },
);

testProp(
  'the factors together are the measured efficiency',
  [
    arbitraryMembers(3, 8),
    fc.array(fc.nat(5_000), { minLength: Q, maxLength: Q }),
    fc.nat(Q - 1),
    fc.nat(5_000),
    fc.nat(7),
  ],
  (t, placed, weights, partition, samples, silent) => {
    const table = tableOf(placed, Q, 3);
    const nodes = nodesOf(table, weights, [keyIn(partition, BITS, samples, 'hot')]).map((node, index) =>
      index === silent ? { ...node, report: null, silence: 'is away' } : node,
    );
    const { split, efficiency, load, nodes: seen, partitions } = balanceReport(table, nodes, 1);
    const product = split.placement * split.tokens * split.keys * split.owners;
    t.true(load === 0 || close(product, efficiency), `${product} and ${efficiency}`);
    t.true(efficiency > 0 && efficiency <= 1 + 1e-12);
    t.true(partitions.ownerLoads.every((one) => one >= 0));
    t.is(seen.filter(({ silence }) => silence !== '').length, silent < placed.length ? 1 : 0);
  },
);

test('an even load on an even ring is perfect', (t) => {
  const table = tableOf(members(4), Q, 3);
  const { efficiency, split, offBalance, nodes } = balanceReport(table, nodesOf(table, even), 1);
  t.is(efficiency, 1);
  t.is(offBalance, 0);
  t.deepEqual(split, { placement: 1, tokens: 1, keys: 1, owners: 1 });
  t.deepEqual(
    nodes.map(({ load, deviation }) => [load, deviation]),
    nodes.map(() => [12_000, 0]),
  );
});

test('what the ring allows, what partitions differ by, and what a key asks for, are told apart', (t) => {
  const table = tableOf(members(5), Q, 3);
  const bound = placementEfficiency(table);
  t.true(bound < 1);
  const ring = balanceReport(table, nodesOf(table, even), 1);
  t.true(close(ring.split.placement, bound) && close(ring.efficiency, bound));
  const crowded = even.map((weight, partition) => (partition === 3 ? 5 * weight : weight));
  const byTokens = balanceReport(table, nodesOf(table, crowded), 1);
  t.true(byTokens.split.tokens < 0.9);
  t.true(close(byTokens.split.keys, 1));
  const byKey = balanceReport(table, nodesOf(table, crowded, [keyIn(3, BITS, 4_000, 'hot')]), 1);
  t.true(close(byKey.efficiency, byTokens.efficiency));
  t.true(byKey.split.keys < 0.9);
  t.true(close(byKey.split.tokens, 1), String(byKey.split.tokens));
  t.true(close(byKey.split.owners, 1));
});

test('an owner that does less than the others is told apart from all that', (t) => {
  const table = tableOf(members(4), Q, 3);
  const nodes = nodesOf(table, even).map((node, index) =>
    index === 0
      ? { ...node, report: reportOf((node.report?.partitions ?? []).map((one) => ({ ...one, reads: one.reads / 2 }))) }
      : node,
  );
  const { split, efficiency, offBalance } = balanceReport(table, nodes, 1);
  t.true(close(efficiency, 0.875));
  t.true(split.owners < 0.95);
  t.is(split.placement, 1);
  t.is(offBalance, 0.25);
});

test('a popular key is named with its share and its owners’ part; one that may be chance is not', (t) => {
  const table = tableOf(members(4), Q, 3);
  const keys = [
    keyIn(3, BITS, 400, 'hot'),
    keyIn(4, BITS, 15, 'chance'),
    { ...keyIn(5, BITS, 500, 'mixed'), overcount: 490 },
  ];
  const { partitions } = balanceReport(table, nodesOf(table, even, keys), 1);
  t.deepEqual(
    partitions.keys.map(({ key, partition, requests, share, ownerLoad }) => [
      Buffer.from(key).toString(),
      partition,
      requests,
      share,
      ownerLoad,
    ]),
    [['hot', 3, 400, 400 / 16_000, 400]],
  );
});

test('a silent node is named, and the others are judged without it', (t) => {
  const table = tableOf(members(4), Q, 3);
  const nodes = nodesOf(table, even).map((node, index) =>
    index === 2 ? { ordinal: node.ordinal, report: null, silence: 'is not connected' } : node,
  );
  const { nodes: seen, efficiency, split, windows } = balanceReport(table, nodes, 1);
  t.is(seen[2]?.silence, 'is not connected');
  t.is(efficiency, 1);
  t.is(split.tokens, 1);
  t.is(windows[0]?.load, 36_000);
});

test('nobody has had anything to do', (t) => {
  const table = tableOf(members(5), Q, 3);
  const report = balanceReport(table, nodesOf(table, new Array<number>(Q).fill(0)), 1);
  t.is(report.efficiency, 1);
  t.is(report.offBalance, 0);
  t.true(close(report.split.placement, placementEfficiency(table)));
  t.is(report.partitions.keys.length, 0);
  t.is(report.toMs, NOW_MS);
});

test('few requests are told apart from many', (t) => {
  const table = tableOf(members(4), Q, 3);
  const few = balanceReport(table, nodesOf(table, new Array<number>(Q).fill(2)), 1);
  const many = balanceReport(
    table,
    nodesOf(
      table,
      even.map((weight) => 100 * weight),
    ),
    1,
  );
  t.true(few.chance < 0.8);
  t.true(many.chance > 0.99);
});
