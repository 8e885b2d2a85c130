/*
 * A cluster of real partitads whose members change while it serves, by the commands that an administrator has: edits are
 * staged, planned and committed, and a node that joins is started by the command that the commit prints.
 */
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import type { ClusterStatusFacts, PlanFacts } from '../../src/model/cluster-facts.js';
import { freePorts } from '../../src/net/free-ports.js';
import { decodeRing, type RingDocument } from '../../src/ring/document.js';
import { decodeClusterReply, encodeCluster } from '../../src/wire/codec-cluster.js';
import { CLUSTER, CLUSTER_REPLY } from '../../src/wire/kinds.js';
import { askAdmin } from '../../src/cli/admin.js';
import { Daemon } from './daemon.js';
import { RealCluster, type RealClusterOptions } from './real-cluster.js';
import { runCli } from './run-cli.js';

const ASK_MS = 10_000;
const POLL_MS = 100;
const READY_TIMEOUT_MS = 60_000;

export interface GrownMember {
  /** As the ring names it: the first nodes are 1, 2, 3. */
  readonly ordinal: number;
  readonly client: string;
  readonly daemon: Daemon;
}

export class GrowingCluster {
  /** Also those that have left. */
  readonly all: GrownMember[];
  readonly left: Set<GrownMember> = new Set();
  readonly #first: RealCluster;
  readonly #flags: readonly string[];
  #files = 0;

  private constructor(first: RealCluster, flags: readonly string[]) {
    this.#first = first;
    this.#flags = flags;
    this.all = first.members.map(({ client, daemon }, index) => ({ ordinal: index + 1, client, daemon }));
  }

  /** All nodes run and reach each other; whoever calls it also calls `dispose`. */
  static async start(options: RealClusterOptions): Promise<GrowingCluster> {
    const first = await RealCluster.prepare(options);
    const cluster = new GrowingCluster(first, options.flags ?? []);
    try {
      await first.start();
      await first.connected();
      return cluster;
    } catch (error) {
      await cluster.dispose();
      throw error;
    }
  }

  /** Those that belong to the ring, leaving ones included. */
  get members(): readonly GrownMember[] {
    return this.all.filter((member) => !this.left.has(member));
  }

  /** By the cluster's first node, which stays. */
  get one(): Daemon {
    return this.#first.node(1);
  }

  get addresses(): readonly string[] {
    return this.members.map(({ client }) => client);
  }

  get daemons(): readonly Daemon[] {
    return this.members.map(({ daemon }) => daemon);
  }

