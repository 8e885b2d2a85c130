/*
 * Anti-entropy of one node: which owners it meets and when is decided in repair/exchange-schedule.ts; here the clock is
 * looked at, meetings are begun and counted, and what has healed is told to the store.
 */
import { PaidAfter } from '../../background/paid-after.js';
import type { Slices } from '../../background/slices.js';
import type { TimerHandle } from '../../env/clock.js';
import type { Meter } from '../../env/meter.js';
import type { Random } from '../../env/random.js';
import type { RepairReply } from '../../model/exchange-messages.js';
import {
  ExchangeSchedule,
  type Meeting,
  type MeetingResult,
  type OwnedPartition,
} from '../../repair/exchange-schedule.js';
import { NOBODY } from '../../ring/moves.js';
import type { PartitionDrops } from '../../storage/move-storage.js';
import type { ReplicaStorage } from '../../storage/replica-storage.js';
import { DamagedRecords } from './damaged-records.js';
import { Departures } from './departures.js';
import { ExchangeMeters } from './exchange-meters.js';
import { type MeetingParts, OwnerMeeting } from './owner-meeting.js';
import type { ClusterParts } from './parts.js';

/** Meetings that this node has begun at once. Mostly they wait for an answer; what they move is paid for in slices. */
const UNDER_WAY_MAX = 8;
const LOOK_MS = 1_000;
/** While something is suspect: its peers may have come up meanwhile. */
const LOOK_MS_IN_NEED = 200;

export interface ExchangeWorld {
  readonly parts: ClusterParts;
  readonly replicas: ReplicaStorage;
  readonly drops: PartitionDrops;
  readonly slices: Slices;
  readonly random: Random;
  readonly meter: Meter;
  /** Every pair of owners meets so often. */
  readonly periodMs: number;
}

export class Exchanges {
  readonly #world: ExchangeWorld;
  readonly #meters: ExchangeMeters;
  readonly #schedule: ExchangeSchedule;
  readonly damaged: DamagedRecords;
  readonly departures: Departures;
  readonly #meetingParts: MeetingParts;
  #partitions: number;
  readonly #isHealthy: (peer: number) => boolean;
  #timer: TimerHandle | null = null;
  #underWay = 0;
  #stopped = false;
  /** Since partitions were last suspect: how many are believed again, and how many of them by nobody. */
  #healed = 0;
  #together = 0;
  /** Partitions of the next ring. */
  #expected: ReadonlySet<number> = new Set();
  readonly #held: Record<'move' | 'restore', ReadonlySet<number>> = { move: new Set(), restore: new Set() };

  constructor(world: ExchangeWorld) {
    const { parts, replicas, drops, slices, random, meter, periodMs } = world;
    this.#world = world;
    this.#meters = new ExchangeMeters(meter);
    const partitions = ownedBy(parts);
    this.#partitions = partitions.length;
    const members = othersOf(parts);
    const draw = (): number => random.u32() / 0x1_0000_0000;
    this.#schedule = new ExchangeSchedule(partitions, members, periodMs, parts.nowMs(), draw);
    this.#isHealthy = (peer) => parts.links.get(peer)?.state === 'ready' && parts.table.isHealthy(peer, parts.nowMs());
    const isOpen = (): boolean => !this.#stopped;
    const moves = { exchange: new PaidAfter(slices, 'exchange'), restore: new PaidAfter(slices, 'restore') };
    this.#meetingParts = { parts, replicas, drops, slices, moves, meters: this.#meters, isOpen };
    this.departures = new Departures(this.#meetingParts, this.#isHealthy);
    this.damaged = new DamagedRecords(this.#meetingParts, this.departures, this.#isHealthy);
  }

  /** Files of these partitions are on their way, for moves or out of an archive. */
  hold(why: 'move' | 'restore', partitions: ReadonlySet<number>): void {
    this.#held[why] = partitions;
    this.#schedule.held = new Set([...this.#held.move, ...this.#held.restore]);
    // What has taken a file is believed at once: nobody is to bring it what it has.
    if (why === 'restore') this.#schedule.setSuspects(this.#suspects());
    this.#begin();
  }

  /** A ring is on its way by which this node takes these over. */
  expect(partitions: readonly number[]): void {
    this.#expected = new Set(partitions);
    this.departures.expect(this.#expected);
  }

  /** The ring has changed: other partitions, other owners. */
  setRing(): void {
    const { parts } = this.#world;
    this.#expected = new Set();
    const partitions = ownedBy(parts);
    this.#partitions = partitions.length;
    this.#schedule.setPartitions(partitions, othersOf(parts), parts.nowMs());
    this.#schedule.setSuspects(this.#suspects());
    this.departures.setRing();
    this.#begin();
  }

  /** As they are now: for whoever looks at many partitions at once. */
  suspects(): ReadonlySet<number> {
    return new Set(this.#world.parts.services.storage.status().suspectPartitions);
  }

  /** All other owners of a partition are met as soon as can be, if they have not been since. */
  hasten(partition: number, sinceMs: number): void {
    this.#schedule.hasten(partition, sinceMs, this.#world.parts.nowMs());
    this.#begin();
  }

  /** Whether all of them have been met, in meetings that began then or later. */
  hasMetAll(partition: number, sinceMs: number): boolean {
    return this.#schedule.hasMetAll(partition, sinceMs);
  }

  /** Which of them. */
  metSince(partition: number, sinceMs: number): readonly number[] {
    return this.#schedule.metSince(partition, sinceMs);
  }

  start(): void {
    this.#look();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.departures.stop();
  }

  /** Meets everybody now, whoever's turn it is to begin; or only those whom this node calls. */
  startAll(whom: 'all' | 'called'): void {
    this.#schedule.startAll(this.#world.parts.nowMs(), whom);
    this.#begin();
  }

  status(): RepairReply {
    const { met, failed, received, sent, bytesIn, bytesOut, young, healed, damagedHealed } = this.#meters;
    return {
      periodMs: this.#world.periodMs,
      partitions: this.#partitions,
      suspect: this.#schedule.suspects,
      waiting: this.#schedule.waiting(),
      underWay: this.#underWay,
      met,
      failed,
      received,
      sent,
      bytesIn,
      bytesOut,
      young,
      healed,
      damagedHealed,
    };
  }

  #look(): void {
    const { parts } = this.#world;
    this.#schedule.setSuspects(this.#suspects());
    this.#begin();
    this.damaged.look();
    const { length } = this.#schedule.suspects;
    this.#meters.suspect.set(length);
    this.#timer = parts.timers.after(length > 0 ? LOOK_MS_IN_NEED : LOOK_MS, () => {
      this.#look();
    });
  }

  /**
   * Of this node's own partitions. What it holds of others it holds as a stand-in, and a stand-in owes its owner a record
   * for each hint that it has, and nobody an answer: it may say that it has nothing.
   */
  #suspects(): readonly number[] {
    const { parts, replicas } = this.#world;
    const { preferences, services, self } = parts;
    return services.storage.status().suspectPartitions.filter((partition) => {
      if (this.#isGivenUp(partition)) {
        this.#believe(partition, true);
        return false;
      }
      if (preferences.isOwner(partition, self) || preferences.isReceiver(partition, self)) return true;
      if (this.#expected.has(partition)) return false;
      replicas.trust(partition, () => undefined);
      return false;
    });
  }

  /** Its only copy was removed by force: there is nobody who could have what is missing. */
  #isGivenUp(partition: number): boolean {
    const { preferences, services, self } = this.#world.parts;
    if (preferences.replicaCount > 1 || !preferences.isOwner(partition, self)) return false;
    return services.ring.moves.some((move) => move.partition === partition && move.from === NOBODY);
  }

