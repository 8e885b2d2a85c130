/* What a plan says of bytes, time and space, from what members have told and from what they have not. */
import test from 'ava';
import type { SpaceReply } from '../../../src/model/space-messages.js';
import { estimateOf, type PlannedMove } from '../../../src/node/cluster/plan-bytes.js';
import { NOBODY } from '../../../src/ring/moves.js';
import { documentOf, members, ringMember, tableOf } from '../../ring/rings.js';

const MEBI = 2 ** 20;
const RING = documentOf(tableOf(members(4, 4), 16, 3));
const NEXT = { members: [...RING.members, ringMember({ ordinal: 5, capacity: 1, zone: '' })] };
const ownersOf = (partition: number): readonly number[] => RING.owners.slice(3 * partition, 3 * partition + 3);

/** Says of each partition that it owns that it has so many MiB for its number. */
function room(ordinal: number, more: Partial<SpaceReply> = {}): readonly [number, SpaceReply] {
  const partitions = Array.from({ length: 16 }, (_, partition) => ({ partition, bytes: (1 + partition) * MEBI }));
  const held = partitions.filter(({ partition }) => ownersOf(partition).includes(ordinal));
  const sizes = { freeBytes: 1_000 * MEBI, totalBytes: 2_000 * MEBI, keptBytes: 100 * MEBI, bytesPerSecond: 2 * MEBI };
  return [ordinal, { ...sizes, partitions: held, ...more }];
}

const moveOf = (partition: number, to: number): PlannedMove => ({
  partition,
  from: ownersOf(partition)[0] as number,
  to,
});

test('bytes to and from each, and the time of the slowest', (t) => {
  const moved = [moveOf(0, 5), moveOf(3, 5), { partition: 7, from: ownersOf(7)[0] as number, to: 9 }];
  const survey = new Map([room(1), room(2), room(3), room(4), room(5), room(9, { bytesPerSecond: 4 * MEBI })]);
  const estimate = estimateOf(RING, NEXT, moved, survey, 1);
  t.deepEqual(estimate.bytes, { moved: 13 * MEBI, guessed: 0, ms: 2_500 });
  t.deepEqual(
    [...estimate.incoming],
    [
      [5, 5 * MEBI],
      [9, 8 * MEBI],
    ],
  );
  t.is(
    [...estimate.outgoing.values()].reduce((sum, bytes) => sum + bytes, 0),
    13 * MEBI,
  );
  t.deepEqual(estimate.warnings, []);
  survey.set(...room(5, { bytesPerSecond: 0 }));
  t.is(estimateOf(RING, NEXT, moved, survey, 1).bytes.ms, null, 'nothing holds one of them back');
});

test('whose giver is silent or lost is as large as its other owners say, else as the others are on average', (t) => {
  const [giver = 0, second = 0] = ownersOf(3);
  const asLost = [{ partition: 3, from: NOBODY, to: 5 }];
  t.is(estimateOf(RING, NEXT, asLost, new Map([room(second)]), second).bytes.moved, 4 * MEBI);
  t.is(estimateOf(RING, NEXT, [moveOf(3, 5)], new Map([room(second)]), second).bytes.moved, 4 * MEBI);
  t.is(
    estimateOf(RING, NEXT, [moveOf(3, 5)], new Map([room(giver, { partitions: [] })]), 1).bytes.moved,
    0,
    'it has said that it holds nothing of it',
  );
  const unseen = [0, 1, 2, 4, 5, 6].find((partition) => !ownersOf(partition).includes(second)) as number;
  const some = estimateOf(RING, NEXT, [moveOf(3, 5), moveOf(unseen, 5)], new Map([room(second)]), second);
  t.deepEqual([some.bytes.moved, some.bytes.guessed], [8 * MEBI, 1]);
  t.deepEqual(estimateOf(RING, NEXT, [moveOf(3, 5)], new Map(), 1).bytes, { moved: null, guessed: 1, ms: null });
  t.deepEqual(estimateOf(RING, NEXT, [], new Map(), 1).bytes, { moved: 0, guessed: 0, ms: 0 });
});

test('who has no room for it is named: to take it, and to copy what it gives', (t) => {
  const [giver = 0] = ownersOf(15);
  const to = [1, 2, 3, 4].find((ordinal) => !ownersOf(15).includes(ordinal)) as number;
  const said = (free: number, more: number): string => {
    const survey = new Map([1, 2, 3, 4].map((ordinal) => room(ordinal, { keptBytes: 100 * MEBI })));
    survey.set(...room(to, { freeBytes: free * MEBI }));
    survey.set(...room(giver, { freeBytes: more * MEBI }));
    return estimateOf(RING, RING, [moveOf(15, to)], survey, 1).warnings.join('\n');
  };
  t.is(said(130, 130), '');
  t.regex(said(115, 130), /^Node \d has not enough space: about 16 MiB come to it, and it has 115 MiB free, of which/);
  t.regex(said(118, 130), /^Node \d will have little space left: about 16 MiB come to it/);
  t.regex(said(130, 110), /^Node \d makes copies of what it gives, up to 1 at a time and 16 MiB each, and has 110 MiB/);
});

test('whose disk is not known is said', (t) => {
  const moved = [moveOf(3, 5), moveOf(4, [1, 2, 3, 4].find((ordinal) => !ownersOf(4).includes(ordinal)) as number)];
  const [giver = 0] = ownersOf(3);
  const { warnings } = estimateOf(RING, NEXT, moved, new Map([room(giver)]), giver);
  t.true(
    warnings.includes(
      'How much space there is on node 5 cannot be asked before they are in the ring; about 4.0 MiB come to it: look at the disk before you commit',
    ),
    warnings.join('\n'),
  );
  const nothing = estimateOf(RING, NEXT, moved, new Map(), 1).warnings;
  t.is(nothing.length, 2);
  t.true(nothing.every((text) => text.includes('what comes is not known')));
});
