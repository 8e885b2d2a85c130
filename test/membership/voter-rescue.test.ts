/* Voters are named by force only where no majority of those that are named can exist any more. */
import test from 'ava';
import { renamedVoters, type Rescue } from '../../src/membership/voter-rescue.js';
import { encodeRing, decodeRing, type RingDocument } from '../../src/ring/document.js';
import { documentOf, members, tableOf } from '../ring/rings.js';

const idOf = (ordinal: number, life = 0): string => (16 * ordinal + life).toString(16).padStart(32, '0');
const voters = [1, 2, 3, 4, 5].map((ordinal) => ({ ordinal, acceptorId: idOf(ordinal) }));
const RING: RingDocument = {
  ...documentOf(tableOf(members(6), 8, 3)),
  version: 7,
  voters,
  change: 'x',
  changedAtMs: 1,
};

/** `named`: [ordinal, life of its memory]; only they can be reached. */
function rescue(named: readonly (readonly [number, number])[], more: Partial<Rescue> = {}): Rescue {
  const acceptorIds = new Map(named.map(([ordinal, life]) => [ordinal, idOf(ordinal, life)]));
  return {
    lost: [],
    acceptorIds,
    isReachable: (ordinal) => acceptorIds.has(ordinal),
    draw: 0,
    changedAtMs: 9,
    ...more,
  };
}

const ALL = [1, 2, 3, 4, 5, 6];
const forgetting = (...who: readonly number[]): readonly (readonly [number, number])[] =>
  ALL.map((ordinal) => [ordinal, who.includes(ordinal) ? 1 : 0]);

function faultOf(ring: RingDocument, how: Rescue): string {
  const next = renamedVoters(ring, how);
  return 'fault' in next ? next.fault : '';
}

test('a majority that remembers is left alone', (t) => {
  t.regex(faultOf(RING, rescue(forgetting())), /5 of its 5 voters may agree.*plan and commit as usual/);
  t.regex(faultOf(RING, rescue(forgetting(1, 2))), /3 of its 5 voters may agree on a change, and 3 are enough/);
});

test('three of five have forgotten: all vote by the names that they have now', (t) => {
  const next = renamedVoters(RING, rescue(forgetting(1, 2, 3)));
  if ('fault' in next) throw new Error(next.fault);
  t.deepEqual(
    next.voters,
    [1, 2, 3, 4, 5].map((ordinal) => ({ ordinal, acceptorId: idOf(ordinal, ordinal <= 3 ? 1 : 0) })),
  );
  t.true(next.version > RING.version + 50_000, 'newer than what the old voters may have decided on');
  t.deepEqual([next.members, next.owners, next.moves], [RING.members, RING.owners, RING.moves]);
  t.false('fault' in decodeRing(encodeRing(next)));
});

test('two that force at once make two versions', (t) => {
  const how = rescue(forgetting(1, 2, 3));
  const versions = [0, 1, 77_777].map((draw) => (renamedVoters(RING, { ...how, draw }) as RingDocument).version);
  t.is(new Set(versions).size, 3);
});

test('who is away may come back and remember, unless it is said to be lost', (t) => {
  const some = forgetting(1, 2).filter(([ordinal]) => ordinal !== 3);
  t.regex(faultOf(RING, rescue(some)), /cannot be reached \(3\)\. Only if they are lost for good, name them: --lost 3/);
  const next = renamedVoters(RING, rescue(some, { lost: [3] }));
  if ('fault' in next) throw new Error(next.fault);
  t.false(next.voters.some(({ ordinal }) => ordinal === 3));
  t.is(next.voters.length, 5);
});

test('who answers is not lost, and who is no member cannot be', (t) => {
  t.is(faultOf(RING, rescue(forgetting(1, 2, 3), { lost: [4] })), 'node 4 answers, so it is not lost');
  t.is(faultOf(RING, rescue(forgetting(1, 2, 3), { lost: [9] })), 'node 9 is no member');
});

test('a ring whose voters have no names needs all of them, so one that is lost is enough', (t) => {
  const blank = { ...RING, voters: [1, 2, 3].map((ordinal) => ({ ordinal, acceptorId: '' })) };
  t.regex(faultOf(blank, rescue(forgetting(1, 2, 3))), /no force is needed/);
  const some = forgetting().filter(([ordinal]) => ordinal !== 2);
  t.regex(faultOf(blank, rescue(some)), /--lost 2/);
  const next = renamedVoters(blank, rescue(some, { lost: [2] }));
  t.true(!('fault' in next) && next.voters.every(({ acceptorId }) => acceptorId !== ''));
});

test('nobody becomes a voter who has not said by which name', (t) => {
  const how = rescue(
    forgetting(1, 2, 3).filter(([ordinal]) => ordinal <= 3),
    { lost: [4, 5] },
  );
  const next = renamedVoters(RING, how);
  t.deepEqual(
    (next as RingDocument).voters.map(({ ordinal }) => ordinal),
    [1, 2, 3],
  );
  const silent = rescue([], { lost: [1, 2, 3, 4, 5] });
  t.regex(faultOf(RING, silent), /no member has said in the last seconds/);
});
