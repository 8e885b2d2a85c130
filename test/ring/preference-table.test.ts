import test from 'ava';
import { fc } from '@fast-check/ava';
import { OwnerTable } from '../../src/ring/owner-table.js';
import { PreferenceTable } from '../../src/ring/preference-table.js';
import { ringMessage } from '../../src/ring/document.js';
import type { RingTable } from '../../src/ring/shares.js';
import { arbitraryMembers, documentOf, members, rowsOf, tableOf } from './rings.js';

/** Partitions that each living node takes over as a stand-in while these are dead. */
function takenOver(table: RingTable, preferences: PreferenceTable, dead: readonly number[]): readonly number[] {
  const taken = new Map(table.members.filter(({ ordinal }) => !dead.includes(ordinal)).map((m) => [m.ordinal, 0]));
  for (let partition = 0; partition < table.partitionCount; partition++) {
    const missing = preferences.ownersOf(partition).filter((ordinal) => dead.includes(ordinal)).length;
    const standIns = preferences.fallbacksOf(partition).filter((ordinal) => !dead.includes(ordinal));
    for (const ordinal of standIns.subarray(0, missing)) taken.set(ordinal, (taken.get(ordinal) ?? 0) + 1);
  }
  return [...taken.values()];
}

test('a list is the owners in order, then everybody else once; client and server have the same', (t) => {
  fc.assert(
    fc.property(arbitraryMembers(1, 20), fc.integer({ min: 1, max: 4 }), fc.integer(), (made, wanted, seed) => {
      const table = tableOf(made, 32, Math.min(wanted, made.length), seed);
      const server = new PreferenceTable(table);
      const client = OwnerTable.from(ringMessage(documentOf(table)));
      if (typeof client === 'string') throw new Error(client);
      const everybody = made.map(({ ordinal }) => ordinal).sort((a, b) => a - b);
      rowsOf(table).forEach((row, partition) => {
        const list = [...server.preferenceList(partition)];
        t.deepEqual([...server.ownersOf(partition)], row);
        t.deepEqual(list, [...row, ...server.fallbacksOf(partition)]);
        t.deepEqual(
          [...list].sort((a, b) => a - b),
          everybody,
        );
        t.deepEqual(
          client.preferenceList(partition).map(({ ordinal }) => ordinal),
          list,
        );
      });
    }),
    { numRuns: 100 },
  );
});

test('the order does not depend on who asks first, nor on the order of the members', (t) => {
  const table = tableOf(members(9, 3), 64, 3);
  const forward = new PreferenceTable(table);
  const backward = new PreferenceTable({ ...table, members: [...table.members].reverse() });
  const lists = (from: PreferenceTable, partitions: readonly number[]): unknown[] =>
    partitions.map((partition) => [partition, [...from.preferenceList(partition)]]);
  const all = Array.from({ length: 64 }, (_, partition) => partition);
  t.deepEqual(lists(forward, all), lists(backward, [...all].reverse()).reverse());
});

test('looking up allocates nothing: the same arrays come back', (t) => {
  const preferences = new PreferenceTable(tableOf(members(5), 16, 3));
  t.is(preferences.ownersOf(3), preferences.ownersOf(3));
  t.is(preferences.fallbacksOf(3), preferences.fallbacksOf(3));
  t.is(preferences.preferenceList(3), preferences.preferenceList(3));
});

test('what a dead node held goes to all others in nearly equal numbers', (t) => {
  const cases = [
    { q: 256, s: 4, hottestMax: 64 }, // 64 each
    { q: 256, s: 5, hottestMax: 48 }, // 38 or 39 each, if owners met each other equally often
    { q: 256, s: 10, hottestMax: 10 }, // 8 or 9 each
    { q: 256, s: 30, hottestMax: 2 }, // 0 or 1 each
    { q: 1_024, s: 60, hottestMax: 2 },
  ];
  for (const { q, s, hottestMax } of cases) {
    for (let seed = 1; seed <= 5; seed++) {
      const table = tableOf(members(s), q, 3, seed);
      const preferences = new PreferenceTable(table);
      for (const { ordinal } of table.members) {
        const counts = takenOver(table, preferences, [ordinal]);
        t.is(counts.length, s - 1);
        t.true(Math.max(...counts) <= hottestMax, `S = ${s}: node ${ordinal} goes to ${counts.join(' ')}`);
      }
    }
  }
});

test('with zones of equal size too, though the zones say who may stand in', (t) => {
  const table = tableOf(members(30, 5), 256, 3);
  const preferences = new PreferenceTable(table);
  for (const { ordinal } of table.members) {
    const counts = takenOver(table, preferences, [ordinal]);
    t.true(Math.max(...counts) <= 3, `node ${ordinal} goes to ${counts.join(' ')}`);
  }
});

test('two dead nodes of ten: the other eight share what they held', (t) => {
  const table = tableOf(members(10), 256, 3);
  const preferences = new PreferenceTable(table);
  for (let a = 1; a <= 10; a++)
    for (let b = a + 1; b <= 10; b++) {
      const counts = takenOver(table, preferences, [a, b]);
      const mean = counts.reduce((sum, count) => sum + count, 0) / 8;
      // Second fallbacks follow by a hash: three standard deviations of what random ones would give.
      t.true(Math.max(...counts) <= 1.6 * mean, `${a} and ${b} go to ${counts.join(' ')}`);
    }
});

test('fallbacks are of zones that the list has least of', (t) => {
  fc.assert(
    fc.property(arbitraryMembers(2, 16), fc.integer({ min: 1, max: 3 }), fc.integer(), (made, wanted, seed) => {
      const table = tableOf(made, 16, Math.min(wanted, made.length), seed);
      const zone = new Map(made.map((member) => [member.ordinal, member.zone || `own ${member.ordinal}`]));
      const preferences = new PreferenceTable(table);
      for (let partition = 0; partition < 16; partition++) {
        const list = [...preferences.preferenceList(partition)];
        for (let place = table.replicaCount; place < list.length; place++) {
          const inZone = (ordinal: number): number =>
            list.slice(0, place).filter((other) => zone.get(other) === zone.get(ordinal)).length;
          const chosen = inZone(list[place] ?? 0);
          t.true(list.slice(place).every((other) => inZone(other) >= chosen));
        }
      }
    }),
    { numRuns: 100 },
  );
});

test('N = S leaves nobody to fall back on', (t) => {
  const preferences = new PreferenceTable(tableOf(members(3), 8, 3));
  t.is(preferences.fallbacksOf(5).length, 0);
  t.is(preferences.preferenceList(5).length, 3);
});

test('the order is a contract: a client of another release must come to the same', (t) => {
  const zones = ['a', 'a', 'b', 'b', '', 'c', 'c'];
  const preferences = new PreferenceTable({
    partitionCount: 8,
    replicaCount: 3,
    members: zones.map((zone, i) => ({ ordinal: i + 1, zone })),
    owners: [1, 2, 3, 2, 3, 4, 3, 4, 5, 4, 5, 6, 5, 6, 7, 6, 7, 1, 7, 1, 2, 1, 4, 7],
  });
  const lists = Array.from({ length: 8 }, (_, partition) => preferences.preferenceList(partition).join(' '));
  t.deepEqual(lists, [
    '1 2 3 5 7 4 6',
    '2 3 4 7 5 1 6',
    '3 4 5 6 2 7 1',
    '4 5 6 1 7 3 2',
    '5 6 7 2 4 1 3',
    '6 7 1 3 5 4 2',
    '7 1 2 4 5 6 3',
    '1 4 7 5 3 6 2',
  ]);
});
