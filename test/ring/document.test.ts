/* What every loader and receiver asks: each invariant broken on its own, and the document there and back. */
import test from 'ava';
import { nodeId } from '../../src/model/ids.js';
import { changeRing, newRing } from '../../src/ring/change.js';
import {
  type RingDocument,
  type RingMember,
  decodeRing,
  encodeRing,
  firstRing,
  ringFault,
  ringMessage,
} from '../../src/ring/document.js';
import { documentOf, members, ringMember, tableOf } from './rings.js';

const ring = documentOf(tableOf(members(6, 3), 16, 3));
const alone: RingMember = ringMember({ ordinal: 1, capacity: 1, zone: '' });

function withMember(change: Partial<RingMember>, index: number = 1): RingDocument {
  return { ...ring, members: ring.members.map((member, i) => (i === index ? { ...member, ...change } : member)) };
}

function withRow(row: readonly number[]): RingDocument {
  return { ...ring, owners: [...row, ...ring.owners.slice(3)] };
}

function faultIn(document: unknown): string {
  const ringOrFault = decodeRing(Buffer.from(JSON.stringify(document)));
  return 'fault' in ringOrFault ? ringOrFault.fault : 'none';
}

const NOTES = { change: 'a test', changedAtMs: 1 };

test('a document comes back as it went', (t) => {
  t.deepEqual(decodeRing(encodeRing(ring)), ring);
  const text = Buffer.from(encodeRing(ring)).toString();
  t.is(text, Buffer.from(encodeRing(decodeRing(encodeRing(ring)) as RingDocument)).toString());
  t.deepEqual(ringMessage(ring).members[0], {
    nodeId: ring.members[0]?.nodeId,
    ordinal: 1,
    address: '10.0.0.1:1',
    zone: 'z0',
  });
});

test('a document of the first release, without capacity and peerAddress, is read', (t) => {
  const old =
    '{"format":1,"version":1,"cluster":"shop","clusterId":"0123456789abcdef0123456789abcdef","partitionCount":4,' +
    '"replicaCount":1,"members":[{"nodeId":"00000000000000000000000000000007","ordinal":1,"address":"127.0.0.1:7700",' +
    '"zone":""}],"owners":[1,1,1,1]}';
  t.deepEqual(
    decodeRing(Buffer.from(old)),
    firstRing(
      'shop',
      '0123456789abcdef0123456789abcdef',
      { nodeId: nodeId('7'.padStart(32, '0')), ordinal: 1, address: '127.0.0.1:7700', zone: '' },
      4,
    ),
  );
});

test('what is no document is refused with the reason', (t) => {
  t.deepEqual(decodeRing(Buffer.from('{')), { fault: 'the ring document is not JSON' });
  const raw = JSON.parse(Buffer.from(encodeRing(ring)).toString()) as Record<string, unknown>;
  const changed = JSON.parse(Buffer.from(encodeRing({ ...ring, version: 2 })).toString()) as object;
  const first = (change: object): object => ({ ...raw, members: [{ ...ring.members[0], ...change }] });
  const faults: readonly [unknown, RegExp][] = [
    [[], /not an object/],
    [{ ...raw, format: 4 }, /format 4 is not one/],
    [{ ...raw, format: 2 }, /ordinalNext and changedAtMs must be numbers/],
    [{ ...changed, moves: [[1, 2, 3]] }, /a move is not/],
    [{ ...changed, voters: [{}] }, /a voter lacks/],
    [{ ...changed, moves: 1 }, /must be lists/],
    [{ ...raw, version: '1' }, /must be numbers/],
    [{ ...raw, cluster: 1 }, /must be text/],
    [{ ...raw, owners: ['1'] }, /owners must be/],
    [{ ...raw, members: {} }, /members must be a list/],
    [{ ...raw, members: [null] }, /a member is not an object/],
    [first({ zone: 1 }), /lacks nodeId, ordinal, address or zone/],
    [first({ capacity: '2' }), /member 1: capacity must be a number/],
    [first({ peerAddress: null }), /member 1: .* peerAddress text/],
    [{ ...raw, owners: [] }, /0 owners for 16 partitions of 3 replicas/],
  ];
  for (const [document, expected] of faults) t.regex(faultIn(document), expected);
});

