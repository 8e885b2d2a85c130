/*
 * How even the load of a cluster is, and what keeps it from being more even (§6.2).
 *
 * Load balancing efficiency is the load of the mean node ÷ the load of the hottest. What nodes have counted gives one
 * figure; an administrator wants to know what to do about it. So the way from a perfect cluster to the measured one is
 * gone in steps, and each step is a factor; together they are the figure:
 *
 *   placement   every partition asks the same of its owners: whole replicas on so many nodes      more partitions
 *   tokens      partitions differ, because keys and requests fall on them by chance                more partitions
 *   keys        some keys alone ask for much: no ring can cut a key                                the application; more N
 *   owners      owners of one partition do not all do the same: who coordinates, which R are       a slow or absent node
 *               asked, who was away
 *
 * A factor above 1 is a step that happened to even out what another had made uneven.
 */
import type { LoadCounts, NodeLoad } from '../model/load-messages.js';
import { memberLoads } from '../ring/balance.js';
import type { RingTable } from '../ring/shares.js';
import { WINDOW_MS, windowOf } from './load-counters.js';
import { nodeShares, sum } from './node-shares.js';
import { nodeLoadsOf, partitionLoadsOf, type PartitionLoads, withoutPopularKeys } from './partition-loads.js';

export interface NodeBalance extends LoadCounts {
  readonly ordinal: number;
  readonly capacity: number;
  readonly replicas: number;
  readonly tokens: number;
  /** Reads and writes. */
  readonly load: number;
  /** load ÷ what its capacity makes its due − 1, of the nodes that have told. */
  readonly deviation: number;
  /** Why nothing is known of it; empty: it has told. */
  readonly silence: string;
}

/** One half hour of the cluster. */
export interface WindowBalance {
  readonly fromMs: number;
  readonly toMs: number;
  readonly load: number;
  readonly requests: number;
  readonly efficiency: number;
  /** Share of nodes more than 15 % off, 0..1. */
  readonly offBalance: number;
}

/** Factors; their product is the measured efficiency. */
export interface Split {
  readonly placement: number;
  readonly tokens: number;
  readonly keys: number;
  readonly owners: number;
}

export interface BalanceReport {
  readonly fromMs: number;
  readonly toMs: number;
  readonly nodes: readonly NodeBalance[];
  readonly load: number;
  readonly requests: number;
  /** Measured; 1 when there was no load. */
  readonly efficiency: number;
  readonly offBalance: number;
  readonly split: Split;
  /** What chance alone makes of so few requests, were all else even: the efficiency that one would see. */
  readonly chance: number;
  readonly windows: readonly WindowBalance[];
  readonly partitions: PartitionLoads;
}

/** `windows`: what the nodes were asked for. */
export function balanceReport(ring: RingTable, nodes: readonly NodeLoad[], windows: number): BalanceReport {
  const partitions = partitionLoadsOf(ring, nodes);
  const balances = nodeBalances(ring, nodes);
  const told = balances.flatMap(({ silence }, index) => (silence === '' ? [index] : []));
  const capacities = told.map((index) => ring.members[index]?.capacity ?? 1);
  const of = (loads: readonly number[]): readonly number[] => told.map((index) => loads[index] ?? 0);
  const measured = nodeShares(of(balances.map(({ load }) => load)), capacities);
  const efficiencyOf = (ownerLoads: Float64Array): number =>
    nodeShares(of(nodeLoadsOf(ring, ownerLoads)), capacities).efficiency;
  const even = efficiencyOf(new Float64Array(ring.partitionCount).fill(1));
  const load = sum(balances.map((one) => one.load));
  const withoutKeys = load === 0 ? even : efficiencyOf(withoutPopularKeys(partitions));
  const withKeys = load === 0 ? even : efficiencyOf(partitions.ownerLoads);
  const efficiency = load === 0 ? 1 : measured.efficiency;
  return {
    ...spanOf(nodes, windows),
    nodes: balances.map((one, index) => ({ ...one, deviation: measured.deviations[told.indexOf(index)] ?? 0 })),
    load,
    requests: sum(balances.map(({ requests }) => requests)),
    efficiency,
    offBalance: measured.offBalance,
    split: {
      placement: even,
      tokens: withoutKeys / even,
      keys: withKeys / withoutKeys,
      owners: load === 0 ? 1 : efficiency / withKeys,
    },
    chance: chanceOf(told.length, load),
    windows: windowBalances(ring, nodes),
    partitions,
  };
}

function nodeBalances(ring: RingTable, nodes: readonly NodeLoad[]): readonly Omit<NodeBalance, 'deviation'>[] {
  const held = memberLoads(ring);
  return ring.members.map(({ ordinal, capacity }, index) => {
    const node = nodes.find((one) => one.ordinal === ordinal);
    const partitions = node?.report?.partitions ?? [];
    const total = (of: keyof LoadCounts): number => sum(partitions.map((partition) => partition[of]));
    const reads = total('reads');
    const writes = total('writes');
    return {
      ordinal,
      capacity,
      replicas: held[index]?.replicas ?? 0,
      tokens: held[index]?.tokens ?? 0,
      requests: total('requests'),
      reads,
      writes,
      bytesRead: total('bytesRead'),
      bytesWritten: total('bytesWritten'),
      load: reads + writes,
      silence: node?.report ? '' : (node?.silence ?? 'it was not asked'),
    };
  });
}

/** Of S even nodes with so many requests, the hottest is about √(2 ln S) deviations above the mean. */
function chanceOf(nodeCount: number, load: number): number {
  if (nodeCount < 2 || load === 0) return 1;
  return 1 / (1 + Math.sqrt((2 * Math.log(nodeCount) * nodeCount) / load));
}

function spanOf(nodes: readonly NodeLoad[], windows: number): { readonly fromMs: number; readonly toMs: number } {
  const all = nodes.flatMap(({ report }) => report?.windows ?? []);
  const toMs = all.reduce((latest, window) => Math.max(latest, window.toMs), 0);
  const first = windowOf(toMs) - windows;
  const meant = all.filter(({ fromMs }) => windowOf(fromMs) > first);
  return { fromMs: meant.reduce((earliest, { fromMs }) => Math.min(earliest, fromMs), toMs), toMs };
}

/** All that anybody remembers, by the half hour; a node that tells nothing of one had nothing to do in it. */
function windowBalances(ring: RingTable, nodes: readonly NodeLoad[]): readonly WindowBalance[] {
  const told = nodes.filter(({ report }) => report !== null);
  const capacities = told.map(
    ({ ordinal }) => ring.members.find((member) => member.ordinal === ordinal)?.capacity ?? 1,
  );
  const indices = new Set(told.flatMap(({ report }) => report?.windows.map(({ fromMs }) => windowOf(fromMs)) ?? []));
  return [...indices]
    .sort((a, b) => a - b)
    .map((index) => {
      const parts = told.map(({ report }) => report?.windows.find(({ fromMs }) => windowOf(fromMs) === index));
      const loads = parts.map((part) => (part === undefined ? 0 : part.reads + part.writes));
      const { efficiency, offBalance } = nodeShares(loads, capacities);
      return {
        fromMs: parts.reduce((least, part) => Math.min(least, part?.fromMs ?? least), (index + 1) * WINDOW_MS),
        toMs: parts.reduce((most, part) => Math.max(most, part?.toMs ?? most), 0),
        load: sum(loads),
        requests: sum(parts.map((part) => part?.requests ?? 0)),
        efficiency,
        offBalance,
      };
    });
}
