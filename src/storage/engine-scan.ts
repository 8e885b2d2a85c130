/*
 * One batch of a scan (scan.ts): a stretch of the file, and the write buffer laid over it.
 *
 * The file is always read by the pool. A scan goes where no read has been for long, so a page of it that is not in the
 * memory is the rule, and on the loop each would stop everybody for the time of a disk access. As with a cold read the
 * buffer goes on meanwhile: it is asked when the answer comes, and if a frozen map was dropped in between the stretch is
 * read again, at once, from pages that the pool has just fetched.
 *
 * The buffer's maps know no order, so a batch walks through the partition's share of them whole. That is some thousand
 * entries a partition at most times, a small part of what verifying the batch costs.
 */
import type { Timers } from '../env/clock.js';
import type { Digest } from '../env/digest.js';
import type { Log } from '../env/meter.js';
import type { PartitionFiles } from '../env/partition-file.js';
import type { ReadRange, Workers } from '../env/workers.js';
import { equalBytes, readU32, writeU32 } from '../lib/bytes.js';
import { failure } from '../model/errors.js';
import type { Hash64 } from '../model/hash.js';
import { checkRecord, RECORD_FIXED_BYTES, recordKeyEnd, recordKeyStart } from '../versioning/record.js';
import { MARK_BYTES } from './engine-mark.js';
import type { StoredSlot, StoredSlots } from './engine-stored.js';
import type { Suspicions } from './engine-suspicion.js';
import type { Partition } from './partition.js';
import { eachPacked, readRange } from './scan-range.js';
import { HASH_END_HI, isBefore, type HashPlace, type ScanRequest } from './scan.js';
import { keyName, keyOfName, keyWithin, storageKey } from './storage-key.js';
import type { BufferedRecord } from './write-buffer.js';

export interface ScannerParts {
  readonly workers: Workers;
  readonly files: PartitionFiles;
  readonly timers: Timers;
  readonly digest: Digest;
  readonly hash: Hash64;
  readonly log: Log;
  readonly slots: StoredSlots;
  readonly suspicions: Suspicions;
  readonly partitionCount: number;
}

/** Something to be shown: what the file has, if it has anything, unless the buffer knows better at that moment. */
interface Item {
  readonly hi: number;
  readonly lo: number;
  /** As the buffer's maps know it; empty: not to be had, the record is damaged. */
  readonly name: string;
  readonly keyAt: number;
  readonly valueAt: number;
  /** 0: the file has nothing. */
  readonly end: number;
}

interface Batch {
  readonly partition: Partition;
  readonly request: ScanRequest;
  readonly from: HashPlace;
  readonly until: HashPlace;
}

const NOTHING = new Uint8Array(0);
const EMPTY: ReadRange = { entries: NOTHING, next: null };

export class Scanner {
  readonly #parts: ScannerParts;
  #underWay = 0;

  constructor(parts: ScannerParts) {
    this.#parts = parts;
  }

  /** Batches that wait for the pool. */
  get waiting(): number {
    return this.#underWay;
  }

  /** Answers later, never inside the call: whoever asks for the next batch in `onEnd` does not pile up. */
  scan(partition: Partition, request: ScanRequest): void {
    const { workers, files, timers, log, partitionCount } = this.#parts;
    const width = HASH_END_HI / partitionCount;
    const batch: Batch = {
      partition,
      request,
      from: later({ hi: request.fromHi, lo: request.fromLo }, { hi: partition.id * width, lo: 0 }),
      until: earlier({ hi: request.untilHi, lo: request.untilLo }, { hi: (partition.id + 1) * width, lo: 0 }),
    };
    const flushes = partition.flushes;
    this.#underWay += 1;
    const answered = (range: ReadRange | null): void => {
      this.#underWay -= 1;
      this.#show(batch, range !== null && partition.flushes === flushes ? range : this.#readHere(batch));
    };
    if (partition.file === null || !isBefore(batch.from.hi, batch.from.lo, batch.until.hi, batch.until.lo)) {
      timers.endOfTurn(() => {
        answered(EMPTY);
      });
      return;
    }
    partition.tasks += 1;
    workers.readRange({ path: files.taskPath(partition.id), ...rangeOf(batch) }, (error, range) => {
      partition.tasks -= 1;
      if (error !== null) log.warn('scan_failed', { partition: partition.id, error: error.message });
      answered(error === null ? (range ?? null) : null);
    });
  }