test('each invariant, broken, is found', (t) => {
  t.is(ringFault(ring), null);
  const [a = 0, b = 0, c = 0] = ring.owners;
  const twin = (ordinal: number): number => (ordinal <= 3 ? ordinal + 3 : ordinal - 3); // the other node of its zone
  const faults: readonly [RingDocument, RegExp][] = [
    [{ ...ring, version: 0 }, /version 0/],
    [{ ...ring, clusterId: 'C'.repeat(32) }, /cluster id/],
    [{ ...ring, partitionCount: 12 }, /12 partitions: not a power of two up to 4096/],
    [{ ...ring, replicaCount: 7 }, /7 replicas with 6 members/],
    [{ ...ring, replicaCount: 1.5 }, /1.5 replicas/],
    [{ ...ring, members: members(1_025).map(ringMember) }, /1025 members, at most 1024/],
    [withMember({ ordinal: 0 }), /ordinal 0 is not within/],
    [withMember({ ordinal: 70_000 }), /ordinal 70000 is not within/],
    [withMember({ ordinal: 1 }), /ordinal 1 is given twice/],
    [withMember({ capacity: 0 }), /node 2 has capacity 0: not an integer within 1..1000000/],
    [withMember({ capacity: 1.5 }), /capacity 1.5/],
    [withMember({ capacity: 1_000_001 }), /capacity 1000001/],
    [withMember({ nodeId: 'x' as RingMember['nodeId'] }), /member 2: the node id/],
    [withMember({ nodeId: alone.nodeId }), /node id 0+1 is a member twice/],
    [withMember({ peerAddress: '' }), /member 2 has no peer address: in a ring of 6/],
    [withMember({ peerAddress: '10.0.1.1:1' }), /members 1 and 2 both have the address 10.0.1.1:1/],
    [withMember({ address: '10.0.1.1:1' }), /members 1 and 2 both have the address/],
    [{ ...ring, owners: ring.owners.slice(1) }, /47 owners for 16 partitions/],
    [withRow([a, b, 99]), /partition 0 is owned by node 99, which is no member/],
    [withRow([a, b, b]), /partition 0 has owner \d twice/],
    [withRow([a, b, twin(a)]), /partition 0: zone "z\d" has [02] nodes where its share is 1 of it/],
    [withRow([twin(a), b, c]), /node \d has [79] replicas where its share is 8/],
    [withMember({ capacity: 2 }), /where its share is/],
  ];
  for (const [broken, expected] of faults) t.regex(ringFault(broken) ?? 'none', expected);
});

test('tokens alone out of balance are found', (t) => {
  const even = documentOf(tableOf(members(4), 16, 2));
  const giver = even.owners[0] ?? 0;
  const other = even.owners[1] ?? 0;
  const swapped = { ...even, owners: [other, giver, ...even.owners.slice(2)] };
  t.regex(ringFault(swapped) ?? 'none', /node \d has [35] tokens where its share is 4/);
});

test('a member without a zone is named by its ordinal', (t) => {
  const all = documentOf(tableOf(members(3), 4, 3));
  const four = { ...all, replicaCount: 3, owners: [...all.owners.slice(0, 9), 1, 2, 9] };
  const placed = { ...four, members: [...all.members, ringMember({ ordinal: 9, capacity: 3, zone: '' })] };
  t.regex(ringFault(placed) ?? 'none', /^partition 0: node 9 has 0 nodes where its share is 1 of it/);
});

test('the check of the largest ring takes milliseconds', (t) => {
  const large = documentOf(tableOf(members(100, 4), 4_096, 3));
  const times = [1, 2, 3, 4, 5].map(() => {
    const startedMs = performance.now();
    t.is(ringFault(large), null);
    return performance.now() - startedMs;
  });
  t.log(`${Math.min(...times).toFixed(2)} ms`);
  t.true(Math.min(...times) < 20);
});

test('a new ring, and what stands against one', (t) => {
  const { cluster, clusterId, partitionCount } = ring;
  const first = { cluster, clusterId, partitionCount, replicaCount: 3, members: members(5).map(ringMember) };
  const made = newRing(first, 7);
  t.false('fault' in made);
  t.is(ringFault(made as RingDocument), null);
  t.is((made as RingDocument).version, 1);
  t.deepEqual(newRing({ ...first, members: members(2).map(ringMember) }, 7), { fault: '3 replicas with 2 members' });
  t.deepEqual(newRing({ ...first, members: [...first.members, ringMember(members(1)[0] ?? alone)] }, 7), {
    fault: 'ordinal 1 is given twice',
  });
});

test('a changed ring: one version on, balanced, ordinals stay with their nodes', (t) => {
  const joined = changeRing(ring, members(7, 3).map(ringMember), 1, NOTES) as RingDocument;
  t.is(ringFault(joined), null);
  t.is(joined.version, 2);
  t.is(joined.clusterId, ring.clusterId);
  const stranger = { ...alone, nodeId: nodeId('f'.repeat(32)), address: 'a:1', peerAddress: 'a:2' };
  const [, ...others] = ring.members;
  t.regex(
    (changeRing(ring, [stranger, ...others], 1, NOTES) as { fault: string }).fault,
    /ordinal 1 is given to node f+, but/,
  );
  const renumbered = { ...alone, ordinal: 9 };
  t.regex(
    (changeRing(ring, [renumbered, ...others], 1, NOTES) as { fault: string }).fault,
    /has ordinal 1 and cannot become 9/,
  );
  t.deepEqual(changeRing(ring, ring.members.slice(0, 2), 1, NOTES), { fault: '3 replicas with 2 members' });
});

test('a ring of one needs no peer address, and grows once it has one', (t) => {
  const one = firstRing('shop', 'a'.repeat(32), { ...alone, peerAddress: '' }, 8);
  t.is(ringFault(one), null);
  const second = ringMember({ ordinal: 2, capacity: 1, zone: '' });
  t.regex(
    (changeRing(one, [...one.members, second], 1, NOTES) as { fault: string }).fault,
    /member 1 has no peer address/,
  );
  t.false('fault' in changeRing(one, [alone, second], 1, NOTES));
});
