/* Tables and documents for the tests of ring/. */
import { fc } from '@fast-check/ava';
import { nodeId } from '../../src/model/ids.js';
import { type RingDocument, type RingMember, unchanged } from '../../src/ring/document.js';
import { layoutRing } from '../../src/ring/placement.js';
import type { PlacedMember, RingTable } from '../../src/ring/shares.js';

/** `count` members with ordinals from `from` on; zones, if any, in turn. */
export function members(count: number, zones: number = 0, from: number = 1): PlacedMember[] {
  return Array.from({ length: count }, (_, i) => {
    return { ordinal: from + i, capacity: 1, zone: zones === 0 ? '' : `z${i % zones}` };
  });
}

export function tableOf(placed: readonly PlacedMember[], q: number, n: number, seed: number = 1): RingTable {
  return { partitionCount: q, replicaCount: n, members: placed, owners: layoutRing(placed, q, n, seed) };
}

export function rowsOf({ partitionCount, replicaCount: n, owners }: Omit<RingTable, 'members'>): number[][] {
  return Array.from({ length: partitionCount }, (_, partition) => owners.slice(partition * n, partition * n + n));
}

export function countsOf(ordinals: readonly number[]): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const ordinal of ordinals) counts.set(ordinal, (counts.get(ordinal) ?? 0) + 1);
  return counts;
}

export function ringMember(member: PlacedMember): RingMember {
  const { ordinal } = member;
  const id = nodeId(ordinal.toString(16).padStart(32, '0'));
  return { ...member, nodeId: id, address: `10.0.0.1:${ordinal}`, peerAddress: `10.0.1.1:${ordinal}`, leaving: false };
}

export function documentOf(table: RingTable): RingDocument {
  const members = table.members.map(ringMember);
  return unchanged({ ...table, version: 1, cluster: 'test', clusterId: 'c'.repeat(32), members });
}

/** Members with small random capacities and zones, of which `''` is one. */
export function arbitraryMembers(atLeast: number, atMost: number): fc.Arbitrary<PlacedMember[]> {
  return fc
    .uniqueArray(
      fc.record({
        ordinal: fc.integer({ min: 1, max: atMost * 2 }),
        capacity: fc.oneof({ weight: 2, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 5 })),
        zone: fc.constantFrom('', 'a', 'b', 'c'),
      }),
      { minLength: atLeast, maxLength: atMost, selector: ({ ordinal }) => ordinal },
    )
    .chain((made) =>
      // Half of all rings have no zones and equal capacities: the common case must not be rare here.
      fc.boolean().map((plain) => (plain ? made.map((member) => ({ ...member, capacity: 1, zone: '' })) : made)),
    );
}
