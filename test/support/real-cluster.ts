/*
 * A cluster of real partitads on loopback, made as an operator makes one: `partita cluster init`, then a start of each
 * with the ring file and the secret. Its addresses are in the ring, so ports are chosen before there is a node, and each
 * node comes back where it was.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { Client, codecs } from '../../src/client/index.js';
import type { ClientOptions } from '../../src/client/index.js';
import { freePorts } from '../../src/net/free-ports.js';
import { type Build, Daemon, type LogLine } from './daemon.js';
import { runCli } from './run-cli.js';
import { temporaryFolder } from './temporary.js';
import type { TeardownContext } from './temporary.js';

const CONNECTED_WITHIN_MS = 20_000;
const POLL_MS = 50;

export interface RealClusterOptions {
  /** Default: 3. */
  readonly nodes?: number;
  /** N. Default: 3. */
  readonly replicas?: number;
  /** Q. Default: 16, which starts quickly. */
  readonly partitions?: number;
  /** Flags for every node. */
  readonly flags?: readonly string[];
  /** More for one of them, by its name. */
  readonly flagsOf?: (name: string) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Words before `node`: `['taskset', '-c', '0']`. */
  readonly prefix?: readonly string[];
  /** For each node its clients' and its peers'; free ones otherwise. */
  readonly ports?: readonly number[];
  /** Of all nodes, and of the command that makes the ring. Default: this one. */
  readonly build?: Build;
}

export interface ClusterMember {
  /** `n1`, `n2` … */
  readonly name: string;
  /** What the ring has. */
  readonly client: string;
  readonly peer: string;
  readonly daemon: Daemon;
}

export class RealCluster {
  readonly folder: string;
  readonly ringFile: string;
  readonly secretFile: string;
  readonly members: readonly ClusterMember[];
  readonly #dispose: () => void;

  private constructor(folder: string, members: readonly ClusterMember[], dispose: () => void) {
    this.folder = folder;
    this.ringFile = join(folder, 'ring-1.json');
    this.secretFile = join(folder, 'cluster.secret');
    this.members = members;
    this.#dispose = dispose;
  }

  /** Made and not started; whoever calls it also calls `dispose`. */
  static async prepare(options: RealClusterOptions = {}): Promise<RealCluster> {
    const { nodes = 3, replicas = 3, partitions = 16, flags = [], flagsOf = () => [], env = {}, prefix = [] } = options;
    const { path: folder, remove } = temporaryFolder('cluster');
    const ports = options.ports ?? (await freePorts(2 * nodes));
    const seats = Array.from({ length: nodes }, (_, i) => ({
      name: `n${i + 1}`,
      client: `127.0.0.1:${ports[2 * i]}`,
      peer: `127.0.0.1:${ports[2 * i + 1]}`,
    }));
    const file = join(folder, 'ring-1.json');
    const words = seats.flatMap(({ name, client, peer }) => ['--node', `${name}=${client},peer=${peer}`]);
    const counts = ['--replicas', String(replicas), '--partitions', String(partitions)];
    await makeRing(options.build, ['cluster', 'init', ...counts, ...words, '--out', file]);
    const secret = nodes === 1 ? [] : ['--peer-secret-file', join(folder, 'cluster.secret')];
    const members = seats.map(({ name, client, peer }) => ({
      name,
      client,
      peer,
      daemon: Daemon.prepare({
        init: false,
        ...(options.build === undefined ? {} : { build: options.build }),
        dataDir: join(folder, name),
        env,
        prefix,
        flags: [
          ...['--init-from', file, '--node', name, '--client-listen', client, '--peer-listen', peer, ...secret],
          ...flags,
          ...flagsOf(name),
        ],
      }),
    }));
    return new RealCluster(folder, members, remove);
  }

  /** All nodes run; the cluster goes away with the test. */
  static async startFor(t: TeardownContext, options: RealClusterOptions = {}): Promise<RealCluster> {
    const cluster = await RealCluster.prepare(options);
    t.teardown(() => cluster.dispose());
    await cluster.start();
    return cluster;
  }

  /** The n-th, from 1 as the names are. */
  node(n: number): Daemon {
    return this.member(n).daemon;
  }

  member(n: number): ClusterMember {
    const member = this.members[n - 1];
    if (member === undefined) throw new Error(`There is no n${n}`);
    return member;
  }

  get daemons(): readonly Daemon[] {
    return this.members.map(({ daemon }) => daemon);
  }

  get addresses(): readonly string[] {
    return this.members.map(({ client }) => client);
  }

  async start(): Promise<void> {
    await Promise.all(this.members.map(({ daemon }) => daemon.start()));
  }

  /** Until each node reaches all others and counts: a request in the first moment may find too few of them. */
  async connected(): Promise<void> {
    const numbers = this.members.map((_, i) => i + 1);
    for (const deadline = performance.now() + CONNECTED_WITHIN_MS; ;) {
      const seen = await Promise.all(numbers.map((n) => this.status(n)));
      if (seen.every((status) => status['peersUp'] === numbers.length - 1 && status['suspect'] === 0)) return;
      if (performance.now() > deadline) throw new Error(`Not all nodes reach each other:\n${this.transcript()}`);
      await rest(POLL_MS);
    }
  }

  /** Each drains; answers how they ended. */
  stop(): Promise<readonly (number | null)[]> {
    return Promise.all(this.members.map(async ({ daemon }) => (await daemon.stop()).code));
  }

  /** Over all nodes, or over those named: `connect({ seeds: [cluster.member(1).client] })`. */
  connect(options: Partial<ClientOptions<string>> = {}): Promise<Client<string>> {
    return Client.connect<string>({ seeds: this.addresses, codec: codecs.utf8, timeoutMs: 5_000, ...options });
  }

  /** What the n-th logs about itself when asked: `hints`, `peersUp` … */
  async status(n: number): Promise<LogLine> {
    const daemon = this.node(n);
    const from = daemon.log.length;
    daemon.signal('SIGUSR2');
    return daemon.waitFor('status', { from });
  }

  async dispose(): Promise<void> {
    await Promise.all(this.members.map(({ daemon }) => daemon.dispose()));
    this.#dispose();
  }

  /** What every node said, for the message of a failing test. */
  transcript(): string {
    return this.members.map(({ name, daemon }) => `${name}:\n${daemon.transcript()}`).join('\n');
  }
}

async function makeRing(build: Build | undefined, words: readonly string[]): Promise<void> {
  if (build !== undefined) {
    execFileSync(process.execPath, [join(build, 'bin', 'partita.cjs'), ...words]);
    return;
  }
  const made = await runCli(words);
  if (made.code !== 0) throw new Error(`cluster init: ${made.err}`);
}
