/*
 * The newest record of every key that its partition's file does not hold yet (§6.1's object buffer, made durable by
 * the log), or that there is none any more. The bytes stay where the log laid them out, in the arena's chunks; here are only maps of where they are.
 *
 * A partition has an active map, which writes go to, and while it is being flushed a frozen one: freezing is a swap.
 * Reads look in active, then frozen, then the file. A chunk is retained once an entry in it, and what counts against
 * the limit is whole chunks, because that is what the process pays. Flushing takes the partition with the oldest
 * unflushed entry first, so the oldest chunks come free first.
 *
 * An entry remembers what it will replace in the file, as the leaf hash of that record: stored Merkle leaves can then
 * be changed by stored ⊕ old ⊕ new in the transaction that writes it, whatever newer puts have done to the live ones.
 */
import { assert } from '../lib/assert.js';
import type { Arena, Chunk } from './arena.js';

/** The size of an entry that says that nothing is stored under its key any more: no record is as short. */
export const DROPPED_SIZE = 0;

/** What the file holds under an entry's key, as far as the Merkle leaves care. */
export const OLD_NONE = 0;
export const OLD_HASH = 1;
/** Not known: the entry was replayed, or the file's record is damaged. Whoever needs it looks. */
export const OLD_UNKNOWN = 2;
export type OldKind = typeof OLD_NONE | typeof OLD_HASH | typeof OLD_UNKNOWN;

export class BufferedRecord {
  readonly name: string;
  readonly hashHi: number;
  readonly hashLo: number;
  chunk: Chunk;
  at: number;
  /** Of the record; the mark follows it. DROPPED_SIZE: there is none, and the file's is to go. */
  size: number;
  lsn: number;
  leafHi: number = 0;
  leafLo: number = 0;
  oldKind: OldKind = OLD_UNKNOWN;
  oldHi: number = 0;
  oldLo: number = 0;

  constructor(name: string, hashHi: number, hashLo: number, chunk: Chunk, at: number, size: number, lsn: number) {
    this.name = name;
    this.hashHi = hashHi;
    this.hashLo = hashLo;
    this.chunk = chunk;
    this.at = at;
    this.size = size;
    this.lsn = lsn;
  }

  get dropped(): boolean {
    return this.size === DROPPED_SIZE;
  }
}

/** One partition's share. LSN 0: none. */
export class PartitionBuffer {
  active: Map<string, BufferedRecord> = new Map();
  activeFirstLsn: number = 0;
  activeLastLsn: number = 0;
  /** Monotonic ms at which the active map got its first entry. */
  activeSinceMs: number = 0;
  frozen: Map<string, BufferedRecord> | null = null;
  frozenFirstLsn: number = 0;
  frozenLastLsn: number = 0;
  /** The frozen entries in file order, and how many of them are in the file already. */
  frozenOrder: readonly BufferedRecord[] = [];
  frozenFlushed: number = 0;
  /** Bookkeeping that goes to the file before the records do: name → value, null: it goes. */
  notes: Map<string, Uint8Array | null> = new Map();
  frozenNotes: readonly (readonly [string, Uint8Array | null])[] = [];
  frozenNotesFlushed: number = 0;
  /** The fence as it is to stand in the file when all that came before it does. */
  fence: Uint8Array | null = null;
  frozenFence: Uint8Array | null = null;
  /** True while the partition stands in the buffer's queue of those with something to flush. */
  queued: boolean = false;

  /** The oldest LSN that is not in the file; 0: none. */
  get oldestLsn(): number {
    return this.frozenFirstLsn !== 0 ? this.frozenFirstLsn : this.activeFirstLsn;
  }

  find(name: string): BufferedRecord | undefined {
    return this.active.get(name) ?? this.frozen?.get(name);
  }
}

const TREND_FACTOR = 2.3;

export class WriteBuffer<P extends { readonly buffer: PartitionBuffer }> {
  readonly #arena: Arena;
  readonly bytesMax: number;
  /** Partitions with an active map that is not empty, by their first LSN: LSNs only grow, so arrival is the order. */
  #queue: P[] = [];
  #head = 0;
  #liveBytes = 0;

  constructor(arena: Arena, bytesMax: number) {
    this.#arena = arena;
    this.bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#arena.bytesInUse;
  }

  /** Memory: 0: empty, 1: full; may pass 1 by the writes of the moment. */
  get fill(): number {
    return this.#arena.bytesInUse / this.bytesMax;
  }

