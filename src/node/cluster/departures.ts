/*
 * What a node holds of partitions that are not its own any more: a giver's copy after its move, what a move that was given
 * up had copied, what crossed a ring change on its way here. Before such a copy is dropped, every owner has all of it:
 *
 *   found ──a while, so that what is under way by the old ring has come──▶ each owner is met, and has it on its disk ──▶
 *   dropped (departure-drop.ts), but for records that are kept as hints: those go home by themselves
 *
 * From the moment that the ring took the partition away, whatever is written here comes with a hint. So the records that
 * have none are those that were there before the meetings began.
 *
 * Nothing of this is remembered over a restart, and nothing needs to be: whatever lies here at a start and is not this
 * node's is taken for a copy that owners may lack. It may be one that was kept as a hint, and then its owners have more
 * than they need. What is left is for them to say, by their trees.
 *
 * What cannot be read here cannot go home. It was one copy of several: whoever took the partition over has compared with
 * every owner, and what the owners hold is what counts. So it holds nothing up for ever. A damaged record goes with the
 * others, once the owners have these; of a file that cannot be read the same is tried some times before.
 */
import type { TimerHandle } from '../../env/clock.js';
import { run } from '../../lib/flow.js';
import type { PartitionId } from '../../model/ids.js';
import type { DamagedPlace } from '../../storage/replica-storage.js';
import { keyName } from '../../storage/storage-key.js';
import { type DropEnding, dropCopy } from './departure-drop.js';
import { type MeetingParts, OwnerMeeting } from './owner-meeting.js';

const LOOK_MS = 500;
/** Partitions on their way out at once. */
const UNDER_WAY_MAX = 4;
/** Longer than a request by an older ring can be under way. */
const REST_MS = 3_000;
/** How often it is looked whether something lies here that nobody speaks of. */
const SEARCH_MS = 15_000;
const RETRY_MS = 2_000;
/** So often all owners are met with a copy that cannot be read; the pause before is doubled each time. */
const UNREADABLE_ROUNDS = 5;

class Departure {
  readonly partition: number;
  readonly met: Set<number> = new Set();
  notBeforeMs: number;
  underWay = false;
  /** In the meetings since `met` was empty something could not be read. */
  isUnreadable = false;
  unreadableRounds = 0;
  /** Names of records that cannot be read. */
  readonly damaged: Set<string> = new Set();

  constructor(partition: number, notBeforeMs: number) {
    this.partition = partition;
    this.notBeforeMs = notBeforeMs;
  }

  meetAnew(): void {
    this.met.clear();
    this.isUnreadable = false;
  }
}

export class Departures {
  readonly #world: MeetingParts;
  readonly #isHealthy: (peer: number) => boolean;
  readonly #departures: Map<number, Departure> = new Map();
  /** Partitions that are this node's. */
  #ours: ReadonlySet<number>;
  /** Those that a ring has taken away since the start, or before it for all that is known, and that are not gone yet. */
  readonly #taken: Set<number>;
  /** Files whose records went one by one: they are to go as well. */
  readonly #hollow: Set<number> = new Set();
  /** Partitions that come to this node with the next ring. */
  #expected: ReadonlySet<number> = new Set();
  #timer: TimerHandle | null = null;
  #searchedMs = Number.NEGATIVE_INFINITY;
  #ringMs: number;

