/*
 * Who holds what: the first table of a ring, and the next one when its members change (§6.2, strategy 3; §4.9).
 *
 * Two steps, each a flow of least cost. First the replicas: partition → zone → node → sum, within the bounds of shares.ts,
 * where it costs 1 to give a node a partition that it did not hold. So the table moves the fewest replicas of all
 * balanced tables, as Garage's layouts do. Then the tokens: which owner comes first in its row; here it costs 1 to
 * change the first, and nothing moves. Rows keep their places otherwise: clients ask owners in order, and caches are
 * warm where they asked before.
 *
 * The balance already spreads evenly what a leaving node held: everybody gets what its share grew by, no more. Which
 * partitions they are is random: the solver tries arcs in an order drawn from the seed. The same table, members and seed
 * give the same plan on every machine, so a plan can be shown, and made again by whoever checks it.
 */
import { assert } from '../lib/assert.js';
import { Prng } from '../lib/prng.js';
import { membersFault, tableFault } from './invariants.js';
import { MinCostFlow } from './min-cost-flow.js';
import { type Bounds, type PlacedMember, type RingTable, sharesOf } from './shares.js';

/** The owners of a first ring. The members are such that `membersFault` finds nothing wrong. */
export function layoutRing(
  members: readonly PlacedMember[],
  partitionCount: number,
  replicaCount: number,
  seed: number,
): readonly number[] {
  const prng = new Prng(seed);
  const nobody: RingTable = { partitionCount, replicaCount, members, owners: [] };
  const held = solveReplicas(nobody, prng);
  const rows = Array.from({ length: partitionCount }, (_, partition) =>
    shuffled(
      members.flatMap(({ ordinal }, index) => (held[partition * members.length + index] === 1 ? [ordinal] : [])),
      prng,
    ),
  );
  return finished(nobody, rows, prng);
}

/** The owners of a ring after `before`, with other members. Q and N stay. */
export function changeOwners(before: RingTable, members: readonly PlacedMember[], seed: number): readonly number[] {
  const prng = new Prng(seed);
  const { partitionCount: q, replicaCount: n } = before;
  const wanted: RingTable = { ...before, members };
  const held = solveReplicas(wanted, prng);
  const indexOf = new Map(members.map(({ ordinal }, index) => [ordinal, index]));
  const rows: number[][] = [];
  for (let partition = 0; partition < q; partition++) {
    const old = before.owners.slice(partition * n, partition * n + n);
    const stays = old.map((ordinal) => {
      const index = indexOf.get(ordinal);
      return index !== undefined && held[partition * members.length + index] === 1;
    });
    const newcomers = shuffled(
      members.flatMap(({ ordinal }, index) =>
        held[partition * members.length + index] === 1 && !old.includes(ordinal) ? [ordinal] : [],
      ),
      prng,
    );
    rows.push(old.map((ordinal, place) => (stays[place] === true ? ordinal : (newcomers.pop() ?? 0))));
  }
  return finished(wanted, rows, prng);
}

function finished(wanted: RingTable, rows: number[][], prng: Prng): readonly number[] {
  giveTokens(wanted, rows, prng);
  const owners = rows.flat();
  const fault = tableFault({ ...wanted, owners });
  assert(fault === null, `a placed ring keeps the invariants: ${fault}`);
  return owners;
}

/** 1 at partition × S + member for those that shall hold it; nobody holds anything yet if `table` has no owners. */
function solveReplicas(table: RingTable, prng: Prng): Uint8Array {
  const fault = membersFault(table);
  assert(fault === null, `a ring can be placed on its members: ${fault}`);
  const { partitionCount: q, members } = table;
  const held = new Uint8Array(q * members.length);
  const indexOf = new Map(members.map(({ ordinal }, index) => [ordinal, index]));
  table.owners.forEach((ordinal, at) => {
    const index = indexOf.get(ordinal);
    if (index !== undefined) held[Math.floor(at / table.replicaCount) * members.length + index] = 1;
  });
  const network = new ReplicaNetwork(table, held, prng);
  return network.solve();
}

/**
 * Nodes of the network: the partitions, the members, the sum, and one for each partition and zone of several members.
 * A zone of one member needs none: its bounds are those of the arc to the member.
 */
class ReplicaNetwork {
  readonly #held: Uint8Array;
  readonly #memberCount: number;
  readonly #flow: MinCostFlow;
  /** Partition × S + member → arc. */
  readonly #arcs: Int32Array;

