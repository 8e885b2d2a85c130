/*
 * Reads everything that is stored here, a little at a time, and sees whether it is still what was written: checksums,
 * whether reads find the records, and the tree (DESIGN: scrub). The engine reads and judges one stretch at a time; here is
 * decided which, and when, and who is told.
 *
 * Each stretch is a slice of background work, of the last kind but one. What the controller would allow may be more than
 * a disk should be kept busy with for days, so there is a rate of its own on top.
 *
 * The engine remembers which records are damaged, and a cluster brings good ones from other replicas. A node that is a
 * cluster of its own has nobody to ask, and says so.
 */
import { ScrubCalendar } from '../background/scrub-calendar.js';
import type { Slices } from '../background/slices.js';
import type { Clock, TimerHandle, Timers } from '../env/clock.js';
import type { Counter, Log, Meter } from '../env/meter.js';
import type { ScrubReply } from '../model/messages.js';
import type { DamagedPlace } from '../storage/replica-storage.js';
import type { Scrubbed, ScrubStorage } from '../storage/scrub-storage.js';

export interface ScrubberParts {
  readonly store: ScrubStorage;
  readonly slices: Slices;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly meter: Meter;
  readonly log: Log;
  readonly ordinal: number;
  readonly periodMs: number;
  readonly bytesPerSecondMax: number;
  /** The store was not closed cleanly: all of it is looked at soon. */
  readonly verifySoon: boolean;
  /** Brings good copies of damaged records; null: there is nobody to ask. */
  readonly repair: DamageRepair | null;
}

/** Numbers are of this start of the node, whoever found the damage. */
export interface DamageRepair {
  /** Something has just been found. */
  look(): void;
  /** Records that wait for a good copy. */
  readonly waiting: number;
  readonly repaired: number;
  /** Those for which none was to be had. */
  readonly givenUp: number;
}

/** Sums are of this start of the node. */
export interface ScrubStatus extends Omit<ScrubReply, 'partition'> {
  /** The one that is being read; -1: none. `leaf` of it comes next, `waiting` others after it. */
  readonly partition: number;
  /** The store was not closed cleanly, and what it holds has not all been read since. */
  readonly isVerifying: boolean;
}

const TICK_MS_MAX = 60_000;
/** What the first slice is charged; each later one what the one before it read. */
const SLICE_BYTES = 65_536;
const NOWHERE = -1;

export class Scrubber {
  readonly #parts: ScrubberParts;
  readonly #calendar: ScrubCalendar;
  readonly #meters: ScrubMeters;
  /** In the order in which they will be read. */
  readonly #waiting: Set<number> = new Set();
  /** Of those that are read because of an unclean stop, the ones that are left. */
  readonly #unverified: Set<number> = new Set();
  readonly #sums = { partitions: 0, records: 0, bytes: 0, damaged: 0, wrongLeaves: 0, broken: 0 };
  #partition = NOWHERE;
  #leaf = 0;
  #sliceBytes = SLICE_BYTES;
  #calendarTimer: TimerHandle | null = null;
  #restTimer: TimerHandle | null = null;
  #stopped = false;

  constructor(parts: ScrubberParts) {
    this.#parts = parts;
    this.#calendar = new ScrubCalendar(parts.periodMs, parts.store.partitionCount, parts.ordinal);
    this.#meters = new ScrubMeters(parts.meter);
  }

  start(): void {
    const { store, verifySoon } = this.#parts;
    this.#tick(); // first what was probably being read when the process died
    if (!verifySoon) return;
    for (let partition = 0; partition < store.partitionCount; partition++) this.#unverified.add(partition);
    this.scrubAll();
  }

