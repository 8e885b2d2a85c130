/*
 * What a balanced ring is, in exact numbers. Placement aims at these bounds, and every loader and receiver holds a ring
 * against them (invariants.ts), so that no two releases or nodes can differ about what "balanced" means.
 *
 * The share of a node is the number of replicas x that it would hold if replicas could be cut: N·Q replicas in proportion
 * to the capacities, but never more than Q, because a node holds a partition once. What such a full node cannot take,
 * the others share in proportion to theirs:
 *
 *     x = min(Q, λ · capacity), with λ such that all x together are N·Q          with equal capacities: N·Q / S
 *
 *     replicas of a node                          ⌊x⌋ or ⌈x⌉
 *     tokens of a node (first place of a row)     ⌊x/N⌋ or ⌈x/N⌉                 with equal capacities: Q / S
 *     nodes of a zone in one partition            ⌊X/Q⌋ or ⌈X/Q⌉, where X is the sum of x over the zone's nodes
 *
 * The last line is what "distinct zones as far as zones allow" means here. A zone whose share is at most Q holds a
 * partition at most once; a larger one must hold some partitions twice, by the pigeonhole principle, and then holds every
 * partition, as evenly as can be. No table spreads what its zones hold over more. Balance comes first, on purpose: if
 * zones came first, a zone of one node beside two of ten would hold all partitions on that node. Whoever wants strict
 * zones gives them equal capacity. A node without a zone is a zone of its own.
 *
 * Such a ring always exists, for any capacities and zones. Cut replicas (a piece x/Q of every node in every partition)
 * keep all bounds, the bounds are those of a flow (partition → zone → node → sum), and a flow with whole bounds that has
 * any solution has a whole one. The tokens likewise: in any table within the bounds, a piece 1/N of each row's owner
 * gives a node ⌊x⌋/N to ⌈x⌉/N tokens, which lies within ⌊x/N⌋ and ⌈x/N⌉. So tokens never cost a move.
 */

/** Nodes of a ring at most. The paper's are "a couple of hundred" (§6.6). */
export const MEMBERS_MAX = 1_024;
/** Capacities are weights: relative to each other, whatever the unit. */
export const CAPACITY_MAX = 1_000_000;

/** What placement knows of a node. */
export interface PlacedMember {
  readonly ordinal: number;
  /** 1..CAPACITY_MAX */
  readonly capacity: number;
  /** Empty: a zone of its own. */
  readonly zone: string;
}

/** Who holds what. A ring document is one. */
export interface RingTable {
  readonly partitionCount: number;
  readonly replicaCount: number;
  readonly members: readonly PlacedMember[];
  /** partitionCount × replicaCount ordinals; the first of each row owns the token. */
  readonly owners: readonly number[];
}

/** Smallest and largest allowed count, by index. */
export interface Bounds {
  readonly atLeast: Int32Array;
  readonly atMost: Int32Array;
}

export interface Shares {
  /** By index of the member. */
  readonly replicas: Bounds;
  readonly tokens: Bounds;
  /** Index of the member → index of its zone. */
  readonly zoneOf: Int32Array;
  /** Nodes of one partition, by index of the zone. */
  readonly zones: Bounds;
}

/** `members` have capacities within 1..CAPACITY_MAX, and N is at most their number. */
export function sharesOf(members: readonly PlacedMember[], partitionCount: number, replicaCount: number): Shares {
  const full = fullMembers(members, replicaCount);
  const rest = members.filter((_, index) => full[index] === 0);
  const restCapacity = rest.reduce((sum, { capacity }) => sum + capacity, 0);
  const restReplicas = replicaCount - (members.length - rest.length);
  const replicas = emptyBounds(members.length);
  const tokens = emptyBounds(members.length);
  members.forEach(({ capacity }, index) => {
    const isFull = full[index] === 1;
    const share = isFull ? partitionCount : restReplicas * partitionCount * capacity;
    const whole = isFull ? 1 : restCapacity;
    setBounds(replicas, index, share, whole);
    setBounds(tokens, index, share, whole * replicaCount);
  });
  const { zoneOf, zoneCount } = zonesOf(members);
  const zones = emptyBounds(zoneCount);
  for (let zone = 0; zone < zoneCount; zone++) {
    let fullCount = 0;
    let capacity = 0;
    members.forEach((member, index) => {
      if (zoneOf[index] !== zone) return;
      if (full[index] === 1) fullCount++;
      else capacity += member.capacity;
    });
    setBounds(zones, zone, restReplicas * capacity, Math.max(restCapacity, 1), fullCount);
  }
  return { replicas, tokens, zoneOf, zones };
}

/** Members and their zones as numbers from 0; a member without a zone gets one of its own. */
export function zonesOf(members: readonly { readonly zone: string }[]): {
  readonly zoneOf: Int32Array;
  readonly zoneCount: number;
} {
  const names = new Map<string, number>();
  const zoneOf = new Int32Array(members.length);
  let zoneCount = 0;
  members.forEach(({ zone }, index) => {
    const known = zone === '' ? undefined : names.get(zone);
    zoneOf[index] = known ?? zoneCount;
    if (known !== undefined) return;
    if (zone !== '') names.set(zone, zoneCount);
    zoneCount++;
  });
  return { zoneOf, zoneCount };
}

/** 1 for members whose capacity earns them a replica of every partition: the largest first, until one is not. */
function fullMembers(members: readonly PlacedMember[], replicaCount: number): Uint8Array {
  const full = new Uint8Array(members.length);
  const largestFirst = members.map((_, index) => index).sort((a, b) => capacityAt(members, b) - capacityAt(members, a));
  let capacity = members.reduce((sum, member) => sum + member.capacity, 0);
  let replicas = replicaCount;
  for (const index of largestFirst) {
    const own = capacityAt(members, index);
    if (replicas * own < capacity) break;
    full[index] = 1;
    replicas--;
    capacity -= own;
    if (replicas === 0) break;
  }
  return full;
}

function capacityAt(members: readonly PlacedMember[], index: number): number {
  return members[index]?.capacity ?? 0;
}

function emptyBounds(length: number): Bounds {
  return { atLeast: new Int32Array(length), atMost: new Int32Array(length) };
}

/** Floor and ceiling of `more + dividend / divisor`; the remainder makes them exact, quotients of doubles need not be. */
function setBounds(bounds: Bounds, index: number, dividend: number, divisor: number, more: number = 0): void {
  const remainder = dividend % divisor;
  const floor = more + (dividend - remainder) / divisor;
  bounds.atLeast[index] = floor;
  bounds.atMost[index] = remainder === 0 ? floor : floor + 1;
}
