import test from 'ava';
import {
  loadBalancingEfficiency,
  memberLoads,
  partitionsWithSharedZone,
  placementEfficiency,
  tokenEfficiency,
} from '../../src/ring/balance.js';
import { moves } from '../../src/ring/moves.js';
import type { RingTable } from '../../src/ring/shares.js';
import { members } from './rings.js';

const table: RingTable = {
  partitionCount: 4,
  replicaCount: 2,
  members: members(3),
  owners: [1, 2, 1, 3, 2, 1, 1, 2],
};

test('efficiency is the mean over the hottest', (t) => {
  t.is(loadBalancingEfficiency([10, 10, 10]), 1);
  t.is(loadBalancingEfficiency([30, 0, 0]), 1 / 3);
  t.is(loadBalancingEfficiency([1, 2, 3]), 2 / 3);
  t.is(loadBalancingEfficiency([0, 0]), 1);
  t.is(loadBalancingEfficiency([]), 1);
});

test('what each member holds', (t) => {
  t.deepEqual(memberLoads(table), [
    { replicas: 4, tokens: 3, share: 1 / 2 },
    { replicas: 3, tokens: 1, share: 3 / 8 },
    { replicas: 1, tokens: 0, share: 1 / 8 },
  ]);
});

test('of replicas and of tokens, by capacity', (t) => {
  t.is(placementEfficiency(table), 8 / 3 / 4); // 4, 3, 1
  t.is(tokenEfficiency(table), 4 / 3 / 3); // 3, 1, 0
  const weighted = { ...table, members: members(3).map((member, i) => ({ ...member, capacity: [4, 3, 1][i] ?? 0 })) };
  t.is(placementEfficiency(weighted), 1);
  t.is(tokenEfficiency(weighted), 4 / 8 / (3 / 4));
});

test('partitions with two replicas in one zone are counted', (t) => {
  t.is(partitionsWithSharedZone(table), 0);
  const zoned = { ...table, members: members(3).map((member, i) => ({ ...member, zone: i < 2 ? 'a' : 'b' })) };
  t.is(partitionsWithSharedZone(zoned), 3);
});

test('moves: who gives which partition to whom; a new order is none', (t) => {
  const before = { partitionCount: 4, replicaCount: 2, owners: [1, 2, 1, 3, 2, 3, 1, 2] };
  const after = { ...before, owners: [2, 1, 4, 3, 4, 5, 1, 5] };
  t.deepEqual(moves(before, after), [
    { partition: 1, from: 1, to: 4 },
    { partition: 2, from: 2, to: 4 },
    { partition: 2, from: 3, to: 5 },
    { partition: 3, from: 2, to: 5 },
  ]);
  t.deepEqual(moves(before, before), []);
  t.throws(() => moves(before, { ...before, partitionCount: 8 }), { message: /Q is fixed/ });
  t.throws(() => moves(before, { ...before, replicaCount: 1 }), { message: /one N/ });
});
