/* What is decided about archives: whom from, what not again, what may go, and what may not come back. */
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import type { ArchivedPartition, Manifest } from '../../src/archive/manifest.js';
import { inOrderOfLoad, isMajority, isUnchanged, planPruning } from '../../src/archive/plan.js';
import { fenceIn, mayResurrect, targetsOf } from '../../src/archive/restore-plan.js';
import type { ArchiveStateReply } from '../../src/model/archive-messages.js';

const nameOf = (day: number): string => `2026-11-${String(day).padStart(2, '0')}T00-00-00Z-000000`;

function archive(day: number, complete: boolean, refersTo: readonly number[] = []): Manifest {
  const partitions = refersTo.map((other) => ({ file: { archive: nameOf(other) } }));
  return { name: nameOf(day), complete, partitions } as unknown as Manifest;
}

test('the fastest owner is asked first, until it has given more than its share', (t) => {
  const owners = [
    { owner: 1, latencyUs: 4_000 },
    { owner: 2, latencyUs: 1_000 },
    { owner: 3, latencyUs: 0 },
  ];
  t.deepEqual(inOrderOfLoad(owners, new Map()), [3, 2, 1]);
  t.deepEqual(inOrderOfLoad(owners, new Map([[3, 9]])), [2, 3, 1]);
});

test('a majority is more than half, with the owner itself', (t) => {
  t.deepEqual(
    [0, 1, 2].map((met) => isMajority(met, 3)),
    [false, true, true],
  );
  t.deepEqual([isMajority(0, 1), isMajority(0, 2), isMajority(1, 4), isMajority(2, 4)], [true, false, false, true]);
});

test('unchanged is what has the same root and count, and was complete', (t) => {
  const state = { records: 3, rootHi: 1, rootLo: 2 } as ArchiveStateReply;
  const before = { complete: true, records: 3, root: '0000000100000002' } as ArchivedPartition;
  t.true(isUnchanged(state, before));
  t.false(isUnchanged(state, undefined));
  t.false(isUnchanged(state, { ...before, complete: false }));
  t.false(isUnchanged(state, { ...before, records: 4 }));
  t.false(isUnchanged(state, { ...before, root: '0000000100000003' }));
});

test('old archives go, but those that are referred to, and what may be in the making', (t) => {
  const all = [
    archive(1, true),
    archive(2, true),
    archive(3, true, [1]),
    archive(4, false),
    archive(5, true, [3]),
    archive(6, false),
  ];
  t.deepEqual(planPruning(all, 1), {
    removed: [nameOf(4), nameOf(2), nameOf(1)],
    needed: [{ name: nameOf(3), by: nameOf(5) }],
  });
  t.deepEqual(planPruning(all, 9).removed, [nameOf(4)]);
  t.deepEqual(planPruning([archive(1, false)], 1).removed, [], 'the only one, though incomplete');
});

testProp(
  'nothing goes that something refers to which stays',
  [
    fc.array(fc.tuple(fc.boolean(), fc.array(fc.nat(20), { maxLength: 3 })), { maxLength: 20 }),
    fc.integer({ min: 1, max: 5 }),
  ],
  (t, drawn, keep) => {
    // References lead to the archive that has the file itself: what refers owns nothing here.
    const owners = new Set(drawn.flatMap(([, refs], day) => (refs.length === 0 ? [day] : [])));
    const all = drawn.map(([complete, refs], day) =>
      archive(
        day + 1,
        complete,
        refs.filter((ref) => ref < day && owners.has(ref)).map((ref) => ref + 1),
      ),
    );
    const removed = new Set(planPruning(all, keep).removed);
    for (const { name, partitions } of all) {
      if (removed.has(name)) continue;
      for (const { file } of partitions)
        t.false(removed.has(file?.archive ?? ''), `${name} refers to ${file?.archive}`);
    }
    const stay = all.filter(({ name, complete }) => complete && !removed.has(name)).length;
    t.true(stay >= Math.min(keep, all.filter(({ complete }) => complete).length));
  },
);

test('an archive is as old as its fence, in its own cluster; in another one it is older than all', (t) => {
  const manifest = { clusterId: 'a', partitionCount: 16 } as Manifest;
  const partition = { fence: 7 } as ArchivedPartition;
  t.is(fenceIn(manifest, partition, { clusterId: 'a', partitionCount: 16 }), 7);
  t.is(fenceIn(manifest, partition, { clusterId: 'b', partitionCount: 16 }), 0);
  t.is(fenceIn(manifest, partition, { clusterId: 'a', partitionCount: 32 }), 0);
  t.deepEqual(
    [0, 7, 8].map((trimmedAt) => mayResurrect({ trimmedAt }, 7)),
    [false, false, true],
  );
});

testProp(
  'a key is in one of the partitions that are named for it',
  [fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 0xffff_ffff })],
  (t, from, to, hashHi) => {
    const partitionIn = (bits: number): number => (bits === 0 ? 0 : hashHi >>> (32 - bits));
    t.true(targetsOf(partitionIn(from), 2 ** from, 2 ** to).includes(partitionIn(to)));
  },
);
