/*
 * What a plan promises, held against what then happens.
 *
 *   moved    a node that joins S others takes over no more than 1.05 × N·Q/(S+1) replicas
 *   ring     every version on the way from one ring to the next is a ring by every bound that there is: the moves are made
 *            true a few at a time, in any order, as nodes propose them
 *   even     the placement efficiency that the plan prints, before and after, is what requests for uniform keys find: each
 *            counts at the owners of its key, by the hash and the table that nodes use
 *
 * First with documents alone, for many rings; then with real daemons, whose stores are counted: what a node has given
 * away must be gone from it, too.
 */
import xxhash from 'xxhash-wasm';
import { keyBytes } from '../../bench/load/dialect.js';
import { Client } from '../../src/client/index.js';
import { Prng } from '../../src/lib/prng.js';
import { hash64From } from '../../src/model/hash.js';
import type { PlanFacts } from '../../src/model/cluster-facts.js';
import { nodeId } from '../../src/model/ids.js';
import { weighPlan } from '../../src/node/cluster/ring-plan.js';
import { loadBalancingEfficiency, placementEfficiency } from '../../src/ring/balance.js';
import { advanceRing, changeRing, newRing, type RingPlan } from '../../src/ring/change.js';
import { decodeRing, encodeRing, type RingDocument, type RingMember } from '../../src/ring/document.js';
import { editMembers, type RingEdit } from '../../src/ring/edits.js';
import { partitionBits, partitionOf } from '../../src/ring/partition.js';
import { GrowingCluster, ringOf } from '../support/growing-cluster.js';
import { listedKeys } from '../support/listed-keys.js';
import { RingWatch } from '../support/ring-watch.js';
import { inScope } from '../support/scope.js';
import type { Print, Proof } from './proof.js';

const N = 3;
/** Of N·Q/(S+1). */
const MOVED_MAX = 1.05;
/** Between the efficiency of the plan and the one that is counted. */
const APART_MAX = 0.02;
const PARTITIONS_COUNTED = 1_024;
const NOTES = { change: 'a proof', changedAtMs: 1 };
const REAL = { nodes: 3, replicas: 2, partitions: 64, keys: 60_000 } as const;
const WELL_WITHIN_MS = 120_000;
const WRITERS = 64;

interface Size {
  readonly keys: number;
  readonly rings: number;
  readonly changes: number;
  readonly joins: number;
}
const SHORT: Size = { keys: 1_000_000, rings: 1, changes: 10, joins: 1 };
const FULL: Size = { keys: 4_000_000, rings: 20, changes: 300, joins: 2 };

/** The worst of all that was looked at. */
class Findings {
  readonly faults: string[] = [];
  versions = 0;
  joins = 0;
  moved = 0;
  apart = 0;

  judgeRing(ring: RingPlan, what: string): RingDocument {
    const read = 'fault' in ring ? ring : decodeRing(encodeRing(ring));
    if ('fault' in read) throw new Error(`${what}: ${read.fault}`);
    this.versions += 1;
    return read;
  }

  judgeJoin(plan: Pick<PlanFacts, 'replicasMoved' | 'replicasAll'>, nodesAfter: number, what: string): number {
    const moved = plan.replicasMoved / (plan.replicasAll / nodesAfter);
    this.joins += 1;
    this.moved = Math.max(this.moved, moved);
    if (moved > MOVED_MAX) this.faults.push(`${what}: ${moved.toFixed(3)} of what a new node is due moves`);
    return moved;
  }

  judgeEven(planned: number, counted: number, what: string): void {
    const apart = Math.abs(counted / planned - 1);
    this.apart = Math.max(this.apart, apart);
    if (!(apart <= APART_MAX))
      this.faults.push(`${what}: efficiency ${planned.toFixed(4)} by the plan, ${counted.toFixed(4)} by requests`);
  }
}

/** Requests for uniform keys, by partition. */
class UniformKeys {
  readonly #counts: Float64Array = new Float64Array(PARTITIONS_COUNTED);

  static async of(keys: number): Promise<UniformKeys> {
    const hash = hash64From(await xxhash());
    const bits = partitionBits(PARTITIONS_COUNTED);
    const made = new UniformKeys();
    for (let key = 0; key < keys; key++) {
      const bytes = keyBytes(key);
      hash.hash(bytes, 0, bytes.length);
      const partition = partitionOf(hash.hi, bits);
      made.#counts[partition] = (made.#counts[partition] ?? 0) + 1;
    }
    return made;
  }