  constructor(world: MeetingParts, isHealthy: (peer: number) => boolean) {
    this.#world = world;
    this.#isHealthy = isHealthy;
    this.#ringMs = world.parts.nowMs();
    this.#ours = this.#findOurs();
    this.#search();
    this.#taken = new Set(this.#departures.keys());
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

  /** A ring is on its way by which these are this node's: what is here of them stays as it is. */
  expect(partitions: ReadonlySet<number>): void {
    this.#expected = partitions;
  }

  /** A record of a partition on its way out cannot be read; it may be told again. */
  noteDamaged({ partition, key, hi, lo }: DamagedPlace): void {
    this.#departures.get(partition)?.damaged.add(`${hi}/${lo}/${keyName(key, 0, key.length)}`);
  }

  setRing(): void {
    this.#ringMs = this.#world.parts.nowMs();
    this.#expected = new Set();
    for (const partition of this.#ours) this.#taken.add(partition);
    this.#ours = this.#findOurs();
    for (const partition of this.#ours) this.#taken.delete(partition);
    for (const departure of [...this.#departures.values()]) {
      if (this.#isOurs(departure.partition)) this.#departures.delete(departure.partition);
      else departure.meetAnew(); // its owners may be others
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

  #findOurs(): ReadonlySet<number> {
    const { partitionCount } = this.#world.parts.services.ring;
    const all = Array.from({ length: partitionCount }, (_, partition) => partition);
    return new Set(all.filter((partition) => this.#isOurs(partition)));
  }

  #isOurs(partition: number): boolean {
    const { preferences, self } = this.#world.parts;
    return preferences.isHolder(partition, self);
  }

  #search(): void {
    const { parts } = this.#world;
    const nowMs = parts.nowMs();
    this.#searchedMs = nowMs;
    for (let partition = 0; partition < parts.services.ring.partitionCount; partition++) {
      if (this.#isOurs(partition)) this.#hollow.delete(partition);
      else if (this.#departures.has(partition)) continue;
      else if (nowMs >= this.#ringMs + REST_MS && !parts.hints.noneOutstanding(partition as PartitionId)) continue;
      else if (this.#hollow.has(partition) || this.#holdsSomething(partition))
        this.#departures.set(partition, new Departure(partition, nowMs + REST_MS));
    }
  }

  /** Of a file that cannot be read there is something; what, is found out by the meetings. */
  #holdsSomething(partition: number): boolean {
    try {
      return !this.#world.replicas.liveTree(partition).isEmpty;
    } catch {
      return true;
    }
  }

  /** Once what has just ended has been wound up. */
  #beginSoon(): void {
    const { parts, isOpen } = this.#world;
    parts.timers.endOfTurn(() => {
      if (isOpen()) this.#begin(parts.nowMs());
    });
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
      if (departure.isUnreadable && !this.#isGivenUp(departure)) return false;
      departure.underWay = true;
      this.#drop(departure);
      return true;
    }
    const reachable = owners.find((owner) => !departure.met.has(owner) && this.#isHealthy(owner));
    if (reachable === undefined) return false;
    departure.underWay = true;
    const { ringVersion } = parts.preferences;
    const meeting = { kind: 'home', partition: departure.partition, peer: reachable } as const;
    new OwnerMeeting(this.#world, meeting, ({ done, isPeerSuspect, isOwnUnreadable }) => {
      departure.underWay = false;
      // The tree of an owner that cannot be believed may say that it has what it has not.
      if (!done || isPeerSuspect) departure.notBeforeMs = parts.nowMs() + RETRY_MS;
      else if (ringVersion === parts.preferences.ringVersion) {
        departure.met.add(reachable);
        if (isOwnUnreadable) departure.isUnreadable = true;
      }
      this.#beginSoon();
    }).start();
    return true;
  }

  /** All owners have had what can be read; false: it is tried once more. */
  #isGivenUp(departure: Departure): boolean {
    departure.unreadableRounds += 1;
    if (departure.unreadableRounds >= UNREADABLE_ROUNDS) return true;
    departure.meetAnew();
    departure.notBeforeMs = this.#world.parts.nowMs() + RETRY_MS * 2 ** departure.unreadableRounds;
    return false;
  }

  #drop(departure: Departure): void {
    const { parts } = this.#world;
    const { ringVersion } = parts.preferences;
    const { partition } = departure;
    const isValid = (): boolean =>
      ringVersion === parts.preferences.ringVersion &&
      this.#world.isOpen() &&
      !this.#isOurs(partition) &&
      !this.#expected.has(partition);
    run(dropCopy(this.#world, partition as PartitionId, isValid), (error, ending) => {
      departure.underWay = false;
      if (error === null && ending !== undefined && (ending === 'whole' || isValid())) this.#dropped(departure, ending);
      else departure.notBeforeMs = parts.nowMs() + RETRY_MS;
      this.#beginSoon();
    });
  }

  #dropped(departure: Departure, ending: DropEnding): void {
    const { partition, isUnreadable, damaged } = departure;
    if (this.#departures.get(partition) !== departure) return; // it has come back, and is empty
    this.#departures.delete(partition);
    this.#taken.delete(partition);
    if (ending === 'whole') this.#hollow.delete(partition);
    else this.#hollow.add(partition);
    const { parts, meters } = this.#world;
    const { log } = parts.services;
    log.info('partition-left', { partition });
    if (!isUnreadable && damaged.size === 0) return;
    for (let i = 0; i < damaged.size; i++) meters.noteDamagedGivenUp();
    const text =
      'What could not be read of a copy that is not of this node any more was dropped with it; the owners have the rest of it, and what they hold counts';
    log.error('partition-left-damaged', { partition, records: damaged.size, wholeFile: isUnreadable, text });
  }
}
