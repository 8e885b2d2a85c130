import test from 'ava';
import { fc, testProp } from '@fast-check/ava';
import xxhash from 'xxhash-wasm';
import { hash64From } from '../../src/model/hash.js';
import type { RingMessage } from '../../src/model/messages.js';
import { OwnerTable } from '../../src/ring/owner-table.js';
import { isPartitionCount, partitionBits, partitionOf } from '../../src/ring/partition.js';

function ring(change: Partial<RingMessage> = {}): RingMessage {
  const members = ['a', 'b', 'c'].map((name, ordinal) => ({
    nodeId: name.repeat(32),
    ordinal: ordinal * 10,
    address: `${name}:1`,
    zone: '',
  }));
  return {
    version: 3,
    clusterId: 'c',
    partitionCount: 4,
    replicaCount: 2,
    members,
    owners: [0, 10, 10, 20, 20, 0, 0, 20],
    ...change,
  };
}

function table(message: RingMessage = ring()): OwnerTable {
  const made = OwnerTable.from(message);
  if (typeof made === 'string') throw new Error(made);
  return made;
}

function faultOf(message: RingMessage): string {
  const made = OwnerTable.from(message);
  return typeof made === 'string' ? made : 'none';
}

const hi = fc.integer({ min: 0, max: 0xffff_ffff });

testProp('A partition is the top bits of the hash', [fc.integer({ min: 0, max: 12 }), hi], (t, bits, hashHi) => {
  const expected = Number((BigInt(hashHi) << 32n) / 2n ** BigInt(64 - bits));
  t.is(partitionOf(hashHi, bits), expected);
  t.is(partitionBits(2 ** bits), bits);
});

test('Only powers of two up to 4096 are partition counts', (t) => {
  t.deepEqual([0, 1, 2, 3, 256, 4096, 4097, 8192, -2, 1.5, Number.NaN].filter(isPartitionCount), [1, 2, 256, 4096]);
});

test('A key goes to the partition of its XXH64', async (t) => {
  const hash = hash64From(await xxhash());
  const key = Buffer.from('cart:1');
  hash.hash(key, 0, key.length);
  const digest = (await xxhash()).h64Raw(key);
  t.is(table().partition(hash), Number(digest >> 62n));
});

test('Owners come first and in order, then everybody else', (t) => {
  const addresses = (partition: number): string[] =>
    table()
      .preferenceList(partition)
      .map((member) => member.address);
  t.deepEqual([0, 1, 2, 3].map(addresses), [
    ['a:1', 'b:1', 'c:1'],
    ['b:1', 'c:1', 'a:1'],
    ['c:1', 'a:1', 'b:1'],
    ['a:1', 'c:1', 'b:1'],
  ]);
  t.deepEqual(
    table()
      .owners(2)
      .map((member) => member.address),
    ['c:1', 'a:1'],
  );
});

test('The fallbacks of a dead node differ from partition to partition', (t) => {
  const members = Array.from({ length: 5 }, (_, ordinal) => ({
    nodeId: String(ordinal).repeat(32),
    ordinal,
    address: `n${ordinal}:1`,
    zone: '',
  }));
  const all = table(ring({ members, replicaCount: 1, owners: [0, 0, 0, 0] }));
  t.is(new Set([0, 1, 2, 3].map((partition) => all.preferenceList(partition)[1]?.address)).size, 4);
});

test('A ring that cannot be one is refused with the reason', (t) => {
  const faults: readonly [Partial<RingMessage>, RegExp][] = [
    [{ partitionCount: 3 }, /3 partitions/],
    [{ partitionCount: 8_192 }, /8192 partitions/],
    [{ members: [] }, /without members/],
    [{ replicaCount: 0 }, /0 replicas on 3/],
    [{ replicaCount: 4 }, /4 replicas on 3/],
    [{ owners: [0] }, /1 owners named.* need 8/],
    [{ owners: [0, 10, 10, 20, 20, 0, 0, 30] }, /Partition 3 .* ordinal 30/],
    [{ owners: [0, 10, 10, 10, 20, 0, 0, 20] }, /Partition 1 names owner 10 twice/],
    [{ members: ring().members.map((member) => ({ ...member, ordinal: 0 })) }, /share an ordinal/],
  ];
  for (const [change, expected] of faults) t.regex(faultOf(ring(change)), expected);
});
