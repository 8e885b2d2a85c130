/*
 * A record that was found damaged is repaired by a get of its key: this node says `unknown`, the others say what they
 * have, and read repair sends the merge of that to whoever lacks it, this node included.
 *
 * The get asks for as many answers as a read does, and of owners only. One answer would do to have something again; but
 * this store may have been one of the W of a put that the one who answers has never seen, and with a repaired record it
 * would count towards R again. So as long as too few answer, the record stays unknown, and is tried again, later and later.
 *
 * One at a time: damage is rare, and where it is not there is all the less room for haste.
 */
import type { Slices } from '../../background/slices.js';
import type { TimerHandle, Timers } from '../../env/clock.js';
import type { Counter, Meter } from '../../env/meter.js';
import type { GetRequest } from '../../model/messages.js';
import type { DamagedKey } from '../../storage/scrub-storage.js';
import type { ReadRequest, Stored } from '../../storage/storage.js';
import type { PartitionId } from '../../model/ids.js';
import type { DamageRepair } from '../scrubber.js';
import type { GetTarget } from '../work.js';
import { ClusterGet } from './cluster-get.js';
import { type ClusterParts, quorumOf } from './parts.js';

const WAITING_MAX = 65_536;
const GET_BUDGET_MS = 5_000;
/** What read repair writes here is there after this. */
const WRITTEN_MS = 1_000;
const RETRY_MS_MIN = 5_000;
const RETRY_MS_MAX = 600_000;
const ATTEMPTS_MAX = 12;
/** What a repair is charged: a record from each of the others. */
const REPAIR_BYTES = 65_536;

interface Waiting extends DamagedKey {
  readonly name: string;
  attempts: number;
  atMs: number;
}

export interface DamageRepairsWorld {
  readonly parts: ClusterParts;
  readonly slices: Slices;
  readonly timers: Timers;
  readonly meter: Meter;
}

export class DamageRepairs implements DamageRepair {
  repaired: number = 0;
  givenUp: number = 0;
  readonly #world: DamageRepairsWorld;
  readonly #get: ClusterGet;
  readonly #waiting: Map<string, Waiting> = new Map();
  readonly #repairedTotal: Counter;
  readonly #givenUpTotal: Counter;
  #timer: TimerHandle | null = null;
  #isBusy = false;
  #stopped = false;

  constructor(world: DamageRepairsWorld) {
    this.#world = world;
    this.#get = new ClusterGet(world.parts);
    const { meter } = world;
    this.#repairedTotal = meter.counter('partita_scrub_repaired_total', 'Damaged records that are sound again');
    this.#givenUpTotal = meter.counter(
      'partita_scrub_given_up_total',
      'Damaged records for which no good copy was to be had',
    );
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  repair(damaged: DamagedKey): void {
    const { preferences, self } = this.#world.parts;
    const name = Buffer.from(damaged.key).toString('latin1');
    if (this.#waiting.has(name)) return;
    // What is kept for an owner is found out when it is delivered, and given up: the owner has it from the others.
    if (!preferences.isOwner(damaged.partition, self) || this.#waiting.size >= WAITING_MAX) {
      this.#giveUp(damaged, 'not kept as a replica here, or too many at once');
      return;
    }
    this.#waiting.set(name, { ...damaged, name, attempts: 0, atMs: this.#nowMs() });
    this.#next();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #nowMs(): number {
    return this.#world.parts.nowMs();
  }

  /** The one that has waited longest beyond its time. */
  #next(): void {
    if (this.#isBusy || this.#stopped) return;
    this.#timer?.cancel();
    this.#timer = null;
    let next: Waiting | null = null;
    for (const one of this.#waiting.values()) if (next === null || one.atMs < next.atMs) next = one;
    if (next === null) return;
    const due = next;
    const waitMs = due.atMs - this.#nowMs();
    if (waitMs > 0) {
      this.#timer = this.#world.timers.after(waitMs, () => {
        this.#next();
      });
      return;
    }
    this.#isBusy = true;
    this.#world.slices.ask('restore', REPAIR_BYTES, () => {
      if (!this.#stopped) this.#read(due);
    });
  }

  #read(waiting: Waiting): void {
    const { preferences } = this.#world.parts;
    const { replicaCount } = preferences;
    const request: GetRequest = {
      key: waiting.key,
      namespace: '',
      ringVersion: preferences.ringVersion,
      budgetMs: GET_BUDGET_MS,
      // This node's answer does not count, so with two copies there is one that does.
      r: Math.max(1, Math.min(quorumOf(0, replicaCount), replicaCount - 1)),
      strict: true,
    };
    const over = (): void => {
      this.#world.timers.after(WRITTEN_MS, () => {
        if (!this.#stopped) this.#look(waiting);
      });
    };
    this.#get.start(new Untold(over), request, this.#nowMs());
  }

  /** Is it sound now? */
  #look(waiting: Waiting): void {
    this.#world.parts.services.storage.read(
      new Look(waiting, (isSound) => {
        this.#isBusy = false;
        if (this.#stopped) return;
        if (isSound) {
          this.#waiting.delete(waiting.name);
          this.repaired += 1;
          this.#repairedTotal.add(1);
          this.#world.parts.services.log.info('record_repaired', { partition: waiting.partition });
        } else this.#again(waiting);
        this.#next();
      }),
    );
  }

  #again(waiting: Waiting): void {
    waiting.attempts += 1;
    if (waiting.attempts < ATTEMPTS_MAX) {
      waiting.atMs = this.#nowMs() + Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** (waiting.attempts - 1));
      return;
    }
    this.#waiting.delete(waiting.name);
    this.#giveUp(waiting, 'too few of the other owners have answered, or none of them has it');
  }

  #giveUp({ partition, hi }: DamagedKey, why: string): void {
    this.givenUp += 1;
    this.#givenUpTotal.add(1);
    const hash = hi.toString(16).padStart(8, '0');
    this.#world.parts.services.log.error('record_not_repaired', { partition, hash, why });
  }
}

/** Nobody waits for the value: what counts is what the get does to stale owners. */
class Untold implements GetTarget {
  readonly #over: () => void;

  constructor(over: () => void) {
    this.#over = over;
  }

  onFound(): void {}

  onFailure(): void {}

  onHeld(): void {}

  onOver(): void {
    this.#over();
  }
}

class Look implements ReadRequest {
  readonly partition: PartitionId;
  readonly key: Uint8Array;
  readonly hashHi: number;
  readonly hashLo: number;
  readonly #told: (isSound: boolean) => void;

  constructor({ partition, key, hi, lo }: DamagedKey, told: (isSound: boolean) => void) {
    this.partition = partition;
    this.key = key;
    this.hashHi = hi;
    this.hashLo = lo;
    this.#told = told;
  }

  onRead(stored: Stored): void {
    this.#told(stored.state !== 'unknown');
  }
}
