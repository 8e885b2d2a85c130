/*
 * Reads of a ring that has healed. Until something compares whole stores, reads are what makes owners agree:
 *
 *   a damaged copy is found by a read that meets it: its own node asks itself first, so one get with R = 1 through each
 *   owner finds all of them, and repairs each from the next owner that has the record;
 *   a stale copy is found by a read of all owners, and repaired after it.
 */
import type { Seen, Terms } from './client.js';
import type { ReplicaView } from './evidence.js';
import type { SimWorld } from './world.js';

export const HEALED_TIMEOUT_MS = 3_000;
const REPAIR_MS = 1_000;
/** The slowest network has brought a repair by then. */
const REPAIRED_MS = 2_500;
/** As long as one round of forgetting takes. */
const FORGOTTEN_MS = 1_000;

/** Only where something was destroyed: elsewhere a damaged record would be a bug, and is not to be mended. */
export function repairDamaged(world: SimWorld): void {
  const { cluster, doubts, workload } = world;
  if (cluster.nodes.every(({ node }) => doubts.isIntact(node))) return;
  for (const key of workload.keys) {
    if (cluster.ownersOf(key).every((owner) => doubts.since(owner, key, true) === Number.NEGATIVE_INFINITY)) continue;
    readThrough(world, key, cluster.ownersOf(key), { count: 1, strict: true, timeoutMs: HEALED_TIMEOUT_MS });
  }
  world.runFor(REPAIR_MS);
}

/**
 * Each key by one get of all owners, through one of them: that alone must make them agree. What they hold then, of each key
 * that could be read.
 */
export function readOnce(world: SimWorld): ReadonlyMap<string, readonly ReplicaView[]> {
  const { cluster, workload } = world;
  const terms = { count: cluster.replicaCount, strict: true, timeoutMs: HEALED_TIMEOUT_MS };
  const read = workload.keys.filter((key, index) => {
    const owners = cluster.ownersOf(key);
    const [seen] = readThrough(world, key, [owners[index % owners.length] as number], terms).values();
    return seen !== null;
  });
  world.runFor(REPAIRED_MS);
  const look = (): ReadonlyMap<string, readonly ReplicaView[]> => {
    const view = cluster.view((done) => world.pump(done));
    return new Map(read.map((key) => [key, view.replicas(key)]));
  };
  const seen = look();
  if (![...seen.values()].some(isHalfGone)) return seen;
  world.runFor(FORGOTTEN_MS);
  return look();
}

/** A delete, or a value that has expired, is forgotten by one owner after the other. */
const isHalfGone = (replicas: readonly ReplicaView[]): boolean =>
  new Set(replicas.map(({ record }) => record.length === 0)).size === 2;

/** Each key through each node, all owners asked. Key → coordinating node → what it showed; null: it failed. */
export function readEverywhere(world: SimWorld): ReadonlyMap<string, ReadonlyMap<number, readonly number[] | null>> {
  const { cluster, workload } = world;
  const everybody = cluster.nodes.map(({ node }) => node);
  const terms = { count: cluster.replicaCount, strict: true, timeoutMs: HEALED_TIMEOUT_MS };
  return new Map(
    workload.keys.map((key) => {
      const answers = readThrough(world, key, everybody, terms);
      return [key, new Map([...answers].map(([node, seen]) => [node, seen?.ids ?? null]))];
    }),
  );
}

/** At once through all of these nodes. */
function readThrough(
  world: SimWorld,
  key: string,
  nodes: readonly number[],
  terms: Terms,
): ReadonlyMap<number, Seen | null> {
  const [client] = world.clients;
  const answers: Map<number, Seen | null> = new Map();
  for (const node of nodes) {
    const at = world.cluster.machine(node + 1)?.address as string;
    client?.get(key, { ...terms, at }, (seen) => {
      answers.set(node, seen);
    });
  }
  world.pump(() => answers.size === nodes.length);
  return new Map([...answers].sort(([a], [b]) => a - b));
}
