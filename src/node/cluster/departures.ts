/*
 * What a node holds of partitions that are not its own any more: a giver's copy after its move, what a move that was given
 * up had copied, what crossed a ring change on its way here. Before such a copy is dropped, every owner has all of it:
 *
 *   found ──a while, so that what is under way by the old ring has come──▶ each owner is met, and has it on its disk ──▶
 *   dropped, but for records that are kept as hints: those go home by themselves
 *
 * From the moment that the ring took the partition away, whatever is written here comes with a hint. So the records that
 * have none are those that were there before the meetings began.
 */
import type { Slices } from '../../background/slices.js';
import type { TimerHandle } from '../../env/clock.js';
import { copyBytes } from '../../lib/bytes.js';
import { type Flow, run, wait } from '../../lib/flow.js';
import type { PartitionId } from '../../model/ids.js';
import { HASH_END_HI } from '../../storage/scan.js';
import type { KeyPlace } from '../../storage/storage.js';
import { keyName } from '../../storage/storage-key.js';
import { KeyDrop } from './key-write.js';
import { type MeetingParts, OwnerMeeting } from './owner-meeting.js';

const LOOK_MS = 500;
/** Partitions on their way out at once. */
const UNDER_WAY_MAX = 4;
/** Longer than a request by an older ring can be under way. */
const REST_MS = 3_000;
/** How often it is looked whether something lies here that nobody speaks of. */
const SEARCH_MS = 15_000;
const DROP_RECORDS_MAX = 256;
const DROP_BYTES_MAX = 262_144;
const RETRY_MS = 2_000;

class Departure {
  readonly partition: number;
  readonly met: Set<number> = new Set();
  notBeforeMs: number;
  underWay = false;

  constructor(partition: number, notBeforeMs: number) {
    this.partition = partition;
    this.notBeforeMs = notBeforeMs;
  }
}

export class Departures {
  readonly #world: MeetingParts;
  readonly #slices: Slices;
  readonly #isHealthy: (peer: number) => boolean;
  readonly #departures: Map<number, Departure> = new Map();
  /** Partitions that are this node's. */
  #held: ReadonlySet<number>;
  /** Those that a ring has taken away since the start, and that are not gone yet. */
  readonly #taken: Set<number> = new Set();
  #timer: TimerHandle | null = null;
  #searchedMs = Number.NEGATIVE_INFINITY;
  #ringMs: number;

  constructor(world: MeetingParts, isHealthy: (peer: number) => boolean) {
    this.#world = world;
    this.#slices = world.slices;
    this.#isHealthy = isHealthy;
    this.#ringMs = world.parts.nowMs();
    this.#held = this.#ours();
    this.#lookLater();
  }

  /** Nothing of a partition that is not this node's lies here, as far as has been looked since the ring changed. */
  get isOver(): boolean {
    return this.#departures.size === 0 && this.#searchedMs >= this.#ringMs + REST_MS;
  }

