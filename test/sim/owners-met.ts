/*
 * What anti-entropy owes: partitions that could not be believed are believed again, by nobody's help; and when owners have
 * met, they hold the same, though nobody has read anything.
 */
import { differingLeaves, leafIndex, LeafTree } from '../../src/repair/merkle.js';
import type { PartitionId } from '../../src/model/ids.js';
import { hashHeader } from '../../src/storage/engine-leaves.js';
import { HASH_END_HI, type HashPlace, type ScanRequest } from '../../src/storage/scan.js';
import type { Stored } from '../../src/storage/storage.js';
import { eachStamp } from '../../src/versioning/record.js';
import { lookAtRest } from './at-rest.js';
import { RingCluster } from './cluster.js';
import type { OwnersMet, TreeView } from './evidence.js';
import type { SimNode } from './sim-node.js';
import { HASH, hexOf } from './tools.js';
import type { SimWorld } from './world.js';

const HEALED_WITHIN_MS = 60_000;
const MET_WITHIN_MS = 120_000;
/** Younger than this differences are left alone. */
const SETTLED_MS = 6_000;
const DAMAGED_HEALED_MS = 12_000;
/** By owners that both counted. */
export const MOVED: readonly string[] = [
  'partita_exchange_records_total in exchange',
  'partita_exchange_records_total out exchange',
];

/** The ring, if keys have several owners. */
export function ringOf({ cluster }: SimWorld): RingCluster | null {
  return cluster instanceof RingCluster && cluster.replicaCount > 1 ? cluster : null;
}

/**
 * Every partition is believed again. Background work yields to clients, down to its least rate; so where they keep the
 * stores at their limit, healing may have to wait until they rest.
 */
export function waitForHealing(world: SimWorld): void {
  const suspects = (): number =>
    world.cluster.nodes.reduce((sum, { engine }) => sum + (engine?.status().suspectPartitions.length ?? 1), 0);
  if (world.pump(() => suspects() === 0, HEALED_WITHIN_MS)) return;
  world.say(`${suspects()} partitions are still suspect: clients rest`);
  world.workload.stop();
  if (!world.pump(() => suspects() === 0, HEALED_WITHIN_MS))
    world.violation(`${suspects()} partitions are still suspect ${HEALED_WITHIN_MS} ms after clients rest`);
}

/** Nothing is under way. Every owner meets every other, and what was damaged is found and mended. */
export function meetOwners(world: SimWorld, cluster: RingCluster): OwnersMet {
  const movedBefore = MOVED.reduce((sum, name) => sum + world.meter.of(name), 0);
  const isUntouched = world.nemesis.counts.size === 0 && world.upgrade === null;
  // What reading finds damaged is mended meanwhile.
  const damaged = lookThrough(world, cluster);
  world.runFor(damaged.isFound ? DAMAGED_HEALED_MS : 0);
  const { youngestMs } = lookThrough(world, cluster);
  // A clock that ran ahead has made stamps that stay young for as long.
  const nowMs = Math.min(...cluster.nodes.map(({ process }) => process?.wallMs() ?? 0));
  world.runFor(Math.max(0, youngestMs + SETTLED_MS - nowMs));
  for (const { server } of cluster.nodes) server?.meetOwners();
  const isOver = (): boolean =>
    cluster.nodes.every(({ server }) => {
      const repair = server?.clusterStatus()?.repair;
      return repair !== undefined && repair.waiting === 0;
    });
  if (!world.pump(isOver, MET_WITHIN_MS)) world.violation('owners have not met within two minutes');
  const view = cluster.view((done) => world.pump(done));
  const replicas = new Map(world.workload.keys.map((key) => [key, view.replicas(key)]));
  const uneven = new Set<number>();
  for (const [key, held] of replicas) {
    const bytes = new Set(held.map(({ record }) => hexOf(record, 0, record.length)));
    if (bytes.size > 1) uneven.add(cluster.partitionOf(key));
  }
  return { replicas, uneven, trees: treesOf(world, cluster), movedBefore, isUntouched };
}

