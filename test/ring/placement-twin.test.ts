/* Tiny rings against every table that there is: a balanced one always exists, and nobody moves fewer replicas. */
import test from 'ava';
import { fc } from '@fast-check/ava';
import { tableFault } from '../../src/ring/invariants.js';
import { moves } from '../../src/ring/moves.js';
import { changeOwners } from '../../src/ring/placement.js';
import { type PlacedMember, sharesOf } from '../../src/ring/shares.js';
import { arbitraryMembers, countsOf, members, rowsOf, tableOf } from './rings.js';
import { type Limits, twinFewestMoves, twinFewestTokenChanges, twinLimits } from './twin.js';

const partitions = fc.constantFrom(1, 2, 4, 8);
const seed = fc.integer();

const pairs = (bounds: { atLeast: Int32Array; atMost: Int32Array }): Limits[] =>
  Array.from(bounds.atLeast, (least, i) => ({ least, most: bounds.atMost[i] ?? -1 }));

test('shares are those of fractions of whole numbers', (t) => {
  const capacities = fc.constantFrom(1, 2, 3, 999_983, 1_000_000);
  const placed = fc
    .tuple(arbitraryMembers(1, 9), fc.array(capacities, { minLength: 9, maxLength: 9 }))
    .map(([made, large]): PlacedMember[] =>
      made.map((member, i) => ({
        ...member,
        capacity: member.capacity * (large[i] ?? 1) > 1_000_000 ? 1_000_000 : member.capacity * (large[i] ?? 1),
      })),
    );
  fc.assert(
    fc.property(placed, fc.constantFrom(1, 4, 256, 4_096), fc.integer({ min: 1, max: 5 }), (made, q, wanted) => {
      const n = Math.min(wanted, made.length);
      const shares = sharesOf(made, q, n);
      const twin = twinLimits(made, q, n);
      t.deepEqual(pairs(shares.replicas), [...twin.replicas]);
      t.deepEqual(pairs(shares.tokens), [...twin.tokens]);
      t.deepEqual(
        pairs(shares.zones),
        twin.zones.map(({ least, most }) => ({ least, most })),
      );
    }),
    { numRuns: 500 },
  );
});

test('the first table of a tiny ring keeps the limits of the twin', (t) => {
  fc.assert(
    fc.property(arbitraryMembers(1, 5), partitions, fc.integer({ min: 1, max: 3 }), seed, (made, q, wanted, drawn) => {
      const n = Math.min(wanted, made.length);
      const table = tableOf(made, q, n, drawn);
      const twin = twinLimits(made, q, n);
      t.not(twinFewestMoves(rowsOf(table), made, n), Infinity);
      const check = (held: readonly number[], wantedLimits: readonly Limits[]): void => {
        const counts = countsOf(held);
        made.forEach(({ ordinal }, i) => {
          const { least, most } = wantedLimits[i] ?? { least: 1, most: 0 };
          const count = counts.get(ordinal) ?? 0;
          t.true(least <= count && count <= most, `${ordinal} has ${count} of ${least}..${most}`);
        });
      };
      check(table.owners, twin.replicas);
      check(
        rowsOf(table).map(([first = 0]) => first),
        twin.tokens,
      );
      for (const row of rowsOf(table)) {
        t.is(new Set(row).size, n);
        for (const { of, least, most } of twin.zones) {
          const count = of.filter((i) => row.includes(made[i]?.ordinal ?? 0)).length;
          t.true(least <= count && count <= most, `${row.join()} has ${count} of ${least}..${most} in a zone`);
        }
      }
    }),
    { numRuns: 400 },
  );
});

/** Some stay as they are, some leave, some come, some change zone or capacity: two independent lists say it all. */
function assertFewest(t: { is(a: number, b: number, text?: string): void }, numRuns: number, size: number): void {
  fc.assert(
    fc.property(
      arbitraryMembers(1, size),
      arbitraryMembers(1, size),
      partitions,
      fc.integer({ min: 1, max: 3 }),
      seed,
      (before, after, q, wanted, drawn) => {
        const n = Math.min(wanted, before.length, after.length);
        const table = tableOf(before, q, n, drawn);
        const changed = { ...table, members: after, owners: changeOwners(table, after, drawn) };
        if (tableFault(changed) !== null) throw new Error(tableFault(changed) ?? '');
        t.is(moves(table, changed).length, twinFewestMoves(rowsOf(table), after, n), 'replicas moved');
        t.is(
          rowsOf(changed).filter(([first], p) => first !== rowsOf(table)[p]?.[0]).length,
          twinFewestTokenChanges(rowsOf(table), rowsOf(changed), after, n),
          'tokens changed',
        );
      },
    ),
    { numRuns },
  );
}

test('no balanced table moves fewer replicas, and none with these rows changes fewer tokens', (t) => {
  assertFewest(t, 2_000, 4);
});

test('nor with five nodes', (t) => {
  assertFewest(t, 1_000, 5);
});

test('the twin finds what can be counted by hand', (t) => {
  const table = { partitionCount: 4, replicaCount: 1, owners: [1, 1, 2, 2] };
  t.is(twinFewestMoves(rowsOf(table), members(2), 1), 0);
  t.is(twinFewestMoves(rowsOf(table), members(3), 1), 1);
  t.is(twinFewestMoves(rowsOf(table), members(4), 1), 2);
  t.is(twinFewestMoves(rowsOf(table), members(2, 0, 2), 1), 2);
  t.is(
    twinFewestTokenChanges(
      [
        [1, 2],
        [1, 2],
      ],
      [
        [1, 2],
        [1, 2],
      ],
      members(2),
      2,
    ),
    1,
  );
});
