/*
 * Which records this node keeps for others, and what it does about them (§4.6). Decides only: the records themselves are
 * in the store, and adding and removing are log entries, which the port writes.
 *
 * A hint is (partition, key, owner). However many puts come for one key, it stays one hint, whose record is their merge.
 * Each of them gives it a new *version*: a number that is never used again, not even by the next opening of the store.
 *
 *   added, version 7 ──▶ durable ──▶ delivered as 7 ──▶ acked as 7 ──▶ removed ──▶ removal durable
 *              ╲                        ╱
 *               put merged in: version 9     acked as 7: not that one any more, it stays and is delivered again
 *
 * An ack removes a hint only if it names the present version: between delivery and ack another put may have been merged
 * in, acknowledged to its client on the strength of this very hint.
 *
 * Whether any hint of a partition is outstanding is asked before deletes are forgotten for ever. The answer must survive
 * a power cut at once after it, so a hint is outstanding from before its entry is written until its removal is on the
 * disk: what is under way counts as outstanding, in both directions.
 *
 * Delivery goes by age, oldest first, one batch an owner at a time, and pauses while the owner is suspect. What a batch
 * did not get acknowledged goes to the end of the queue, so that one record which its owner will not take cannot hold up
 * the others. Bytes are bounded over all owners; beyond the bound a hint is refused, the coordinator asks another
 * fallback, and what finds no place at all is left to anti-entropy.
 */
import { assert } from '../lib/assert.js';
import type { PartitionId } from '../model/ids.js';
import type { PeerView } from './preference.js';

export interface Hint {
  /** Of this hint for as long as it exists; a later one of the same key has another. */
  readonly id: number;
  readonly partition: PartitionId;
  /** The key's bytes, one character each. */
  readonly key: string;
  readonly owner: number;
  /** Of the record as it is now. */
  readonly version: number;
  /** Of the record. */
  readonly bytes: number;
  /** When the oldest put in it came: it is never younger than what waits. On the wall clock, as it outlives the process. */
  readonly sinceMs: number;
}

/** One message to one owner. Read it within `deliver` only: the object is used again. */
export interface HintBatch {
  readonly owner: number;
  /** Names this sending of a batch. */
  readonly ticket: number;
  readonly hints: readonly Hint[];
}

export interface HintPort {
  /** Append an entry "hint, with this version", with the record, and report `durable` after the sync. */
  persist(hint: Hint): void;
  /** Append an entry "this version of the hint is removed", forget the record's mark, report `forgotten` after the sync. */
  forget(hint: Hint): void;
  /** Send the records to their owner, each with hint id and version, asking for durable acks. Reports `acked` each, then `batchEnded`. */
  deliver(batch: HintBatch): void;
}

export interface HintLimits {
  /** Records, keys and HINT_OVERHEAD_BYTES of all hints together. */
  readonly bytesMax: number;
  readonly batchCountMax: number;
  /** A batch with a single larger record is sent all the same. */
  readonly batchBytesMax: number;
  /** After a batch that failed: the first pause, doubled each time up to the last. */
  readonly retryMsMin: number;
  readonly retryMsMax: number;
}

export const HINT_LIMITS: HintLimits = {
  bytesMax: 67_108_864,
  batchCountMax: 64,
  batchBytesMax: 1_048_576,
  retryMsMin: 500,
  retryMsMax: 30_000,
};

/** What a hint costs beside record and key. */
export const HINT_OVERHEAD_BYTES = 160;
const VERSIONS_PER_OPENING = 2 ** 32;

interface Entry extends Hint {
  version: number;
  bytes: number;
  sinceMs: number;
  durableVersion: number;
}

class Queue {
  /** By key, oldest first. A key says its partition. */
  readonly hints: Map<string, Entry> = new Map();
  bytes = 0;
  /** Of the batch under way: 0 none. */
  ticket = 0;
  retryAtMs = -Infinity;
  retryMs = 0;
}

