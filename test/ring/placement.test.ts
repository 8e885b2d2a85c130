/* Placement at the sizes of real rings: laws instead of a twin, and the time it takes. */
import test from 'ava';
import { fc } from '@fast-check/ava';
import { partitionsWithSharedZone, placementEfficiency } from '../../src/ring/balance.js';
import { tableFault } from '../../src/ring/invariants.js';
import { moves } from '../../src/ring/moves.js';
import { changeOwners, layoutRing } from '../../src/ring/placement.js';
import { type PlacedMember, type RingTable, sharesOf } from '../../src/ring/shares.js';
import { arbitraryMembers, countsOf, members, rowsOf, tableOf } from './rings.js';

const partitions = fc.constantFrom(1, 8, 64, 256, 1_024);
const seed = fc.integer();
const replicas = fc.integer({ min: 1, max: 5 });

function changed(table: RingTable, placed: readonly PlacedMember[], drawn: number): RingTable {
  return { ...table, members: placed, owners: changeOwners(table, placed, drawn) };
}

test('every ring and every changed ring keeps the invariants; the same seed gives the same plan', (t) => {
  fc.assert(
    fc.property(
      arbitraryMembers(1, 60),
      arbitraryMembers(1, 60),
      partitions,
      replicas,
      seed,
      (before, after, q, wanted, drawn) => {
        const n = Math.min(wanted, before.length, after.length);
        const table = tableOf(before, q, n, drawn);
        t.is(tableFault(table), null);
        const next = changed(table, after, drawn);
        t.is(tableFault(next), null);
        t.deepEqual(next.owners, changed(tableOf(before, q, n, drawn), after, drawn).owners);
      },
    ),
    { numRuns: 40 },
  );
});

test('a partition is in as many zones as what the zones hold allows', (t) => {
  fc.assert(
    fc.property(arbitraryMembers(1, 20), fc.constantFrom(8, 64), replicas, seed, (made, q, wanted, drawn) => {
      const n = Math.min(wanted, made.length);
      const table = tableOf(made, q, n, drawn);
      const zone = new Map(made.map((member) => [member.ordinal, member.zone || `own ${member.ordinal}`]));
      const rows = rowsOf(table).map((row) => row.map((ordinal) => zone.get(ordinal) ?? ''));
      const held = new Map<string, number>();
      for (const name of rows.flat()) held.set(name, (held.get(name) ?? 0) + 1);
      const possible = [...held.values()].reduce((sum, count) => sum + Math.min(count, q), 0);
      t.is(
        rows.reduce((sum, row) => sum + new Set(row).size, 0),
        possible,
      );
    }),
    { numRuns: 100 },
  );
});

test('equal zones: every partition is in three of them, and in both of two', (t) => {
  for (const zones of [3, 5]) t.is(partitionsWithSharedZone(tableOf(members(30, zones), 256, 3)), 0);
  const two = tableOf(members(30, 2), 256, 3);
  for (const row of rowsOf(two)) t.is(new Set(row.map((ordinal) => ordinal % 2)).size, 2);
});

test('a join moves what the new node is due, from everybody alike; a leave only what was held', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 4, max: 60 }), fc.constantFrom(256, 1_024), seed, (count, q, drawn) => {
      const table = tableOf(members(count), q, 3, drawn);
      const joined = changed(table, members(count + 1), drawn);
      const incoming = moves(table, joined);
      t.is(incoming.length, mustMove(table, joined));
      t.true(incoming.length <= 1.05 * ((3 * q) / (count + 1)) + 1);
      const given = [...countsOf(incoming.map(({ from }) => from)).values()];
      t.true(Math.max(...given) <= Math.ceil((3 * q) / count) - Math.floor((3 * q) / (count + 1)));

      const left = changed(table, members(count - 1, 0, 2), drawn);
      const outgoing = moves(table, left);
      t.is(outgoing.length, table.owners.filter((ordinal) => ordinal === 1).length);
      t.true(outgoing.every(({ from }) => from === 1));
      const taken = [...countsOf(outgoing.map(({ to }) => to)).values()];
      t.true(Math.max(...taken) <= Math.ceil((3 * q) / (count - 1)) - Math.floor((3 * q) / count));
    }),
    { numRuns: 30 },
  );
});

