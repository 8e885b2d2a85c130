/*
 * How even a ring is, in the paper's own measure (§6.2): load balancing efficiency, the load of the mean node ÷ the load
 * of the hottest. Two figures that must not be mixed: what the placement does (replicas and tokens, known from the table)
 * and what the requests do (popular keys: counts that nodes report). A report that shows only the second blames the ring
 * for a popular key; one that shows only the first hides it.
 */
import { type RingTable, zonesOf } from './shares.js';

/** Mean ÷ largest, 0..1; 1 when nobody has anything. */
export function loadBalancingEfficiency(counts: readonly number[]): number {
  return weightedEfficiency(
    counts,
    counts.map(() => 1),
  );
}

/**
 * Mean ÷ largest number of replicas a node, each divided by its capacity. A node so large that it holds every partition
 * cannot take more, and lowers the figure.
 */
export function placementEfficiency(table: RingTable): number {
  return efficiencyOf(table, table.owners);
}

/** The same of the tokens. */
export function tokenEfficiency(table: RingTable): number {
  return efficiencyOf(
    table,
    table.owners.filter((_, at) => at % table.replicaCount === 0),
  );
}

/** Partitions that have two replicas in one zone: how far the members allow no better, as shares.ts explains. */
export function partitionsWithSharedZone(table: RingTable): number {
  const { partitionCount, replicaCount: n, members, owners } = table;
  const { zoneOf } = zonesOf(members);
  const zoneOfOrdinal = new Map(members.map(({ ordinal }, index) => [ordinal, zoneOf[index]]));
  let count = 0;
  for (let partition = 0; partition < partitionCount; partition++) {
    const row = owners.slice(partition * n, partition * n + n);
    if (new Set(row.map((ordinal) => zoneOfOrdinal.get(ordinal))).size < n) count++;
  }
  return count;
}

/** What one member holds. */
export interface MemberLoad {
  readonly replicas: number;
  readonly tokens: number;
  /** Its part of all replicas, 0..1. */
  readonly share: number;
}

/** By index of the member. */
export function memberLoads({ members, owners, replicaCount }: RingTable): readonly MemberLoad[] {
  const replicas = new Map<number, number>();
  const tokens = new Map<number, number>();
  owners.forEach((ordinal, at) => {
    replicas.set(ordinal, (replicas.get(ordinal) ?? 0) + 1);
    if (at % replicaCount === 0) tokens.set(ordinal, (tokens.get(ordinal) ?? 0) + 1);
  });
  return members.map(({ ordinal }) => {
    const held = replicas.get(ordinal) ?? 0;
    return { replicas: held, tokens: tokens.get(ordinal) ?? 0, share: held / owners.length };
  });
}

function efficiencyOf({ members }: RingTable, held: readonly number[]): number {
  const counts = new Map(members.map(({ ordinal }) => [ordinal, 0]));
  for (const ordinal of held) counts.set(ordinal, (counts.get(ordinal) ?? 0) + 1);
  return weightedEfficiency(
    members.map(({ ordinal }) => counts.get(ordinal) ?? 0),
    members.map(({ capacity }) => capacity),
  );
}

/** The same of nodes of different capacities: each load counts divided by the capacity of its node. */
export function weightedEfficiency(loads: readonly number[], capacities: readonly number[]): number {
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  const hottest = loads.reduce((most, load, index) => Math.max(most, load / (capacities[index] ?? 1)), 0);
  return hottest === 0 ? 1 : sum(loads) / sum(capacities) / hottest;
}