export class HintBook {
  readonly #limits: HintLimits;
  readonly #peers: PeerView;
  readonly #port: HintPort;
  readonly #queues: Map<number, Queue> = new Map();
  readonly #byId: Map<number, Entry> = new Map();
  /** Partition → hints that are there or whose removal is not on the disk. */
  readonly #outstanding: Map<PartitionId, number> = new Map();
  readonly #batch: { owner: number; ticket: number; hints: Entry[] } = { owner: 0, ticket: 0, hints: [] };
  #lastVersion: number;
  #lastTicket = 0;
  #bytes = 0;

  /** `opening`: of the store, at least 1, another each time. */
  constructor(opening: number, peers: PeerView, port: HintPort, limits: HintLimits = HINT_LIMITS) {
    assert(Number.isInteger(opening) && opening >= 1 && opening < 2 ** 21, 'an opening number fits into a version');
    this.#lastVersion = opening * VERSIONS_PER_OPENING;
    this.#peers = peers;
    this.#port = port;
    this.#limits = limits;
  }

  /** A hint that the log or the hint file holds: at the start, before anything else, the oldest first. */
  restore(hint: Hint): void {
    assert(hint.version <= this.#lastVersion, 'a hint that is restored is of an earlier opening');
    const entry = { ...hint, durableVersion: hint.version };
    this.#insert(entry);
  }

  /**
   * A record to be kept for `owner`; `bytes` is its size after it has been merged with what is kept already. null: there is
   * no room, and nothing has changed. It counts once `durable` has been told of the version that the answer has now.
   */
  add(partition: PartitionId, key: string, owner: number, bytes: number, nowMs: number): Hint | null {
    const known = this.#queues.get(owner)?.hints.get(key);
    const growth = known === undefined ? bytes + key.length + HINT_OVERHEAD_BYTES : bytes - known.bytes;
    if (growth > 0 && this.#bytes + growth > this.#limits.bytesMax) return null;
    this.#lastVersion += 1;
    const version = this.#lastVersion;
    let entry = known;
    if (entry === undefined) {
      entry = { id: version, partition, key, owner, version, bytes, sinceMs: nowMs, durableVersion: 0 };
      this.#insert(entry);
    } else {
      this.#grow(entry, growth);
      entry.bytes = bytes;
      entry.version = version;
    }
    this.#port.persist(entry);
    return entry;
  }

  /** The log entry of this version is synced: now, and not before, may it be acknowledged to who asked for it. */
  durable(id: number, version: number): void {
    const entry = this.#byId.get(id);
    if (entry !== undefined && version > entry.durableVersion) entry.durableVersion = version;
  }

  /** The owner has, durably, what was sent as this version. True: the hint goes. False: it stays, newer by now, or gone already. */
  acked(id: number, version: number): boolean {
    const entry = this.#byId.get(id);
    if (entry === undefined || entry.version !== version) return false;
    const queue = this.#queues.get(entry.owner) as Queue;
    this.#grow(entry, -(entry.bytes + entry.key.length + HINT_OVERHEAD_BYTES));
    queue.hints.delete(entry.key);
    if (queue.hints.size === 0 && queue.ticket === 0) this.#queues.delete(entry.owner);
    this.#byId.delete(id);
    this.#port.forget(entry);
    return true;
  }

  /** The removal of a hint of this partition is synced. */
  forgotten(partition: PartitionId): void {
    const left = (this.#outstanding.get(partition) ?? 0) - 1;
    assert(left >= 0, 'no more hints are forgotten than there were');
    if (left === 0) this.#outstanding.delete(partition);
    else this.#outstanding.set(partition, left);
  }

  /** About the bytes of the batch that `deliver` would send now; 0: none. */
  due(owner: number, nowMs: number): number {
    const queue = this.#queues.get(owner);
    if (queue === undefined || queue.ticket !== 0 || nowMs < queue.retryAtMs) return 0;
    if (!this.#peers.isHealthy(owner, nowMs)) return 0;
    return this.#fill(queue) + HINT_OVERHEAD_BYTES * this.#batch.hints.length;
  }

  /** Sends the next batch, if the owner is believed up, none is under way, and there is something that is durable. */
  deliver(owner: number, nowMs: number): void {
    const queue = this.#queues.get(owner);
    if (queue === undefined || this.due(owner, nowMs) === 0) return;
    const batch = this.#batch;
    this.#lastTicket += 1;
    queue.ticket = this.#lastTicket;
    batch.owner = owner;
    batch.ticket = queue.ticket;
    for (const entry of batch.hints) {
      queue.hints.delete(entry.key); // to the end: what stays unacknowledged lets the others pass
      queue.hints.set(entry.key, entry);
    }
    this.#port.deliver(batch);
  }

  /** Lays the next batch out; answers the bytes of its records. */
  #fill(queue: Queue): number {
    const { hints } = this.#batch;
    hints.length = 0;
    let bytes = 0;
    for (const entry of queue.hints.values()) {
      if (hints.length >= this.#limits.batchCountMax) break;
      // Its first sync is under way. A newer version that is not synced yet is sent all the same: else a hint that is
      // written all the time would never go home.
      if (entry.durableVersion === 0) continue;
      if (hints.length > 0 && bytes + entry.bytes > this.#limits.batchBytesMax) break;
      bytes += entry.bytes;
      hints.push(entry);
    }
    return bytes;
  }

  /** All answers to the batch are in, or (`ok` false) no more will come. */
  batchEnded(owner: number, ticket: number, ok: boolean, nowMs: number): void {
    const queue = this.#queues.get(owner);
    if (queue === undefined || queue.ticket !== ticket) return;
    queue.ticket = 0;
    const { retryMsMin, retryMsMax } = this.#limits;
    queue.retryMs = ok ? 0 : Math.min(retryMsMax, Math.max(retryMsMin, 2 * queue.retryMs));
    queue.retryAtMs = ok ? -Infinity : nowMs + queue.retryMs;
    if (queue.hints.size === 0) this.#queues.delete(owner);
  }

  /** Nothing of this partition is kept for anybody, and that is on the disk. It lapses with the next hint added. */
  noneOutstanding(partition: PartitionId): boolean {
    return !this.#outstanding.has(partition);
  }

  /** A record of this key is kept for anybody. */
  keeps(key: string): boolean {
    for (const queue of this.#queues.values()) if (queue.hints.has(key)) return true;
    return false;
  }

  /** All hints of a key. */
  ofKey(key: string): readonly Hint[] {
    return [...this.#queues.values()].flatMap(({ hints }) => hints.get(key) ?? []);
  }

  all(): readonly Hint[] {
    return [...this.#byId.values()];
  }

  get count(): number {
    return this.#byId.size;
  }
  get bytes(): number {
    return this.#bytes;
  }
  /** For whom hints are kept: who drives delivery goes through them. */
  owners(): IterableIterator<number> {
    return this.#queues.keys();
  }
  /** Hints kept for an owner, their bytes, and the time of the oldest put in them; null: none. */
  kept(owner: number): { readonly count: number; readonly bytes: number; readonly oldestMs: number } | null {
    const queue = this.#queues.get(owner);
    if (queue === undefined || queue.hints.size === 0) return null;
    let oldestMs = Infinity;
    for (const entry of queue.hints.values()) oldestMs = Math.min(oldestMs, entry.sinceMs);
    return { count: queue.hints.size, bytes: queue.bytes, oldestMs };
  }

  #insert(entry: Entry): void {
    let queue = this.#queues.get(entry.owner);
    if (queue === undefined) {
      queue = new Queue();
      this.#queues.set(entry.owner, queue);
    }
    assert(!queue.hints.has(entry.key), 'a key has one hint for an owner');
    queue.hints.set(entry.key, entry);
    this.#byId.set(entry.id, entry);
    this.#outstanding.set(entry.partition, (this.#outstanding.get(entry.partition) ?? 0) + 1);
    this.#grow(entry, entry.bytes + entry.key.length + HINT_OVERHEAD_BYTES);
  }

  #grow(entry: Entry, bytes: number): void {
    this.#bytes += bytes;
    (this.#queues.get(entry.owner) as Queue).bytes += bytes;
  }
}
