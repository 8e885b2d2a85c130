/*
 * The links to all other members of the ring, and their heartbeats.
 *
 * Whoever shares a partition with us gets a heartbeat every second. The others may have to stand in for an owner, or
 * hold a hint of ours: they get one every other second, which is still within the silence that makes a peer suspect.
 *
 * Files of partitions have connections of their own (bulk-link.ts), which are there while they are used.
 */
import type { Clock, TimerHandle, Timers } from '../../env/clock.js';
import type { Log } from '../../env/meter.js';
import type { Random } from '../../env/random.js';
import type { Dialer } from '../../env/transport.js';
import type { PeerTable } from '../../coordinator/peer-table.js';
import type { BufferPool } from '../../lib/buffer-pool.js';
import { DeadlineWheel } from '../../lib/deadline-wheel.js';
import { type Build, isUnderstood } from '../../model/build.js';
import type { RingDocument, RingMember } from '../../ring/document.js';
import { BulkLink } from './bulk-link.js';
import type { PeerCredentials } from './credentials.js';
import { PeerLink, type PeerLinkState } from './link.js';
import { PeerRequestPool } from './request.js';
import { type SeedQuestion, SeedVisit } from './seed-visit.js';
import { HEARTBEAT_MS, PEER_SETTINGS, type PeerSettings } from './settings.js';
import type { PeerWorld } from './world.js';

const BEATS_OF_STRANGERS = 2;

export interface PeerLinksOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly dialer: Dialer;
  readonly log: Log;
  readonly pool: BufferPool;
  readonly credentials: PeerCredentials;
  /** Learns of every request and heartbeat; `setRing` adds and removes its members. */
  readonly table: PeerTable;
  readonly settings?: PeerSettings;
  /** A member has told, and proved, that a newer ring leaves this node out. */
  readonly onRemoved?: (ringVersion: number) => void;
}

/** For whoever looks at the node. */
export interface PeerStatus {
  readonly ordinal: number;
  readonly nodeId: string;
  readonly address: string;
  readonly state: PeerLinkState;
  readonly reason: string;
  readonly inFlight: number;
  readonly queuedBytes: number;
  readonly roundTripMs: number;
  readonly offsetMs: number | null;
  readonly ringVersion: number;
  /** Of the process that was reached last; null: none was. */
  readonly build: Build | null;
}

export class PeerLinks {
  readonly #world: PeerWorld;
  readonly #links: Map<number, PeerLink> = new Map();
  /** Beside them: nothing is opened before it is asked. */
  readonly #bulk: Map<number, BulkLink> = new Map();
  #sharing: ReadonlySet<number> = new Set();
  readonly #visits: Set<SeedVisit> = new Set();
  #timer: TimerHandle | null = null;
  #beats = 0;

  constructor(options: PeerLinksOptions) {
    const { clock, timers, random, dialer, log, pool, credentials, table } = options;
    this.#world = {
      clock,
      timers,
      random,
      dialer,
      log,
      pool,
      credentials,
      table,
      wheel: new DeadlineWheel(clock, timers),
      requests: new PeerRequestPool(),
      settings: options.settings ?? PEER_SETTINGS,
      onRemoved: options.onRemoved ?? (() => undefined),
    };
  }

  /** Dials every other member of the ring that the credentials name. */
  start(): void {
    this.setRing(this.#world.credentials.ring);
    this.#beatLater();
  }

  /** Everything under way ends as lost; the links are not to be used any more. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    for (const ordinal of [...this.#links.keys()]) this.#remove(ordinal);
    for (const visit of this.#visits) visit.stop();
  }

  /** Asks whoever of this cluster answers at an address; false: somebody is being asked there. */
  visit(address: string, question: SeedQuestion): boolean {
    if ([...this.#visits].some((visit) => visit.address === address)) return false;
    const visit = new SeedVisit(address, this.#world, question, () => {
      this.#visits.delete(visit);
    });
    this.#visits.add(visit);
    visit.start();
    return true;
  }

  /** A newer ring: members that are gone lose their link, new ones and those that have moved get one. */
  setRing(ring: RingDocument): void {
    const { credentials } = this.#world;
    credentials.ring = ring;
    const self = credentials.memberOf(credentials.nodeId)?.ordinal;
    const others = new Map(ring.members.filter(({ ordinal }) => ordinal !== self).map((it) => [it.ordinal, it]));
    this.#sharing = sharingWith(self, ring);
    for (const [ordinal, link] of [...this.#links]) {
      const member = others.get(ordinal);
      // Who does not understand the level of this ring is dialed anew, and told so.
      const isTooOld = link.build !== null && !isUnderstood(ring.level, link.build);
      if (member === undefined || !isSamePlace(member, link.member) || isTooOld) this.#remove(ordinal);
    }
    for (const member of others.values()) if (!this.#links.has(member.ordinal)) this.#add(member);
  }

  /** Undefined: no member has that ordinal, or it is ours. */
  get(ordinal: number): PeerLink | undefined {
    return this.#links.get(ordinal);
  }

  /** As `get`: for what is large and can wait. */
  bulk(ordinal: number): BulkLink | undefined {
    return this.#bulk.get(ordinal);
  }

  status(): readonly PeerStatus[] {
    return [...this.#links.values()].map((link) => ({
      ordinal: link.ordinal,
      nodeId: link.member.nodeId,
      address: link.member.peerAddress,
      state: link.state,
      reason: link.reason,
      inFlight: link.inFlight,
      queuedBytes: link.queuedBytes,
      roundTripMs: link.roundTripMs,
      offsetMs: link.clockWatch.offsetMs,
      ringVersion: link.ringVersion,
      build: link.build,
    }));
  }

  #add(member: RingMember): void {
    const { table, clock } = this.#world;
    const link = new PeerLink(member, this.#world);
    this.#links.set(member.ordinal, link);
    this.#bulk.set(member.ordinal, new BulkLink(member, this.#world));
    table.add(member.ordinal, clock.monotonicMs());
    link.open();
  }

  #remove(ordinal: number): void {
    const link = this.#links.get(ordinal);
    this.#links.delete(ordinal);
    link?.close();
    const bulk = this.#bulk.get(ordinal);
    this.#bulk.delete(ordinal);
    bulk?.close();
    this.#world.table.remove(ordinal);
  }

  #beatLater(): void {
    this.#timer = this.#world.timers.after(HEARTBEAT_MS, () => {
      this.#beats += 1;
      for (const link of this.#links.values()) {
        link.look(this.#sharing.has(link.ordinal) || this.#beats % BEATS_OF_STRANGERS === 0);
      }
      for (const bulk of this.#bulk.values()) bulk.look();
      this.#beatLater();
    });
  }
}

function isSamePlace(a: RingMember, b: RingMember): boolean {
  return a.nodeId === b.nodeId && a.peerAddress === b.peerAddress;
}

/** Ordinals of those that own a partition together with `self`. */
function sharingWith(self: number | undefined, ring: RingDocument): Set<number> {
  const sharing = new Set<number>();
  const { owners, replicaCount } = ring;
  for (let row = 0; row < owners.length; row += replicaCount) {
    const together = owners.slice(row, row + replicaCount);
    if (self !== undefined && together.includes(self)) for (const owner of together) sharing.add(owner);
  }
  return sharing;
}
