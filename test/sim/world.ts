/*
 * Everything that a seed makes, put together: time, network, machines, nodes, clients. Each part draws from a stream of
 * its own, so that what one part draws does not change what happens in another.
 */
import { Prng } from '../../src/lib/prng.js';
import { BUILD, FIRST_LEVEL } from '../../src/model/build.js';
import { SimulatedTime } from '../support/simulated-time.js';
import { SimClient } from './client.js';
import { RingCluster, type SimCluster, SingleNodes } from './cluster.js';
import { CountingMeter } from './counting-meter.js';
import { Doubts } from './doubts.js';
import { History } from './history.js';
import { KeptHints, type KeptHintsWorld } from './kept-hints.js';
import type { Mutant } from './mutants/mutant.js';
import { Nemesis } from './nemesis.js';
import { type Host, SimulatedNetwork } from './network.js';
import { Observer } from './observer.js';
import { drawOptions, type SimOptions } from './options.js';
import { RingChanges } from './ring-changes.js';
import { SimNode } from './sim-node.js';
import { StepsOfMoves } from './steps-of-moves.js';
import { Strangers } from './strangers.js';
import { Trace } from './trace.js';
import { Upgrade } from './upgrade.js';
import type { Violation } from './violation.js';
import { Workload } from './workload.js';

export interface SeedSettings {
  readonly seed: number;
  readonly mutant?: Mutant;
  /** Instead of what the seed would draw. */
  readonly given?: Partial<SimOptions>;
  /** Machines begin with clocks that are off by up to so much. */
  readonly startSkewMs?: number;
  /** Hears every event worth a line, with its time. */
  readonly print?: (line: string) => void;
}

export class SimWorld {
  readonly options: SimOptions;
  readonly time: SimulatedTime = new SimulatedTime();
  readonly trace: Trace = new Trace();
  readonly network: SimulatedNetwork;
  readonly history: History;
  readonly observer: Observer;
  readonly strangers: Strangers;
  readonly keptHints: KeptHints;
  readonly stepsOfMoves: StepsOfMoves = new StepsOfMoves();
  readonly meter: CountingMeter = new CountingMeter();
  readonly doubts: Doubts;
  readonly kernel: Prng;
  readonly mutant: Mutant | null;
  readonly violations: Violation[] = [];
  readonly cluster: SimCluster;
  readonly clients: readonly SimClient[];
  readonly workload: Workload;
  readonly nemesis: Nemesis;
  /** Null: the members of this cluster never change. */
  readonly changes: RingChanges | null;
  /** Null: all nodes are of one build. */
  readonly upgrade: Upgrade | null;
  readonly startSkewMs: number;
  readonly #print: ((line: string) => void) | undefined;

  constructor(settings: SeedSettings) {
    const { seed, mutant, given, print } = settings;
    const root = new Prng(seed);
    this.#print = print;
    this.mutant = mutant ?? null;
    this.options = drawOptions(seed, root.fork(), given);
    this.kernel = root.fork();
    this.network = new SimulatedNetwork(this.time, root.fork(), this.options.network, this.trace);
    this.history = new History(seed);
    this.observer = new Observer(
      () => this.time.monotonicMs(),
      (ordinal) => this.cluster.machine(ordinal),
    );
    this.strangers = new Strangers({
      ringOf: (node) => (this.cluster instanceof RingCluster ? this.cluster.history.ringOf(node) : null),
      wasDurable: (putId, node) => this.observer.durable.get(putId)?.has(node) === true,
      nowMs: () => this.time.monotonicMs(),
    });
    this.keptHints = new KeptHints({
      wasDurable: (putId, node) => this.observer.durable.get(putId)?.has(node) === true,
      destroyedMs: (node, key) => this.doubts.since(node, key, true),
      ownersOf: (key) => this.#ownersOf(key),
      nowMs: () => this.time.monotonicMs(),
    });
    this.doubts = new Doubts(({ node, kind, key }) => {
      if (kind === 'destroyed') this.observer.wasDestroyed(node, key);
    });
    const nodes = Array.from({ length: this.options.nodes }, (_, i) => new SimNode(i, this, root.fork()));
    this.cluster = clusterOf(nodes, this.options, root.fork());
    this.clients = Array.from({ length: this.options.work.clients }, (_, i) => new SimClient(i, this, root.fork()));
    this.workload = new Workload(this.clients, this.history, this.options.work, root.fork());
    this.nemesis = new Nemesis(this, root.fork());
    const clocks = root.fork();
    const skewMs = settings.startSkewMs ?? 0;
    this.startSkewMs = skewMs;
    this.changes = this.#changesOf(root.fork());
    this.upgrade = this.#upgradeOf(root.fork());
    for (const { clock } of [...nodes, ...this.clients]) clock.offsetMs = Math.round((2 * clocks.float() - 1) * skewMs);
  }

