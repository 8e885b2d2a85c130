/*
 * A member of a ring of several nodes: what it shares with the others, put together. Gets and puts of clients come in by
 * `newGet` and `newPut`, requests of other members by `serve`.
 *
 *   client ─▶ ClusterPut ─▶ coordinator/replicated-put ─┬─▶ PutOperation ─▶ storage
 *                                                       └─▶ PeerLink ─▶ STORE ─▶ PeerServer ─▶ RecordWrite ─▶ storage
 */
import type { NameOf } from '../../coordinator/failures.js';
import { HINT_LIMITS } from '../../coordinator/hint-book.js';
import { PeerTable } from '../../coordinator/peer-table.js';
import type { Slices } from '../../background/slices.js';
import type { Timers } from '../../env/clock.js';
import type { Meter } from '../../env/meter.js';
import type { Random } from '../../env/random.js';
import { DeadlineWheel } from '../../lib/deadline-wheel.js';
import type { BufferPool } from '../../lib/buffer-pool.js';
import type { RepairReply } from '../../model/exchange-messages.js';
import type { RingDocument } from '../../ring/document.js';
import type { RingEdit } from '../../ring/edits.js';
import type { ReapStorage } from '../../storage/reap-storage.js';
import { MergePlan } from '../../versioning/merge.js';
import type { Works } from '../dispatcher.js';
import type { Incoming } from '../incoming.js';
import type { DamageRepair } from '../scrubber.js';
import { PeerCredentials } from '../peers/credentials.js';
import { PeerLinks, type PeerStatus } from '../peers/links.js';
import type { Services } from '../services.js';
import type { Session } from '../session.js';
import type { ChangeOutcome, RingWish } from './change-outcome.js';
import { ClusterGet } from './cluster-get.js';
import { ClusterPut } from './cluster-put.js';
import { Fences } from './fences.js';
import type { GossipStatus } from '../../model/gossip-messages.js';
import { HintKeeper, type HintsKept } from './hint-keeper.js';
import { gatherLoads } from './load-asks.js';
import { ClusterMeters } from './meters.js';
import type { MoveStatus } from './move-driver.js';
import type { ClusterOptions } from './options.js';
import { Origins } from './origins.js';
import type { ClusterParts } from './parts.js';
import { PeerServer } from './peer-server.js';
import { Exchanges } from './exchanges.js';
import { ExchangeServer } from './exchange-server.js';
import { Preferences } from './preferences.js';
import { ReapMember } from './reap-member.js';
import { Reaper, type ReapSummary } from './reaper.js';
import { RingLife } from './ring-life.js';
import { RingLogServer } from './ring-log-server.js';
import { Repairs } from './repairs.js';

/** A hint that was refused for its fence is delivered again anyway; until then the fence is to be reached. */
const REACH_MS = 2_000;

export interface ClusterWorld {
  readonly services: Services;
  readonly ordinal: number;
  readonly timers: Timers;
  readonly random: Random;
  readonly pool: BufferPool;
  readonly meter: Meter;
  /** Of the node's background work. */
  readonly slices: Slices;
}

export interface ClusterStatus {
  readonly peers: readonly PeerStatus[];
  readonly hints: readonly HintsKept[];
  readonly repair: RepairReply;
  /** Replicas that reads have brought up to date, since the start; ClusterMeters. */
  readonly readRepairs: { readonly young: number; readonly settled: number; readonly dropped: number };
  /** Of each partition that this node owns, what the last look at its deletes has found. */
  readonly tombstones: readonly ReapSummary[];
  /** Replicas on their way to this node. */
  readonly moves: readonly MoveStatus[];
  /** What is heard of all members, from all members. */
  readonly gossip: GossipStatus;
  /** Partitions that are not this node's any more, and of which it still holds something. */
  readonly departing: readonly number[];
}

export class Cluster implements ClusterParts, Works {
  readonly services: Services;
  readonly self: number;
  readonly timers: Timers;
  readonly credentials: PeerCredentials;
  readonly links: PeerLinks;
  readonly table: PeerTable;
  readonly wheel: DeadlineWheel;
  readonly preferences: Preferences;
  readonly origins: Origins;
  readonly hints: HintKeeper;
  readonly reaps: ReapStorage;
  readonly fences: Fences;
  readonly reaper: Reaper;
  readonly meters: ClusterMeters;
  readonly merge: MergePlan = new MergePlan();
  readonly nameOf: NameOf;
  readonly repairs: Repairs;
  readonly damage: DamageRepair;
  readonly #server: PeerServer;
  readonly #exchanges: Exchanges;
  readonly #life: RingLife;

