/*
 * Records that another owner has sent: each is checked as if it came from anybody, and merged into what is here by the
 * one way in which anything gets into a store (record-write.ts).
 */
import type { Failure } from '../../model/errors.js';
import type { PartitionId } from '../../model/ids.js';
import { partitionOf } from '../../ring/partition.js';
import { checkRecord, recordKeyEnd, recordKeyStart } from '../../versioning/record.js';
import type { ClusterParts } from './parts.js';
import { type RecordTarget, RecordWrite } from './record-write.js';

const NOBODY: readonly number[] = [];

/** What is wrong with a record of this partition, or empty. Leaves the parts' hash with that of its key. */
export function recordFault(parts: ClusterParts, partition: number, record: Uint8Array): string {
  const { services, meters } = parts;
  const { hash, partitionBits } = services;
  const damage = checkRecord(record, 0, record.length, hash, null);
  if (damage !== null) {
    meters.damagedOnTheWay.add(1);
    return `A record that it sent failed its check (${damage})`;
  }
  hash.hash(record, recordKeyStart(0), recordKeyEnd(record, 0));
  return partitionOf(hash.hi, partitionBits) === partition ? '' : 'It sent a record of another partition';
}

export interface IntakeTerms {
  readonly durable: boolean;
  /** The lowest reap fence at which any of the records was read. */
  readonly fence: number;
  /** Who has sent them, and is told what it sent though it was reaped here; 0: nobody is told. */
  readonly from: number;
}

/** After this a store that has more to do than it can take is asked again, and for so long. */
export const AGAIN_MS = 100;
export const PATIENCE_MS = 10_000;

/** Merges records one after the other; told once, when all of them are as safe as asked for, or one was refused. */
export class RecordIntake implements RecordTarget {
  readonly #parts: ClusterParts;
  readonly #partition: number;
  readonly #terms: IntakeTerms;
  readonly #merged: () => void;
  readonly #done: (failure: string | null) => void;
  readonly #underWay: Map<RecordWrite, Uint8Array> = new Map();
  readonly #untilMs: number;
  #left = 1;
  #failure: string | null = null;

  /** `merged`: one more is here. */
  constructor(
    parts: ClusterParts,
    partition: number,
    terms: IntakeTerms,
    merged: () => void,
    done: (failure: string | null) => void,
  ) {
    this.#parts = parts;
    this.#partition = partition;
    this.#terms = terms;
    this.#merged = merged;
    this.#done = done;
    this.#untilMs = parts.nowMs() + PATIENCE_MS;
  }

  /** They are needed until the end. */
  take(records: readonly Uint8Array[]): void {
    for (const record of records) this.#takeOne(record);
    this.#over();
  }

  onMerged(write: RecordWrite): void {
    this.#underWay.delete(write);
    this.#merged();
    this.#over();
  }

  /** A merge that no record can hold stays undone; both sides keep what they have. */
  onRefused(write: RecordWrite, refusal: Failure): void {
    const { from } = this.#terms;
    const record = this.#underWay.get(write);
    this.#underWay.delete(write);
    if (refusal.code === 'OVERLOADED' && record !== undefined && this.#parts.nowMs() < this.#untilMs) {
      this.#parts.timers.after(AGAIN_MS, () => {
        this.#takeOne(record);
        this.#over();
      });
      return;
    }
    if (refusal.fence !== undefined && from > 0) this.#parts.fences.tell(from, this.#partition);
    if (refusal.code !== 'TOO_LARGE') this.#failure ??= refusal.text;
    this.#over();
  }

  #takeOne(record: Uint8Array): void {
    const fault = recordFault(this.#parts, this.#partition, record);
    if (fault !== '') {
      this.#failure ??= fault;
      return;
    }
    const { hi, lo } = this.#parts.services.hash;
    const write = new RecordWrite(this.#parts);
    write.partition = this.#partition as PartitionId;
    write.hashHi = hi;
    write.hashLo = lo;
    write.hintFor = NOBODY;
    write.durable = this.#terms.durable;
    write.fence = this.#terms.fence;
    write.passesLog = true;
    write.from = this.#terms.from;
    this.#left += 1;
    this.#underWay.set(write, record);
    write.start(this, record, 0, record.length);
  }

  #over(): void {
    this.#left -= 1;
    if (this.#left === 0) this.#done(this.#failure);
  }
}
