/*
 * What `speed-cluster` measures, started: clusters of real partitads with a ring file and a secret, and Redis with two
 * replicas. All of them on the core of the servers, so that the price of a cluster is all that its nodes do.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { hasProgram } from '../../bench/processes.js';
import { freePorts } from '../../src/net/free-ports.js';
import { RealCluster } from '../support/real-cluster.js';
import type { SpeedWorld, Target } from './speed-rounds.js';

const PARTITIONS = 256;
const REDIS_ATTEMPTS_MAX = 100;
const REDIS_PAUSE_MS = 100;

export interface SpeedCluster {
  readonly target: Target;
  stop(): Promise<void>;
}

/** Daemons as an operator starts them; R = W = 2 where N = 3. */
export async function startCluster(world: SpeedWorld, nodes: number, replicas: number): Promise<SpeedCluster> {
  const cluster = await RealCluster.prepare({
    nodes,
    replicas,
    partitions: PARTITIONS,
    prefix: world.prefix,
    flags: ['--durability', 'always', '--memory-max', '512MiB'],
  });
  world.atEnd(() => cluster.dispose());
  await cluster.start();
  await cluster.connected();
  return {
    target: {
      address: cluster.member(1).client,
      pids: cluster.members.map(({ daemon }) => daemon.pid),
      plan: { routing: nodes === 1 ? 'seed' : 'ring' },
    },
    stop: async () => {
      await cluster.stop();
    },
  };
}

/** A primary that syncs before it answers, and two replicas; SETs wait for one of them. */
export interface RedisTrio {
  readonly target: Target;
  /** Whether replicas sync before they acknowledge, too: then two of three copies are durable, as with W = 2. */
  replicasSync(sync: boolean): void;
}

/** undefined where Redis is not installed. */
export async function startRedisTrio(world: SpeedWorld, folder: string): Promise<RedisTrio | undefined> {
  if (!hasProgram('redis-server') || !hasProgram('redis-cli')) return undefined;
  const ports = await freePorts(3);
  const primary = ports[0] as number;
  const pids = ports.map((port) => {
    const replicaOf = port === primary ? [] : ['--replicaof', `127.0.0.1 ${primary}`];
    return startRedis(world, join(folder, String(port)), port, replicaOf);
  });
  const target: Target = { address: `127.0.0.1:${primary}`, pids, plan: { dialect: 'resp', waitReplicas: 1 } };
  await whenReplicated(world, target);
  return {
    target,
    replicasSync: (sync) => {
      for (const port of ports.slice(1)) ask(port, ['config', 'set', 'appendfsync', sync ? 'always' : 'no']);
    },
  };
}

function startRedis(world: SpeedWorld, folder: string, port: number, more: readonly string[]): number {
  mkdirSync(folder, { recursive: true });
  const where = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
  const disk = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'];
  const copies = ['--repl-diskless-sync', 'yes', '--repl-diskless-sync-delay', '0'];
  const [command = '', ...words] = [...world.prefix, 'redis-server', ...where, ...disk, ...copies, ...more];
  const child = spawn(command, words, { stdio: 'ignore' });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve();
    });
  });
  world.atEnd(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  return child.pid ?? 0;
}

/** Until both replicas take part. */
async function whenReplicated(world: SpeedWorld, target: Target): Promise<void> {
  const once = { name: 'ready', connections: 1, inFlight: 1 };
  for (let attempt = 1; ; attempt++) {
    try {
      await world.run(target, once, { put: 1 }, { amount: 1, waitReplicas: 2, timeoutMs: 1_000 });
      return;
    } catch (error) {
      if (attempt === REDIS_ATTEMPTS_MAX) throw error;
      await new Promise((resolve) => setTimeout(resolve, REDIS_PAUSE_MS));
    }
  }
}

function ask(port: number, words: readonly string[]): void {
  const { stdout, stderr } = spawnSync('redis-cli', ['-p', String(port), ...words], { encoding: 'utf8' });
  if (stdout.trim() !== 'OK') throw new Error(`redis-cli ${words.join(' ')}: ${stdout}${stderr}`);
}
