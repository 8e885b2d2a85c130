/*
 * Finding what is stored under a key: active map, frozen map, cache, file. All in the call while the file is warm;
 * through the pool, one hop a partition and turn, while it is cold.
 *
 * A cold read looks at the file at some moment between question and answer, and the buffer goes on meanwhile. So the
 * buffer is asked again when the answer comes. If a frozen map was dropped in between, the key may have been in it, and
 * the pool may have read before it was written: the answer is thrown away and the file read again, at once.
 *
 * Nothing that a file says is believed before the record's checksum and its key were found right.
 */
import type { Clock, Timers } from '../env/clock.js';
import type { Digest } from '../env/digest.js';
import type { Counter, Log } from '../env/meter.js';
import type { PartitionFiles } from '../env/partition-file.js';
import type { Workers } from '../env/workers.js';
import type { Hash64 } from '../model/hash.js';
import { checkRecord } from '../versioning/record.js';
import type { RecordCache } from './cache.js';
import { MARK_BYTES } from './engine-mark.js';
import type { StoredSlot } from './engine-stored.js';
import { HOP_FAST_MS, SLOW_MS } from './engine-warmth.js';
import type { Suspicions } from './engine-suspicion.js';
import type { ColdKey, Partition } from './partition.js';
import { storageKey } from './storage-key.js';
import type { KeyPlace, ReadRequest, WriteRequest } from './storage.js';

export interface ReaderParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly workers: Workers;
  readonly files: Pick<PartitionFiles, 'taskPath'>;
  readonly digest: Digest;
  readonly hash: Hash64;
  readonly cache: RecordCache;
  readonly log: Log;
  readonly coldReads: Counter;
  /**
   * Major page faults of the process so far. With it a slow read that the scheduler interrupted is told from one that
   * waited for the disk; without it time alone decides.
   */
  readonly majorFaults?: () => number;
  readonly suspicions: Pick<Suspicions, 'onDamagedRecord' | 'onBrokenFile'>;
  /** Answers a request that had to wait: by `findFetched`, with what is handed in. */
  resume(partition: Partition, request: ReadRequest | WriteRequest, name: string, fetched: Fetched): void;
}

/** What the pool read under a key; `flushes` as it was when the pool was asked; undefined: it could not. */
export interface Fetched {
  readonly value: Uint8Array | null | undefined;
  readonly flushes: number;
}

