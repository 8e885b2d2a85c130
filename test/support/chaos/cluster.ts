import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { Daemon } from '../daemon.js';
import type { Host } from '../faults/network.js';
import { runCli } from '../run-cli.js';
import type { Scope } from '../scope.js';

const CLIENT_PORT = 7_700;
const PEER_PORT = 7_701;
const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 100;

export interface ChaosNode {
  readonly name: string;
  readonly host: Host;
  /** Where clients connect. */
  readonly client: string;
  readonly daemon: Daemon;
}

/** A ring of real daemons, each on a host of its own, made as an operator makes one. */
export async function startCluster(
  scope: Scope,
  options: {
    readonly folder: string;
    readonly hosts: readonly Host[];
    readonly replicas: number;
    readonly flags: readonly string[];
  },
): Promise<readonly ChaosNode[]> {
  const { folder, hosts, replicas, flags } = options;
  const file = join(folder, 'ring-1.json');
  const seats = hosts.map((host) => ({
    name: `n${host.number}`,
    host,
    client: `${host.address}:${CLIENT_PORT}`,
    peer: `${host.address}:${PEER_PORT}`,
  }));
  const words = seats.flatMap(({ name, client, peer }) => ['--node', `${name}=${client},peer=${peer}`]);
  const made = await runCli(['cluster', 'init', '--replicas', String(replicas), ...words, '--out', file]);
  if (made.code !== 0) throw new Error(`partita cluster init failed: ${made.err}`);
  const secret = seats.length === 1 ? [] : ['--peer-secret-file', join(folder, 'cluster.secret')];
  const nodes = seats.map(({ name, host, client, peer }) => {
    const own = ['--init-from', file, '--node', name, '--client-listen', client, '--peer-listen', peer];
    const daemon = Daemon.prepare({
      init: false,
      dataDir: join(folder, name),
      prefix: host.prefix,
      flags: [...own, '--insecure-listen', ...secret, ...flags],
      readyTimeoutMs: READY_TIMEOUT_MS,
    });
    scope.defer(`end ${name}`, () => {
      daemon.signal('SIGKILL');
    });
    return { name, host, client, daemon };
  });
  for (const { daemon } of nodes) await daemon.start();
  await allCount(nodes);
  return nodes;
}

/** The stores are new: they say nothing before they have met. */
async function allCount(nodes: readonly ChaosNode[]): Promise<void> {
  for (const { daemon } of nodes) {
    for (let suspect: unknown = null; suspect !== 0;) {
      const from = daemon.log.length;
      daemon.signal('SIGUSR2');
      suspect = (await daemon.waitFor('status', { from }))['suspect'] ?? 0;
      if (suspect !== 0) await rest(POLL_MS);
    }
  }
}

/** Every one of them, also one that is stopped; resolves when the processes are gone. */
export async function endCluster(nodes: readonly ChaosNode[]): Promise<void> {
  await Promise.all(nodes.map(({ daemon }) => daemon.dispose()));
}
