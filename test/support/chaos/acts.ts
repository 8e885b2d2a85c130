/*
 * What is done to a cluster in the course of a run: one act after the other, each a fault, its duration and its end.
 *
 * Beside doing it, the stage keeps what the judgement needs: which window a moment belongs to, and which nodes the client
 * could reach at it. In doubt a node counts as out of reach: from before the fault until after its end.
 */
import type { Prng } from '../../../src/lib/prng.js';
import type { Host, Network } from '../faults/network.js';
import type { ChaosNode } from './cluster.js';
import { monotonicMs } from './operation.js';

export const ACTS = [
  'one-way cut',
  'one-way cut from client',
  'isolated from nodes',
  'isolated from all',
  'every node alone',
  'client sees one',
  'kill one',
  'kill W',
  'kill all',
] as const;
export type ActName = (typeof ACTS)[number] | 'stop one';

export interface Window {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  /** What exactly was done. */
  readonly text: string;
}

interface Sight {
  readonly atMs: number;
  readonly reachable: ReadonlySet<string>;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class Stage {
  readonly windows: Window[] = [];
  readonly #network: Network;
  readonly #nodes: readonly ChaosNode[];
  readonly #client: Host;
  readonly #prng: Prng;
  readonly #writeQuorum: number;
  readonly #sights: Sight[] = [];
  readonly #down: Set<ChaosNode> = new Set();

  constructor(network: Network, nodes: readonly ChaosNode[], client: Host, prng: Prng, writeQuorum: number) {
    this.#network = network;
    this.#nodes = nodes;
    this.#client = client;
    this.#prng = prng;
    this.#writeQuorum = writeQuorum;
    this.#look();
  }

  /** Nothing is wrong. */
  async calm(name: string, durationMs: number): Promise<void> {
    const startMs = monotonicMs();
    await sleep(durationMs);
    this.windows.push({ name, startMs, endMs: monotonicMs(), text: '' });
  }

  async play(name: ActName, durationMs: number): Promise<void> {
    const nodes = this.#shuffled();
    const startMs = monotonicMs();
    const text = await this.#begin(name, nodes, durationMs);
    this.windows.push({ name, startMs, endMs: monotonicMs(), text });
  }

  /** kill -9 of a node that nothing else happens to until `comeBack`; meanwhile acts are played among the others. */
  async leave(node: ChaosNode): Promise<void> {
    this.#down.add(node);
    this.#look();
    await node.daemon.kill();
  }

  async comeBack(node: ChaosNode): Promise<void> {
    await node.daemon.start();
    this.#down.delete(node);
    this.#look();
  }

  /** Some node was within the client's reach, both ways and running, through the whole of that time. */
  wasReachable(fromMs: number, toMs: number): boolean {
    const first = this.#sights.findLastIndex(({ atMs }) => atMs <= fromMs);
    const during = this.#sights.slice(Math.max(0, first)).filter(({ atMs }) => atMs <= toMs);
    return this.#nodes.some(({ name }) => during.every(({ reachable }) => reachable.has(name)));
  }

  #shuffled(): readonly ChaosNode[] {
    return this.#nodes
      .filter((node) => !this.#down.has(node))
      .map((node) => ({ node, rank: this.#prng.u32() }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ node }) => node);
  }

  /** Notes whom the client reaches now, and with `fewer` gone. */
  #look(fewer: readonly ChaosNode[] = []): void {
    const reachable = this.#nodes.filter(
      (node) =>
        !this.#down.has(node) &&
        !fewer.includes(node) &&
        !this.#network.isCut(this.#client, node.host) &&
        !this.#network.isCut(node.host, this.#client),
    );
    this.#sights.push({ atMs: monotonicMs(), reachable: new Set(reachable.map(({ name }) => name)) });
  }

  #begin(name: ActName, nodes: readonly ChaosNode[], durationMs: number): Promise<string> {
    const [first, second] = nodes as readonly [ChaosNode, ChaosNode | undefined];
    const hosts = nodes.map(({ host }) => host);
    const client = this.#client;
    switch (name) {
      case 'one-way cut': {
        const to = second ?? first;
        return this.#cut(durationMs, `${first.name} → ${to.name}`, [], () => {
          this.#network.cut(first.host, [to.host]);
        });
      }
      case 'one-way cut from client': {
        const outward = this.#prng.chance(0.5);
        const text = outward ? `client → ${first.name}` : `${first.name} → client`;
        return this.#cut(durationMs, text, [first], () => {
          if (outward) this.#network.cut(client, [first.host]);
          else this.#network.cut(first.host, [client]);
        });
      }
      case 'isolated from nodes':
        return this.#cut(durationMs, first.name, [], () => {
          this.#network.isolate(first.host, hosts);
        });
      case 'isolated from all':
        return this.#cut(durationMs, first.name, [first], () => {
          this.#network.isolate(first.host, [...hosts, client]);
        });
      case 'every node alone':
        return this.#cut(durationMs, 'all', [], () => {
          for (const host of hosts) this.#network.cut(host, hosts);
        });
      case 'client sees one':
        return this.#cut(durationMs, `${first.name}, which sees no node`, nodes.slice(1), () => {
          this.#network.isolate(first.host, hosts);
          this.#network.isolate(client, hosts.slice(1));
        });
      case 'stop one':
        return this.#stop(first, durationMs);
      case 'kill one':
        return this.#kill([first], durationMs);
      case 'kill W':
        return this.#kill(nodes.slice(0, this.#writeQuorum), durationMs);
      case 'kill all':
        return this.#kill(nodes, durationMs);
    }
  }

  async #cut(durationMs: number, text: string, hidden: readonly ChaosNode[], make: () => void): Promise<string> {
    this.#look(hidden);
    make();
    await sleep(durationMs);
    this.#network.heal();
    this.#look();
    return text;
  }

  async #stop(node: ChaosNode, durationMs: number): Promise<string> {
    this.#down.add(node);
    this.#look();
    node.daemon.signal('SIGSTOP');
    await sleep(durationMs);
    node.daemon.signal('SIGCONT');
    this.#down.delete(node);
    this.#look();
    return node.name;
  }

  async #kill(nodes: readonly ChaosNode[], durationMs: number): Promise<string> {
    for (const node of nodes) this.#down.add(node);
    this.#look();
    await Promise.all(nodes.map(({ daemon }) => daemon.kill()));
    await sleep(durationMs);
    await Promise.all(nodes.map(({ daemon }) => daemon.start()));
    for (const node of nodes) this.#down.delete(node);
    this.#look();
    return nodes.map(({ name }) => name).join(' ');
  }
}
