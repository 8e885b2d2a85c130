/* The checker of rings, on rings made up for it: it finds each fault, and none where there is none. */
import test from 'ava';
import { advanceRing, changeRing, newRing } from '../../../src/ring/change.js';
import type { RingDocument } from '../../../src/ring/document.js';
import { members, ringMember } from '../../ring/rings.js';
import type { RingInForce } from '../evidence.js';
import { texts } from './made-up.js';
import { checkRings } from './rings.js';

const NOTES = { change: 'a test', changedAtMs: 1 };
const HEAD = { cluster: 'shop', clusterId: 'a'.repeat(32), partitionCount: 16, replicaCount: 3 };

const FIRST = newRing({ ...HEAD, members: members(4).map(ringMember) }, 1) as RingDocument;
const JOINED = changeRing(FIRST, members(5).map(ringMember), 1, NOTES) as RingDocument;
const COPIED = advanceRing(JOINED, { copied: JOINED.moves, settled: [], left: [] }, NOTES) as RingDocument;

const inForce = (ring: RingDocument, more: Partial<RingInForce> = {}): RingInForce => ({
  node: 0,
  life: 1,
  atMs: ring.version,
  ring,
  ...more,
});
const found = (...rings: readonly RingInForce[]): readonly string[] => texts(checkRings({ rings }));

test('rings: what nodes go through together, each at its time, is as it should be', (t) => {
  t.true(JOINED.moves.length > 0);
  t.deepEqual(found(), []);
  t.deepEqual(found(...[FIRST, JOINED, COPIED].flatMap((ring) => [inForce(ring), inForce(ring, { node: 1 })])), []);
  t.deepEqual(found(inForce(FIRST), inForce(COPIED), inForce({ ...FIRST }, { node: 1 })), [], 'one may be skipped');
});

test('rings: there are two of one version', (t) => {
  const [text = '', ...others] = found(inForce(JOINED), inForce({ ...JOINED, change: 'another' }, { node: 1 }));
  t.is(text, 'node 1 has another ring 2 than others have');
  t.deepEqual(others, []);
  const lost = [0, 1].map((node) => inForce(FIRST, { node, life: 2 }));
  const anew = inForce({ ...JOINED, change: 'another' }, { life: 2 });
  t.is(found(inForce(JOINED), ...lost, anew).length, 1, 'whoever has lost it');
});

test('rings: one makes no sense', (t) => {
  const owners = FIRST.owners.map((owner, at) => (at === 1 ? (FIRST.owners[0] ?? 0) : owner));
  const texts = found(inForce({ ...FIRST, owners }));
  t.is(texts.length, 1);
  t.true(texts[0]?.startsWith('node 0 has taken over ring 1: '));
});

test('rings: a node goes back, unless its disk did', (t) => {
  const back = [inForce(JOINED), inForce(FIRST, { atMs: 7 })];
  t.deepEqual(found(...back), ['node 0 has gone back from ring 2 to 1 at 7 ms']);
  t.deepEqual(found(inForce(JOINED), inForce(FIRST, { life: 2 })), []);
  t.deepEqual(found(inForce(JOINED), inForce(FIRST, { node: 1 })), [], 'another node is behind');
  t.is(found(inForce(JOINED), inForce(FIRST), inForce(JOINED), inForce(FIRST)).length, 2);
});

test('rings: two become owners who were taking nothing over', (t) => {
  // One of a row for one of another, and neither is the first: everybody keeps his share.
  const rowOf = (partition: number): readonly number[] => FIRST.owners.slice(3 * partition, 3 * partition + 3);
  const strangerTo = (partition: number): number =>
    [1, 2, 3, 4].find((ordinal) => !rowOf(partition).includes(ordinal)) ?? 0;
  const taken = strangerTo(0);
  const partitions = Array.from({ length: 16 }, (_, partition) => partition);
  const other =
    partitions.find(
      (partition) => rowOf(partition).indexOf(taken) > 0 && rowOf(0).indexOf(strangerTo(partition)) > 0,
    ) ?? 0;
  t.true(other > 0);
  const given = strangerTo(other);
  const owners = [...FIRST.owners];
  owners[rowOf(0).indexOf(given)] = taken;
  owners[3 * other + rowOf(other).indexOf(taken)] = given;
  const swapped = { ...FIRST, version: 2, owners };
  t.deepEqual(found(inForce(FIRST), inForce(swapped)), [
    `ring 2: nodes ${taken - 1} own partition 0, and have not taken it over`,
    `ring 2: nodes ${given - 1} own partition ${other}, and have not taken it over`,
  ]);
  t.deepEqual(found(inForce(FIRST), inForce({ ...swapped, version: 3 })), [], 'nobody has seen what was in between');
});

test('rings: who takes the place of one that was removed has taken nothing over', (t) => {
  const [, ...others] = members(4).map(ringMember);
  const removed = changeRing(FIRST, others, 1, NOTES) as RingDocument;
  t.false(removed.owners.includes(1));
  t.deepEqual(found(inForce(FIRST), inForce(removed)), []);
});
