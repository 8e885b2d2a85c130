/*
 * Records of this node on their way to another owner: what lies under some key hashes, what the other has apart. A group
 * at a time, each read, sent, and acknowledged before the next one is read.
 */
import type { Failure } from '../../model/errors.js';
import { copyBytes } from '../../lib/bytes.js';
import type { PartitionId } from '../../model/ids.js';
import type { Push } from '../../repair/listing.js';
import { hashHeader } from '../../storage/engine-leaves.js';
import type { Stored } from '../../storage/storage.js';
import type { StoreAsker, Unanswered } from '../peers/request.js';
import type { ClusterParts } from './parts.js';
import { type PlaceTarget, PlaceReader } from './place-reader.js';
import { AGAIN_MS, PATIENCE_MS } from './record-intake.js';

const GROUP_BYTES_MAX = 262_144;
const STORE_TIMEOUT_MS = 10_000;

interface Sent {
  readonly record: Uint8Array;
  readonly fence: number;
}

export class RecordOutlet implements PlaceTarget, StoreAsker {
  readonly #parts: ClusterParts;
  readonly #partition: number;
  readonly #peer: number;
  readonly #isGoingHome: boolean;
  readonly #sent: (bytes: number) => void;
  readonly #done: (failure: string | null) => void;
  #places: readonly Push[] = [];
  #fence = 0;
  #answered = 0;
  #left = 0;
  #failure: string | null = null;
  /** Of the record that was sent last. */
  #tag = 0;
  readonly #underWay: Map<number, Sent> = new Map();
  #untilMs = 0;

  /**
   * `isGoingHome`: what is here is dropped afterwards, so it has to be on the other's disk, all of it.
   * `sent`: one more record is there, of so many bytes.
   */
  constructor(
    parts: ClusterParts,
    partition: number,
    peer: number,
    isGoingHome: boolean,
    sent: (bytes: number) => void,
    done: (failure: string | null) => void,
  ) {
    this.#parts = parts;
    this.#partition = partition;
    this.#peer = peer;
    this.#isGoingHome = isGoingHome;
    this.#sent = sent;
    this.#done = done;
  }

  /** `places` ascend. */
  send(places: readonly Push[]): void {
    this.#places = places;
    this.#left = 1; // the reading itself
    this.#untilMs = this.#parts.nowMs() + PATIENCE_MS;
    this.#fence = this.#parts.reaps.stampOf(this.#partition); // before it: what is raised meanwhile says nothing of what was read
    const { storage } = this.#parts.services;
    new PlaceReader(storage, this.#partition as PartitionId, places, GROUP_BYTES_MAX, this).start();
  }

  onFound(index: number, { bytes, start, end }: Stored): void {
    const { services } = this.#parts;
    if (end === start || this.#failure !== null) return;
    hashHeader(bytes, start, services.hash);
    if (isAmong(services.hash.hi, services.hash.lo, (this.#places[index] as Push).theirs)) return;
    this.#send(copyBytes(bytes, start, end), this.#fence);
  }

  #send(record: Uint8Array, fence: number): void {
    const { links, preferences } = this.#parts;
    const head = {
      partition: this.#partition,
      ringVersion: preferences.ringVersion,
      budgetMs: STORE_TIMEOUT_MS,
      hintFor: 0,
      fence,
      durable: this.#isGoingHome,
      reason: 'anti-entropy' as const,
    };
    this.#tag += 1;
    const request = links.get(this.#peer)?.store(head, record, true, STORE_TIMEOUT_MS, this, this.#tag) ?? null;
    if (request === null) {
      this.#failure ??= 'It cannot be reached';
      return;
    }
    this.#underWay.set(this.#tag, { record, fence });
    this.#left += 1;
  }

  onPlacesEnd(answered: number, failure: Failure | null): void {
    this.#answered = answered;
    if (failure !== null) this.#failure ??= failure.text;
    this.#over();
  }

  onStored(_from: number, tag: number): void {
    this.#sent(this.#took(tag).record.length);
    this.#over();
  }

  /** Below the other's reap fence: what is sent after this one is as high has passed our log. */
  onRefused(_from: number, tag: number, refusal: Failure): void {
    const { record, fence } = this.#took(tag);
    if (refusal.code === 'OVERLOADED' && this.#parts.nowMs() < this.#untilMs) {
      this.#parts.timers.after(AGAIN_MS, () => {
        this.#send(record, fence);
        this.#over();
      });
      return;
    }
    if (refusal.fence !== undefined) {
      this.#parts.fences.reach(this.#partition, refusal.fence, STORE_TIMEOUT_MS, () => undefined);
    }
    if (refusal.code !== 'TOO_LARGE' || this.#isGoingHome) this.#failure ??= refusal.text;
    this.#over();
  }

  onUnanswered(_from: number, tag: number, why: Unanswered): void {
    this.#took(tag);
    this.#failure ??= why === 'timeout' ? 'It did not store a record in time' : 'The connection was lost';
    this.#over();
  }

  #took(tag: number): Sent {
    const sent = this.#underWay.get(tag) as Sent;
    this.#underWay.delete(tag);
    return sent;
  }

  #over(): void {
    this.#left -= 1;
    if (this.#left > 0) return;
    if (this.#failure !== null || this.#answered >= this.#places.length) this.#done(this.#failure);
    else this.send(this.#places.slice(this.#answered));
  }
}

function isAmong(hi: number, lo: number, headers: readonly number[]): boolean {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === hi && headers[i + 1] === lo) return true;
  return false;
}
