/*
 * Is this table a ring? Rows of N distinct members, spread over zones, and every node with its share of replicas and
 * tokens: the bounds of shares.ts, all of them. A pass over Q × N numbers, so nobody has a reason to skip it.
 */
import { CAPACITY_MAX, MEMBERS_MAX, type RingTable, type Shares, sharesOf } from './shares.js';
import { isPartitionCount } from './partition.js';
import { PARTITIONS_MAX } from '../model/limits.js';

/** What is wrong with a table, or null. */
export function tableFault(table: RingTable): string | null {
  const { partitionCount: q, replicaCount: n, members, owners } = table;
  const fault = membersFault(table);
  if (fault !== null) return fault;
  if (owners.length !== q * n) return `${owners.length} owners for ${q} partitions of ${n} replicas`;
  const shares = sharesOf(members, q, n);
  const replicas = new Int32Array(members.length);
  const tokens = new Int32Array(members.length);
  const rowFault = rowsFault(table, shares, replicas, tokens);
  if (rowFault !== null) return rowFault;
  for (let index = 0; index < members.length; index++) {
    const fault =
      countFault(replicas, shares.replicas, index, 'replicas') ?? countFault(tokens, shares.tokens, index, 'tokens');
    if (fault !== null) return `node ${members[index]?.ordinal} ${fault}`;
  }
  return null;
}

/**
 * What is wrong with the rows of a table, whatever its balance, or null: each has N distinct members. While partitions
 * move, no more can be asked of those who hold them now.
 */
export function ownersFault({ partitionCount: q, replicaCount: n, members, owners }: RingTable): string | null {
  if (owners.length !== q * n) return `${owners.length} owners for ${q} partitions of ${n} replicas`;
  const known = new Set(members.map(({ ordinal }) => ordinal));
  for (let at = 0; at < owners.length; at++) {
    const ordinal = owners[at] as number;
    const partition = Math.floor(at / n);
    if (!known.has(ordinal)) return `partition ${partition} is owned by node ${ordinal}, which is no member`;
    if (owners.indexOf(ordinal, partition * n) < at) return `partition ${partition} has owner ${ordinal} twice`;
  }
  return null;
}

/** What makes a ring of these numbers and members impossible, whatever its rows, or null. */
export function membersFault(table: Omit<RingTable, 'owners'>): string | null {
  const { partitionCount: q, replicaCount: n, members } = table;
  if (!isPartitionCount(q)) return `${q} partitions: not a power of two up to ${PARTITIONS_MAX}`;
  if (members.length > MEMBERS_MAX) return `${members.length} members, at most ${MEMBERS_MAX} can be`;
  if (!Number.isInteger(n) || n < 1 || n > members.length) return `${n} replicas with ${members.length} members`;
  const ordinals = new Set<number>();
  for (const { ordinal, capacity } of members) {
    if (!Number.isInteger(ordinal) || ordinal < 1 || ordinal > 0xffff)
      return `ordinal ${ordinal} is not within 1..65535`;
    if (ordinals.has(ordinal)) return `ordinal ${ordinal} is given twice`;
    ordinals.add(ordinal);
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > CAPACITY_MAX) {
      return `node ${ordinal} has capacity ${capacity}: not an integer within 1..${CAPACITY_MAX}`;
    }
  }
  return null;
}

/** Each row by itself; counts what every member holds on the way. */
function rowsFault(table: RingTable, shares: Shares, replicas: Int32Array, tokens: Int32Array): string | null {
  const { partitionCount: q, replicaCount: n, members, owners } = table;
  const indexOf = new Map(members.map(({ ordinal }, index) => [ordinal, index]));
  const seenIn = new Int32Array(members.length).fill(-1);
  const zoneCount = shares.zones.atLeast.length;
  const inZone = new Int32Array(zoneCount);
  for (let partition = 0; partition < q; partition++) {
    inZone.fill(0);
    for (let place = 0; place < n; place++) {
      const ordinal = owners[partition * n + place] ?? -1;
      const index = indexOf.get(ordinal);
      if (index === undefined) return `partition ${partition} is owned by node ${ordinal}, which is no member`;
      if (seenIn[index] === partition) return `partition ${partition} has owner ${ordinal} twice`;
      seenIn[index] = partition;
      increment(replicas, index);
      if (place === 0) increment(tokens, index);
      increment(inZone, shares.zoneOf[index] ?? 0);
    }
    for (let zone = 0; zone < zoneCount; zone++) {
      const fault = countFault(inZone, shares.zones, zone, 'nodes');
      if (fault !== null) return `partition ${partition}: ${zoneName(table, shares, zone)} ${fault} of it`;
    }
  }
  return null;
}

function countFault(
  counts: Int32Array,
  { atLeast, atMost }: Shares['replicas'],
  index: number,
  what: string,
): string | null {
  const [count = 0, least = 0, most = 0] = [counts[index], atLeast[index], atMost[index]];
  if (least <= count && count <= most) return null;
  return `has ${count} ${what} where its share is ${least === most ? String(least) : `${least} or ${most}`}`;
}

function zoneName({ members }: RingTable, { zoneOf }: Shares, zone: number): string {
  const member = members[zoneOf.indexOf(zone)];
  return member === undefined || member.zone === '' ? `node ${member?.ordinal}` : `zone ${JSON.stringify(member.zone)}`;
}

function increment(counts: Int32Array, index: number): void {
  counts[index] = (counts[index] ?? 0) + 1;
}
