/*
 * What goes wrong, and when: at drawn times a fault of one of the seed's kinds begins, and ends when it has lasted. All of
 * them have ended when the faults are over; `heal` makes sure of it.
 */
import type { Prng } from '../../src/lib/prng.js';
import type { SimClient } from './client.js';
import { ArchivedFiles, type ArchivedFilesWorld } from './archived-files.js';
import { Archives } from './archives.js';
import { majorityOf, RingCluster } from './cluster.js';
import * as disks from './disk-faults.js';
import type { Doubts } from './doubts.js';
import { beginNetworkFault, type NetworkFault } from './network-faults.js';
import type { SimulatedNetwork } from './network.js';
import type { FaultKind, SimOptions } from './options.js';
import type { SimNode } from './sim-node.js';
import { between, exponential } from './tools.js';

export interface NemesisWorld extends ArchivedFilesWorld {
  readonly options: SimOptions;
  readonly network: SimulatedNetwork;
  readonly clients: readonly SimClient[];
  readonly doubts: Doubts;
  restartClient(client: SimClient): void;
}

const DOWN_MAX_MS = 4_000;

export class Nemesis {
  readonly #world: NemesisWorld;
  readonly #random: Prng;
  readonly #copies: Map<SimNode, ReturnType<SimNode['copyDisk']>> = new Map();
  readonly #archives: Archives;
  readonly #files: ArchivedFiles;
  #over = false;
  /** Faults begun, by kind. */
  readonly counts: Map<FaultKind, number> = new Map();

  constructor(world: NemesisWorld, random: Prng) {
    this.#world = world;
    this.#random = random;
    this.#archives = new Archives(world, random);
    this.#files = new ArchivedFiles(world, random);
  }

  start(): void {
    const { network, options } = this.#world;
    network.time.after(exponential(this.#random, options.faultEveryMs), () => {
      if (this.#over) return;
      this.#begin(this.#random.pick(options.faults));
      this.start();
    });
  }

  /** The world is good again: every machine runs, every link works, clocks are right, disks have room. */
  heal(): void {
    this.#over = true;
    const { network, cluster, clients } = this.#world;
    network.healAll();
    for (const client of clients) {
      client.clock.offsetMs = 0;
      client.process.resume();
    }
    for (const node of cluster.nodes) {
      node.clock.offsetMs = 0;
      node.process?.resume();
      disks.heal(node);
      node.start();
    }
  }

  /** A bit each under so many keys; at one owner each at most, so that the others can help. */
  rotApart(count: number): void {
    const seen = new Set<string>();
    for (let i = 0; i < count; i++) {
      const node = this.#random.pick(this.#world.cluster.nodes);
      const key = disks.rotFile(node, this.#random, seen);
      if (key === null) continue;
      seen.add(key);
      this.#world.say(`node ${node.node}: a bit flips in the file, under ${key.slice(0, 12)}`);
      this.#world.doubts.add({ node: node.node, atMs: this.#nowMs(), kind: 'destroyed', key });
    }
  }

  #begin(kind: FaultKind): void {
    const { cluster, clients, options } = this.#world;
    const random = this.#random;
    const node = random.pick(cluster.nodes);
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    switch (kind) {
      case 'kill':
      case 'power':
        this.#down(node, kind);
        return;
      case 'all-down':
        for (const other of cluster.nodes) this.#down(other, random.chance(0.5) ? 'kill' : 'power');
        return;
      case 'quorum-down':
        this.#severalDown();
        return;
      case 'restart':
        this.#world.say(`node ${node.node} is stopped`);
        node.stop();
        return;
      case 'pause':
        this.#pause(node);
        return;
      case 'slow-disk':
      case 'full-disk':
      case 'failing-disk':
        this.#worsenDisk(node, kind);
        return;
      case 'lost-disk':
      case 'rollback':
      case 'rot-log':
      case 'rot-file':
        this.#destroy(node, kind);
        return;
      case 'clock':
        this.#setClock(random.chance(0.7) ? node : random.pick(clients));
        return;
      case 'restore':
        this.#archives.act();
        return;
      case 'restore-file':
        this.#files.act();
        return;
      case 'client-restart':
        this.#world.restartClient(random.pick(clients));
        return;
      default:
        this.#disturb(kind, options.faultEveryMs);
    }
  }

  #down(node: SimNode, kind: 'kill' | 'power'): void {
    this.#world.say(`node ${node.node}: ${kind}`);
    node.crash(kind);
    if (kind === 'power') {
      this.#world.doubts.add({ node: node.node, atMs: this.#nowMs(), kind: 'power', key: null });
      this.#copies.delete(node); // a copy of a disk that has lost what the copy has is another fault
    }
    this.#startAgain(node, this.#random.chance(0.3) ? 5 : DOWN_MAX_MS);
  }

