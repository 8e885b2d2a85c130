/*
 * What an administrator should hear about a ring before it is in force. A ring may keep every invariant and still be
 * less than what its makers believe: two racks of which one holds most of the nodes, three replicas on three nodes. None
 * of it is refused. Each sentence says what will be, and what would change it.
 */
import { memberLoads, partitionsWithSharedZone, placementEfficiency } from './balance.js';
import { type RingTable, sharesOf, zonesOf } from './shares.js';
import { PARTITIONS_MAX } from '../model/limits.js';

/** Below it, the hottest node has more than a tenth above the mean. */
const EFFICIENCY_EXPECTED = 0.9;

/** Sentences without a full stop; none: nothing to say. `names` by index of the member. */
export function ringAdvice(table: RingTable, names: readonly string[]): readonly string[] {
  return [...replicaAdvice(table), ...zoneAdvice(table, names), ...balanceAdvice(table, names)];
}

const ONE_REPLICA =
  'With 1 replica nobody else has what a node holds: its disk lost is its data lost. How many there are is fixed when a cluster is made, and more nodes change nothing about it';

function replicaAdvice({ replicaCount: n, members }: RingTable): readonly string[] {
  const nodes = members.length;
  if (n === 1) return [ONE_REPLICA];
  const advice: string[] = [];
  if (n === 2) advice.push('With 2 replicas, one owner down leaves one reachable copy; 3 are usual');
  if (nodes === n)
    advice.push(
      `With ${nodes} nodes for ${n} replicas nobody is left to stand in for a node that is down: writes have a copy less until it is back. One node more changes that`,
    );
  return advice;
}

function zoneAdvice(table: RingTable, names: readonly string[]): readonly string[] {
  const { partitionCount: q, replicaCount: n, members } = table;
  const without = names.filter((_, index) => members[index]?.zone === '');
  const advice: string[] = [];
  if (0 < without.length && without.length < members.length)
    advice.push(`No zone is given for ${without.join(', ')}: each counts as a zone of its own`);
  const shared = partitionsWithSharedZone(table);
  if (shared === 0) return advice;
  const { zones, zoneOf } = sharesOf(members, q, n);
  const crowded = new Set(
    members.filter((_, index) => (zones.atMost[zoneOf[index] ?? 0] ?? 0) > 1).map(({ zone }) => JSON.stringify(zone)),
  );
  advice.push(
    `${shared} of ${q} partitions have two replicas in one zone: with ${n} replicas on ${zonesOf(members).zoneCount} zones, ${[...crowded].join(', ')} would have to be smaller, or there would have to be more zones`,
  );
  return advice;
}

function balanceAdvice(table: RingTable, names: readonly string[]): readonly string[] {
  const { partitionCount: q, replicaCount: n, members } = table;
  const efficiency = placementEfficiency(table);
  if (efficiency >= EFFICIENCY_EXPECTED) return [];
  const text = `Placement efficiency is ${efficiency.toFixed(3)}`;
  const loads = memberLoads(table);
  const full = names.filter((_, index) => n < members.length && loads[index]?.replicas === q);
  if (full.length > 0)
    return [`${text}: ${full.join(', ')} would hold every partition; more than that no capacity can give it`];
  if (q === PARTITIONS_MAX) return [];
  return [
    `${text}: ${q} partitions do not divide well by ${members.length} nodes. More partitions would, and their number is fixed for ever`,
  ];
}
