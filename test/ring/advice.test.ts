import test from 'ava';
import { ringAdvice } from '../../src/ring/advice.js';
import type { PlacedMember } from '../../src/ring/shares.js';
import { members, tableOf } from './rings.js';

const advice = (placed: readonly PlacedMember[], q: number, n: number): string =>
  ringAdvice(
    tableOf(placed, q, n),
    placed.map(({ ordinal }) => `n${ordinal}`),
  ).join('\n');

test('nothing to say about a good ring', (t) => {
  t.is(advice(members(4), 256, 3), '');
  t.is(advice(members(6, 3), 256, 3), '');
});

test('few copies, and nobody to stand in', (t) => {
  t.regex(advice(members(1), 256, 1), /^With 1 replica nobody else has/);
  t.regex(advice(members(3), 256, 2), /^With 2 replicas/);
  t.regex(advice(members(3), 256, 3), /^With 3 nodes for 3 replicas nobody is left to stand in/);
});

test('zones that cannot keep the replicas apart are named', (t) => {
  const two = members(4).map((member, i) => ({ ...member, zone: i === 0 ? 'small' : 'large' }));
  t.regex(
    advice(two, 64, 3),
    /^64 of 64 partitions have two replicas in one zone: with 3 replicas on 2 zones, "large" would have to be smaller/,
  );
  t.regex(advice(members(6, 2), 64, 3), /64 of 64 .* "z0", "z1" would/);
});

test('a node whose zone was forgotten is named', (t) => {
  const one = members(4, 4).map((member, i) => ({ ...member, zone: i === 2 ? '' : member.zone }));
  t.is(advice(one, 64, 3), 'No zone is given for n3: each counts as a zone of its own');
});

test('too few partitions for an even ring, or a node too large for any', (t) => {
  t.regex(advice(members(5), 4, 3), /^Placement efficiency is 0\.800: 4 partitions do not divide well by 5 nodes/);
  const uneven = members(5).map((member, i) => ({ ...member, capacity: i === 0 ? 100 : 1 }));
  t.is(
    advice(uneven, 64, 3),
    'Placement efficiency is 0.058: n1 would hold every partition; more than that no capacity can give it',
  );
  const fair = members(5).map((member, i) => ({ ...member, capacity: i === 0 ? 2 : 3 }));
  t.is(advice(fair, 256, 3), '');
});
