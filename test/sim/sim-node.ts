/*
 * A whole server on a machine of its own: the real PartitaNode on the real Engine, on a simulated disk, a twin of the
 * partition files, a pool with drawn delays and a clock that may be wrong. It starts, crashes, stops and comes back as a
 * process under systemd does; what survives between two starts is the machine's: disk, files, clock, place in the network.
 */
import { BufferPool } from '../../src/lib/buffer-pool.js';
import { type Flow, run, wait } from '../../src/lib/flow.js';
import type { Prng } from '../../src/lib/prng.js';
import { BUILD, type Build } from '../../src/model/build.js';
import { nodeId } from '../../src/model/ids.js';
import type { ClusterOptions } from '../../src/node/cluster/options.js';
import { PartitaNode } from '../../src/node/node.js';
import type { RingDocument } from '../../src/ring/document.js';
import type { Engine } from '../../src/storage/engine.js';
import { ACCEPTOR_PATH, AcceptorFile } from '../../src/storage/acceptor-file.js';
import { NodeMetaFile } from '../../src/storage/node-meta.js';
import type { RingSlots } from '../../src/storage/ring-slots.js';
import { Hlc } from '../../src/versioning/hlc.js';
import { MemoryMedium, MemoryPartitionFiles } from '../support/memory-partition-file.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import type { CountingMeter } from './counting-meter.js';
import type { Mutant } from './mutants/mutant.js';
import { Host, type SimulatedNetwork } from './network.js';
import { logOf } from './node-log.js';
import { openNodeEngine } from './node-engine.js';
import { openRings } from './node-rings.js';
import type { Observer, StoreIdentity } from './observer.js';
import { watchedDrops } from './watched-drops.js';
import { WatchedStorage } from './watched-storage.js';
import { BACKGROUND, NODE_SETTINGS, reapingOf, scrubOf, type SimOptions } from './options.js';
import { SimProcess, type SkewedClock } from './process.js';
import type { KeptHints } from './kept-hints.js';
import type { Strangers } from './strangers.js';
import { HASH, KEYED_DIGEST, placeOf, randomFrom } from './tools.js';

/** What the world around a node offers it, and hears of it. */
export interface NodeWorld {
  readonly options: SimOptions;
  readonly network: SimulatedNetwork;
  readonly observer: Observer;
  readonly strangers: Strangers;
  readonly keptHints: KeptHints;
  readonly meter: CountingMeter;
  /** Bits that no disk rolls back. */
  readonly kernel: Prng;
  readonly mutant: Mutant | null;
  /** Somebody hears what is said. */
  readonly isTold: boolean;
  say(text: string): void;
  /** Something happened that no fault explains. */
  violation(text: string): void;
  /** The id that the ring has given to this node; null: it draws its own. */
  nodeIdFor(node: SimNode): string | null;
  /** The ring that the node with this id starts with; called once a life of its disk. */
  ringFor(node: SimNode, nodeId: string): RingDocument;
  /** It lives by this ring from now on. */
  onRing(node: SimNode, ring: RingDocument): void;
  onLeft(node: SimNode): void;
  /** The machine that has the address, of clients or of peers. */
  hostOf(address: string): Host | undefined;
}

/** `left`: its ring has no place for it any more; it does not start again. */
export type NodeState = 'down' | 'starting' | 'up' | 'stopping' | 'left';

const SECRET = Buffer.from('the secret of the simulated cluster');
const DRAIN_GRACE_MS = 2_000;
const RESTART_MS = 300;
const SERVED_WELL_MS = 60_000;
const CAPACITY_BYTES = 128 * 1_048_576;

/** A disk at a moment, to be put back later. */
export interface DiskCopy {
  readonly disk: SimulatedDisk;
  readonly commits: MemoryMedium['commits'];
  readonly wasInitialised: boolean;
}

export class SimNode implements StoreIdentity {
  readonly node: number;
  readonly ordinal: number;
  readonly address: string;
  readonly peerAddress: string;
  readonly host: Host;
  readonly clock: SkewedClock = { offsetMs: 0 };
  readonly world: NodeWorld;
  build: Build = BUILD; // of the process that starts next
  state: NodeState = 'down';
  incarnation = 0;
  /** Under which it votes on rings. */
  acceptorId = '';
  life = 1;
  disk: SimulatedDisk;
  medium: MemoryMedium = new MemoryMedium();
  process: SimProcess | null = null;
  server: PartitaNode | null = null;
  engine: Engine | null = null;
  /** A fault that may make the engine give up or the start fail: so that it is no violation when they do. */
  mayFail = false;
  readonly capacityBytes: number = CAPACITY_BYTES;
  /** Taken away by a fault. */
  missingBytes = 0;
  readonly #random: Prng;
  #files: MemoryPartitionFiles | null = null;
  #meta: NodeMetaFile | null = null;
  #wasInitialised = false;
  /** Its disk is an earlier day's: whoever puts one back deletes what it has voted for since, and before. */
  #isPutBack = false;