  constructor(table: RingTable, held: Uint8Array, prng: Prng) {
    const { partitionCount: q, replicaCount: n, members } = table;
    const shares = sharesOf(members, q, n);
    const memberCount = members.length;
    const zones = shares.zones.atLeast.length;
    const sum = q + memberCount;
    this.#held = held;
    this.#memberCount = memberCount;
    this.#arcs = new Int32Array(q * memberCount);
    this.#flow = new MinCostFlow(sum + 1 + q * zones, q * (memberCount + zones) + memberCount);
    const membersOf = Array.from({ length: zones }, (_, zone) =>
      members.flatMap((_, index) => (shares.zoneOf[index] === zone ? [index] : [])),
    );
    for (const partition of shuffled(range(q), prng)) {
      this.#flow.supply(partition, n);
      for (const zone of shuffled(range(zones), prng)) {
        this.#addZone(partition, sum + 1 + partition * zones + zone, membersOf[zone] ?? [], shares.zones, zone, prng);
      }
    }
    this.#flow.supply(sum, -n * q);
    addMembers(this.#flow, shares.replicas, q, sum, (member) => this.#heldBy(member));
  }

  solve(): Uint8Array {
    assert(this.#flow.solve(), 'shares can always be placed');
    return Uint8Array.from(this.#arcs, (arc) => this.#flow.flowOf(arc));
  }

  #addZone(partition: number, node: number, zone: readonly number[], bounds: Bounds, index: number, prng: Prng): void {
    const [least = 0, most = 0] = [bounds.atLeast[index], bounds.atMost[index]];
    const q = this.#arcs.length / this.#memberCount;
    const [only] = zone;
    if (zone.length === 1 && only !== undefined) {
      this.#addReplica(partition, partition, only, q, least);
      return;
    }
    const holding = zone.reduce((count, member) => count + this.#heldAt(partition, member), 0);
    this.#flow.arc(partition, node, least, most, 0, clamp(holding, least, most));
    for (const member of shuffled(zone, prng)) this.#addReplica(partition, node, member, q, 0);
  }

  #addReplica(partition: number, from: number, member: number, q: number, least: number): void {
    const holds = this.#heldAt(partition, member);
    const flow = Math.max(holds, least);
    this.#arcs[partition * this.#memberCount + member] = this.#flow.arc(from, q + member, least, 1, 1 - holds, flow);
  }

  #heldAt(partition: number, member: number): number {
    return this.#held[partition * this.#memberCount + member] ?? 0;
  }

  #heldBy(member: number): number {
    let count = 0;
    for (let at = member; at < this.#held.length; at += this.#memberCount) count += this.#held[at] ?? 0;
    return count;
  }
}

/** Chooses the first of each row, within the shares of tokens, changing as few as can be. */
function giveTokens(wanted: RingTable, rows: readonly number[][], prng: Prng): void {
  const { partitionCount: q, replicaCount: n, members } = wanted;
  const { tokens } = sharesOf(members, q, n);
  const indexOf = new Map(members.map(({ ordinal }, index) => [ordinal, index]));
  const sum = q + members.length;
  const flow = new MinCostFlow(sum + 1, q * n + members.length);
  const arcs = new Int32Array(q * n);
  const held = new Int32Array(members.length);
  for (const partition of shuffled(range(q), prng)) {
    flow.supply(partition, 1);
    const row = rows[partition] ?? [];
    for (const place of shuffled(range(n), prng)) {
      const ordinal = row[place] ?? 0;
      const member = indexOf.get(ordinal) ?? 0;
      const isFirst = wanted.owners[partition * n] === ordinal;
      if (isFirst) held[member] = (held[member] ?? 0) + 1;
      arcs[partition * n + place] = flow.arc(partition, q + member, 0, 1, isFirst ? 0 : 1, isFirst ? 1 : 0);
    }
  }
  flow.supply(sum, -q);
  addMembers(flow, tokens, q, sum, (member) => held[member] ?? 0);
  assert(flow.solve(), 'tokens fit every balanced table');
  rows.forEach((row, partition) => {
    const place = row.findIndex((_, at) => flow.flowOf(arcs[partition * n + at] ?? 0) === 1);
    const [first = 0, token = 0] = [row[0], row[place]];
    row[place] = first;
    row[0] = token;
  });
}

/** What each member holds in all, within its bounds. */
function addMembers(
  flow: MinCostFlow,
  bounds: Bounds,
  q: number,
  sum: number,
  holds: (member: number) => number,
): void {
  for (let member = 0; member < bounds.atLeast.length; member++) {
    const [least = 0, most = 0] = [bounds.atLeast[member], bounds.atMost[member]];
    flow.arc(q + member, sum, least, most, 0, clamp(holds(member), least, most));
  }
}

function clamp(count: number, least: number, most: number): number {
  return Math.min(Math.max(count, least), most);
}

function range(length: number): readonly number[] {
  return Array.from({ length }, (_, index) => index);
}

function shuffled<T>(items: readonly T[], prng: Prng): T[] {
  const mixed = [...items];
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = prng.int(i + 1);
    [mixed[i], mixed[j]] = [mixed[j] as T, mixed[i] as T];
  }
  return mixed;
}
