/*
 * The bytes of ring documents as released, in test/golden: they lie on disks and go between releases, so both formats are
 * read, and written, the same for ever. PARTITA_GOLDEN=write rewrites the file; review that diff as one reviews a format
 * change.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { advanceRing, changeRing, newRing, raiseLevel, type RingPlan } from '../../src/ring/change.js';
import { BUILD, type Build, FIRST_BUILD } from '../../src/model/build.js';
import { decodeRing, encodeRing, type RingDocument, unchanged } from '../../src/ring/document.js';
import type { RingMove } from '../../src/ring/moves.js';
import { arbitraryMembers, members, ringMember } from './rings.js';

const FILE = new URL('../../../test/golden/rings.json', import.meta.url);
const NOTHING = { copied: [], settled: [], left: [] };

interface Golden {
  readonly name: string;
  readonly bytes: string;
}

function ringOf(plan: RingPlan | null): RingDocument {
  if (plan === null || 'fault' in plan) throw new Error(plan?.fault ?? 'nothing has changed');
  return plan;
}

const acceptorIds = new Map([1, 2, 3, 4].map((ordinal) => [ordinal, String(ordinal).repeat(32)]));
const notes = (change: string): { change: string; changedAtMs: number; acceptorIds: ReadonlyMap<number, string> } => {
  return { change, changedAtMs: 1_790_000_000_000, acceptorIds };
};

function examples(): readonly { readonly name: string; readonly ring: RingDocument }[] {
  const head = { cluster: 'shop', clusterId: 'a'.repeat(32), partitionCount: 8, replicaCount: 3 };
  const first = ringOf(newRing({ ...head, members: members(4, 2).map(ringMember) }, 3));
  const leaving = first.members.map((member) => ({ ...member, leaving: member.ordinal === 2 }));
  const copying = ringOf(changeRing(first, leaving, 1, notes('node 2 leaves')));
  const some = copying.moves.slice(0, 2);
  const settling = ringOf(advanceRing(copying, { ...NOTHING, copied: some }, notes('2 replicas were taken over')));
  const [lost] = settling.members.filter(({ ordinal }) => ordinal === 2);
  const removed = ringOf(
    changeRing(
      settling,
      settling.members.filter((member) => member !== lost),
      1,
      notes('node 2 is lost: "no disk", Füße, \u{1f4be}'),
    ),
  );
  return [
    { name: 'a ring that nothing has changed yet: format 1', ring: first },
    { name: 'a node leaves, voters have names: format 2', ring: copying },
    { name: 'moves in both states', ring: settling },
    { name: 'the leaving node is lost: moves from nobody', ring: removed },
    { name: 'a new cluster above the first feature level: format 3', ring: { ...first, level: 2 } },
    {
      name: 'the level was raised while replicas move',
      ring: ringOf(raiseLevel(settling, 2, notes('feature level 2'))),
    },
  ];
}

const textOf = (ring: RingDocument): string => Buffer.from(encodeRing(ring)).toString('utf8');

test('rings are written as they were released, and read as what they were', (t) => {
  const rings = examples();
  if (process.env['PARTITA_GOLDEN'] === 'write') {
    const golden = rings.map(({ name, ring }) => ({ name, bytes: textOf(ring) }));
    writeFileSync(FILE, `${JSON.stringify(golden, null, 2)}\n`);
  }
  const golden = JSON.parse(readFileSync(FILE, 'utf8')) as readonly Golden[];
  t.deepEqual(
    golden.map(({ name }) => name),
    rings.map(({ name }) => name),
  );
  for (const [i, { name, ring }] of rings.entries()) {
    const { bytes } = golden[i] as Golden;
    t.is(textOf(ring), bytes, name);
    t.deepEqual(decodeRing(Buffer.from(bytes)), ring, name);
  }
  t.deepEqual(
    golden.map(({ bytes }) => (JSON.parse(bytes) as { format: number }).format),
    [1, 2, 2, 2, 3, 3],
  );
});

testProp(
  'whatever a ring goes through, it comes back from its bytes, and its bytes from it',
  [arbitraryMembers(3, 6), fc.integer({ min: 1, max: 1_000 }), fc.nat(), fc.string({ unit: 'grapheme' })],
  (t, placed, seed, which, change) => {
    const head = { cluster: 'shop', clusterId: 'a'.repeat(32), partitionCount: 8, replicaCount: 2 };
    let ring: RingPlan = newRing({ ...head, members: placed.map(ringMember) }, seed);
    if ('fault' in ring) return t.pass();
    const left = ring.members[which % ring.members.length];
    for (const step of ['leave', 'copied', 'settled', 'left'] as const) {
      if ('fault' in ring) break;
      const bytes = encodeRing(ring);
      t.deepEqual(decodeRing(bytes), ring);
      t.deepEqual(encodeRing(decodeRing(bytes) as RingDocument), bytes);
      const now: RingDocument = ring;
      const { moves } = now;
      const advances = { ...NOTHING, ...(step === 'left' ? { left: [left?.ordinal ?? 0] } : { [step]: moves }) };
      const marked = now.members.map((member) => ({ ...member, leaving: member.ordinal === left?.ordinal }));
      ring =
        step === 'leave'
          ? changeRing(now, marked, seed, notes(change))
          : (advanceRing(now, advances, notes(change)) ?? now);
    }
    return t.pass();
  },
  { numRuns: 60 },
);

const changed = examples()[2]?.ring as RingDocument;

function faultIn(change: (raw: Record<string, unknown>) => unknown): string {
  const raw = JSON.parse(textOf(changed)) as Record<string, unknown>;
  const ring = decodeRing(Buffer.from(JSON.stringify({ ...raw, ...(change(raw) as object) })));
  return 'fault' in ring ? ring.fault : '';
}

test('a document of format 2 that lacks something, or has it of another kind, is refused', (t) => {
  t.is(
    faultIn(() => ({})),
    '',
  );
  for (const field of ['ordinalNext', 'changedAtMs', 'change']) {
    for (const value of [undefined, null, true, []])
      t.regex(
        faultIn(() => ({ [field]: value })),
        /must be numbers/,
      );
  }
  for (const field of ['moves', 'voters']) {
    for (const value of [undefined, null, {}, 'none'])
      t.regex(
        faultIn(() => ({ [field]: value })),
        /must be lists/,
      );
  }
  const [move] = changed.moves as [RingMove];
  const { partition, from, to, phase, since } = move;
  for (const bad of [
    null,
    move,
    [],
    [partition, from, to, phase],
    [partition, from, to, 'over', since],
    ['0', from, to, phase, since],
    [partition, from, to, phase, null],
  ])
    t.regex(
      faultIn(() => ({ moves: [bad] })),
      /a move is not \[partition/,
    );
  for (const bad of [null, [], {}, { ordinal: 1 }, { ordinal: '1', acceptorId: '' }])
    t.regex(
      faultIn(() => ({ voters: [bad] })),
      /a voter lacks/,
    );
  t.regex(
    faultIn(() => ({ format: 4 })),
    /^ring format 4 is not one that this release reads \(up to 3\): install a newer release of Partita on this node$/,
  );
});

test('a ring of a higher level than the build understands is refused before anything else is read, with the release it names', (t) => {
  const raw = { format: 3, level: 3, release: '0.7.0', members: 'something that is not known yet' };
  const faultOf = (change: object, build?: Build): string => {
    const ring = decodeRing(Buffer.from(JSON.stringify({ ...raw, ...change })), build);
    return 'fault' in ring ? ring.fault : '';
  };
  const own = `release ${BUILD.release} (feature levels 1 to 2)`;
  t.is(faultOf({}), `the ring is at feature level 3, and this is ${own}: install Partita 0.7.0 or later on this node`);
  t.regex(faultOf({ release: undefined }), /: install Partita of a newer release on this node$/);
  t.is(
    faultOf({ format: 4 }),
    'ring format 4 is not one that this release reads (up to 3): install Partita 0.7.0 or later on this node',
  );
  t.regex(
    faultOf({}, { release: '0.9.0', levelMin: 4, levelMax: 5 }),
    /too old for this release.*Install the release before/,
  );
  for (const level of [undefined, null, '2', 1, 0]) t.is(faultOf({ level }), 'level must be a number above 1');
  t.regex(faultOf({ level: 1.5 }), /must be numbers/, 'what else is wrong is looked at as before');
});

test('each document is read by the builds that understand its level, and by no other', (t) => {
  for (const { name, ring } of examples()) {
    const read = decodeRing(encodeRing(ring), FIRST_BUILD);
    t.is('fault' in read, ring.level > 1, name);
  }
});

test('the level only goes up, and nothing else changes with it', (t) => {
  const raised = ringOf(raiseLevel(changed, 2, notes('feature level 2')));
  const { version, level, change, ...rest } = raised;
  t.deepEqual([version, level, change], [changed.version + 1, 2, 'feature level 2']);
  t.like(changed, rest);
  t.deepEqual(raiseLevel(raised, 2, notes('again')), { fault: 'the ring is at feature level 2 already' });
  t.is(ringOf(changeRing(raised, raised.members, 1, notes('a change after it'))).level, 2);
  t.is(ringOf(advanceRing(raised, { ...NOTHING, copied: raised.moves }, notes('a step after it'))).level, 2);
});

test('moves and voters that contradict the ring are refused', (t) => {
  const all = changed.moves.map(({ partition, from, to, phase, since }) => [partition, from, to, phase, since]);
  const moves =
    (at: number, value: unknown): (() => unknown) =>
    () => ({ moves: [(all[0] as unknown[]).with(at, value), ...all.slice(1)] });
  t.regex(faultIn(moves(0, 8)), /there is no such partition/);
  t.regex(faultIn(moves(0, -1)), /there is no such partition/);
  t.regex(faultIn(moves(0, 0.5)), /there is no such partition/);
  t.regex(faultIn(moves(1, 99)), /the giver is no member/);
  t.regex(faultIn(moves(2, 99)), /the receiver is no member that stays/);
  t.regex(faultIn(moves(2, 2)), /the receiver is no member that stays/, 'it leaves');
  t.regex(faultIn(moves(4, 1)), /it began with ring version 1/);
  t.regex(faultIn(moves(4, changed.version + 1)), /it began with ring version/);
  t.regex(
    faultIn(() => ({ moves: [...all, all[0]] })),
    /one of them is in another move/,
  );
  const other = (phase: unknown): string => (phase === 'copy' ? 'settle' : 'copy');
  t.regex(faultIn(moves(3, other(all[0]?.[3]))), /the giver is not the owner|the receiver is not the owner/);
  t.regex(
    faultIn(() => ({ voters: [] })),
    /0 voters/,
  );
  t.regex(
    faultIn(() => ({ voters: [changed.voters[0], changed.voters[0]] })),
    /votes twice/,
  );
  t.regex(
    faultIn(() => ({ voters: [{ ordinal: 9, acceptorId: '' }] })),
    /votes and is no member/,
  );
  t.regex(
    faultIn(() => ({ voters: [{ ordinal: 1, acceptorId: 'x' }] })),
    /a name that is none/,
  );
});

test("an ordinal that is or was a node's cannot be the next one", (t) => {
  for (const ordinalNext of [-1, 0, 1, 4, 4.5, 65_537])
    t.regex(
      faultIn(() => ({ ordinalNext })),
      /the next ordinal is/,
    );
  for (const ordinalNext of [5, 9, 65_536])
    t.is(
      faultIn(() => ({ ordinalNext })),
      '',
    );
});

test('only the first version of a ring is of format 1: what a change says would be lost in it', (t) => {
  const [first] = examples();
  const raw = JSON.parse(textOf(first?.ring as RingDocument)) as Record<string, unknown>;
  t.deepEqual(Object.keys(raw), [
    'format',
    'version',
    'cluster',
    'clusterId',
    'partitionCount',
    'replicaCount',
    'members',
    'owners',
  ]);
  t.deepEqual(first?.ring, unchanged(first?.ring as RingDocument));
});