  /** So many join in one change, in which another may leave. Resolves when they are started. */
  async join(count: number, leaver?: GrownMember): Promise<PlanFacts> {
    const ports = await freePorts(2 * count);
    const names = Array.from({ length: count }, (_, i) => `n${this.all.length + 1 + i}`);
    const addresses = names.map((_, i) => `127.0.0.1:${ports[2 * i]}`);
    const words = names.map((name, i) => `${name}=${addresses[i]},peer=127.0.0.1:${ports[2 * i + 1]}`);
    await this.#tell(['join', ...words]);
    if (leaver !== undefined) await this.#tell(['leave', String(leaver.ordinal)]);
    const plan = await this.#tell<PlanFacts>(['plan']);
    const file = join(this.#first.folder, `ring-joined-${(this.#files += 1)}.json`);
    const said = await this.#tell<Committed>([...committing(plan), '--out', file, '--secret', this.#first.secretFile]);
    const joined = plan.members.filter(({ becomes }) => becomes === 'joins');
    for (const [i, name] of names.entries()) {
      const command = said.start.find(({ node }) => node === name)?.command ?? '';
      const words = command.split(' ');
      const dataDir = words.indexOf('--data-dir');
      const flags = [...words.slice(1, dataDir), ...words.slice(dataDir + 2), ...this.#flags];
      const daemon = Daemon.prepare({
        ...{ init: false, dataDir: join(this.#first.folder, name), flags, readyTimeoutMs: READY_TIMEOUT_MS },
      });
      const client = addresses[i] ?? '';
      const ordinal = joined.find(({ address }) => address === client)?.ordinal;
      if (ordinal === undefined || dataDir < 0) throw new Error(`${name} is in no plan: ${JSON.stringify(said)}`);
      this.all.push({ ordinal, client, daemon });
    }
    await Promise.all(this.all.slice(-count).map(({ daemon }) => daemon.start()));
    return plan;
  }

  /** Resolves when it is decided on; the node goes on until nothing depends on it. */
  async leave(member: GrownMember): Promise<PlanFacts> {
    await this.#tell(['leave', String(member.ordinal)]);
    const plan = await this.#tell<PlanFacts>(['plan']);
    await this.#tell(committing(plan));
    return plan;
  }

  /** How the process of a node that leaves has ended. */
  async ended(member: GrownMember, withinMs: number): Promise<number | null> {
    const late = rest(withinMs, 'late' as const, { ref: false });
    const exit = await Promise.race([member.daemon.exited, late]);
    if (exit === 'late') throw new Error(`node ${member.ordinal} has not left within ${withinMs} ms`);
    this.left.add(member);
    return exit.code;
  }

  /** Until no replica is on its way any more, as the first node sees it. */
  async moved(withinMs: number): Promise<void> {
    for (const deadline = performance.now() + withinMs; ;) {
      const { moves } = await statusOf(this.one);
      if (moves.length === 0) return;
      if (performance.now() > deadline)
        throw new Error(`After ${withinMs} ms ${moves.length} replicas are on their way`);
      await rest(POLL_MS);
    }
  }

  /** Until every member says that all is well; throws with what is not. */
  async well(withinMs: number): Promise<void> {
    for (const deadline = performance.now() + withinMs; ;) {
      const troubles = await this.troubles();
      if (troubles.length === 0) return;
      if (performance.now() > deadline) throw new Error(`After ${withinMs} ms all is not well: ${troubles.join('; ')}`);
      await rest(POLL_MS);
    }
  }

  async troubles(): Promise<readonly string[]> {
    const each = await Promise.all(
      this.members.map(async ({ ordinal, daemon }) => {
        const { troubles } = await statusOf(daemon);
        return troubles.map((text) => `node ${ordinal}: ${text}`);
      }),
    );
    return each.flat();
  }

  async dispose(): Promise<void> {
    const joined = this.all.slice(this.#first.members.length);
    await Promise.all(joined.map(({ daemon }) => daemon.dispose()));
    await this.#first.dispose();
  }

  transcript(): string {
    return this.all.map(({ ordinal, daemon }) => `node ${ordinal}:\n${daemon.transcript(12)}`).join('\n');
  }

  async #tell<T>(words: readonly string[]): Promise<T> {
    const { code, out, err } = await runCli(['cluster', ...words, '--admin', this.one.ready.admin, '-o', 'json']);
    if (code !== 0) throw new Error(`partita cluster ${words.join(' ')}: ${err}`);
    return JSON.parse(out) as T;
  }
}

interface Committed {
  readonly start: readonly { readonly node: string; readonly command: string }[];
}

/** The command that the plan names, without `partita cluster` and the socket. */
function committing({ next }: PlanFacts): readonly string[] {
  const words = next.split(' ').slice(2);
  return words.slice(0, words.indexOf('--admin'));
}

/** How the cluster stands, as this node sees it. */
export async function statusOf(daemon: Daemon): Promise<ClusterStatusFacts> {
  const { facts } = await askAdmin(daemon.ready.admin, ASK_MS, {
    kind: CLUSTER,
    replyKind: CLUSTER_REPLY,
    body: encodeCluster({ action: 'status', edits: '', baseVersion: 0, planHash: '', budgetMs: ASK_MS }),
    read: decodeClusterReply,
  });
  return JSON.parse(facts) as ClusterStatusFacts;
}

/** The ring that this node lives by, or what is wrong with it: its loader's judgement, by every bound that there is. */
export async function ringOf(daemon: Daemon): Promise<RingDocument | { readonly fault: string }> {
  const { ring } = await statusOf(daemon);
  return decodeRing(Buffer.from(JSON.stringify(ring)));
}
