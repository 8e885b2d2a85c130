import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { advanceRing, changeRing, newRing } from '../../src/ring/change.js';
import { decodeRing, encodeRing, type RingDocument, type RingMember, ringFault } from '../../src/ring/document.js';
import { NOBODY, type RingMove, targetOwners } from '../../src/ring/moves.js';
import { members, ringMember } from './rings.js';

const NOTES = { change: 'a test', changedAtMs: 1 };
const NOTHING = { copied: [], settled: [], left: [] };

function ringOf(count: number, partitionCount: number = 16): RingDocument {
  const first = { cluster: 'shop', clusterId: 'a'.repeat(32), partitionCount, replicaCount: 3 };
  return newRing({ ...first, members: members(count).map(ringMember) }, 3) as RingDocument;
}

function changed(ring: RingDocument, to: readonly RingMember[], seed: number = 1): RingDocument {
  const plan = changeRing(ring, to, seed, NOTES);
  if ('fault' in plan) throw new Error(plan.fault);
  return plan;
}

const joiner = (ordinal: number): RingMember => ringMember({ ordinal, capacity: 1, zone: '' });

const phases = (ring: RingDocument): readonly string[] => [...new Set(ring.moves.map(({ phase }) => phase))];

test('a node joins: nobody gives up anything before the newcomer has caught up, and then the ring is balanced', (t) => {
  const ring = ringOf(3);
  const joined = changed(ring, [...ring.members, joiner(4)]);
  t.is(ringFault(joined), null);
  t.deepEqual(joined.owners.toSorted(), ring.owners.toSorted(), 'the owners are who they were');
  t.is(joined.moves.length, 12, 'NQ / S');
  t.deepEqual(phases(joined), ['copy']);
  t.is(joined.ordinalNext, 5);

  const [first, ...rest] = joined.moves as [RingMove, ...RingMove[]];
  const one = advanceRing(joined, { ...NOTHING, copied: [first] }, NOTES) as RingDocument;
  t.is(one.version, 3);
  t.is(ringFault(one), null);
  t.true(one.owners.slice(3 * first.partition, 3 * first.partition + 3).includes(4));
  t.deepEqual(targetOwners(one), targetOwners(joined));
  t.is(advanceRing(one, { ...NOTHING, copied: [first] }, NOTES), null, 'it has been done');

  const copied = advanceRing(one, { ...NOTHING, copied: rest }, NOTES) as RingDocument;
  t.deepEqual(phases(copied), ['settle']);
  const settled = advanceRing(copied, { ...NOTHING, settled: copied.moves }, NOTES) as RingDocument;
  t.deepEqual(settled.moves, []);
  t.deepEqual(settled.owners, targetOwners(joined));
  t.is(ringFault(settled), null);
});

