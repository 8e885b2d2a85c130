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

/** Merges records one after the other; told once, when all of them are as safe as asked for, or one was refused. */
export class RecordIntake implements RecordTarget {
  readonly #parts: ClusterParts;
  readonly #partition: number;
  readonly #durable: boolean;
  readonly #merged: () => void;
  readonly #done: (failure: string | null) => void;
  #left = 1;
  #failure: string | null = null;

  /** `merged`: one more is here. */
  constructor(
    parts: ClusterParts,
    partition: number,
    durable: boolean,
    merged: () => void,
    done: (failure: string | null) => void,
  ) {
    this.#parts = parts;
    this.#partition = partition;
    this.#durable = durable;
    this.#merged = merged;
    this.#done = done;
  }

  take(records: readonly Uint8Array[]): void {
    for (const record of records) this.#takeOne(record);
    this.#over();
  }

  onMerged(): void {
    this.#merged();
    this.#over();
  }

  /** A merge that no record can hold stays undone; both sides keep what they have. */
  onRefused(_write: RecordWrite, refusal: Failure): void {
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
    if (!this.#mayComeIn(record)) return;
    const write = new RecordWrite(this.#parts);
    write.partition = this.#partition as PartitionId;
    write.hashHi = hi;
    write.hashLo = lo;
    write.hintFor = NOBODY;
    write.durable = this.#durable;
    this.#left += 1;
    write.start(this, record, 0, record.length);
  }

  /**
   * The seam for keys that were reaped here: what comes from a store that has not heard of it must pass the reap log
   * before it is merged. Nothing is reaped yet, so everything that is a record may come in.
   */
  #mayComeIn(record: Uint8Array): boolean {
    return record.length > 0;
  }

  #over(): void {
    this.#left -= 1;
    if (this.#left === 0) this.#done(this.#failure);
  }
}