  /** Dials the other members at once. */
  constructor(world: ClusterWorld, options: ClusterOptions) {
    const { services, ordinal, timers, random, pool, meter, slices } = world;
    const { ring, clock, log, nodeId } = services;
    const { secret, digest, dialer, hints, replicas, drops, repairPeriodMs } = options;
    this.services = services;
    this.self = ordinal;
    this.timers = timers;
    this.table = new PeerTable(ordinal);
    this.wheel = new DeadlineWheel(clock, timers);
    this.preferences = new Preferences(ring, ordinal);
    this.origins = new Origins(nodeId, ring.version);
    this.meters = new ClusterMeters(meter);
    this.nameOf = (node) => nameIn(services.ring, node);
    this.credentials = new PeerCredentials({ nodeId, secret, digest, random, ring, build: services.build });
    this.links = new PeerLinks({
      clock,
      timers,
      random,
      dialer,
      log,
      pool,
      credentials: this.credentials,
      table: this.table,
      onRemoved: options.onRemoved,
    });
    const { table, links, preferences, meters } = this;
    this.reaps = options.reaps;
    const reach = (partition: number, fence: number): void => {
      this.fences.reach(partition, fence, REACH_MS, () => undefined);
    };
    const seen = { services, self: ordinal, timers, slices, links, table, preferences, meters };
    const isDeparting = (partition: number): boolean => this.#exchanges.departures.holds(partition);
    this.hints = new HintKeeper({ ...seen, storage: hints, reaps: this.reaps, reach, isDeparting });
    services.hintStatus = () => this.hints.kept();
    services.hintBytesMax = options.isLone === true ? 0 : HINT_LIMITS.bytesMax;
    services.gatherLoads = (windows, timeoutMs, done) => {
      gatherLoads(this, windows, timeoutMs, done);
    };
    this.repairs = new Repairs(this);
    this.#exchanges = new Exchanges({ parts: this, replicas, drops, slices, random, meter, periodMs: repairPeriodMs });
    services.repair = this.#exchanges;
    this.damage = this.#exchanges.damaged;
    this.links.start();
    this.fences = new Fences(this, this.reaps);
    const member = new ReapMember(this, options.reaping);
    this.reaper = new Reaper(this, member, options.reaping, slices);
    services.reapTextOf = (place, stored) => this.reaper.textOf(place, stored);
    this.#server = new PeerServer(this, this.credentials, new ExchangeServer(this, replicas, slices), member);
    this.#exchanges.start();
    this.#life = new RingLife({
      parts: this,
      clock,
      timers,
      random,
      meter,
      exchanges: this.#exchanges,
      slices,
      options,
      apply: (newer) => {
        this.#apply(newer);
      },
    });
    this.#server.ringLog = new RingLogServer(this.#life.ringLog);
    this.#server.gossiper = this.#life.gossiper;
    services.ringAdmin = this.#life.admin;
    this.#server.transfers = this.#life.transfers;
    this.#server.survey = this.#life.survey;
    this.#server.archives = this.#life.archives;
    services.archives = this.#life.archives;
  }

  /** Has the voters decide on a ring with other members. */
  changeRing(edits: readonly RingEdit[], wish: RingWish, done: (outcome: ChangeOutcome) => void): void {
    this.#life.change(edits, wish, done);
  }

  /** Where too few voters are left that remember what they voted for. */
  nameVoters(lost: readonly number[], done: (outcome: ChangeOutcome) => void): void {
    this.#life.nameVoters(lost, done);
  }

  /** In one turn: nobody sees one half of the node by the old ring and the other by the new one. */
  #apply(ring: RingDocument): void {
    this.services.setRing(ring);
    this.preferences.setRing(ring);
    this.origins.setRing(ring.version);
    this.links.setRing(ring);
    this.hints.reroute();
    this.fences.setRing();
    this.#exchanges.setRing();
  }

  nowMs(): number {
    return this.services.clock.monotonicMs();
  }

  newGet(): ClusterGet {
    return new ClusterGet(this);
  }

  newPut(): ClusterPut {
    return new ClusterPut(this);
  }

  serve(session: Session, frame: Incoming): void {
    this.#server.serve(session, frame);
  }

  status(): ClusterStatus {
    return {
      peers: this.links.status(),
      hints: this.hints.kept(),
      repair: this.#exchanges.status(),
      readRepairs: this.meters.readRepairs,
      tombstones: this.reaper.summaries(),
      moves: this.#life.moves(),
      gossip: this.#life.gossip(),
      departing: this.#exchanges.departures.partitions,
    };
  }

  /** What is under way to others ends as lost, and is kept for them as hints. */
  stop(): void {
    this.#life.stop();
    this.#exchanges.stop();
    this.reaper.stop();
    this.fences.stop();
    this.links.stop();
    this.hints.stop();
  }
}

function nameIn({ members }: RingDocument, node: number): string {
  const member = members.find(({ ordinal }) => ordinal === node);
  return member === undefined ? `node ${node}` : `node ${node} (${member.peerAddress})`;
}