test('a node leaves: it is a member until it holds nothing any more', (t) => {
  const ring = ringOf(4);
  const leaving = changed(
    ring,
    ring.members.map((member) => ({ ...member, leaving: member.ordinal === 2 })),
  );
  t.true(leaving.moves.length > 0);
  t.true(leaving.moves.every(({ from }) => from === 2));
  t.is(ringFault(leaving), null);
  t.is(advanceRing(leaving, { ...NOTHING, left: [2] }, NOTES), null, 'it owns something');
  const copied = advanceRing(leaving, { ...NOTHING, copied: leaving.moves }, NOTES) as RingDocument;
  t.is(advanceRing(copied, { ...NOTHING, left: [2] }, NOTES), null, 'it is still written to');
  const settled = advanceRing(copied, { ...NOTHING, settled: copied.moves }, NOTES) as RingDocument;
  const left = advanceRing(settled, { ...NOTHING, left: [2] }, NOTES) as RingDocument;
  t.deepEqual(left.members.map(({ ordinal }) => ordinal).toSorted(), [1, 3, 4]);
  t.is(ringFault(left), null);
  t.is(left.ordinalNext, 5);
  t.regex((changeRing(left, [...left.members, joiner(2)], 1, NOTES) as { fault: string }).fault, /another node's once/);
});

test('a node is lost: others own its partitions at once, and the moves show when they have caught up', (t) => {
  const ring = ringOf(4);
  const removed = changed(
    ring,
    ring.members.filter(({ ordinal }) => ordinal !== 2),
  );
  t.is(ringFault(removed), null);
  t.false(removed.owners.includes(2));
  t.is(removed.moves.length, 12);
  t.true(removed.moves.every(({ from, phase }) => from === NOBODY && phase === 'settle'));
});

test('a change on top of moves under way looks at who owns what now', (t) => {
  const ring = ringOf(3);
  const joined = changed(ring, [...ring.members, joiner(4)]);
  const back = changed(
    joined,
    joined.members.map((member) => ({ ...member, leaving: member.ordinal === 4 })),
  );
  t.deepEqual(back.moves, [], 'nothing had been taken over');
  t.is(ringFault(back), null);
  const half = advanceRing(joined, { ...NOTHING, copied: joined.moves.slice(0, 5) }, NOTES) as RingDocument;
  const turned = changed(
    half,
    half.members.map((member) => ({ ...member, leaving: member.ordinal === 4 })),
  );
  t.is(ringFault(turned), null);
  t.is(turned.moves.filter(({ from, phase }) => from === 4 && phase === 'copy').length, 5);
});

test('voters are at most five, odd in number, and in different zones', (t) => {
  t.deepEqual(
    [1, 2, 3, 4, 5, 6, 9].map((count) => {
      const first = { cluster: 's', clusterId: 'a'.repeat(32), partitionCount: 8, replicaCount: 1 };
      return (newRing({ ...first, members: members(count).map(ringMember) }, 1) as RingDocument).voters.length;
    }),
    [1, 1, 3, 3, 5, 5, 5],
  );
  const zoned = { ...ringOf(3), members: members(9, 3).map(ringMember) };
  const three = changed({ ...zoned, members: zoned.members.slice(0, 3) }, members(6, 3).map(ringMember));
  t.deepEqual(
    three.voters.map(({ ordinal }) => ordinal),
    [1, 2, 3, 4, 5],
  );
  const lost = changed(
    three,
    three.members.filter(({ ordinal }) => ordinal !== 1),
  );
  t.deepEqual(
    lost.voters.map(({ ordinal }) => ordinal),
    [2, 3, 4, 5, 6],
  );
});

test('what is not true of a ring is a fault', (t) => {
  const ring = ringOf(4);
  const joined = changed(ring, [...ring.members, joiner(5)]);
  const [move] = joined.moves as [RingMove];
  const faultOf = (more: Partial<RingDocument>): string => ringFault({ ...joined, ...more }) ?? '';
  t.regex(faultOf({ moves: [move, move] }), /in another move/);
  t.regex(faultOf({ moves: joined.moves.slice(1) }), /after its moves, node \d has/);
  t.regex(faultOf({ moves: [{ ...move, to: 9 }] }), /receiver is no member/);
  t.regex(faultOf({ moves: [{ ...move, from: 9 }] }), /giver is no member/);
  t.regex(faultOf({ moves: [{ ...move, phase: 'settle' }] }), /the receiver is not the owner/);
  t.regex(faultOf({ moves: [{ ...move, partition: 16 }] }), /no such partition/);
  t.regex(faultOf({ moves: [{ ...move, since: 3 }] }), /began with ring version 3/);
  t.regex(faultOf({ voters: [] }), /0 voters/);
  t.regex(faultOf({ voters: [{ ordinal: 9, acceptorId: '' }] }), /no member/);
  t.regex(faultOf({ voters: [{ ordinal: 1, acceptorId: 'x' }] }), /a name that is none/);
});

type Step =
  | { readonly kind: 'join' }
  | { readonly kind: 'leave'; readonly which: number }
  | { readonly kind: 'lose'; readonly which: number }
  | { readonly kind: 'advance'; readonly what: 'copied' | 'settled' | 'left'; readonly share: number };

const arbitraryStep: fc.Arbitrary<Step> = fc.oneof(
  fc.constant({ kind: 'join' as const }),
  fc.record({ kind: fc.constant('leave' as const), which: fc.nat(20) }),
  fc.record({ kind: fc.constant('lose' as const), which: fc.nat(20) }),
  fc.record({
    kind: fc.constant('advance' as const),
    what: fc.constantFrom('copied' as const, 'settled' as const, 'left' as const),
    share: fc.constantFrom(0.3, 1),
  }),
);

function after(ring: RingDocument, step: Step): RingDocument {
  if (step.kind === 'join') return changed(ring, [...ring.members, joiner(ring.ordinalNext)]);
  if (step.kind !== 'advance') {
    const which = ring.members[step.which % ring.members.length] as RingMember;
    const staying = ring.members.filter(({ leaving, ordinal }) => !leaving && ordinal !== which.ordinal);
    if (staying.length < 3) return ring;
    return changed(
      ring,
      step.kind === 'lose'
        ? ring.members.filter((member) => member !== which)
        : ring.members.map((member) => (member === which ? { ...member, leaving: true } : member)),
    );
  }
  const some = ring.moves.filter((_, index) => index < ring.moves.length * step.share);
  const left = ring.members.flatMap(({ ordinal, leaving }) => (leaving ? [ordinal] : []));
  const advances = { copied: [], settled: [], left: [], [step.what]: step.what === 'left' ? left : some };
  return advanceRing(ring, advances, NOTES) ?? ring;
}

testProp(
  'whatever changes come upon each other, every version is a ring, and survives being written down',
  [fc.array(arbitraryStep, { maxLength: 14 })],
  (t, steps) => {
    let ring = ringOf(4, 8);
    t.is(ringFault(ring), null);
    for (const step of steps) {
      ring = after(ring, step);
      t.is(ringFault(ring), null, JSON.stringify(step));
      t.deepEqual(decodeRing(encodeRing(ring)), ring);
    }
  },
  { numRuns: 150 },
);