/** As a scrubber would. */
function lookThrough(
  world: SimWorld,
  cluster: RingCluster,
): { readonly isFound: boolean; readonly youngestMs: number } {
  const view = cluster.view((done) => world.pump(done));
  let youngestMs = 0;
  let isFound = false;
  for (const key of world.workload.keys) {
    for (const { state, record } of view.replicas(key)) {
      if (state === 'unknown') isFound = true;
      eachStamp(record, 0, record.length, (wallMs) => {
        youngestMs = Math.max(youngestMs, wallMs);
      });
    }
  }
  return { isFound, youngestMs };
}

function treesOf(world: SimWorld, cluster: RingCluster): readonly TreeView[] {
  const { partitionCount, replicaCount, owners } = cluster.ring;
  const trees: TreeView[] = [];
  for (let partition = 0; partition < partitionCount; partition++) {
    const ordinals = owners.slice(partition * replicaCount, (partition + 1) * replicaCount);
    const holders = ordinals.map((ordinal) => cluster.machine(ordinal) as SimNode);
    const isRebuilt = new Map(holders.map((node) => [node, isAsRebuilt(world, node, partition)]));
    const roots = rootsOf(world, holders, partition);
    for (const node of holders) {
      const [asRebuilt, root] = [isRebuilt.get(node), roots.get(node)];
      if (typeof asRebuilt === 'boolean' && root !== undefined)
        trees.push({ node: node.node, partition, root, isAsRebuilt: asRebuilt });
    }
  }
  return trees;
}

/** Of all holders at one moment. */
function rootsOf(world: SimWorld, holders: readonly SimNode[], partition: number): Map<SimNode, string> {
  const look = (): Map<SimNode, string> => {
    const roots = new Map<SimNode, string>();
    for (const node of holders) {
      const live = node.engine?.liveTree(partition);
      if (live !== undefined) roots.set(node, live.root(HASH).join());
    }
    return roots;
  };
  return lookAtRest(
    look,
    (roots) => new Set(roots.values()).size <= 1,
    (ms) => {
      world.runFor(ms);
    },
  );
}

/** Is the tree that of the records? Null: something in it cannot be read. */
function isAsRebuilt(world: SimWorld, { engine }: SimNode, partition: number): boolean | null {
  if (engine === null) return null;
  const look = (): boolean | null => {
    const rebuild = new Rebuild(partition as PartitionId, engine.liveTree(partition).leafCount);
    engine.scan(rebuild);
    world.pump(() => {
      if (!rebuild.isStopped || rebuild.isOver) return rebuild.isOver;
      rebuild.isStopped = false;
      engine.scan(rebuild);
      return false;
    });
    if (rebuild.damaged > 0) return null;
    return differingLeaves(engine.liveTree(partition), rebuild.tree).length === 0;
  };
  return lookAtRest(
    look,
    (isSame) => isSame !== false,
    (ms) => {
      world.runFor(ms);
    },
  );
}

/** Leaves made anew of what a scan shows. */
class Rebuild implements ScanRequest {
  readonly partition: PartitionId;
  fromHi: number = 0;
  fromLo: number = 0;
  readonly untilHi: number = HASH_END_HI;
  readonly untilLo: number = 0;
  readonly recordsMax: number = 100;
  readonly bytesMax: number = 1_048_576;
  readonly tree: LeafTree;
  damaged = 0;
  isStopped = false;
  isOver = false;

  constructor(partition: PartitionId, leafCount: number) {
    this.partition = partition;
    this.tree = new LeafTree(leafCount);
  }

  onRecord({ bytes, start, end }: Stored, _key: Uint8Array, hashHi: number): void {
    if (end === start) {
      this.damaged += 1;
      return;
    }
    hashHeader(bytes, start, HASH);
    this.tree.toggle(leafIndex(hashHi, this.tree.leafCount), HASH.hi, HASH.lo, 1);
  }

  onEnd(next: HashPlace | null): void {
    this.isStopped = true;
    this.isOver = next === null;
    if (next === null) return;
    this.fromHi = next.hi;
    this.fromLo = next.lo;
  }
}
