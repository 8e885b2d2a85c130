/*
 * Hinted handoff (§4.6): the hands of coordinator/hint-book.ts. What a node keeps for others lies in its own store, like
 * every record; a hint beside it says for whom. When the owner is back it is sent the record as it is then, and when the
 * last hint of a key has gone home, a node that does not own the key drops its copy.
 */
import { type Hint, HintBook, type HintBatch, type HintPort } from '../../coordinator/hint-book.js';
import type { Slices } from '../../background/slices.js';
import type { TimerHandle, Timers } from '../../env/clock.js';
import { copyBytes } from '../../lib/bytes.js';
import type { Failure } from '../../model/errors.js';
import type { PartitionId } from '../../model/ids.js';
import type { StoreHead } from '../../model/peer-messages.js';
import type { ReapStorage } from '../../storage/reap-storage.js';
import type { Ack, HintStorage } from '../../storage/hint-storage.js';
import type { KeyPlace, ReadRequest, Stored } from '../../storage/storage.js';
import { keyName, keyOfName } from '../../storage/storage-key.js';
import type { StoreReplyView } from '../../wire/read-peer.js';
import type { StoreAsker } from '../peers/request.js';
import type { PeerTable } from '../../coordinator/peer-table.js';
import type { PeerLinks } from '../peers/links.js';
import type { Services } from '../services.js';
import { KeyDrop } from './key-write.js';
import type { ClusterMeters } from './meters.js';
import type { Preferences } from './preferences.js';

/** How often it is looked whether an owner is back. */
const LOOK_MS = 200;
const DELIVERY_TIMEOUT_MS = 5_000;
/** Copies that wait for a store that takes writes again; of more, some would stay. */
const DROPS_WAITING_MAX = 65_536;

export interface HintKeeperParts {
  readonly services: Services;
  readonly self: number;
  readonly timers: Timers;
  readonly slices: Slices;
  readonly links: PeerLinks;
  readonly table: PeerTable;
  readonly preferences: Preferences;
  readonly storage: HintStorage;
  readonly meters: ClusterMeters;
  readonly reaps: ReapStorage;
  /** Told that records of the partition are refused below `fence`: ours are to be stamped so. */
  readonly reach: (partition: number, fence: number) => void;
  /** The partition was this node's, and its copies are to go to all owners before they are dropped: departures.ts does both. */
  readonly isDeparting: (partition: number) => boolean;
}

/** What is kept for one owner. */
export interface HintsKept {
  readonly owner: number;
  readonly count: number;
  readonly bytes: number;
  readonly oldestMs: number;
}

export class HintKeeper implements HintPort {
  readonly #parts: HintKeeperParts;
  readonly #book: HintBook;
  /** Copies that nobody needs and that could not be dropped. */
  #drops: KeyPlace[] = [];
  /** Owners for whom a slice has been asked for. */
  readonly #asking: Set<number> = new Set();
  #timer: TimerHandle | null = null;
  #stopped = false;
  /** At the start, too: a ring may have been kept before a crash, and nothing done about it. */
  #isToReroute = true;

  constructor(parts: HintKeeperParts) {
    this.#parts = parts;
    this.#book = new HintBook(parts.services.storage.status().opening, parts.table, this);
    for (const hint of parts.storage.restored()) this.#book.restore(hint);
    this.#changed();
  }

  get count(): number {
    return this.#book.count;
  }

  /** Nothing of this partition is kept for anybody, and that is on the disk. */
  noneOutstanding(partition: PartitionId): boolean {
    return this.#book.noneOutstanding(partition);
  }

