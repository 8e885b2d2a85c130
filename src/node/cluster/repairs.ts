/*
 * Read repair (§5): owners that a get has found to be stale are sent what its answers came to. Bounded, and told to
 * nobody: what is left undone is found by the next read, or by anti-entropy.
 */
import type { Failure } from '../../model/errors.js';
import type { KeyHash } from '../../model/hash.js';
import type { PartitionId } from '../../model/ids.js';
import type { StoreHead } from '../../model/peer-messages.js';
import { eachStamp } from '../../versioning/record.js';
import type { StoreAsker } from '../peers/request.js';
import { SETTLE_MS } from './owner-meeting.js';
import type { ClusterParts, ReadRepair } from './parts.js';
import { type RecordTarget, RecordWrite } from './record-write.js';

const UNDER_WAY_MAX = 256;
const TIMEOUT_MS = 2_000;

export class Repairs implements ReadRepair, StoreAsker, RecordTarget {
  readonly #parts: ClusterParts;
  #underWay = 0;

  constructor(parts: ClusterParts) {
    this.#parts = parts;
  }

  send(place: KeyHash & { readonly partition: PartitionId }, record: Uint8Array, node: number, fence: number): void {
    const { meters, self, links } = this.#parts;
    if (this.#underWay >= UNDER_WAY_MAX) {
      meters.noteReadRepairDropped();
      return;
    }
    this.#underWay += 1;
    meters.noteReadRepair(this.#isYoung(record) ? 'young' : 'settled');
    if (node === self) this.#storeHere(place, record, fence);
    else if (
      (links.get(node)?.store(this.#head(place.partition, fence), record, true, TIMEOUT_MS, this, place.partition) ??
        null) === null
    )
      this.#over();
  }

  onStored(): void {
    this.#over();
  }

  onUnanswered(): void {
    this.#over();
  }

  onMerged(): void {
    this.#over();
  }

  /** By another node, which names the partition (`tag`) and its fence; or by the store here, which is told by itself. */
  onRefused(_from: number | RecordWrite, tag: number | Failure, refusal?: Failure): void {
    // What a read merged was read below the fence by somebody: the next read will find it out, and tell that one.
    if (typeof tag === 'number' && refusal?.fence !== undefined) {
      this.#parts.fences.reach(tag, refusal.fence, TIMEOUT_MS, () => undefined);
    }
    this.#over();
  }

  /**
   * A get that comes while a put is under way finds copies that differ, and nothing is wrong. Counted apart, so that what
   * is left shows how often a replica has really missed something: in a healthy cluster, never.
   */
  #isYoung(record: Uint8Array): boolean {
    const settledMs = this.#parts.services.viewMs() - SETTLE_MS;
    let isYoung = false;
    eachStamp(record, 0, record.length, (wallMs) => {
      isYoung ||= wallMs > settledMs;
    });
    return isYoung;
  }

  #storeHere(place: KeyHash & { readonly partition: PartitionId }, record: Uint8Array, fence: number): void {
    const write = new RecordWrite(this.#parts);
    write.partition = place.partition;
    write.hashHi = place.hi;
    write.hashLo = place.lo;
    write.fence = fence;
    write.passesLog = true;
    write.start(this, record, 0, record.length);
  }

  #head(partition: PartitionId, fence: number): StoreHead {
    const { ringVersion } = this.#parts.preferences;
    return {
      partition,
      ringVersion,
      budgetMs: TIMEOUT_MS,
      hintFor: 0,
      fence,
      durable: false,
      reason: 'read-repair',
    };
  }

  #over(): void {
    this.#underWay -= 1;
  }
}
