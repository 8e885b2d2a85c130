/*
 * One node: connections in, requests to the storage, answers out. Knows only env/, so the simulator runs this very code.
 *
 * The way of a put: `acceptor` gives each connection a Session → its frames arrive at `dispatch` → a PutOperation decides on
 * top of what is stored → the storage makes it durable → `onStored` writes the answer into the connection's output.
 */
import type { Slices } from '../background/slices.js';
import type { Random } from '../env/random.js';
import type { Clock, Timers, TimerHandle } from '../env/clock.js';
import type { Log, Meter } from '../env/meter.js';
import type { Acceptor, Connection, ConnectionEvents } from '../env/transport.js';
import { assert } from '../lib/assert.js';
import type { BufferPool } from '../lib/buffer-pool.js';
import type { Build } from '../model/build.js';
import { failure } from '../model/errors.js';
import type { CommitFacts } from '../model/cluster-facts.js';
import type { Hash64 } from '../model/hash.js';
import type { RingDocument } from '../ring/document.js';
import type { RingEdit } from '../ring/edits.js';
import type { Storage } from '../storage/storage.js';
import type { Hlc } from '../versioning/hlc.js';
import { Background, type BackgroundOptions } from './background.js';
import { ByteBudget } from './byte-budget.js';
import type { ArchivePasser } from './cluster/archive-passer.js';
import type { ChangeOutcome, RingWish } from './cluster/change-outcome.js';
import { Cluster, type ClusterStatus } from './cluster/cluster.js';
import type { ClusterOptions } from './cluster/options.js';
import { Dispatcher, type Works } from './dispatcher.js';
import type { Greeting } from './greeting.js';
import { GetOperation } from './get.js';
import { acceptHello } from './hello.js';
import type { Incoming } from './incoming.js';
import type { PeerCredentials } from './peers/credentials.js';
import { PING } from '../wire/kinds.js';
import { PutOperation } from './put.js';
import { type BackgroundView, Services } from './services.js';
import { Session, type SessionHost } from './session.js';
import { type NodeSettings, SWEEP_INTERVAL_MS } from './settings.js';

export interface NodeOptions {
  readonly settings: NodeSettings;
  readonly storage: Storage;
  readonly hash: Hash64;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly hlc: Hlc;
  readonly ring: RingDocument;
  readonly nodeId: string;
  /** This node's, from the ring. */
  readonly ordinal: number;
  readonly meter: Meter;
  readonly log: Log;
  /** The one that the connections answer from. */
  readonly pool: BufferPool;
  /** Absent: BUILD. */
  readonly build?: Build;
  /** Absent: this node is a cluster of its own, and its peer listener refuses everybody. */
  readonly peers?: PeerService;
  /** Absent: this node is a cluster of its own, with a store and nothing else. */
  readonly cluster?: ClusterOptions;
  /** Absent: background work takes what it wants, and nothing is scrubbed. */
  readonly background?: BackgroundOptions;
}

/** What this node does for others of its cluster, once they have proved who they are. */
export interface PeerService {
  readonly credentials: PeerCredentials;
  /** A frame of kind 0x40..0x7f from `session.acceptance.member`; ends in exactly one `session.finish`. */
  serve(session: Session, frame: Incoming): void;
}

export class PartitaNode implements SessionHost {
  readonly settings: NodeSettings;
  readonly budget: ByteBudget;
  readonly pool: BufferPool;
  readonly #options: NodeOptions;
  readonly #services: Services;
  readonly #dispatcher: Dispatcher;
  readonly #background: Background;
  readonly #cluster: Cluster | null;
  readonly #peers: PeerService | null;
  readonly #sessions: Set<Session> = new Set();
  #sweepTimer: TimerHandle;
  #onIdle: (() => void) | null = null;
  #draining = false;

  constructor(options: NodeOptions) {
    this.settings = options.settings;
    this.budget = new ByteBudget(options.settings.inFlightBytesMax);
    this.pool = options.pool;
    this.#options = options;
    this.#services = new Services(options);
    const alone: Works = {
      newGet: () => new GetOperation(this.#services),
      newPut: () => new PutOperation(this.#services),
    };
    this.#background = new Background(this.#services, options, options.background ?? null);
    this.#services.background = this.#background;
    this.#cluster = clusterOf(this.#services, options, this.#background.slices);
    const shared = options.cluster?.isLone === true ? null : this.#cluster;
    this.#services.isLone = shared === null;
    this.#peers = options.peers ?? shared;
    this.#dispatcher = new Dispatcher(this.#services, shared ?? alone);
    this.#sweepTimer = options.timers.after(SWEEP_INTERVAL_MS, () => {
      this.#sweep();
    });
    this.#background.start(shared?.damage ?? null);
  }