  /** As many as make a majority of the copies, at once. */
  #severalDown(): void {
    const { cluster } = this.#world;
    const left = [...cluster.nodes];
    for (let count = majorityOf(cluster.replicaCount); count > 0 && left.length > 0; count--) {
      const [node] = left.splice(this.#random.int(left.length), 1);
      if (node !== undefined) this.#down(node, this.#random.chance(0.5) ? 'kill' : 'power');
    }
  }

  /** After a while; now and then it goes down again while it is still reading its log. */
  #startAgain(node: SimNode, withinMs: number): void {
    const downMs = this.#random.float() * withinMs;
    node.restartAfter(downMs);
    if (this.#random.chance(0.2))
      this.#world.network.time.after(downMs + this.#random.float() * 20, () => {
        if (this.#over || node.state !== 'starting') return;
        this.#world.say(`node ${node.node}: killed while it starts`);
        node.crash('kill');
        node.restartAfter(this.#random.float() * 500);
      });
  }

  #pause(node: SimNode): void {
    const ms = this.#random.chance(0.5) ? between(this.#random, 1, 700) : between(this.#random, 700, 8_000);
    const { process } = node;
    if (process === null) return;
    this.#world.say(`node ${node.node} stands still for ${Math.round(ms)} ms`);
    process.pause();
    this.#world.network.time.after(ms, () => {
      process.resume();
    });
  }

  #worsenDisk(node: SimNode, kind: 'slow-disk' | 'full-disk' | 'failing-disk'): void {
    this.#world.say(`node ${node.node}: ${kind}`);
    const end = disks.worsen(node, kind, this.#random);
    this.#world.network.time.after(between(this.#random, 100, 6_000), end);
  }

  #destroy(node: SimNode, kind: 'lost-disk' | 'rollback' | 'rot-log' | 'rot-file'): void {
    const doubt = (key: string | null): void => {
      const isNoticed = kind === 'lost-disk';
      this.#world.doubts.add({ node: node.node, atMs: this.#nowMs(), kind: 'destroyed', key, isNoticed });
    };
    if (kind === 'rot-file') {
      const key = disks.rotFile(node, this.#random);
      if (key === null) return;
      this.#world.say(`node ${node.node}: a bit flips in the file, under ${key.slice(0, 12)}`);
      doubt(key);
      return;
    }
    const copy = this.#copies.get(node);
    if (kind === 'rollback' && copy === undefined) {
      this.#world.say(`node ${node.node}: its disk is copied`);
      this.#copies.set(node, node.copyDisk());
      return;
    }
    if (kind !== 'rot-log' && !this.#mayForget(node)) return;
    this.#world.say(`node ${node.node}: ${kind}`);
    node.crash(kind === 'rot-log' ? 'kill' : 'power');
    if (kind === 'lost-disk') node.loseDisk();
    else if (kind === 'rot-log') {
      disks.rotLog(node, this.#random);
      node.beginLife();
    } else if (copy !== undefined) node.rollBack(copy);
    this.#copies.delete(node);
    doubt(null);
    this.#startAgain(node, DOWN_MAX_MS);
  }

  /** Where the ring changes, it must go on doing so: its voters are not all robbed of their memory. Nowhere is it lost. */
  #mayForget(node: SimNode): boolean {
    const { cluster, options } = this.#world;
    const hasToChange = Number.isFinite(options.changeEveryMs) || options.upgrade !== null;
    if (!(cluster instanceof RingCluster)) return true;
    if (hasToChange ? !cluster.mayForget(node, this.#nowMs()) : !cluster.isRingKeptWithout(node)) return false;
    cluster.forgets(node, this.#nowMs());
    return true;
  }

  #setClock(who: SimNode | SimClient): void {
    const max = this.#world.options.skewMaxMs;
    who.clock.offsetMs = Math.round(between(this.#random, -max, max));
    this.#world.say(`the clock of ${who.host.name} is off by ${who.clock.offsetMs} ms`);
  }

  #disturb(kind: NetworkFault, everyMs: number): void {
    const { network, cluster, clients } = this.#world;
    const nodes = cluster.nodes.map(({ host }) => host);
    const hosts = [...nodes, ...clients.map(({ host }) => host)];
    this.#world.say(`network: ${kind}`);
    beginNetworkFault(kind, { network, nodes, hosts, random: this.#random, lastsMs: Math.max(1_500, 2 * everyMs) });
  }

  #nowMs(): number {
    return this.#world.network.time.monotonicMs();
  }
}
