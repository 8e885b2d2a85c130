/* Everything is scrubbed once more when the world is well again, and before anybody reads: what rotted must be sound by then. */
import type { ReplicaView } from './evidence.js';
import type { SimWorld } from './world.js';

/** So that there is something to be found that no read has met before. */
const ROTTEN = 4;
const SCRUBBED_MS = 60_000;
/** What was repaired is in the files. */
const FLUSHED_MS = 3_000;

/** What the owners of each key hold after that; null: nobody scrubs in this run. */
export function scrubAll(world: SimWorld): ReadonlyMap<string, readonly ReplicaView[]> | null {
  if (!Number.isFinite(world.options.scrubPeriodMs)) return null;
  if (world.options.faults.includes('rot-file') && world.cluster.replicaCount > 1) world.nemesis.rotApart(ROTTEN);
  world.say('all is scrubbed');
  const { nodes } = world.cluster;
  for (const { process, server } of nodes)
    process?.run(() => {
      server?.background.scrub(null);
    });
  const before = nodes.map(({ server }) => server?.background.scrubStatus()?.partitions ?? 0);
  const isDone = (): boolean =>
    nodes.every(({ server }, i) => {
      const status = server?.background.scrubStatus();
      if (status === null || status === undefined) return false;
      const { partitions, repairsWaiting } = status;
      return partitions >= (before[i] ?? 0) + world.options.partitionCount && repairsWaiting === 0;
    });
  world.pump(isDone, SCRUBBED_MS);
  world.runFor(FLUSHED_MS);
  const view = world.cluster.view((done) => world.pump(done));
  return new Map(world.workload.keys.map((key) => [key, view.replicas(key)]));
}