  kept(): readonly HintsKept[] {
    return [...this.#book.owners()].flatMap((owner) => {
      const kept = this.#book.kept(owner);
      return kept === null ? [] : [{ owner, ...kept }];
    });
  }

  /**
   * False: there is no room. It may be relied on when whoever writes the record beside it is told that that is durable. For
   * one that is no owner any more, as when the ring has changed since the put began, it is kept for all who are.
   */
  add(partition: PartitionId, name: string, owner: number, bytes: number): boolean {
    if (!this.#parts.preferences.isOwner(partition, owner)) return this.addForOwners(partition, name, bytes);
    return this.#add(partition, name, owner, bytes);
  }

  #add(partition: PartitionId, name: string, owner: number, bytes: number): boolean {
    const hint = this.#book.add(partition, name, owner, bytes, this.#parts.services.clock.wallMs());
    if (hint === null) this.#parts.meters.hintsRefused.add(1);
    else this.#changed();
    return hint !== null;
  }

  /**
   * For a copy of which nothing says whom it is for, as it is when a crash came between it and its hint: its owners get it
   * once more. One that cannot be read is found out when it is to be sent, said to be lost, and dropped. False: there was
   * no room for all of them.
   */
  addForOwners(partition: PartitionId, name: string, bytes: number): boolean {
    const owners = this.#parts.preferences.ownersOf(partition).filter((owner) => owner !== this.#parts.self);
    return owners.every((owner) => this.#add(partition, name, owner, bytes));
  }

  /**
   * The ring has changed: what is kept for nodes that own it no more is kept for those who do. Where there is no room for
   * all of them, it is tried again.
   */
  reroute(): void {
    const { preferences } = this.#parts;
    this.#isToReroute = false;
    for (const { id, version, partition, key, owner, bytes } of this.#book.all()) {
      if (preferences.isOwner(partition, owner)) continue;
      // All of them first: in the log the old hint goes after the new ones have come.
      if (this.addForOwners(partition, key, bytes)) this.#book.acked(id, version);
      else this.#isToReroute = true;
    }
  }

  /** Is the record of this key kept for anybody? */
  keeps(name: string): boolean {
    return this.#book.keeps(name);
  }

  /** There is nothing under the key any more that anybody should get. */
  recordReaped(name: string): void {
    for (const { id, version } of this.#book.ofKey(name)) this.#book.acked(id, version);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  // ── what the book wants done ────────────────────────────────────────────────────────────────────────────────────

  persist(hint: Hint): void {
    this.#parts.storage.keep(hint, new Kept(this.#book, hint.id, hint.version));
  }

  forget(hint: Hint): void {
    const { partition, key } = hint;
    this.#parts.storage.drop(hint, {
      durable: true,
      onWritten: () => {
        this.#book.forgotten(partition);
      },
    });
    this.#changed();
    if (!this.#isNeeded(partition, key)) this.#drop(this.#placeOf(hint));
  }

  deliver(batch: HintBatch): void {
    const { owner, ticket, hints } = batch;
    const delivery = new Delivery(this.#parts, this.#book, owner, ticket, hints.length, () => {
      this.#ask(owner);
    });
    for (const hint of [...hints]) delivery.send(hint, this.#placeOf(hint));
  }

  /** One batch to this owner, when it is its turn; there may be nothing left by then. */
  #ask(owner: number): void {
    const { services, slices } = this.#parts;
    if (this.#stopped || this.#asking.has(owner)) return;
    const bytes = this.#book.due(owner, services.clock.monotonicMs());
    if (bytes === 0) return;
    this.#asking.add(owner);
    slices.ask('hints', bytes, () => {
      this.#asking.delete(owner);
      if (!this.#stopped) this.#book.deliver(owner, services.clock.monotonicMs());
    });
  }

  #drop(place: KeyPlace): void {
    const name = keyName(place.key, 0, place.key.length);
    const drop = new KeyDrop(
      place,
      ({ state }) => state !== 'absent' && !this.#isNeeded(place.partition, name),
      (ending) => {
        if (ending !== 'refused') return;
        if (this.#drops.length < DROPS_WAITING_MAX) this.#drops.push(place);
        this.#changed();
      },
    );
    this.#parts.services.storage.write(drop);
  }

  #isNeeded(partition: PartitionId, name: string): boolean {
    const { preferences, self, isDeparting } = this.#parts;
    return preferences.isHolder(partition, self) || isDeparting(partition) || this.#book.keeps(name);
  }

  #placeOf({ partition, key: name }: Hint): KeyPlace {
    const { hash } = this.#parts.services;
    const key = keyOfName(name);
    hash.hash(key, 0, key.length);
    return { partition, key, hashHi: hash.hi, hashLo: hash.lo };
  }

  #changed(): void {
    const { meters, timers } = this.#parts;
    meters.hints.set(this.#book.count);
    meters.hintBytes.set(this.#book.bytes);
    if (this.#timer !== null || this.#stopped || (this.#book.count === 0 && this.#drops.length === 0)) return;
    this.#timer = timers.after(LOOK_MS, () => {
      this.#timer = null;
      if (this.#isToReroute) this.reroute();
      for (const owner of [...this.#book.owners()]) this.#ask(owner);
      const drops = this.#drops;
      this.#drops = [];
      for (const place of drops) this.#drop(place);
      this.#changed();
    });
  }
}

/** The entry of a hint is on the disk. */
class Kept implements Ack {
  readonly durable: boolean = true;
  readonly #book: HintBook;
  readonly #id: number;
  readonly #version: number;

  constructor(book: HintBook, id: number, version: number) {
    this.#book = book;
    this.#id = id;
    this.#version = version;
  }

  onWritten(): void {
    this.#book.durable(this.#id, this.#version);
  }
}

/** One batch to one owner: each record is read when its turn comes, so it goes out as it is then. */
class Delivery {
  readonly #parts: HintKeeperParts;
  readonly #book: HintBook;
  readonly #owner: number;
  readonly #ticket: number;
  readonly #next: () => void;
  #left: number;
  #failed = 0;

  /** `next`: after a batch that went well. */
  constructor(parts: HintKeeperParts, book: HintBook, owner: number, ticket: number, count: number, next: () => void) {
    this.#next = next;
    this.#parts = parts;
    this.#book = book;
    this.#owner = owner;
    this.#ticket = ticket;
    this.#left = count;
  }

  send(hint: Hint, place: KeyPlace): void {
    this.#parts.services.storage.read(new HintedRecord(this, hint.id, hint.version, place));
  }

  /** The record of a hint has been found. */
  found(hinted: HintedRecord, record: Uint8Array): void {
    const { links, preferences, reaps } = this.#parts;
    const head: StoreHead = {
      partition: hinted.partition,
      ringVersion: preferences.ringVersion,
      budgetMs: DELIVERY_TIMEOUT_MS,
      hintFor: 0,
      fence: reaps.stampOf(hinted.partition),
      durable: true,
      reason: 'hint',
    };
    const request = links.get(this.#owner)?.store(head, record, true, DELIVERY_TIMEOUT_MS, hinted, 0) ?? null;
    if (request === null) this.failed();
  }

  reach(partition: number, fence: number): void {
    this.#parts.reach(partition, fence);
  }

  /** There is nothing under the key any more, or nothing that can be read: nothing that could be delivered. */
  gone(hinted: HintedRecord): void {
    this.#parts.meters.hintsLost.add(1);
    this.#parts.services.log.error('hint-lost', { owner: this.#owner, partition: hinted.partition });
    this.acked(hinted);
  }

  acked(hinted: HintedRecord): void {
    this.#book.acked(hinted.id, hinted.version);
    this.#ended();
  }

  failed(): void {
    this.#failed += 1;
    this.#ended();
  }

  delivered(hinted: HintedRecord): void {
    this.#parts.meters.hintsDelivered.add(1);
    this.acked(hinted);
  }

  #ended(): void {
    this.#left -= 1;
    if (this.#left > 0) return;
    const nowMs = this.#parts.services.clock.monotonicMs();
    this.#book.batchEnded(this.#owner, this.#ticket, this.#failed === 0, nowMs);
    if (this.#failed === 0) this.#next();
  }
}

class HintedRecord implements ReadRequest, StoreAsker {
  readonly id: number;
  readonly version: number;
  readonly partition: PartitionId;
  readonly key: Uint8Array;
  readonly hashHi: number;
  readonly hashLo: number;
  readonly #delivery: Delivery;

  constructor(delivery: Delivery, id: number, version: number, place: KeyPlace) {
    this.#delivery = delivery;
    this.id = id;
    this.version = version;
    this.partition = place.partition;
    this.key = place.key;
    this.hashHi = place.hashHi;
    this.hashLo = place.hashLo;
  }

  onRead(stored: Stored): void {
    const { bytes, start, end, moving } = stored;
    if (end > start) this.#delivery.found(this, copyBytes(bytes, start, end));
    else if (moving) this.#delivery.failed();
    else this.#delivery.gone(this);
  }

  onStored(_from: number, _tag: number, reply: StoreReplyView): void {
    if (reply.durable && !reply.hinted) this.#delivery.delivered(this);
    else this.#delivery.failed();
  }

  onRefused(_from: number, _tag: number, { fence }: Failure): void {
    if (fence !== undefined) this.#delivery.reach(this.partition, fence);
    this.#delivery.failed();
  }

  onUnanswered(): void {
    this.#delivery.failed();
  }
}
