/*
 * What another ring would make of the load that was measured: nodes that join or leave, or another number of partitions.
 * The table is the one that the planner of membership changes would make (ring/change.ts); only which of several equal
 * tables it is depends on the seed, which a plan draws anew. Q is fixed for the life of a cluster: the answer about Q is
 * for who thinks of making a new one.
 */
import { placementEfficiency, tokenEfficiency } from '../ring/balance.js';
import { changeRing } from '../ring/change.js';
import { type RingDocument, stayingMembers } from '../ring/document.js';
import { editMembers, type RingEdit } from '../ring/edits.js';
import { moves, targetOwners } from '../ring/moves.js';
import { isPartitionCount } from '../ring/partition.js';
import { layoutRing } from '../ring/placement.js';
import type { RingTable } from '../ring/shares.js';
import { type NodeShares, nodeShares } from './node-shares.js';
import { nodeLoadsOf, type PartitionLoads, repartitioned } from './partition-loads.js';

export type Wish =
  | { readonly kind: 'members'; readonly edits: readonly RingEdit[] }
  | { readonly kind: 'partitions'; readonly partitionCount: number };

export interface Outlook {
  readonly placement: number;
  readonly tokens: number;
  /** Of the measured load, were every owner of a partition to do the same. */
  readonly requests: number;
  readonly offBalance: number;
  readonly partitionCount: number;
}

export interface NodeForecast {
  readonly ordinal: number;
  /** 0: it is no member. */
  readonly replicasBefore: number;
  readonly replicasAfter: number;
  readonly loadBefore: number;
  readonly loadAfter: number;
  /** From what its capacity makes its due; 0: it is no member. */
  readonly deviationBefore: number;
  readonly deviationAfter: number;
}

export interface Forecast {
  readonly before: Outlook;
  readonly after: Outlook;
  readonly nodes: readonly NodeForecast[];
  /** Replicas that would be copied; null: all keys would have to be written anew, into a new cluster. */
  readonly replicasMoved: number | null;
  readonly table: RingTable;
}

export function forecast(
  ring: RingDocument,
  loads: PartitionLoads,
  wish: Wish,
  seed: number,
): Forecast | { readonly fault: string } {
  const before = settled(ring);
  const table = wish.kind === 'partitions' ? cut(before, wish.partitionCount, seed) : changed(ring, wish.edits, seed);
  if ('fault' in table) return table;
  const now = seen(before, loads.ownerLoads);
  const then = seen(table, repartitioned(loads, table.partitionCount));
  const ordinals = new Set([...before.members, ...table.members].map(({ ordinal }) => ordinal));
  return {
    before: now.outlook,
    after: then.outlook,
    nodes: [...ordinals]
      .sort((a, b) => a - b)
      .map((ordinal) => {
        const was = now.of(ordinal);
        const is = then.of(ordinal);
        return {
          ordinal,
          replicasBefore: was.replicas,
          replicasAfter: is.replicas,
          loadBefore: was.load,
          loadAfter: is.load,
          deviationBefore: was.deviation,
          deviationAfter: is.deviation,
        };
      }),
    replicasMoved: wish.kind === 'partitions' ? null : moves(before, table).length,
    table,
  };
}

/** The table that the moves of a ring lead to, with those who then share it. */
function settled(ring: RingDocument): RingTable {
  return {
    partitionCount: ring.partitionCount,
    replicaCount: ring.replicaCount,
    members: stayingMembers(ring.members),
    owners: targetOwners(ring),
  };
}

function changed(ring: RingDocument, edits: readonly RingEdit[], seed: number): RingTable | { readonly fault: string } {
  const members = editMembers(ring, edits);
  if ('fault' in members) return members;
  const staying = stayingMembers(members).length;
  if (staying < ring.replicaCount)
    return { fault: `${staying} nodes would stay, and each key is kept on ${ring.replicaCount}` };
  const next = changeRing(ring, members, seed, { change: '', changedAtMs: 0 });
  return 'fault' in next ? next : settled(next);
}

function cut(before: RingTable, partitionCount: number, seed: number): RingTable | { readonly fault: string } {
  const { members, replicaCount } = before;
  if (!isPartitionCount(partitionCount))
    return { fault: `there cannot be ${partitionCount} partitions: their number is a power of two, at most 4096` };
  return { ...before, partitionCount, owners: layoutRing(members, partitionCount, replicaCount, seed) };
}

interface Looked {
  readonly outlook: Outlook;
  of(ordinal: number): { readonly replicas: number; readonly load: number; readonly deviation: number };
}

function seen(table: RingTable, ownerLoads: Float64Array): Looked {
  const loads = nodeLoadsOf(table, ownerLoads);
  const shares: NodeShares = nodeShares(
    loads,
    table.members.map(({ capacity }) => capacity),
  );
  return {
    outlook: {
      placement: placementEfficiency(table),
      tokens: tokenEfficiency(table),
      requests: shares.efficiency,
      offBalance: shares.offBalance,
      partitionCount: table.partitionCount,
    },
    of: (ordinal) => {
      const index = table.members.findIndex((member) => member.ordinal === ordinal);
      const replicas = index < 0 ? 0 : table.owners.filter((owner) => owner === ordinal).length;
      return { replicas, load: loads[index] ?? 0, deviation: shares.deviations[index] ?? 0 };
    },
  };
}
