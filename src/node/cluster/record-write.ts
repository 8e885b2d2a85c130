/*
 * A record from elsewhere into the store here: a replica's part in a put, a repair, a hint that comes home. What is stored
 * and what came are merged, and where that is one of the two, its very bytes are kept.
 *
 * A copy that is kept for others has its hints beside it: decided on in the same moment as the record, so that nobody is
 * ever told of the one without the other.
 */
import { failure, type Failure } from '../../model/errors.js';
import type { PartitionId } from '../../model/ids.js';
import { type Stored, WAIT_FOR_EARLIER, WRITE_NOTHING, type WriteRequest } from '../../storage/storage.js';
import { keyName } from '../../storage/storage-key.js';
import { eachStamp, recordKeyEnd, recordKeyStart } from '../../versioning/record.js';
import { filterReaped } from '../../repair/reap-filter.js';
import { copyBytes } from '../../versioning/write.js';
import { blockOf, KEPT_BYTES_MAX } from './blocks.js';
import type { ClusterParts } from './parts.js';
import { tellReaped } from './reaped-answer.js';

/** Told once of each record. */
export interface RecordTarget {
  onMerged(write: RecordWrite, durable: boolean): void;
  onRefused(write: RecordWrite, refusal: Failure): void;
}

const NOTHING = new Uint8Array(0);
const NOBODY: readonly number[] = [];

export class RecordWrite implements WriteRequest {
  partition: PartitionId = 0 as PartitionId;
  key: Uint8Array = NOTHING;
  hashHi: number = 0;
  hashLo: number = 0;
  durable: boolean = false;
  bytesHint: number = 0;
  markActorHi: number = 0;
  markActorLo: number = 0;
  markCounter: number = 0;
  /** Ordinals of the owners that it is kept for; none: it is for this node itself. */
  hintFor: readonly number[] = NOBODY;
  /** The reap fence at which it was read, where it was read last. */
  fence: number = 0;
  /** It comes from where a reap may have been missed. */
  passesLog: boolean = false;
  /** Ordinal of the member that has sent it and is told what it has missed; 0: nobody is. */
  from: number = 0;
  /** For the target's use. */
  requestId: number = 0;
  bodyBytes: number = 0;

  readonly #parts: ClusterParts;
  readonly #observe: (wallMs: number, logical: number) => void;
  #target: RecordTarget | null = null;
  #bytes: Uint8Array = NOTHING;
  #start = 0;
  #end = 0;
  #block: Uint8Array = NOTHING;
  #isDecided = true;
  #copiesIncoming = false;