  /** For the three listeners; each connection says by its group which of them it came in by. */
  get acceptor(): Acceptor {
    return (connection: Connection): ConnectionEvents => {
      const session = new Session(connection, this);
      this.#sessions.add(session);
      if (this.#draining)
        session.refuse(0, failure('DRAINING', 'This node is being stopped: connect to another, or again later'));
      return session;
    };
  }

  get ringVersion(): number {
    return this.#services.ring.version;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  acceptHello(session: Session, frame: Incoming): Greeting {
    return acceptHello(this.#services, session, frame, this.#peers?.credentials ?? null);
  }

  dispatch(session: Session, frame: Incoming): void {
    if (session.group === 'peer' && frame.kind !== PING && this.#peers !== null) this.#peers.serve(session, frame);
    else this.#dispatcher.dispatch(session, frame);
  }

  onSessionClosed(session: Session): void {
    this.#sessions.delete(session);
    this.#tellIfIdle();
  }

  later(fire: () => void): void {
    this.#options.timers.after(Math.max(this.settings.delayMs, 1), fire);
  }

  /**
   * Takes no more requests; calls back when every answer is out and every connection closed, or after `graceMs`, when what
   * is left is cut off.
   */
  drain(reason: string, graceMs: number, done: () => void): void {
    this.#draining = true;
    this.#onIdle = done;
    for (const session of [...this.#sessions]) session.drain(reason);
    this.#options.timers.after(graceMs, () => {
      for (const session of [...this.#sessions]) session.connection.destroy('The node is being stopped');
    });
    this.#tellIfIdle();
  }

  /** Stops the node's own timers. */
  stop(): void {
    this.#sweepTimer.cancel();
    this.#background.stop();
    this.#cluster?.stop();
  }

  /** The other members and the hints kept for them; null: nobody else can be a member. */
  clusterStatus(): ClusterStatus | null {
    return this.#options.cluster?.isLone === true ? null : (this.#cluster?.status() ?? null);
  }

  /** What archives and restores ask; null: this node is a cluster of its own. */
  get archives(): ArchivePasser | null {
    return this.#services.archives;
  }

  /** How background work fares here. */
  get background(): BackgroundView {
    return this.#background;
  }

  /** Has the voters decide on a ring with other members; a node that is a cluster of its own has none. */
  changeRing(edits: readonly RingEdit[], wish: RingWish, done: (outcome: ChangeOutcome) => void): void {
    if (this.#cluster === null) done({ kind: 'refused', text: 'This node is a cluster of its own' });
    else this.#cluster.changeRing(edits, wish, done);
  }

  /** By force, where too few voters are left that remember what they voted for. */
  nameVoters(lost: readonly number[], done: (outcome: ChangeOutcome) => void): void {
    if (this.#cluster === null) done({ kind: 'refused', text: 'This node is a cluster of its own' });
    else this.#cluster.nameVoters(lost, done);
  }

  /** Raises the feature level of the cluster to what all its members understand. */
  finalize(done: (facts: CommitFacts) => void): void {
    const { ringAdmin } = this.#services;
    if (ringAdmin === null) throw new Error('A cluster of its own has no level to raise');
    ringAdmin.finalize(done);
  }

  /** Compares what this node holds with what others hold, now and not when it is due: those that it calls. */
  meetOwners(): void {
    this.#services.repair?.startAll('called');
  }

  #tellIfIdle(): void {
    if (this.#onIdle === null || this.#sessions.size > 0) return;
    const done = this.#onIdle;
    this.#onIdle = null;
    done();
  }

  #sweep(): void {
    const nowMs = this.nowMs();
    for (const session of [...this.#sessions]) session.sweep(nowMs);
    this.#services.loads.roll(this.#options.clock.wallMs());
    this.#sweepTimer = this.#options.timers.after(SWEEP_INTERVAL_MS, () => {
      this.#sweep();
    });
  }
}

function clusterOf(services: Services, options: NodeOptions, slices: Slices): Cluster | null {
  const { cluster, ring, ordinal, timers, random, pool, meter } = options;
  assert(
    cluster !== undefined || ring.members.length === 1 || options.peers !== undefined,
    'a member of several has peers',
  );
  return cluster === undefined
    ? null
    : new Cluster({ services, ordinal, timers, random, pool, meter, slices }, cluster);
}