  /** Mean ÷ most requests a node, each divided by its capacity. */
  efficiency({ partitionCount, replicaCount, owners, members }: RingDocument): number {
    const requests = new Map(members.map(({ ordinal }) => [ordinal, 0]));
    const finer = PARTITIONS_COUNTED / partitionCount;
    for (let fine = 0; fine < PARTITIONS_COUNTED; fine++) {
      const row = Math.floor(fine / finer) * replicaCount;
      for (const owner of owners.slice(row, row + replicaCount))
        requests.set(owner, (requests.get(owner) ?? 0) + (this.#counts[fine] ?? 0));
    }
    return loadBalancingEfficiency(members.map(({ ordinal }) => requests.get(ordinal) ?? 0));
  }
}

function memberOf(ordinal: number): RingMember {
  const id = nodeId(ordinal.toString(16).padStart(32, '0'));
  const addresses = { address: `10.0.0.1:${ordinal}`, peerAddress: `10.0.1.1:${ordinal}` };
  return { ordinal, nodeId: id, ...addresses, zone: '', capacity: 1, leaving: false };
}

function firstRing(nodes: number, partitionCount: number, seed: number): RingPlan {
  const members = Array.from({ length: nodes }, (_, i) => memberOf(i + 1));
  const names = { cluster: 'proof', clusterId: 'c'.repeat(32) };
  return newRing({ ...names, partitionCount, replicaCount: N, members }, seed);
}

class Changing {
  readonly #found: Findings;
  readonly #keys: UniformKeys;
  readonly #prng: Prng;

  constructor(found: Findings, keys: UniformKeys, prng: Prng) {
    this.#found = found;
    this.#keys = keys;
    this.#prng = prng;
  }

  /** One node more, or one less; the ring when all of it has become true. */
  change(ring: RingDocument, edit: RingEdit): RingDocument {
    const what = `S = ${ring.members.length}, Q = ${ring.partitionCount}, ${edit.kind}`;
    const members = editMembers(ring, [edit]);
    const next = 'fault' in members ? members : changeRing(ring, members, this.#prng.u32(), NOTES);
    const planned = this.#found.judgeRing(next, what);
    const plan = weighPlan(ring, planned, { isReachable: () => true, quorum: 1, self: 1, survey: new Map() });
    if (edit.kind === 'join') this.#found.judgeJoin(plan, planned.members.length, what);
    const end = this.#madeTrue(planned, what);
    const { before, after } = plan.placementEfficiency;
    this.#found.judgeEven(before, this.#keys.efficiency(ring), `${what}, before`);
    this.#found.judgeEven(after, this.#keys.efficiency(end), `${what}, after`);
    return end;
  }

  /** A few moves at a time; each version is judged. */
  #madeTrue(planned: RingDocument, what: string): RingDocument {
    let ring = planned;
    for (;;) {
      const some = ring.moves.filter(() => this.#prng.chance(0.4));
      const copied = some.filter(({ phase }) => phase === 'copy');
      const settled = some.filter(({ phase }) => phase === 'settle');
      const left = ring.members.filter(({ leaving }) => leaving).map(({ ordinal }) => ordinal);
      const next = advanceRing(ring, { copied, settled, left }, NOTES);
      if (next !== null) ring = this.#found.judgeRing(next, `${what}, version ${next.version}`);
      if (ring.moves.length === 0 && ring.members.every(({ leaving }) => !leaving)) return ring;
    }
  }
}

/** One replica in another node's hands has to be noticed, or no ring was judged here. */
function trial(ring: RingDocument): string | null {
  const { owners, replicaCount, members } = ring;
  const row = owners.slice(0, replicaCount);
  const other = members.find(({ ordinal }) => !row.includes(ordinal));
  if (other === undefined) return 'the rings of this proof are too small for its trial';
  const bent = decodeRing(encodeRing({ ...ring, owners: [other.ordinal, ...owners.slice(1)] }));
  return 'fault' in bent ? null : 'a ring with a replica in the wrong hands was taken for one';
}

const joining = ({ ordinalNext }: RingDocument): RingEdit => ({ kind: 'join', ...memberOf(ordinalNext) });

/** Joins of many rings, and one ring with a long history. */
function withDocuments({ rings, changes }: Size, keys: UniformKeys, found: Findings, print: Print): void {
  const sizes = [
    ...Array.from({ length: 28 }, (_, i) => ({ nodes: i + 3, q: 256 })),
    ...Array.from({ length: 7 }, (_, i) => ({ nodes: i + 3, q: 64 })),
    { nodes: 60, q: 1_024 },
  ];
  for (let seed = 1; seed <= rings; seed++) {
    const changing = new Changing(found, keys, new Prng(seed));
    for (const { nodes, q } of sizes) {
      const ring = found.judgeRing(firstRing(nodes, q, seed), `S = ${nodes}, Q = ${q}, seed ${seed}`);
      changing.change(ring, joining(ring));
    }
  }
  print(`${found.joins} joins of ${rings * sizes.length} rings: at most ${found.moved.toFixed(3)} of N·Q/(S+1) moved`);
  const prng = new Prng(rings);
  const changing = new Changing(found, keys, prng);
  let ring = found.judgeRing(firstRing(6, 256, 1), 'the first ring of a history');
  const mistrust = trial(ring);
  if (mistrust !== null) found.faults.push(mistrust);
  for (let i = 0; i < changes; i++) {
    const joins = ring.members.length <= 4 || (ring.members.length < 30 && prng.chance(0.5));
    const { ordinal } = prng.pick(ring.members);
    ring = changing.change(ring, joins ? joining(ring) : { kind: 'leave', ordinal });
  }
  print(
    `${changes} joins and leaves of one ring: at most ${found.moved.toFixed(3)} moved; ${found.versions} ring versions, each within its bounds; ` +
      `efficiency by requests for uniform keys at most ${(100 * found.apart).toFixed(2)} % from the plan's`,
  );
}

/** Real daemons: the plans that they print, the rings that they serve, and what is then in their stores. */
function withDaemons(joins: number, found: Findings, print: Print): Promise<void> {
  return inScope(() => countStores(joins, found, print));
}

async function countStores(joins: number, found: Findings, print: Print): Promise<void> {
  const cluster = await GrowingCluster.start(REAL);
  const watch = new RingWatch(() => cluster.daemons);
  try {
    await fill(cluster);
    watch.start();
    for (let join = 0; join < joins; join++) {
      const countedBefore = loadBalancingEfficiency(await recordCounts(cluster));
      const plan = await cluster.join(1);
      const nodes = cluster.members.length;
      const moved = found.judgeJoin(plan, nodes, `real nodes, ${nodes - 1} + 1`);
      await cluster.well(WELL_WITHIN_MS);
      const ring = await ringOf(cluster.one);
      if ('fault' in ring) throw new Error(ring.fault);
      const counts = await recordCounts(cluster);
      const counted = loadBalancingEfficiency(counts);
      const { before, after } = plan.placementEfficiency;
      if (placementEfficiency(ring) !== after)
        found.faults.push('real nodes: the ring in force is not the planned one');
      found.judgeEven(before, countedBefore, `real nodes, ${nodes - 1}`);
      found.judgeEven(after, counted, `real nodes, ${nodes}`);
      const total = counts.reduce((sum, count) => sum + count, 0);
      if (total !== REAL.keys * REAL.replicas)
        found.faults.push(`real nodes: ${total} records, not ${REAL.replicas} of each of ${REAL.keys} keys`);
      print(
        `${nodes - 1} real nodes and one more: ${plan.replicasMoved} of ${plan.replicasAll} replicas moved (× ${moved.toFixed(3)}); efficiency by the plan ` +
          `${before.toFixed(4)} → ${after.toFixed(4)}, by records in the stores ${countedBefore.toFixed(4)} → ${counted.toFixed(4)} (${counts.join(', ')})`,
      );
    }
    await watch.stop();
    found.versions += watch.versions;
    found.faults.push(...watch.faults);
  } finally {
    await watch.stop();
    await cluster.dispose();
  }
}

async function fill({ addresses }: GrowingCluster): Promise<void> {
  const client = await Client.connect({ seeds: addresses, timeoutMs: 10_000 });
  let next = 0;
  const writer = async (): Promise<void> => {
    for (let key = next++; key < REAL.keys; key = next++)
      await client.put(keyBytes(key), Buffer.from(`value ${key}`), { w: 2 });
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
  await client.close();
}

/** In the stores of all members, by member. */
async function recordCounts({ daemons }: GrowingCluster): Promise<readonly number[]> {
  const counts: number[] = [];
  for (const daemon of daemons) counts.push((await listedKeys(daemon)).length);
  return counts;
}

export const prove: Proof = {
  name: 'moves',
  question:
    'Do plans keep their word: few replicas move, every ring on the way holds, and it ends as even as was said?',
  async run({ full, print }) {
    const size = full ? FULL : SHORT;
    const found = new Findings();
    withDocuments(size, await UniformKeys.of(size.keys), found, print);
    await withDaemons(size.joins, found, print);
    for (const fault of found.faults.slice(0, 8)) print(fault);
    return {
      held: found.faults.length === 0,
      summary:
        `${found.joins} joins moved at most ${found.moved.toFixed(3)} of N·Q/(S+1) (bar ${MOVED_MAX}); ${found.versions} ring versions within their bounds; ` +
        `efficiency at most ${(100 * found.apart).toFixed(2)} % from the plan's (bar ${100 * APART_MAX} %); ${found.faults.length} faults`,
    };
  },
};
