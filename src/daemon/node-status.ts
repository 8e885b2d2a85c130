/* What a running node says about itself: a line for `systemctl status`, and the figures behind it. */
import type { ClusterStatus } from '../node/cluster/cluster.js';
import type { PartitaNode } from '../node/node.js';
import type { StorageStatus } from '../storage/storage.js';

/** Only what there is: a node without peers says nothing of peers, one that keeps no hints nothing of hints. */
export function statusLine(storage: StorageStatus, node: PartitaNode): string {
  const { bufferBytes, bufferBytesMax, suspectPartitions, diskFull } = storage;
  const parts = [`${node.sessions} connections`, `write buffer ${Math.round((100 * bufferBytes) / bufferBytesMax)} %`];
  const cluster = node.clusterStatus();
  if (cluster !== null) {
    const hints = hintCount(cluster);
    parts.push(`${peersUp(cluster)} of ${cluster.peers.length} peers reachable`);
    if (hints > 0) parts.push(`${hints} hints kept for ${cluster.hints.length} of them`);
  }
  if (diskFull) parts.push('disk full');
  if (suspectPartitions.length > 0) parts.push(`${suspectPartitions.length} suspect partitions`);
  return parts.join(', ');
}

/** For the log, when somebody asks by SIGUSR2. */
export function statusFigures(node: PartitaNode): Readonly<Record<string, unknown>> {
  const cluster = node.clusterStatus();
  const { background } = node;
  const own = { background: background.status(), scrub: background.scrubStatus() };
  if (cluster === null) return own;
  const { peers, hints, repair, readRepairs } = cluster;
  const tombstones = cluster.tombstones
    .filter(({ candidates, young }) => candidates + young > 0)
    .map((summary) => ({ ...summary, waitsFor: Object.fromEntries(summary.waitsFor) }));
  return {
    peersUp: peersUp(cluster),
    peers,
    hints: hintCount(cluster),
    hintsFor: hints,
    suspect: repair.suspect.length,
    repair,
    readRepairs: { ...readRepairs },
    tombstones,
    ...own,
  };
}

function peersUp({ peers }: ClusterStatus): number {
  return peers.filter(({ state }) => state === 'ready').length;
}

function hintCount({ hints }: ClusterStatus): number {
  return hints.reduce((sum, { count }) => sum + count, 0);
}