  #begin(): void {
    while (this.#underWay < UNDER_WAY_MAX && !this.#stopped) {
      const meeting = this.#schedule.next(this.#world.parts.nowMs(), this.#isHealthy);
      if (meeting === null) return;
      this.#underWay += 1;
      const meetingOver = (result: MeetingResult, failure: string | null): void => {
        this.#over(meeting, result, failure);
      };
      new OwnerMeeting(this.#meetingParts, meeting, meetingOver).start();
    }
  }

  #over(meeting: Meeting, result: MeetingResult, failure: string | null): void {
    this.#underWay -= 1;
    if (this.#stopped) return;
    const { parts } = this.#world;
    if (meeting.kind !== 'poll') this.#meters.noteMeeting(failure === null);
    if (failure !== null) parts.services.log.warn('exchange-broken', { ...meeting, failure });
    const verdict = this.#schedule.ended(meeting, result, parts.nowMs());
    if (verdict !== 'none') this.#believe(meeting.partition, verdict === 'together');
    this.#begin();
  }

  #believe(partition: number, together: boolean): void {
    this.#meters.noteHealed(together);
    this.#healed += 1;
    if (together) this.#together += 1;
    this.#world.replicas.trust(partition, () => undefined);
    if (this.#schedule.suspects.length > 0) return;
    const { log } = this.#world.parts.services;
    log.info('partitions-healed', { partitions: this.#healed });
    if (this.#together > 0) {
      const text =
        'None of their owners could be believed, so what they have together is believed now. In a new cluster nothing was there to be lost; in another one, what was acknowledged may be gone';
      log.warn('partitions-healed-by-nobody', { partitions: this.#together, text });
    }
    this.#healed = 0;
    this.#together = 0;
  }
}

function othersOf({ services, self }: ClusterParts): readonly number[] {
  return services.ring.members.map(({ ordinal }) => ordinal).filter((one) => one !== self);
}

/**
 * Of two owners the one that stands first in the partition's list begins: over all partitions that is each as often. Who
 * is to take a partition over calls all of its owners, and is called by none.
 */
function ownedBy({ services, preferences, self }: ClusterParts): readonly OwnedPartition[] {
  const owned: OwnedPartition[] = [];
  for (let id = 0; id < services.ring.partitionCount; id++) {
    const owners = preferences.ownersOf(id);
    const place = owners.indexOf(self);
    if (preferences.isReceiver(id, self)) owned.push({ id, others: owners, begins: owners });
    else if (place >= 0 && owners.length > 1)
      owned.push({ id, others: owners.filter((one) => one !== self), begins: owners.slice(place + 1) });
  }
  return owned;
}