  /**
   * Where the memory is heading. A chunk holds records of all partitions and is free when the last of them is flushed, a
   * whole round of the flusher later; in balance half of the memory is records that are not flushed yet. So twice those,
   * and some, says now what `fill` says a round later, when it is too late to slow down.
   */
  get trend(): number {
    return (TREND_FACTOR * this.#liveBytes) / this.bytesMax;
  }

  /** Puts a record in its place: a new entry, or the active one of the same key moved to the new bytes. */
  place(
    owner: P,
    entry: BufferedRecord | undefined,
    name: string,
    hashHi: number,
    hashLo: number,
    chunk: Chunk,
    at: number,
    size: number,
    lsn: number,
    nowMs: number,
  ): BufferedRecord {
    this.#arena.retain(chunk);
    const buffer = owner.buffer;
    this.touch(owner, lsn, nowMs);
    this.#liveBytes += size - (entry?.size ?? 0);
    if (entry !== undefined) {
      this.#arena.release(entry.chunk);
      entry.chunk = chunk;
      entry.at = at;
      entry.size = size;
      entry.lsn = lsn;
      return entry;
    }
    const added = new BufferedRecord(name, hashHi, hashLo, chunk, at, size, lsn);
    buffer.active.set(name, added);
    return added;
  }

  /** Something of the partition stands in the log that its file does not have. */
  touch(owner: P, lsn: number, nowMs: number): void {
    const { buffer } = owner;
    assert(lsn > buffer.activeLastLsn, 'a newer record has a greater LSN');
    if (buffer.activeFirstLsn === 0) {
      buffer.activeFirstLsn = lsn;
      buffer.activeSinceMs = nowMs;
      this.#enqueue(owner);
    }
    buffer.activeLastLsn = lsn;
  }

  /** The partition whose oldest unflushed entry is the oldest of all; it stays queued until `freeze`. */
  oldest(): P | undefined {
    return this.#queue[this.#head];
  }

  /** From now on it is as if its oldest entry were the oldest of all. False: it has nothing to flush, or is being flushed. */
  advance(owner: P): boolean {
    if (!owner.buffer.queued || owner.buffer.frozen !== null) return false;
    const at = this.#queue.indexOf(owner, this.#head);
    if (at === this.#head) return true;
    this.#queue.splice(at, 1);
    this.#queue.splice(this.#head, 0, owner);
    return true;
  }

  /** Swaps the active map of the oldest partition for an empty one; what was active is now frozen. */
  freeze(): P {
    const owner = this.#queue[this.#head];
    assert(owner !== undefined, 'there is something to freeze');
    this.#head += 1;
    if (this.#head > 1_024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    const buffer = owner.buffer;
    assert(buffer.frozen === null, 'a partition has one frozen map at a time');
    buffer.queued = false;
    buffer.frozen = buffer.active;
    buffer.frozenFirstLsn = buffer.activeFirstLsn;
    buffer.frozenLastLsn = buffer.activeLastLsn;
    buffer.frozenOrder = [...buffer.frozen.values()].sort((a, b) => a.hashHi - b.hashHi || a.hashLo - b.hashLo);
    buffer.frozenFlushed = 0;
    buffer.active = new Map();
    buffer.activeFirstLsn = 0;
    buffer.frozenNotes = [...buffer.notes];
    buffer.frozenNotesFlushed = 0;
    buffer.notes = new Map();
    buffer.frozenFence = buffer.fence;
    buffer.fence = null;
    return owner;
  }

  /** The frozen map is in the file and synced. The caller has ended the file's read of this turn. */
  dropFrozen(owner: P): void {
    const buffer = owner.buffer;
    assert(buffer.frozen !== null, 'a frozen map is dropped once');
    for (const entry of buffer.frozen.values()) {
      this.#arena.release(entry.chunk);
      this.#liveBytes -= entry.size;
    }
    buffer.frozen = null;
    buffer.frozenFirstLsn = 0;
    buffer.frozenOrder = [];
    buffer.frozenFlushed = 0;
    buffer.frozenNotes = [];
    buffer.frozenNotesFlushed = 0;
    buffer.frozenFence = null;
  }

  /** What the partition has here is to be in no file: all of it goes, but nothing may be frozen. */
  discard(owner: P): void {
    const { buffer } = owner;
    assert(buffer.frozen === null, 'what is being flushed is not discarded');
    for (const entry of buffer.active.values()) {
      this.#arena.release(entry.chunk);
      this.#liveBytes -= entry.size;
    }
    buffer.active = new Map();
    buffer.activeFirstLsn = 0;
    buffer.notes = new Map();
    buffer.fence = null;
    if (!buffer.queued) return;
    buffer.queued = false;
    this.#queue.splice(this.#queue.indexOf(owner, this.#head), 1);
  }

  #enqueue(owner: P): void {
    assert(!owner.buffer.queued, 'a partition is queued once');
    owner.buffer.queued = true;
    this.#queue.push(owner);
  }
}
