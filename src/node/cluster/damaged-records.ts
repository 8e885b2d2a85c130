/*
 * Records whose copy here cannot be read. Until such a key is healed this node says that it does not know what is under
 * it; from then on it counts. So it must not be healed with what just one other owner has: a put may have been
 * acknowledged by this copy and one other, and the one that is asked may be the third. All other owners are asked, and
 * what they have together is stored at once.
 *
 * Places are found by reads, listings and scrubbing. Few are worked on at a time, each a question to every other owner.
 */
import { copyBytes } from '../../lib/bytes.js';
import type { KeyHash } from '../../model/hash.js';
import type { DamagedPlace } from '../../storage/replica-storage.js';
import { recordKeyEnd, recordKeyStart } from '../../versioning/record.js';
import { keyName } from '../../storage/storage-key.js';
import { ExchangePeer } from './exchange-wire.js';
import type { MeetingParts } from './owner-meeting.js';
import { RecordIntake, recordFault } from './record-intake.js';

const UNDER_WAY_MAX = 8;
const WAITING_MAX = 4_096;
const RETRY_MS = 5_000;
const BYTES_EXPECTED = 4_096;

class Place implements DamagedPlace {
  readonly partition: number;
  readonly hi: number;
  readonly lo: number;
  notBeforeMs = 0;
  underWay = false;

  constructor({ partition, hi, lo }: DamagedPlace) {
    this.partition = partition;
    this.hi = hi;
    this.lo = lo;
  }
}

export class DamagedRecords {
  readonly #world: MeetingParts;
  readonly #isHealthy: (peer: number) => boolean;
  readonly #places: Map<string, Place> = new Map();
  #underWay = 0;

  constructor(world: MeetingParts, isHealthy: (peer: number) => boolean) {
    this.#world = world;
    this.#isHealthy = isHealthy;
  }

  /** A place that is known already is asked about again when its turn comes. */
  add(places: readonly DamagedPlace[]): void {
    for (const place of places) {
      const name = `${place.hi}/${place.lo}`;
      if (this.#places.size < WAITING_MAX && !this.#places.has(name)) this.#places.set(name, new Place(place));
    }
  }

  look(nowMs: number): void {
    for (const place of this.#places.values()) {
      if (this.#underWay >= UNDER_WAY_MAX) return;
      if (place.underWay || nowMs < place.notBeforeMs) continue;
      const others = this.#othersOf(place.partition);
      if (others === null) this.#places.delete(nameOf(place));
      else if (others.every(this.#isHealthy)) this.#heal(place, others);
    }
  }

  /** Null: nobody else has it, or the whole partition is suspect and heals as one. */
  #othersOf(partition: number): readonly number[] | null {
    const { preferences, self, services } = this.#world.parts;
    const owners = preferences.ownersOf(partition);
    if (!owners.includes(self) || owners.length < 2) return null;
    if (services.storage.status().suspectPartitions.includes(partition)) return null;
    return owners.filter((owner) => owner !== self);
  }

  #heal(place: Place, others: readonly number[]): void {
    const world = this.#world;
    const { parts, meters, slices } = world;
    place.underWay = true;
    this.#underWay += 1;
    const records: Uint8Array[] = [];
    let fence = Number.POSITIVE_INFINITY;
    let left = others.length;
    let failure: string | null = null;
    const answered = (): void => {
      left -= 1;
      if (left > 0) return;
      if (failure === null) this.#store(place, records, fence);
      else this.#over(place, failure);
    };
    slices.ask('restore', others.length * BYTES_EXPECTED, () => {
      if (!world.isOpen()) return;
      for (const other of others) {
        new ExchangePeer(parts, meters, place.partition, other).pull(
          [place],
          (reply) => {
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
  #store(place: Place, records: readonly Uint8Array[], fence: number): void {
    const { parts, meters } = this.#world;
    const { services, merge } = parts;
    const byKey: Map<string, Uint8Array> = new Map();
    for (const record of records) {
      const fault = recordFault(parts, place.partition, record);
      if (fault !== '') return this.#over(place, fault);
      const name = keyName(record, recordKeyStart(0), recordKeyEnd(record, 0));
      const known = byKey.get(name);
      if (known === undefined || merge.plan(known, 0, record, 0) === 'same-as-b') byKey.set(name, record);
      else if (merge.outcome === 'new') {
        const merged = new Uint8Array(merge.size);
        merge.encode(merged, 0, services.hash);
        byKey.set(name, merged);
      }
    }
    const noted = (): void => {
      meters.noteDamagedHealed();
    };
    const intake = new RecordIntake(parts, place.partition, { durable: false, fence, from: 0 }, noted, (fault) => {
      this.#over(place, fault);
    });
    intake.take([...byKey.values()]);
  }

  /** What none of them has is forgotten until it is found again: there is nothing to heal it with. */
  #over(place: Place, failure: string | null): void {
    this.#underWay -= 1;
    place.underWay = false;
    if (failure === null) this.#places.delete(nameOf(place));
    else place.notBeforeMs = this.#world.parts.nowMs() + RETRY_MS;
  }
}

function nameOf({ hi, lo }: KeyHash): string {
  return `${hi}/${lo}`;
}