export class Reader {
  readonly #parts: ReaderParts;
  /** Partitions with cold reads to be sent at the end of this turn. */
  #toSend: Partition[] = [];
  #underWay = 0;
  #faults = 0;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
  }

  /** Requests that wait for the pool. */
  get waiting(): number {
    return this.#underWay;
  }

  /** Fills `slot`; false: the file is cold, and the request must wait (`wait`). */
  find(partition: Partition, place: KeyPlace, name: string, slot: StoredSlot): boolean {
    if (!this.#findInMemory(partition, name, slot) && partition.file !== null) {
      if (partition.warmth.cold) return false;
      this.#readFile(partition, place, name, slot);
    }
    slot.doubt(partition);
    return true;
  }

  /** The same at once, cold or not. */
  findHere(partition: Partition, place: KeyPlace, name: string, slot: StoredSlot): void {
    if (!this.#findInMemory(partition, name, slot)) this.#readFile(partition, place, name, slot);
    slot.doubt(partition);
  }

  /** The same for a request that has waited. */
  findFetched(partition: Partition, place: KeyPlace, name: string, slot: StoredSlot, fetched: Fetched): void {
    if (!this.#findInMemory(partition, name, slot)) {
      if (fetched.value === undefined || fetched.flushes !== partition.flushes) {
        this.#readFile(partition, place, name, slot);
      } else if (fetched.value !== null) {
        this.#take(partition, place, name, slot, fetched.value);
      }
    }
    slot.doubt(partition);
  }

  /** Puts a request behind the cold read of its key; it is resumed when the pool has answered. */
  wait(partition: Partition, request: ReadRequest | WriteRequest, name: string): void {
    this.#underWay += 1;
    const underWay = partition.coldUnderWay.get(name) ?? partition.coldToSend.get(name);
    if (underWay !== undefined) {
      underWay.requests.push(request);
      return;
    }
    const key = storageKey(request.hashHi, request.hashLo, request.key, this.#parts.digest);
    if (partition.coldToSend.size === 0) {
      if (this.#toSend.length === 0)
        this.#parts.timers.endOfTurn(() => {
          this.#send();
        });
      this.#toSend.push(partition);
    }
    partition.coldToSend.set(name, { storageKey: key, requests: [request] });
  }

  #findInMemory(partition: Partition, name: string, slot: StoredSlot): boolean {
    const { hash } = this.#parts;
    const { markTag } = partition;
    const active = partition.buffer.active.get(name);
    if (active !== undefined) {
      slot.fromBuffer(active, 'active', markTag, hash);
      return true;
    }
    const frozen = partition.buffer.frozen?.get(name);
    if (frozen !== undefined) {
      slot.fromBuffer(frozen, 'frozen', markTag, hash);
      return true;
    }
    const cached = this.#parts.cache.get(name);
    if (cached === undefined) return false;
    slot.fromCache(cached.bytes, cached.start, cached.end, markTag, hash);
    return true;
  }

  #readFile(partition: Partition, place: KeyPlace, name: string, slot: StoredSlot): void {
    if (partition.file === null) return; // it has gone since the read was asked for
    const { clock, digest } = this.#parts;
    const key = storageKey(place.hashHi, place.hashLo, place.key, digest);
    const startedMs = clock.monotonicMs();
    let value: Uint8Array | null;
    try {
      value = partition.file.get(key);
    } catch (error) {
      slot.fromDamage('The partition file cannot be read');
      this.#parts.suspicions.onBrokenFile(partition, error as Error);
      return;
    }
    const tookMs = clock.monotonicMs() - startedMs;
    partition.warmth.noteRead(tookMs > SLOW_MS && this.#hadNoFault() ? 0 : tookMs);
    if (value !== null) this.#take(partition, place, name, slot, value);
  }

  #take(partition: Partition, place: KeyPlace, name: string, slot: StoredSlot, value: Uint8Array): void {
    const fault = checkRecord(value, 0, value.length - MARK_BYTES, this.#parts.hash, place.key);
    if (fault === null) {
      slot.fromFile(value, partition.markTag, this.#parts.hash);
      this.#parts.cache.offer(name, place.hashLo, value);
      return;
    }
    slot.fromDamage(`The stored record is damaged (${fault})`);
    this.#parts.suspicions.onDamagedRecord(partition, place, fault);
  }

  /** Nothing was read from a disk since this was asked last: whatever took long, it was not that. Asked rarely. */
  #hadNoFault(): boolean {
    const faults = this.#parts.majorFaults?.() ?? Number.POSITIVE_INFINITY;
    const none = faults === this.#faults && Number.isFinite(faults);
    this.#faults = faults;
    return none;
  }

  #send(): void {
    const partitions = this.#toSend;
    this.#toSend = [];
    for (const partition of partitions) this.#sendOne(partition);
  }

  #sendOne(partition: Partition): void {
    const { workers, files, clock } = this.#parts;
    const asked = partition.coldToSend;
    partition.coldToSend = new Map();
    for (const [name, cold] of asked) partition.coldUnderWay.set(name, cold);
    const keys = [...asked.values()].map((cold) => cold.storageKey);
    this.#parts.coldReads.add(keys.length);
    const flushes = partition.flushes;
    const startedMs = clock.monotonicMs();
    if (partition.file === null) {
      this.#answer(partition, asked, flushes - 1, []); // gone meanwhile: everybody looks again
      return;
    }
    partition.tasks += 1;
    workers.readMany({ path: files.taskPath(partition.id), keys }, (error, values) => {
      partition.tasks -= 1;
      const tookMs = clock.monotonicMs() - startedMs;
      partition.warmth.noteHop(tookMs > HOP_FAST_MS && this.#hadNoFault() ? 0 : tookMs);
      if (error !== null) this.#parts.log.warn('cold_read_failed', { partition: partition.id, error: error.message });
      this.#answer(partition, asked, flushes, error === null ? (values ?? []) : []);
    });
  }

  /** A value that is missing could not be read. */
  #answer(
    partition: Partition,
    asked: ReadonlyMap<string, ColdKey>,
    flushes: number,
    values: readonly (Uint8Array | null)[],
  ): void {
    let index = 0;
    for (const [name, cold] of asked) {
      partition.coldUnderWay.delete(name);
      const fetched: Fetched = { value: values[index], flushes };
      index += 1;
      for (const request of cold.requests) {
        this.#underWay -= 1;
        this.#parts.resume(partition, request, name, fetched);
      }
    }
  }
}