  /** Partitions on their way out. */
  get partitions(): readonly number[] {
    return [...this.#departures.keys()];
  }

  /** It was this node's: what is here of it goes when all owners have it, and not before. */
  holds(partition: number): boolean {
    return this.#taken.has(partition) && this.#departures.has(partition);
  }

  setRing(): void {
    this.#ringMs = this.#world.parts.nowMs();
    for (const partition of this.#held) this.#taken.add(partition);
    this.#held = this.#ours();
    for (const partition of this.#held) this.#taken.delete(partition);
    for (const { partition, met } of [...this.#departures.values()]) {
      if (this.#isOurs(partition)) this.#departures.delete(partition);
      else met.clear(); // its owners may be others
    }
    this.#search();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #lookLater(): void {
    this.#timer = this.#world.parts.timers.after(LOOK_MS, () => {
      const nowMs = this.#world.parts.nowMs();
      if (nowMs >= this.#searchedMs + SEARCH_MS || (this.#departures.size === 0 && !this.isOver)) this.#search();
      this.#begin(nowMs);
      this.#lookLater();
    });
  }

  #ours(): ReadonlySet<number> {
    const { partitionCount } = this.#world.parts.services.ring;
    const all = Array.from({ length: partitionCount }, (_, partition) => partition);
    return new Set(all.filter((partition) => this.#isOurs(partition)));
  }

  #isOurs(partition: number): boolean {
    const { preferences, self } = this.#world.parts;
    return preferences.isHolder(partition, self);
  }

  #search(): void {
    const { parts, replicas } = this.#world;
    const nowMs = parts.nowMs();
    this.#searchedMs = nowMs;
    for (let partition = 0; partition < parts.services.ring.partitionCount; partition++) {
      if (this.#departures.has(partition) || this.#isOurs(partition) || replicas.liveTree(partition).isEmpty) continue;
      if (nowMs < this.#ringMs + REST_MS || parts.hints.noneOutstanding(partition as PartitionId))
        this.#departures.set(partition, new Departure(partition, nowMs + REST_MS));
    }
  }

  #begin(nowMs: number): void {
    let underWay = 0;
    for (const departure of this.#departures.values()) if (departure.underWay) underWay += 1;
    for (const departure of this.#departures.values()) {
      if (underWay >= UNDER_WAY_MAX) return;
      if (departure.underWay || nowMs < departure.notBeforeMs) continue;
      if (this.#goOn(departure)) underWay += 1;
    }
  }

  #goOn(departure: Departure): boolean {
    const { parts } = this.#world;
    const owners = parts.preferences.ownersOf(departure.partition);
    if (owners.every((owner) => departure.met.has(owner))) {
      departure.underWay = true;
      this.#drop(departure);
      return true;
    }
    const reachable = owners.find((owner) => !departure.met.has(owner) && this.#isHealthy(owner));
    if (reachable === undefined) return false;
    departure.underWay = true;
    const { ringVersion } = parts.preferences;
    const meeting = { kind: 'home', partition: departure.partition, peer: reachable } as const;
    new OwnerMeeting(this.#world, meeting, ({ done, isPeerSuspect }) => {
      departure.underWay = false;
      // The tree of an owner that cannot be believed may say that it has what it has not.
      if (!done || isPeerSuspect) departure.notBeforeMs = parts.nowMs() + RETRY_MS;
      else if (ringVersion === parts.preferences.ringVersion) departure.met.add(reachable);
    }).start();
    return true;
  }

  #drop(departure: Departure): void {
    const { parts } = this.#world;
    const { ringVersion } = parts.preferences;
    const isValid = (): boolean => ringVersion === parts.preferences.ringVersion && this.#world.isOpen();
    run(this.#dropping(departure.partition as PartitionId, isValid), (error) => {
      departure.underWay = false;
      if (error === null && isValid()) {
        this.#departures.delete(departure.partition);
        this.#taken.delete(departure.partition);
        parts.services.log.info('partition-left', { partition: departure.partition });
      } else departure.notBeforeMs = parts.nowMs() + RETRY_MS;
    });
  }

  *#dropping(partition: PartitionId, isValid: () => boolean): Flow<void> {
    let from: { readonly hi: number; readonly lo: number } | null = { hi: 0, lo: 0 };
    while (from !== null) {
      const { hi, lo }: { readonly hi: number; readonly lo: number } = from;
      yield* wait<void>((done) => {
        this.#slices.ask('exchange', DROP_BYTES_MAX, () => {
          done(null);
        });
      });
      if (!isValid()) return;
      const places: KeyPlace[] = [];
      from = yield* wait<{ readonly hi: number; readonly lo: number } | null>((done) => {
        this.#world.parts.services.storage.scan({
          partition,
          fromHi: hi,
          fromLo: lo,
          untilHi: HASH_END_HI,
          untilLo: 0,
          recordsMax: DROP_RECORDS_MAX,
          bytesMax: DROP_BYTES_MAX,
          onRecord: (_stored, key, hashHi, hashLo) => {
            if (key.length > 0) places.push({ partition, key: copyBytes(key), hashHi, hashLo });
          },
          onEnd: (next, fault) => {
            if (fault === null) done(null, next);
            else done(new Error(fault.text));
          },
        });
      });
      for (const place of places) yield* this.#dropOne(place, isValid);
    }
  }

  *#dropOne(place: KeyPlace, isValid: () => boolean): Flow<void> {
    const { services, hints } = this.#world.parts;
    const name = keyName(place.key, 0, place.key.length);
    const ending = yield* wait<'dropped' | 'kept' | 'refused'>((done) => {
      const mayGo = (): boolean => isValid() && !hints.keeps(name) && !this.#isOurs(place.partition);
      services.storage.write(
        new KeyDrop(place, mayGo, (how) => {
          done(null, how);
        }),
      );
    });
    if (ending === 'refused') throw new Error('The store takes no writes');
  }
}