  /** On the loop; null: the file cannot be read. */
  #readHere(batch: Batch): ReadRange | null {
    const { partition } = batch;
    if (partition.file === null) return EMPTY;
    try {
      return readRange(partition.file, rangeOf(batch));
    } catch (error) {
      this.#parts.suspicions.onBrokenFile(partition, error as Error);
      return null;
    }
  }

  #show(batch: Batch, range: ReadRange | null): void {
    const { partition, request } = batch;
    if (range === null) {
      request.onEnd(null, failure('UNAVAILABLE', 'The partition file cannot be read'));
      return;
    }
    const items = this.#itemsOf(batch, range);
    let records = 0;
    let bytes = 0;
    let last: Item | null = null;
    for (const item of items) {
      const isFull = records >= request.recordsMax || bytes >= request.bytesMax;
      if (isFull && last !== null && (item.hi !== last.hi || item.lo !== last.lo)) {
        request.onEnd({ hi: item.hi, lo: item.lo }, null);
        return;
      }
      const shown = this.#showOne(partition, request, range, item);
      if (shown < 0) continue;
      last = item;
      records += 1;
      bytes += shown;
    }
    request.onEnd(range.next === null ? null : { hi: readU32(range.next, 0), lo: readU32(range.next, 4) }, null);
  }

  /** The size of what was shown; -1: there is nothing under this key any more. */
  #showOne(partition: Partition, request: ScanRequest, range: ReadRange, item: Item): number {
    const { slots, hash } = this.#parts;
    const { markTag } = partition;
    // Not what the buffer held when the batch began: whoever is shown a record may write to the next.
    const buffered = item.name === '' ? undefined : partition.buffer.find(item.name);
    if (buffered === undefined ? item.end === 0 : buffered.dropped) return -1;
    const key = item.name === '' ? NOTHING : keyOfName(item.name);
    const slot = slots.take();
    if (buffered !== undefined) {
      const from = partition.buffer.active.has(item.name) ? 'active' : 'frozen';
      slot.fromBuffer(buffered, from, markTag, hash);
    } else {
      this.#takeFromFile(partition, range.entries, item, key, slot);
    }
    if (!partition.marksHold) slot.hasMark = false; // it may be the older of two
    const size = slot.end - slot.start;
    request.onRecord(slot, key, item.hi, item.lo);
    slots.give(slot);
    return size;
  }

  #takeFromFile(partition: Partition, bytes: Uint8Array, item: Item, key: Uint8Array, slot: StoredSlot): void {
    const { hash, suspicions } = this.#parts;
    let fault = checkRecord(bytes, item.valueAt, item.end - MARK_BYTES, hash, key);
    if (fault === null) {
      hash.hash(key, 0, key.length);
      if (hash.hi !== item.hi || hash.lo !== item.lo) fault = 'wrong-key';
    }
    if (fault === null) {
      slot.fromCache(bytes, item.valueAt, item.end, partition.markTag, hash);
      slot.owned = true; // the pool's answer, which nobody else has
      return;
    }
    slot.fromDamage(`The stored record is damaged (${fault})`);
    suspicions.onDamagedRecord(partition, { key, hashHi: item.hi, hashLo: item.lo }, fault);
  }

  /** Everything between the batch's start and the file's end of it, in hash order, every key once. */
  #itemsOf(batch: Batch, range: ReadRange): readonly Item[] {
    const { buffer } = batch.partition;
    const { entries, next } = range;
    const items: Item[] = [];
    const untilHi = next === null ? batch.until.hi : readU32(next, 0);
    const untilLo = next === null ? batch.until.lo : readU32(next, 4);
    const over: Map<string, BufferedRecord> = new Map();
    for (const map of [buffer.frozen, buffer.active]) {
      for (const entry of map?.values() ?? []) {
        const { hashHi: hi, hashLo: lo } = entry;
        if (!isBefore(hi, lo, batch.from.hi, batch.from.lo) && isBefore(hi, lo, untilHi, untilLo))
          over.set(entry.name, entry);
      }
    }
    eachPacked(range, (keyAt, valueAt, end) => {
      const [hi, lo] = [readU32(entries, keyAt), readU32(entries, keyAt + 4)];
      const name = this.#nameOf(entries, keyAt, valueAt, end, over);
      over.delete(name);
      items.push({ hi, lo, name, keyAt, valueAt, end });
    });
    if (over.size === 0) return items;
    for (const { hashHi: hi, hashLo: lo, name } of over.values()) {
      items.push({ hi, lo, name, keyAt: 0, valueAt: 0, end: 0 });
    }
    return items.sort((a, b) => a.hi - b.hi || a.lo - b.lo);
  }

  /** Of an entry of the file. A long key is only named by the record, and by the buffer if it has it too. */
  #nameOf(
    bytes: Uint8Array,
    keyAt: number,
    valueAt: number,
    end: number,
    over: ReadonlyMap<string, BufferedRecord>,
  ): string {
    const own = keyWithin(bytes, keyAt, valueAt);
    if (own !== null) return keyName(own, 0, own.length);
    const stored = bytes.subarray(keyAt, valueAt);
    const { digest } = this.#parts;
    if (end - valueAt > RECORD_FIXED_BYTES && recordKeyEnd(bytes, valueAt) <= end) {
      const key = bytes.subarray(recordKeyStart(valueAt), recordKeyEnd(bytes, valueAt));
      if (equalBytes(stored, storageKey(readU32(stored, 0), readU32(stored, 4), key, digest)))
        return keyName(key, 0, key.length);
    }
    for (const { name, hashHi, hashLo } of over.values()) {
      if (hashHi !== readU32(stored, 0) || hashLo !== readU32(stored, 4)) continue;
      if (equalBytes(stored, storageKey(hashHi, hashLo, keyOfName(name), digest))) return name;
    }
    return '';
  }
}

/** The stretch of the file that a batch asks for. */
function rangeOf({ request, from, until }: Batch): {
  readonly from: Uint8Array;
  readonly until: Uint8Array | null;
  readonly recordsMax: number;
  readonly bytesMax: number;
} {
  const last = until.hi === HASH_END_HI ? null : hashBytes(until);
  return { from: hashBytes(from), until: last, recordsMax: request.recordsMax, bytesMax: request.bytesMax };
}

function hashBytes({ hi, lo }: HashPlace): Uint8Array {
  const bytes = new Uint8Array(8);
  writeU32(bytes, 0, hi);
  writeU32(bytes, 4, lo);
  return bytes;
}

function later(a: HashPlace, b: HashPlace): HashPlace {
  return isBefore(a.hi, a.lo, b.hi, b.lo) ? b : a;
}

function earlier(a: HashPlace, b: HashPlace): HashPlace {
  return isBefore(a.hi, a.lo, b.hi, b.lo) ? a : b;
}