  scrubAll(): void {
    for (let partition = 0; partition < this.#parts.store.partitionCount; partition++) this.#waiting.add(partition);
    this.#goOn();
  }

  /** One partition, after those that wait already. */
  scrubOne(partition: number): void {
    this.#waiting.add(partition);
    this.#goOn();
  }

  status(): ScrubStatus {
    const { periodMs, store, repair } = this.#parts;
    return {
      periodMs,
      leafCount: store.leafCount,
      partition: this.#partition,
      leaf: this.#leaf,
      waiting: this.#waiting.size,
      isVerifying: this.#unverified.size > 0,
      ...this.#sums,
      repaired: repair?.repaired ?? 0,
      repairsWaiting: repair?.waiting ?? 0,
      givenUp: repair === null ? this.#sums.damaged : repair.givenUp,
    };
  }

  stop(): void {
    this.#stopped = true;
    this.#calendarTimer?.cancel();
    this.#restTimer?.cancel();
  }

  #tick(): void {
    const { clock, timers } = this.#parts;
    for (const partition of this.#calendar.due(clock.wallMs())) this.#waiting.add(partition);
    this.#goOn();
    this.#calendarTimer = timers.after(Math.min(TICK_MS_MAX, Math.max(1, this.#calendar.slotMs)), () => {
      this.#tick();
    });
  }

  #goOn(): void {
    if (this.#partition !== NOWHERE || this.#stopped) return;
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    this.#partition = next;
    this.#leaf = 0;
    this.#ask();
  }

  #ask(): void {
    const { slices, store } = this.#parts;
    slices.ask('scrub', this.#sliceBytes, () => {
      if (this.#stopped) return;
      store.scrub(this.#partition, this.#leaf, (error, found) => {
        if (this.#stopped) return;
        if (error !== null || found === undefined) this.#failed(error);
        else this.#take(found);
      });
    });
  }

  #take(found: Scrubbed): void {
    this.#count(found);
    const { repair } = this.#parts;
    if (repair === null) for (const damaged of found.damaged) this.#mourn(damaged);
    else if (found.damagedCount > 0) repair.look();
    this.#sliceBytes = Math.max(SLICE_BYTES, found.bytes);
    if (found.nextLeaf === null) {
      this.#ended();
      return;
    }
    this.#leaf = found.nextLeaf;
    const { timers, bytesPerSecondMax } = this.#parts;
    this.#restTimer = timers.after((1_000 * found.bytes) / bytesPerSecondMax, () => {
      this.#ask();
    });
  }

  /** The engine has said why, and has made the partition suspect. */
  #failed(error: Error | null): void {
    this.#parts.log.error('scrub_failed', { partition: this.#partition, error: error?.message ?? '' });
    this.#sums.broken += 1;
    this.#meters.broken.add(1);
    this.#ended();
  }

  #ended(): void {
    const wrong = this.#parts.store.compareLive(this.#partition);
    this.#sums.wrongLeaves += wrong;
    this.#meters.wrongLive.add(wrong);
    this.#unverified.delete(this.#partition);
    this.#sums.partitions += 1;
    this.#meters.partitions.add(1);
    this.#partition = NOWHERE;
    this.#goOn();
  }

  #mourn(damaged: DamagedPlace): void {
    this.#parts.log.error('record_lost', {
      partition: damaged.partition,
      hash: damaged.hi.toString(16).padStart(8, '0') + damaged.lo.toString(16).padStart(8, '0'),
      text: 'This node is a cluster of its own, so there is no other copy: reads of the key fail until it is written again. Restore the directory from a copy if the old value is needed',
    });
  }

  #count({ records, bytes, damagedCount, wrongLeaves, isBroken }: Scrubbed): void {
    const sums = this.#sums;
    sums.records += records;
    sums.bytes += bytes;
    sums.damaged += damagedCount;
    sums.wrongLeaves += wrongLeaves;
    if (isBroken) sums.broken += 1;
    const meters = this.#meters;
    meters.records.add(records);
    meters.bytes.add(bytes);
    meters.damaged.add(damagedCount);
    meters.wrongStored.add(wrongLeaves);
    if (isBroken) meters.broken.add(1);
  }
}

class ScrubMeters {
  readonly records: Counter;
  readonly bytes: Counter;
  readonly partitions: Counter;
  readonly damaged: Counter;
  readonly broken: Counter;
  readonly wrongStored: Counter;
  readonly wrongLive: Counter;

  constructor(meter: Meter) {
    this.records = meter.counter('partita_scrub_records_total', 'Records that were read and found sound');
    this.bytes = meter.counter('partita_scrub_bytes_total', 'Bytes of records read by the scrub');
    this.partitions = meter.counter('partita_scrub_partitions_total', 'Partitions read from one end to the other');
    this.damaged = meter.counter('partita_scrub_damaged_records_total', 'Records that the scrub found damaged');
    this.broken = meter.counter('partita_scrub_broken_total', 'Stretches of files that do not hold together');
    const wrong = 'Leaves of the tree that were wrong though all records were sound: an alarm';
    this.wrongStored = meter.counter('partita_scrub_wrong_leaves_total', wrong, { leaves: 'stored' });
    this.wrongLive = meter.counter('partita_scrub_wrong_leaves_total', wrong, { leaves: 'live' });
  }
}