  ringFor(node: SimNode, nodeId: string): ReturnType<SimCluster['ringFor']> {
    return this.cluster.ringFor(node, nodeId);
  }

  nodeIdFor(node: SimNode): string | null {
    return this.cluster.nodeIdFor(node);
  }

  onRing(node: SimNode, ring: Parameters<SimCluster['onRing']>[1]): void {
    const { cluster } = this;
    cluster.onRing(node, ring, this.time.monotonicMs());
    if (!(cluster instanceof RingCluster)) return;
    this.stepsOfMoves.onRing(node, ring, this.doubts.isIntact(node.node));
    // Whoever let them join starts them; those that are no members any more stop when they hear of it, or are gone.
    for (const { ordinal } of ring.members) {
      if (cluster.machine(ordinal) !== undefined) continue;
      this.say(`node ${ordinal - 1} joins by ring ${ring.version}`);
      const machine = new SimNode(ordinal - 1, this, this.kernel.fork());
      machine.build = this.upgrade?.buildOfNew ?? BUILD;
      cluster.add(machine);
      this.time.after(0, () => {
        cluster.machine(ordinal)?.start();
      });
    }
  }

  onLeft(node: SimNode): void {
    if (this.cluster instanceof RingCluster) this.cluster.hasLeft(node);
  }

  #changesOf(random: Prng): RingChanges | null {
    const { cluster, doubts } = this;
    if (!(cluster instanceof RingCluster)) return null;
    const world = {
      cluster,
      doubts,
      say: (text: string): void => {
        this.say(text);
      },
      after: (delayMs: number, fire: () => void): void => {
        this.time.after(delayMs, fire);
      },
      nowMs: () => this.time.monotonicMs(),
    };
    return new RingChanges(world, random, this.options.changeEveryMs);
  }

  #upgradeOf(random: Prng): Upgrade | null {
    const { cluster } = this;
    const { upgrade } = this.options;
    if (upgrade === null || !(cluster instanceof RingCluster)) return null;
    const world = {
      cluster,
      say: (text: string): void => {
        this.say(text);
      },
      after: (delayMs: number, fire: () => void): void => {
        this.time.after(delayMs, fire);
      },
    };
    return new Upgrade(world, random, upgrade);
  }

  #ownersOf(key: string): ReturnType<KeptHintsWorld['ownersOf']> {
    const { cluster, strangers } = this;
    if (!(cluster instanceof RingCluster)) return [];
    const partition = cluster.partitionOf(key);
    return cluster.ownersOf(key).map((node) => ({ node, hasFile: strangers.hasHadFile(node, partition) }));
  }

  hostOf(address: string): Host | undefined {
    const ordinal = Number(/^10\.0\.0\.(\d+):/.exec(address)?.[1]);
    return this.cluster.machine(ordinal)?.host;
  }

  restartClient(client: SimClient): void {
    this.say(`client ${client.index} is restarted`);
    client.restart();
    this.workload.go(client);
  }

  get isTold(): boolean {
    return this.#print !== undefined;
  }

  say(text: string): void {
    this.#print?.(`${this.time.monotonicMs().toFixed(3).padStart(10)}  ${text}`);
  }

  violation(text: string): void {
    this.say(`VIOLATION ${text}`);
    this.violations.push({ checker: 'process', key: '', text });
  }

  /** Runs for so long, or until there is nothing left to do in it. */
  runFor(ms: number): void {
    let over = false;
    this.time.after(ms, () => {
      over = true;
    });
    this.pump(() => over, Number.POSITIVE_INFINITY);
  }

  /** Runs until it is done; false: `limitMs` passed before. */
  pump(done: () => boolean, limitMs = 60_000): boolean {
    const deadline = this.time.monotonicMs() + limitMs;
    while (!done()) {
      if (this.time.monotonicMs() > deadline || !this.time.step()) return false;
      this.trace.time(this.time.monotonicMs());
    }
    return true;
  }
}

function clusterOf(nodes: readonly SimNode[], options: SimOptions, random: Prng): SimCluster {
  const { cluster, partitionCount, upgrade } = options;
  const level = upgrade === null ? BUILD.levelMax : FIRST_LEVEL;
  return cluster.kind === 'single'
    ? new SingleNodes(nodes, partitionCount, random)
    : new RingCluster(nodes, partitionCount, level, cluster, random);
}
