/*
 * Records whose copy here cannot be read. Until such a key is healed this node says that it does not know what is under
 * it; from then on it counts. So it must not be healed with what just one other owner has: a put may have been
 * acknowledged by this copy and one other, and the one that is asked may be the third. All other owners are asked, and
 * what they have together is stored at once. One whose partition is suspect may have lost that put, too, and is healed
 * from the others first: until then its answer is none.
 *
 * If none of them has the key, as where its delete has been reaped meanwhile, the copy that cannot be read is dropped.
 *
 * A node that is no owner heals nothing. What is on its way out goes damaged as it is (departures.ts), and of what is kept
 * for others it is found out when it is to be sent.
 *
 * Places are found by reads, listings and scrubbing. Few are worked on at a time, each a question to every other owner.
 */
import { copyBytes } from '../../lib/bytes.js';
import type { DamagedPlace } from '../../storage/replica-storage.js';
import { recordKeyEnd, recordKeyStart } from '../../versioning/record.js';
import { keyName } from '../../storage/storage-key.js';
import type { DamageRepair } from '../scrubber.js';
import type { Departures } from './departures.js';
import { ExchangePeer } from './exchange-wire.js';
import { KeyDrop } from './key-write.js';
import type { MeetingParts } from './owner-meeting.js';
import { RecordIntake, recordFault } from './record-intake.js';

const UNDER_WAY_MAX = 8;
const WAITING_MAX = 4_096;
const RETRY_MS = 5_000;
const BYTES_EXPECTED = 4_096;

const NOTHING_TO_DO = (): void => undefined;

interface Waiting {
  readonly place: DamagedPlace;
  notBeforeMs: number;
  underWay: boolean;
}

export class DamagedRecords implements DamageRepair {
  readonly #world: MeetingParts;
  readonly #departures: Pick<Departures, 'holds' | 'noteDamaged'>;
  readonly #isHealthy: (peer: number) => boolean;
  readonly #waiting: Map<string, Waiting> = new Map();
  #underWay = 0;

  constructor(
    world: MeetingParts,
    departures: Pick<Departures, 'holds' | 'noteDamaged'>,
    isHealthy: (peer: number) => boolean,
  ) {
    this.#world = world;
    this.#departures = departures;
    this.#isHealthy = isHealthy;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get repaired(): number {
    return this.#world.meters.damagedHealed;
  }

  get givenUp(): number {
    return this.#world.meters.damagedGivenUp;
  }