  constructor(parts: ClusterParts) {
    this.#parts = parts;
    const { hlc, clock } = parts.services;
    this.#observe = (wallMs, logical) => {
      hlc.observe(wallMs, logical, clock.wallMs(), 'peer');
    };
  }

  /** `bytes[start, end)` is a checked record; needed only until this returns. Place and hints have been set. */
  start(target: RecordTarget, bytes: Uint8Array, start: number, end: number): void {
    this.#target = target;
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#isDecided = false;
    this.key = bytes.subarray(recordKeyStart(start), recordKeyEnd(bytes, start));
    this.bytesHint = end - start;
    this.#parts.services.storage.write(this);
    if (!this.#isDecided) this.#detach();
  }

  decide(stored: Stored): number {
    this.#isDecided = true;
    const { merge, meters, reaps } = this.#parts;
    const floor = reaps.floorOf(this.partition);
    if (this.fence < floor) return this.#refuse(behindFence(meters, this.fence, floor));
    if (this.passesLog && reaps.reapedAt(this.partition) > 0 && !this.#passLog(stored)) return WAIT_FOR_EARLIER;
    this.#keepMark(stored);
    let size = this.#end - this.#start;
    this.#copiesIncoming = true;
    let isKnown = false;
    if (stored.end > stored.start) {
      const outcome = merge.plan(stored.bytes, stored.start, this.#bytes, this.#start);
      if (merge.collisions > 0) meters.collisions.add(merge.collisions);
      if (outcome === 'too-large') return this.#refuse(TOO_LARGE);
      isKnown = outcome === 'same-as-a';
      this.#copiesIncoming = outcome === 'same-as-b';
      size = merge.size;
    }
    // Asked here and not before: the ring may have taken the partition away since this came.
    const { preferences, self } = this.#parts;
    if (this.hintFor.length === 0 && !preferences.isHolder(this.partition, self))
      this.hintFor = preferences.ownersOf(this.partition);
    if (this.hintFor.length > 0) this.durable = true;
    if (!this.#keepHints(size)) return this.#refuse(NO_ROOM);
    eachStamp(this.#bytes, this.#start, this.#end, this.#observe);
    return isKnown ? WAIT_FOR_EARLIER : size;
  }

  encode(target: Uint8Array, at: number): void {
    const { merge, services } = this.#parts;
    if (this.#copiesIncoming) copyBytes(this.#bytes, this.#start, this.#end - this.#start, target, at);
    else merge.encode(target, at, services.hash);
  }

  onWritten(durable: boolean): void {
    this.#finish().onMerged(this, durable);
  }

  onRefused(refusal: Failure): void {
    this.#isDecided = true;
    this.#finish().onRefused(this, refusal);
  }

  /** Leaves what the reap log lets through; false: nothing. */
  #passLog({ bytes, start, end }: Stored): boolean {
    const { reaps, services, meters } = this.#parts;
    const contexts = reaps.entriesOf(this.partition, this.hashHi, this.hashLo).map(({ context }) => context);
    const offered = { bytes: this.#bytes, start: this.#start };
    const held = end > start ? { bytes, start } : null;
    const filtered = filterReaped(offered, contexts, held, services.hash);
    if (filtered.kind === 'as-it-is') return true;
    meters.reapedArrived.add(1);
    if (this.from > 0) tellReaped(this.#parts, this.from, this, offered);
    if (filtered.kind === 'nothing-left') return false;
    this.#bytes = filtered.record;
    this.#start = 0;
    this.#end = filtered.record.length;
    return true;
  }

  /** It stays with the record: what this store has minted, it has minted. Whether it holds is looked at when it mints again. */
  #keepMark(stored: Stored): void {
    this.markCounter = stored.hasMark ? stored.markCounter : 0;
    this.markActorHi = stored.markActorHi;
    this.markActorLo = stored.markActorLo;
  }

  #keepHints(size: number): boolean {
    if (this.hintFor.length === 0) return true;
    const name = keyName(this.key, 0, this.key.length);
    for (const owner of this.hintFor) {
      if (!this.#parts.hints.add(this.partition, name, owner, size)) return false;
    }
    return true;
  }

  #detach(): void {
    const size = this.#end - this.#start;
    let block = this.#block;
    if (block.length < size) {
      block = blockOf(size);
      if (size <= KEPT_BYTES_MAX) this.#block = block;
    }
    copyBytes(this.#bytes, this.#start, size, block, 0);
    this.#bytes = block;
    this.#start = 0;
    this.#end = size;
    this.key = block.subarray(recordKeyStart(0), recordKeyEnd(block, 0));
  }

  #refuse(refusal: Failure): number {
    this.onRefused(refusal);
    return WRITE_NOTHING;
  }

  #finish(): RecordTarget {
    const target = this.#target as RecordTarget;
    this.#target = null;
    this.#bytes = NOTHING;
    return target;
  }
}

function behindFence({ behindFence: count }: ClusterParts['meters'], stamp: number, floor: number): Failure {
  count.add(1);
  const text = `The record was read at reap fence ${stamp}, here it is ${floor}: read it again, and send it again`;
  return failure('BEHIND_FENCE', text, { fence: floor });
}

const TOO_LARGE = failure('TOO_LARGE', 'The merge of this record with the one stored is larger than a record can be');
const NO_ROOM = failure('OVERLOADED', 'There is no room for more hints on this node');
