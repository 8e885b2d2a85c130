/* What an administrator wants of the members: all of it, or a reason. */
import test from 'ava';
import { nodeId } from '../../src/model/ids.js';
import { editMembers, type RingEdit } from '../../src/ring/edits.js';
import type { RingMember } from '../../src/ring/document.js';
import { documentOf, members, tableOf } from './rings.js';

const ring = documentOf(tableOf(members(3), 16, 3));
const [one, two, three] = ring.members as [RingMember, RingMember, RingMember];

const joining = (digit: string): Extract<RingEdit, { kind: 'join' }> => ({
  kind: 'join',
  nodeId: nodeId(digit.repeat(32)),
  address: `10.0.0.9:${digit}`,
  peerAddress: `10.0.1.9:${digit}`,
  zone: 'z',
  capacity: 2,
});

function faultOf(...edits: readonly RingEdit[]): string {
  const after = editMembers(ring, edits);
  return 'fault' in after ? after.fault : '';
}

test('without edits the members stay as they are', (t) => {
  t.deepEqual(editMembers(ring, []), ring.members);
});

test('those that join get the next ordinals, in the order in which they are named', (t) => {
  const memberOf = (digit: string, ordinal: number): RingMember => {
    const { nodeId, address, peerAddress, zone, capacity } = joining(digit);
    return { nodeId, ordinal, address, peerAddress, zone, capacity, leaving: false };
  };
  t.deepEqual(editMembers(ring, [joining('a'), joining('b')]), [...ring.members, memberOf('a', 4), memberOf('b', 5)]);
});

test('an ordinal that was given once is not given again, though its node is gone', (t) => {
  const after = editMembers({ members: [one, two], ordinalNext: 9 }, [joining('a')]) as readonly RingMember[];
  t.deepEqual(
    after.map(({ ordinal }) => ordinal),
    [1, 2, 9],
  );
});

test('whoever leaves is marked, whoever stays after all is not, and whoever is lost goes at once', (t) => {
  const left = editMembers(ring, [{ kind: 'leave', ordinal: 2 }]) as readonly RingMember[];
  t.deepEqual(left, [one, { ...two, leaving: true }, three]);
  t.deepEqual(editMembers({ ...ring, members: left }, [{ kind: 'stay', ordinal: 2 }]), ring.members);
  t.deepEqual(editMembers(ring, [{ kind: 'remove', ordinal: 2 }]), [one, three]);
  t.deepEqual(editMembers({ ...ring, members: left }, [{ kind: 'remove', ordinal: 2 }]), [one, three]);
});

test('what is set changes, and nothing else', (t) => {
  const changes = { address: 'a:1', peerAddress: 'a:2', zone: 'z9', capacity: 7 };
  t.deepEqual(editMembers(ring, [{ kind: 'set', ordinal: 3, ...changes }]), [one, two, { ...three, ...changes }]);
  for (const field of ['address', 'peerAddress', 'zone', 'capacity'] as const) {
    const change = { [field]: changes[field] };
    t.deepEqual(editMembers(ring, [{ kind: 'set', ordinal: 1, ...change }]), [{ ...one, ...change }, two, three]);
  }
  t.deepEqual(editMembers(ring, [{ kind: 'set', ordinal: 1 }]), ring.members);
});

test('edits build on each other: one joins and another leaves in one version', (t) => {
  const after = editMembers(ring, [
    joining('a'),
    { kind: 'leave', ordinal: 1 },
    { kind: 'set', ordinal: 4, capacity: 5 },
  ]) as readonly RingMember[];
  t.deepEqual(
    after.map(({ ordinal, leaving, capacity }) => [ordinal, leaving, capacity]),
    [
      [1, true, 1],
      [2, false, 1],
      [3, false, 1],
      [4, false, 5],
    ],
  );
});

test('what cannot be is said, with its reason, and nothing of the list is done', (t) => {
  t.is(faultOf({ kind: 'leave', ordinal: 8 }), 'there is no node 8 in the ring');
  t.is(faultOf({ kind: 'stay', ordinal: 8 }), 'there is no node 8 in the ring');
  t.is(faultOf({ kind: 'remove', ordinal: 8 }), 'there is no node 8 in the ring');
  t.is(faultOf({ kind: 'set', ordinal: 8, capacity: 2 }), 'there is no node 8 in the ring');
  t.is(faultOf({ kind: 'leave', ordinal: 1 }, { kind: 'leave', ordinal: 1 }), 'node 1 is leaving already');
  t.is(faultOf({ kind: 'stay', ordinal: 1 }), 'node 1 is not leaving');
  t.is(faultOf({ ...joining('a'), nodeId: one.nodeId }), `node ${one.nodeId} is a member already`);
  t.is(faultOf(joining('a'), joining('a')), `node ${'a'.repeat(32)} is a member already`);
  t.is(faultOf({ kind: 'remove', ordinal: 1 }, { kind: 'set', ordinal: 1 }), 'there is no node 1 in the ring');
  t.deepEqual(ring.members, [one, two, three]);
});
