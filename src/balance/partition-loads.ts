/*
 * What each partition, and each popular key, asks of one owner: from what nodes have counted to what a ring, this one or
 * another, would make of it.
 *
 * The load of a partition is what all nodes have done for it; an owner's part is that divided by the owners that have
 * told. (Who coordinates, and which R of N are asked, makes real owners differ; that is looked at apart, in report.ts.)
 * Of a popular key the sketches know requests of clients. What a request costs the owners of its partition is known of
 * all its requests together, so a key's load is its part of them.
 */
import type { NodeLoad } from '../model/load-messages.js';
import { partitionBits, partitionOf } from '../ring/partition.js';
import type { RingTable } from '../ring/shares.js';
import { certain, mergeKeys } from './load-counters.js';
import { sum } from './node-shares.js';

/** A key is popular from this part of all requests on … */
export const POPULAR_SHARE = 0.001;
/** … if it was met so often in the sample: fewer may be chance. */
const SAMPLES_MIN = 16;

export interface PopularKey {
  /** Its first bytes. */
  readonly key: Uint8Array;
  readonly keyBytes: number;
  readonly hashHi: number;
  readonly hashLo: number;
  readonly partition: number;
  /** Gets and puts of clients; not more, and not fewer than this less `overcount`, but for the chance of the sample. */
  readonly requests: number;
  readonly overcount: number;
  /** Of the requests to all keys, 0..1: what is certain. */
  readonly share: number;
  /** What it asks of each of its owners: reads and writes. */
  readonly ownerLoad: number;
}

export interface PartitionLoads {
  readonly partitionCount: number;
  /** By partition: reads and writes of each of its owners. */
  readonly ownerLoads: Float64Array;
  /** The most popular first. */
  readonly keys: readonly PopularKey[];
}

export function partitionLoadsOf(ring: RingTable, nodes: readonly NodeLoad[]): PartitionLoads {
  const { partitionCount: q, replicaCount: n, owners } = ring;
  const loads = new Float64Array(q);
  const requests = new Float64Array(q);
  const told = new Set<number>();
  for (const { ordinal, report } of nodes) {
    if (report === null) continue;
    told.add(ordinal);
    for (const part of report.partitions) {
      if (part.partition >= q) continue;
      loads[part.partition] = (loads[part.partition] as number) + part.reads + part.writes;
      requests[part.partition] = (requests[part.partition] as number) + part.requests;
    }
  }
  const ownerLoads = loads.map((load, partition) => {
    const count = owners.slice(partition * n, partition * n + n).filter((owner) => told.has(owner)).length;
    return load / Math.max(count, 1);
  });
  return { partitionCount: q, ownerLoads, keys: popularKeys(q, nodes, requests, ownerLoads) };
}

function popularKeys(
  partitionCount: number,
  nodes: readonly NodeLoad[],
  requests: Float64Array,
  ownerLoads: Float64Array,
): readonly PopularKey[] {
  const bits = partitionBits(partitionCount);
  const sampling = nodes.find(({ report }) => report !== null)?.report?.sampling ?? 1;
  const total = sum([...requests]);
  const left = Float64Array.from(ownerLoads);
  const keys: PopularKey[] = [];
  for (const found of mergeKeys(nodes.map(({ report }) => report?.keys ?? []))) {
    const sure = certain(found) * sampling;
    const share = total === 0 ? 0 : Math.min(1, sure / total);
    if (certain(found) < SAMPLES_MIN || share < POPULAR_SHARE) continue;
    const partition = partitionOf(found.hashHi, bits);
    const part = sure / Math.max(requests[partition] ?? 0, 1);
    const ownerLoad = Math.min(part * (ownerLoads[partition] ?? 0), left[partition] ?? 0);
    left[partition] = (left[partition] ?? 0) - ownerLoad;
    const { samples, overcount, ...name } = found;
    keys.push({
      ...name,
      partition,
      requests: samples * sampling,
      overcount: overcount * sampling,
      share,
      ownerLoad,
    });
  }
  return keys;
}

/** What the nodes of a table would have to do, by index of the member: every owner of a partition alike. */
export function nodeLoadsOf(table: RingTable, ownerLoads: Float64Array): readonly number[] {
  const { members, owners, replicaCount: n } = table;
  const loads = new Map(members.map(({ ordinal }) => [ordinal, 0]));
  owners.forEach((ordinal, at) => {
    const known = loads.get(ordinal);
    if (known !== undefined) loads.set(ordinal, known + (ownerLoads[Math.floor(at / n)] ?? 0));
  });
  return members.map(({ ordinal }) => loads.get(ordinal) ?? 0);
}

/** Without its popular keys; what they ask for is spread over all partitions alike. */
export function withoutPopularKeys({ ownerLoads, keys }: PartitionLoads): Float64Array {
  const rest = Float64Array.from(ownerLoads);
  let taken = 0;
  for (const { partition, ownerLoad } of keys) {
    rest[partition] = (rest[partition] as number) - ownerLoad;
    taken += ownerLoad;
  }
  return rest.map((load) => Math.max(0, load) + taken / rest.length);
}

/**
 * The same load cut into another number of partitions. Fewer: they are added up. More: a popular key goes with its hash,
 * the rest of a partition is taken to lie evenly in it.
 */
export function repartitioned({ partitionCount, ownerLoads, keys }: PartitionLoads, wanted: number): Float64Array {
  const loads = new Float64Array(wanted);
  if (wanted <= partitionCount) {
    ownerLoads.forEach((load, partition) => {
      const to = Math.floor((partition * wanted) / partitionCount);
      loads[to] = (loads[to] as number) + load;
    });
    return loads;
  }
  const pieces = wanted / partitionCount;
  const rest = Float64Array.from(ownerLoads);
  for (const { partition, ownerLoad } of keys) rest[partition] = (rest[partition] as number) - ownerLoad;
  for (let to = 0; to < wanted; to++) loads[to] = Math.max(0, rest[Math.floor(to / pieces)] ?? 0) / pieces;
  const bits = partitionBits(wanted);
  for (const { hashHi, ownerLoad } of keys) {
    const to = partitionOf(hashHi, bits);
    loads[to] = (loads[to] as number) + ownerLoad;
  }
  return loads;
}