  /** What waits already is asked about again when its turn comes. */
  look(): void {
    const { parts, meters } = this.#world;
    this.#takeAll();
    const nowMs = parts.nowMs();
    for (const waiting of this.#waiting.values()) {
      if (this.#underWay >= UNDER_WAY_MAX) break;
      if (waiting.underWay || nowMs < waiting.notBeforeMs) continue;
      const others = this.#othersOf(waiting.place.partition);
      if (others === null) this.#waiting.delete(nameOf(waiting.place));
      else if (others.length === 0) this.#giveUp(waiting.place, 'there is no other owner');
      else if (others.every(this.#isHealthy)) this.#heal(waiting, others);
    }
    meters.damagedWaiting.set(this.#waiting.size);
  }

  #takeAll(): void {
    for (const place of this.#world.replicas.takeDamaged()) this.#take(place);
  }

  #take(place: DamagedPlace): void {
    const { preferences, self, hints } = this.#world.parts;
    const { partition, key } = place;
    if (preferences.isOwner(partition, self)) {
      const name = nameOf(place);
      if (this.#waiting.size < WAITING_MAX && !this.#waiting.has(name))
        this.#waiting.set(name, { place, notBeforeMs: 0, underWay: false });
      return;
    }
    if (this.#departures.holds(partition)) {
      this.#departures.noteDamaged(place);
      return;
    }
    const name = keyName(key, 0, key.length);
    if (key.length > 0 && !hints.keeps(name)) hints.addForOwners(partition, name, 0);
  }

  /** Null: the whole partition is suspect, and heals as one. */
  #othersOf(partition: number): readonly number[] | null {
    const { preferences, self, services } = this.#world.parts;
    if (services.storage.status().suspectPartitions.includes(partition)) return null;
    return preferences.ownersOf(partition).filter((owner) => owner !== self);
  }

  #heal(waiting: Waiting, others: readonly number[]): void {
    const world = this.#world;
    const { parts, meters, slices } = world;
    const { place } = waiting;
    waiting.underWay = true;
    this.#underWay += 1;
    const records: Uint8Array[] = [];
    let fence = Number.POSITIVE_INFINITY;
    let left = others.length;
    let failure: string | null = null;
    const answered = (): void => {
      left -= 1;
      if (left > 0) return;
      if (failure === null) this.#store(waiting, records, fence);
      else this.#over(waiting, failure);
    };
    slices.ask('restore', others.length * BYTES_EXPECTED, () => {
      if (!world.isOpen()) return;
      for (const other of others) {
        new ExchangePeer(parts, meters, place.partition, other).pull(
          [place],
          (reply) => {
            if (reply.suspect) failure ??= 'It may lack what it has acknowledged';
            fence = Math.min(fence, reply.fence);
            for (const record of reply.records) records.push(copyBytes(record));
            answered();
          },
          (text) => {
            failure ??= text;
            answered();
          },
        );
      }
    });
  }

  /** `fence`: the lowest at which any of the others has read. */
  #store(waiting: Waiting, records: readonly Uint8Array[], fence: number): void {
    const { parts } = this.#world;
    const { services, merge } = parts;
    const { partition, key } = waiting.place;
    const byKey: Map<string, Uint8Array> = new Map();
    for (const record of records) {
      const fault = recordFault(parts, partition, record);
      if (fault !== '') return this.#over(waiting, fault);
      const name = keyName(record, recordKeyStart(0), recordKeyEnd(record, 0));
      const known = byKey.get(name);
      if (known === undefined || merge.plan(known, 0, record, 0) === 'same-as-b') byKey.set(name, record);
      else if (merge.outcome === 'new') {
        const merged = new Uint8Array(merge.size);
        merge.encode(merged, 0, services.hash);
        byKey.set(name, merged);
      }
    }
    const isFound = key.length === 0 ? byKey.size > 0 : byKey.has(keyName(key, 0, key.length));
    const terms = { durable: false, fence, from: 0 };
    const intake = new RecordIntake(parts, partition, terms, NOTHING_TO_DO, (fault) => {
      if (fault === null && !isFound) this.#drop(waiting);
      else this.#over(waiting, fault);
    });
    intake.take([...byKey.values()]);
  }

  /** Nobody has it. What was put here meanwhile stays. */
  #drop(waiting: Waiting): void {
    const { place } = waiting;
    const { services } = this.#world.parts;
    if (place.key.length === 0) return this.#over(waiting, null, 'nobody');
    const at = { partition: place.partition, key: place.key, hashHi: place.hi, hashLo: place.lo };
    services.storage.write(
      new KeyDrop(
        at,
        ({ damaged }) => damaged,
        (ending) => {
          if (ending === 'refused') this.#over(waiting, 'The store takes no writes just now');
          else this.#over(waiting, null, ending === 'dropped' ? 'nobody' : 'put');
        },
      ),
    );
  }

  #over(waiting: Waiting, failure: string | null, by: 'others' | 'nobody' | 'put' = 'others'): void {
    const { parts, meters } = this.#world;
    const { place } = waiting;
    this.#takeAll(); // while it is known: what was written over it has met it once more
    this.#underWay -= 1;
    waiting.underWay = false;
    if (failure !== null) {
      waiting.notBeforeMs = parts.nowMs() + RETRY_MS;
      return;
    }
    if (by === 'nobody') return this.#giveUp(place, 'no other owner has it');
    this.#waiting.delete(nameOf(place));
    meters.noteDamagedHealed();
    parts.services.log.info('record_repaired', { ...whichOf(place), by });
  }

  #giveUp(place: DamagedPlace, why: string): void {
    const { parts, meters } = this.#world;
    this.#waiting.delete(nameOf(place));
    meters.noteDamagedGivenUp();
    parts.services.log.error('record_not_repaired', { ...whichOf(place), why });
  }
}

function whichOf({ partition, hi }: DamagedPlace): { readonly partition: number; readonly hash: string } {
  return { partition, hash: hi.toString(16).padStart(8, '0') };
}

function nameOf({ hi, lo, key }: DamagedPlace): string {
  return `${hi}/${lo}/${keyName(key, 0, key.length)}`;
}