  constructor(node: number, world: NodeWorld, random: Prng) {
    this.node = node;
    this.ordinal = node + 1;
    ({ address: this.address, peerAddress: this.peerAddress } = placeOf(this.ordinal));
    this.host = new Host(`n${node}`);
    this.world = world;
    this.#random = random;
    this.disk = this.#newDisk();
    this.medium.batchMsMax = world.options.engine.batchMs;
  }

  start(): void {
    if (this.state !== 'down') return;
    const { network, mutant } = this.world;
    this.state = 'starting';
    this.incarnation += 1;
    if (!this.host.powered) network.powerOn(this.host);
    const process = new SimProcess(this.host.name, network.time, this.clock, (error) => {
      this.#threw(process, error);
    });
    this.process = process;
    this.disk = this.disk.kill({ timers: process });
    const disk = mutant?.disk?.(this.disk) ?? this.disk;
    this.#files = new MemoryPartitionFiles(this.medium, disk, process, this.#random.fork());
    run(this.#opening(process), (error) => {
      if (error !== null) this.#startFailed(process, error);
    });
  }

  /** kill -9, or the machine loses its power. */
  crash(kind: 'kill' | 'power'): void {
    const { process } = this;
    if (process === null) return;
    if (kind === 'power') this.host.powered = false;
    process.end();
    this.#files?.crash();
    this.disk = kind === 'kill' ? this.disk.kill() : this.disk.crash();
    this.#forgetProcess();
  }

  /** It never comes back. */
  burn(): void {
    this.crash('power');
    this.state = 'left';
  }

  stop(): void {
    const { process, server, engine, state } = this;
    if (process === null || server === null || engine === null || state !== 'up') return;
    this.state = 'stopping';
    this.world.network.unlisten(this.address);
    this.world.network.unlisten(this.peerAddress);
    process.run(() => {
      server.drain('The node is being stopped', DRAIN_GRACE_MS, () => {
        server.stop();
        engine.close((error) => {
          if (error !== null) this.#stopped(process, error);
          else
            this.#meta?.close(() => {
              this.#stopped(process, null);
            });
        });
      });
    });
  }

  /** The disk is gone; a new one is put in. Only while it is down. */
  loseDisk(): void {
    this.life += 1;
    this.disk = this.#newDisk();
    this.medium = new MemoryMedium();
    this.medium.batchMsMax = this.world.options.engine.batchMs;
    this.missingBytes = 0;
    this.#wasInitialised = false;
  }

  /** Something on the disk is no longer what it was: what it had kept is not what it will remember. */
  beginLife(): void {
    this.life += 1;
  }

  copyDisk(): DiskCopy {
    return { disk: this.disk.clone(), commits: new Map(this.medium.commits), wasInitialised: this.#wasInitialised };
  }

  /** Only while it is down. */
  rollBack(copy: DiskCopy): void {
    this.life += 1;
    this.disk = copy.disk.clone({ capacityBytes: CAPACITY_BYTES });
    this.missingBytes = 0;
    this.medium.capacityBytes = Number.POSITIVE_INFINITY;
    this.medium.commits.clear();
    for (const [path, commit] of copy.commits) this.medium.commits.set(path, commit);
    this.#wasInitialised = copy.wasInitialised;
    this.#isPutBack = true;
  }

  #newDisk(): SimulatedDisk {
    return new SimulatedDisk({
      timers: this.world.network.time,
      random: this.#random.fork(),
      capacityBytes: CAPACITY_BYTES,
      delayMsMax: this.world.options.engine.diskDelayMs,
    });
  }

  *#opening(process: SimProcess): Flow<void> {
    const { world } = this;
    const { kernel, mutant, network } = world;
    const random = mutant?.random?.(randomFrom(kernel), this.ordinal) ?? randomFrom(kernel);
    const disk = mutant?.disk?.(this.disk) ?? this.disk;
    let meta = yield* NodeMetaFile.open(disk, HASH);
    if (meta === null && this.#wasInitialised) throw new Error('node.meta is gone');
    const given = world.nodeIdFor(this);
    meta ??= yield* NodeMetaFile.create(disk, HASH, random, given === null ? undefined : nodeId(given));
    this.#wasInitialised = true;
    this.#meta = meta;
    const { nodeId: id } = meta.meta;
    const { rings, ring } = yield* openRings(disk, this.build, () => world.ringFor(this, id));
    if (!ring.members.some(({ ordinal }) => ordinal === this.ordinal)) {
      this.#leave(process, ring.version);
      return;
    }
    world.onRing(this, ring);
    if (this.#isPutBack) {
      yield* wait<void>((done) => {
        disk.remove(ACCEPTOR_PATH, () => {
          done(null); // it may not have been there
        });
      });
      this.#isPutBack = false;
    }
    const acceptor = yield* AcceptorFile.open(disk, HASH, random);
    this.acceptorId = acceptor.acceptorId;
    const hlc = mutant?.forgetsClock === true ? new Hlc(0, 0) : new Hlc(meta.meta.hlcMs, meta.meta.hlcLogical);
    const engine = yield* openNodeEngine({
      shape: world.options.engine,
      partitionCount: world.options.partitionCount,
      hasOtherOwners: ring.replicaCount > 1,
      ordinal: this.ordinal,
      process,
      disk,
      files: this.#files as MemoryPartitionFiles,
      meta,
      hlc,
      random,
      draws: this.#random.fork(),
      observesClock: mutant?.forgetsClock !== true,
      log: logOf(this.world, this.node),
      fatal: (error) => {
        this.#fatal(process, error);
      },
    });
    if (process.ended) return; // it failed while it was being opened, in this very turn
    this.engine = engine;
    const hinted = world.keptHints.watch(engine, this.node);
    const watched = new WatchedStorage(world.strangers.watch(hinted, this.node), this.node, world.observer);
    const mutantWorld = {
      ordinal: this.ordinal,
      random: randomFrom(this.#random.fork()),
      after: (delayMs: number, fire: () => void): void => {
        process.after(delayMs, fire);
      },
      nowMs: () => process.monotonicMs(),
    };
    const storage = mutant?.storage?.(watched, mutantWorld) ?? watched;
    const server = new PartitaNode({
      settings: { ...NODE_SETTINGS, retryWindowS: world.options.reap.retryWindowS },
      storage,
      hash: HASH,
      clock: process,
      timers: process,
      random,
      hlc,
      ring,
      nodeId: meta.meta.nodeId,
      ordinal: this.ordinal,
      build: this.build,
      meter: world.meter,
      log: logOf(this.world, this.node),
      pool: new BufferPool(0),
      background: {
        ...BACKGROUND,
        scrub: { store: engine.scrub, ...scrubOf(world.options, !meta.lastStop.clean && meta.meta.opening > 1) },
      },
      cluster: this.#clusterOptions(process, engine, rings, acceptor),
    });
    process.after(SERVED_WELL_MS, () => {
      meta.update({ uncleanStarts: 0 }, () => undefined);
    });
    this.server = server;
    this.state = 'up';
    network.listen(this.address, 'client', this.host, process, server.acceptor);
    network.listen(this.peerAddress, 'peer', this.host, process, server.acceptor);
    world.say(`node ${this.node} is up, opening ${meta.meta.opening}`);
  }

  #clusterOptions(process: SimProcess, engine: Engine, rings: RingSlots, acceptor: AcceptorFile): ClusterOptions {
    const { network, strangers } = this.world;
    const dialer = network.dialer(this.host, process, (address) => this.world.hostOf(address));
    const { reap, repairPeriodMs, movesFiles } = this.world.options;
    return {
      secret: SECRET,
      isLone: this.world.options.cluster.kind === 'single',
      digest: KEYED_DIGEST,
      dialer,
      hints: strangers.watchHints(this.world.keptHints.watchHints(engine.hints, this.node), this.node),
      replicas: engine,
      drops: watchedDrops(engine, this.node, this.world),
      repairPeriodMs,
      reaps: engine.reaps,
      reaping: reapingOf(reap),
      acceptor,
      ...(movesFiles ? { files: { moves: strangers.watchMoves(engine.moves, this.node), disk: this.disk } } : {}),
      rings: {
        kept: rings.document,
        save: (document, done) => {
          rings.save(document, (error) => {
            if (error === null) done(null);
            else this.#fatal(process, error);
          });
        },
      },
      onRing: (ring) => {
        this.world.onRing(this, ring);
      },
      onRemoved: (version) => {
        this.#leave(process, version);
      },
    };
  }

  #leave(process: SimProcess, version: number): void {
    if (process.ended) return;
    this.world.say(`node ${this.node} is not in ring ${version}: it stops for good`);
    this.crash('kill');
    this.state = 'left';
    this.world.onLeft(this);
  }

  #startFailed(process: SimProcess, error: Error): void {
    if (process.ended) return;
    this.world.say(`node ${this.node} cannot start: ${error.message}`);
    if (!this.mayFail) this.world.violation(`node ${this.node} cannot start: ${error.message}`);
    this.#die(process);
  }

  #fatal(process: SimProcess, error: Error): void {
    if (process.ended) return;
    this.world.say(`node ${this.node} gives up: ${error.message}`);
    if (!this.mayFail) this.world.violation(`node ${this.node} gives up: ${error.message}`);
    this.#die(process);
  }

  #threw(process: SimProcess, error: unknown): void {
    if (process.ended) return;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.world.violation(`node ${this.node} threw: ${text}`);
    this.#die(process);
  }

  #stopped(process: SimProcess, error: Error | null): void {
    if (process.ended) return;
    if (error !== null && !this.mayFail)
      this.world.violation(`node ${this.node} did not stop cleanly: ${error.message}`);
    this.#die(process);
  }

  /** The process has ended by itself; systemd starts it again. */
  #die(process: SimProcess): void {
    if (this.process !== process) return;
    this.crash('kill');
    this.restartAfter(RESTART_MS);
  }

  restartAfter(delayMs: number): void {
    this.world.network.time.after(delayMs, () => {
      this.start();
    });
  }

  #forgetProcess(): void {
    this.process = null;
    this.server = null;
    this.engine = null;
    this.#files = null;
    this.#meta = null;
    if (this.state !== 'left') this.state = 'down';
  }
}
