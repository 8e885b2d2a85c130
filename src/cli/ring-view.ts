/* A ring for people: who its members are, what each holds, how even that is. */
import { memberLoads, partitionsWithSharedZone, placementEfficiency, tokenEfficiency } from '../ring/balance.js';
import type { RingFile } from '../ring/ring-file.js';
import type { RingTable } from '../ring/shares.js';
import type { Io } from './io.js';
import { printTable } from './output.js';

/** What a ring file tells, or a server; to clients, servers tell neither names nor peer addresses nor capacities. */
export interface ViewedRing {
  readonly version: number;
  readonly partitionCount: number;
  readonly replicaCount: number;
  readonly members: readonly ViewedMember[];
  readonly owners: readonly number[];
}

export interface ViewedMember {
  readonly name?: string;
  readonly nodeId: string;
  readonly ordinal: number;
  readonly address: string;
  readonly peerAddress?: string;
  readonly zone: string;
  /** Taken as 1 where it is not known. */
  readonly capacity?: number;
}

const HEAD = ['node', 'ordinal', 'id', 'clients', 'peers', 'zone', 'capacity', 'tokens', 'replicas', 'share'];

export function viewOf({ ring, names }: Pick<RingFile, 'ring' | 'names'>): ViewedRing {
  return { ...ring, members: ring.members.map((member, index) => ({ name: names[index] ?? '', ...member })) };
}

/** Always the same columns, for cut and awk. */
export function memberRows(ring: ViewedRing): readonly (readonly string[])[] {
  const loads = memberLoads(weighted(ring));
  return ring.members.map((member, index) => [
    member.name ?? '',
    String(member.ordinal),
    member.nodeId.slice(0, 8),
    member.address,
    member.peerAddress ?? '',
    member.zone,
    String(member.capacity ?? ''),
    String(loads[index]?.tokens ?? 0),
    String(loads[index]?.replicas ?? 0),
    `${(100 * (loads[index]?.share ?? 0)).toFixed(1)} %`,
  ]);
}

/** Without the columns in which nothing stands. */
export function printMembers(io: Io, ring: ViewedRing): void {
  const rows = memberRows(ring);
  const filled = HEAD.map((_, column) => rows.some((row) => row[column] !== ''));
  const keep = (row: readonly string[]): readonly string[] => row.filter((_, column) => filled[column]);
  printTable(io, keep(HEAD), rows.map(keep));
}

/** For JSON: with nothing cut off. */
export function memberObjects(ring: ViewedRing): readonly object[] {
  const loads = memberLoads(weighted(ring));
  return ring.members.map((member, index) => ({ ...member, ...loads[index] }));
}

export interface Balance {
  readonly placementEfficiency: number;
  readonly tokenEfficiency: number;
  readonly partitionsWithSharedZone: number;
}

export function balanceOf(ring: ViewedRing): Balance {
  const table = weighted(ring);
  return {
    placementEfficiency: placementEfficiency(table),
    tokenEfficiency: tokenEfficiency(table),
    partitionsWithSharedZone: partitionsWithSharedZone(table),
  };
}

export function balanceText(ring: ViewedRing): string {
  const { placementEfficiency, tokenEfficiency } = balanceOf(ring);
  const taken = ring.members.some(({ capacity }) => capacity === undefined) ? '; capacities taken as equal' : '';
  return `Load balancing efficiency ${placementEfficiency.toFixed(3)} of replicas, ${tokenEfficiency.toFixed(3)} of tokens (1: even)${taken}`;
}

function weighted(ring: ViewedRing): RingTable {
  return { ...ring, members: ring.members.map((member) => ({ ...member, capacity: member.capacity ?? 1 })) };
}
