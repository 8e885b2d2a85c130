/* What if: the ring that the planner would make, and the measured load on it. */
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { forecast } from '../../src/balance/forecast.js';
import { type PartitionLoads, partitionLoadsOf, repartitioned } from '../../src/balance/partition-loads.js';
import { placementEfficiency, tokenEfficiency } from '../../src/ring/balance.js';
import { stayingMembers } from '../../src/ring/document.js';
import { editMembers, type RingEdit } from '../../src/ring/edits.js';
import { tableFault } from '../../src/ring/invariants.js';
import { moves } from '../../src/ring/moves.js';
import { changeOwners, layoutRing } from '../../src/ring/placement.js';
import { nodeId } from '../../src/model/ids.js';
import { arbitraryMembers, documentOf, members, tableOf } from '../ring/rings.js';
import { keyIn, nodesOf } from './loads.js';

const Q = 16;
const BITS = 4;
const weights = fc.array(fc.nat(5_000), { minLength: Q, maxLength: Q });
const join = (capacity: number): RingEdit => ({
  kind: 'join',
  nodeId: nodeId('f'.repeat(32)),
  address: 'new:1',
  peerAddress: 'new:2',
  zone: '',
  capacity,
});
const total = (numbers: Iterable<number>): number => [...numbers].reduce((sum, number) => sum + number, 0);
const close = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));

testProp(
  'members: the table is the one that the planner makes of the same edits and seed',
  [arbitraryMembers(4, 8), weights, fc.nat(3), fc.boolean(), fc.integer({ min: 1, max: 4 }), fc.nat()],
  (t, placed, drawn, leaves, joins, capacity, seed) => {
    const table = tableOf(placed, Q, 3);
    const ring = documentOf(table);
    const leaving = ring.members[leaves]?.ordinal ?? 0;
    const edits: RingEdit[] = [{ kind: 'leave', ordinal: leaving }, ...(joins ? [join(capacity)] : [])];
    const seen = forecast(ring, partitionLoadsOf(table, nodesOf(table, drawn)), { kind: 'members', edits }, seed);
    if ('fault' in seen) {
      t.fail(seen.fault);
      return;
    }
    const after = editMembers(ring, edits);
    if ('fault' in after) throw new Error(after.fault);
    t.deepEqual(seen.table.owners, changeOwners(ring, stayingMembers(after), seed));
    t.is(tableFault(seen.table), null);
    t.is(seen.replicasMoved, moves(ring, seen.table).length);
    t.is(seen.after.placement, placementEfficiency(seen.table));
    t.is(seen.after.tokens, tokenEfficiency(seen.table));
    t.true(seen.after.requests > 0 && seen.after.requests <= 1 + 1e-12);
    t.true(close(total(seen.nodes.map((node) => node.loadBefore)), total(seen.nodes.map((node) => node.loadAfter))));
  },
);

testProp(
  'partitions: the load stays what it was, however it is cut',
  [weights, fc.integer({ min: 0, max: 8 }), fc.nat(Q - 1), fc.nat(5_000)],
  (t, drawn, bits, partition, samples) => {
    const table = tableOf(members(5), Q, 3);
    const key = keyIn(partition, BITS, samples, 'hot');
    const loads = partitionLoadsOf(table, nodesOf(table, drawn, [key]));
    const cut = repartitioned(loads, 2 ** bits);
    t.is(cut.length, 2 ** bits);
    t.true(close(total(cut), total(drawn)), `${total(cut)} and ${total(drawn)}`);
    t.true(cut.every((load) => load >= 0));
    const seen = forecast(documentOf(table), loads, { kind: 'partitions', partitionCount: 2 ** bits }, 7);
    if ('fault' in seen) throw new Error(seen.fault);
    t.deepEqual(seen.table.owners, layoutRing(table.members, 2 ** bits, 3, 7));
    t.is(seen.replicasMoved, null);
  },
);

test('a popular key goes with its hash, and the rest of its partition is divided', (t) => {
  const ownerLoads = Float64Array.from([100, 900]);
  const hot = { key: Buffer.from('k'), keyBytes: 1, hashLo: 0, partition: 1, requests: 0, overcount: 0, share: 0.8 };
  const loads: PartitionLoads = {
    partitionCount: 2,
    ownerLoads,
    keys: [{ ...hot, hashHi: 0xc000_0000, ownerLoad: 800 }],
  };
  t.deepEqual([...repartitioned(loads, 4)], [50, 50, 50, 850]);
  t.deepEqual([...repartitioned(loads, 2)], [100, 900]);
  t.deepEqual([...repartitioned(loads, 1)], [1_000]);
});

test('what cannot be is refused with the reason', (t) => {
  const table = tableOf(members(3), Q, 3);
  const ring = documentOf(table);
  const loads = partitionLoadsOf(table, []);
  const refusal = (edits: readonly RingEdit[]): unknown => forecast(ring, loads, { kind: 'members', edits }, 1);
  t.deepEqual(refusal([{ kind: 'leave', ordinal: 1 }]), { fault: '2 nodes would stay, and each key is kept on 3' });
  t.deepEqual(refusal([{ kind: 'leave', ordinal: 9 }]), { fault: 'there is no node 9 in the ring' });
  t.regex(JSON.stringify(forecast(ring, loads, { kind: 'partitions', partitionCount: 12 }, 1)), /power of two/);
});