/** No table can move fewer: what nodes hold too much of, or lack, whichever is more. */
function mustMove(before: RingTable, after: RingTable): number {
  const { replicas } = sharesOf(after.members, after.partitionCount, after.replicaCount);
  const held = countsOf(before.owners);
  let surplus = 0;
  let lack = 0;
  after.members.forEach(({ ordinal }, i) => {
    const count = held.get(ordinal) ?? 0;
    surplus += Math.max(count - (replicas.atMost[i] ?? 0), 0);
    lack += Math.max((replicas.atLeast[i] ?? 0) - count, 0);
  });
  return Math.max(surplus, lack);
}

test('what a leaving node held goes to random others: another seed, another plan', (t) => {
  const table = tableOf(members(10), 256, 3);
  const plans = [1, 2, 3].map((drawn) => JSON.stringify(changeOwners(table, members(9), drawn)));
  t.is(new Set(plans).size, 3);
  const firsts = [1, 2, 3].map((drawn) => JSON.stringify(layoutRing(members(10), 256, 3, drawn)));
  t.is(new Set(firsts).size, 3);
});

test('rows that keep their nodes keep their order, and the same members change nothing', (t) => {
  const table = tableOf(members(12, 3), 256, 3);
  t.deepEqual(changeOwners(table, members(12, 3), 99), [...table.owners]);
  const joined = rowsOf(changed(table, members(13, 3), 5));
  const old = rowsOf(table);
  const same = joined.filter((row, p) => new Set([...row, ...(old[p] ?? [])]).size === 3);
  const reordered = joined.filter(
    (row, p) => new Set([...row, ...(old[p] ?? [])]).size === 3 && row.join() !== old[p]?.join(),
  );
  t.true(same.length > 190, `${same.length} rows keep their nodes`);
  t.true(reordered.length < 15, `${reordered.length} rows were reordered, for tokens only`);
});

test('replicas of a node meet those of most others: a dead node is repaired from many', (t) => {
  const table = tableOf(members(30), 256, 3);
  const partners = new Map<string, number>();
  for (const row of rowsOf(table))
    for (const a of row)
      for (const b of row) if (a < b) partners.set(`${a} ${b}`, (partners.get(`${a} ${b}`) ?? 0) + 1);
  t.true(partners.size > 0.75 * 435, `${partners.size} of 435 pairs meet`); // 768 meetings at random: 83 %
  t.true(Math.max(...partners.values()) <= 10);
});

test('capacities: twice the weight, twice the replicas; nobody holds a partition twice', (t) => {
  const placed = members(6).map((member, i) => ({ ...member, capacity: i === 0 ? 2 : 1 }));
  const counts = countsOf(tableOf(placed, 1_024, 2).owners);
  t.true(Math.abs((counts.get(1) ?? 0) / (counts.get(2) ?? 1) - 2) < 0.02);
  const giant = members(4).map((member, i) => ({ ...member, capacity: i === 0 ? 1_000 : 1 }));
  const table = tableOf(giant, 64, 2);
  t.is(countsOf(table.owners).get(1), 64);
  t.is(tableFault(table), null);
  t.true(placementEfficiency(table) < 1);
});

test('a plan for Q = 1024, S = 60, N = 3 takes less than two seconds', (t) => {
  const startedMs = performance.now();
  const table = tableOf(members(60, 5), 1_024, 3);
  const laidOutMs = performance.now() - startedMs;
  const after = members(59, 5, 2).map((member, i) => ({ ...member, capacity: 1 + (i % 3) }));
  changeOwners(table, after, 1);
  const changedMs = performance.now() - startedMs - laidOutMs;
  t.log(`layout ${laidOutMs.toFixed(0)} ms, change ${changedMs.toFixed(0)} ms`);
  t.true(laidOutMs < 2_000 && changedMs < 2_000);
});
