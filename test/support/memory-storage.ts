/*
 * The storage contract in a Map, for tests of what stands on it: each write is "synced" when the test says so.
 */
import xxhash from 'xxhash-wasm';
import { hash64From } from '../../src/model/hash.js';
import { failure } from '../../src/model/errors.js';
import type { PartitionId } from '../../src/model/ids.js';
import { MERKLE_LEAVES_TOTAL } from '../../src/model/limits.js';
import { leafIndex, LeafTree } from '../../src/repair/merkle.js';
import { hashHeader } from '../../src/storage/engine-leaves.js';
import type { DamagedPlace, ReplicaStorage } from '../../src/storage/replica-storage.js';
import type { Storage, StorageStatus, Stored, ReadRequest, WriteRequest } from '../../src/storage/storage.js';
import type { Hint } from '../../src/coordinator/hint-book.js';
import type { Ack, HintStorage } from '../../src/storage/hint-storage.js';
import { PartitionFence } from '../../src/storage/partition-fence.js';
import type { FenceState, ReapEntry, ReapPage, ReapStorage } from '../../src/storage/reap-storage.js';
import { CONTEXT_ENTRY_BYTES, contextCount, contextStart } from '../../src/versioning/record.js';
import { HASH_END_HI, isBefore, type ScanRequest } from '../../src/storage/scan.js';
import { DROP_RECORD, WAIT_FOR_EARLIER, WRITE_NOTHING } from '../../src/storage/storage.js';

const HASH = hash64From(await xxhash());

interface Kept {
  readonly hashHi: number;
  readonly hashLo: number;
  readonly partition: number;
  readonly bytes: Uint8Array;
  readonly markActorHi: number;
  readonly markActorLo: number;
  readonly markCounter: number;
}

const NOTHING = new Uint8Array(0);

export class MemoryStorage implements Storage, ReplicaStorage {
  readonly #records: Map<string, Kept> = new Map();
  readonly #unsynced: Ack[] = [];
  /** What the store "held when it was opened" is for the test to say. */
  readonly hints: MemoryHints = new MemoryHints((ack) => {
    this.#ack(ack);
  });
  readonly reaps: MemoryReaps = new MemoryReaps((ack) => {
    this.#ack(ack);
  });
  /** Answers reads and decides writes only when `serve` is called. */
  cold: boolean = false;
  /** Acknowledges writes only when `sync` is called. */
  holdAcks: boolean = false;
  unknownReason: string = '';
  /** The partition's file is being replaced. */
  moving: boolean = false;
  opening: number = 1;
  /** Until the test says otherwise, whatever has been met meanwhile. */
  suspectPartitions: readonly number[] = [];
  leafCount: number = MERKLE_LEAVES_TOTAL;
  /** Partitions that went as a whole. */
  readonly dropped: number[] = [];
  /** Its file cannot be read, whoever scans it. */
  brokenPartition: number = -1;
  /** Nor its tree. */
  isTreeBroken: boolean = false;
  readonly #waiting: (() => void)[] = [];
  /** Names of records that fail their check, and those of which nobody has asked yet. */
  readonly #rotten: Set<string> = new Set();
  #found: DamagedPlace[] = [];

  /** As the engine's: all of it goes but its fence. */
  dropPartition(partition: number, mayGo: () => boolean, done: (error: Error | null, isGone?: boolean) => void): void {
    if (!mayGo()) {
      done(null, false);
      return;
    }
    this.dropped.push(partition);
    if (partition === this.brokenPartition) this.brokenPartition = -1;
    for (const [name, kept] of [...this.#records]) {
      if (kept.partition !== partition) continue;
      this.#records.delete(name);
      this.#rotten.delete(name);
    }
    const onWritten = (): void => {
      done(null, true);
    };
    this.#ack({ durable: true, onWritten });
  }

  read(request: ReadRequest): void {
    this.#orLater(() => {
      request.onRead(this.#stored(request.key));
    });
  }

  write(request: WriteRequest): void {
    this.#orLater(() => {
      const size = request.decide(this.#stored(request.key));
      if (size === WRITE_NOTHING) return;
      if (size === DROP_RECORD) {
        const kept = this.#records.get(nameOf(request.key));
        if (kept !== undefined) this.#remember(request, kept.bytes);
        this.#records.delete(nameOf(request.key));
        this.#rotten.delete(nameOf(request.key));
      } else if (size !== WAIT_FOR_EARLIER) {
        const bytes = new Uint8Array(size);
        request.encode(bytes, 0);
        const { hashHi, hashLo, partition, markActorHi, markActorLo, markCounter } = request;
        const place = { hashHi, hashLo, partition };
        this.#records.set(nameOf(request.key), { ...place, bytes, markActorHi, markActorLo, markCounter });
        this.#rotten.delete(nameOf(request.key));
      }
      this.#ack(request);
    });
  }

  scan(request: ScanRequest): void {
    setImmediate(() => {
      this.#orLater(() => {
        this.#scan(request);
      });
    });
  }

  /** Sorts everything, every time. */
  #scan(request: ScanRequest): void {
    if (request.partition === this.brokenPartition) {
      request.onEnd(null, failure('UNAVAILABLE', 'The partition file cannot be read'));
      return;
    }
    const { fromHi, fromLo, untilHi, untilLo } = request;
    const all = [...this.#records]
      .filter(([, kept]) => kept.partition === request.partition)
      .filter(([, { hashHi, hashLo }]) => !isBefore(hashHi, hashLo, fromHi, fromLo))
      .filter(([, { hashHi, hashLo }]) => untilHi === HASH_END_HI || isBefore(hashHi, hashLo, untilHi, untilLo))
      .sort(([, a], [, b]) => a.hashHi - b.hashHi || a.hashLo - b.hashLo);
    let records = 0;
    let bytes = 0;
    let last: Kept | null = null;
    for (const [name, { hashHi, hashLo }] of all) {
      const full = records >= request.recordsMax || bytes >= request.bytesMax;
      if (full && (last?.hashHi !== hashHi || last.hashLo !== hashLo)) {
        request.onEnd({ hi: hashHi, lo: hashLo }, null);
        return;
      }
      const kept = this.#records.get(name);
      if (kept === undefined) continue; // dropped by whoever was shown the one before
      request.onRecord(this.#stored(Buffer.from(name, 'latin1')), Buffer.from(name, 'latin1'), hashHi, hashLo);
      last = kept;
      records += 1;
      bytes += kept.bytes.length;
    }
    request.onEnd(null, null);
  }

  liveTree(partition: number): LeafTree {
    if (this.isTreeBroken && partition === this.brokenPartition) throw new Error('MDB_CORRUPTED');
    const tree = new LeafTree(this.leafCount);
    for (const kept of this.#records.values()) {
      if (kept.partition !== partition) continue;
      hashHeader(kept.bytes, 0, HASH);
      tree.toggle(leafIndex(kept.hashHi, this.leafCount), HASH.hi, HASH.lo, 1);
    }
    return tree;
  }

  suspect(_partition: number, _why: unknown, done: (error: Error | null) => void): void {
    this.#orLater(() => {
      done(null);
    });
  }

  /** What is believed is for the test to say. */
  trust(_partition: number, done: (error: Error | null) => void): void {
    done(null);
  }

  takeDamaged(): readonly DamagedPlace[] {
    const found = this.#found;
    this.#found = [];
    return found;
  }

  /** The record under this key cannot be read any more, as somebody finds. */
  rot(key: Uint8Array): void {
    const { partition, hashHi: hi, hashLo: lo } = this.#records.get(nameOf(key)) as Kept;
    this.#rotten.add(nameOf(key));
    this.#found.push({ partition: partition as PartitionId, key, hi, lo });
  }

  #remember({ partition, hashHi, hashLo, reaping }: WriteRequest, bytes: Uint8Array): void {
    if (reaping === undefined) return;
    const from = contextStart(bytes, 0);
    const context = bytes.slice(from, from + CONTEXT_ENTRY_BYTES * contextCount(bytes, 0));
    this.reaps.learn(partition, { hashHi, hashLo, ...reaping, context });
  }

  #ack(ack: Ack): void {
    if (this.holdAcks) this.#unsynced.push(ack);
    else ack.onWritten(true);
  }

  sync(): void {
    for (const request of this.#unsynced.splice(0)) request.onWritten(true);
  }

  serve(): void {
    for (const answer of this.#waiting.splice(0)) answer();
  }

  record(key: Uint8Array): Uint8Array | undefined {
    return this.#records.get(nameOf(key))?.bytes;
  }

  /** As if it had never had it. */
  remove(key: Uint8Array): void {
    this.#records.delete(nameOf(key));
  }

  /** As if it had missed what came after. */
  replace(
    key: Uint8Array,
    bytes: Uint8Array,
    partition: number = this.#records.get(nameOf(key))?.partition ?? 0,
  ): void {
    HASH.hash(key, 0, key.length);
    const { hi: hashHi, lo: hashLo } = HASH;
    this.#records.set(nameOf(key), {
      hashHi,
      hashLo,
      partition,
      bytes,
      markActorHi: 0,
      markActorLo: 0,
      markCounter: 0,
    });
  }

  status(): StorageStatus {
    return {
      opening: this.opening,
      lastLsn: 0,
      durableLsn: 0,
      bufferBytes: 0,
      bufferBytesMax: 1,
      logSegments: 0,
      suspectPartitions: this.suspectPartitions,
      diskFull: false,
      syncP99Ms: 0,
      damagedRecords: 0,
      quarantined: [],
    };
  }

  close(done: (error: Error | null) => void): void {
    done(null);
  }

  #orLater(answer: () => void): void {
    if (this.cold) this.#waiting.push(answer);
    else answer();
  }

  #stored(key: Uint8Array): Stored {
    const damaged = this.#rotten.has(nameOf(key));
    const kept = damaged ? undefined : this.#records.get(nameOf(key));
    return {
      damaged,
      moving: this.moving,
      state: damaged ? 'unknown' : this.unknownReason !== '' ? 'unknown' : kept === undefined ? 'absent' : 'ok',
      reason: this.unknownReason,
      bytes: kept?.bytes ?? NOTHING,
      start: 0,
      end: kept?.bytes.length ?? 0,
      owned: true,
      from: kept === undefined ? 'none' : 'active',
      hasMark: kept !== undefined && kept.markCounter > 0,
      markActorHi: kept?.markActorHi ?? 0,
      markActorLo: kept?.markActorLo ?? 0,
      markCounter: kept?.markCounter ?? 0,
    };
  }
}

/** Hints by id, in the version that was kept last. */
class MemoryHints implements HintStorage {
  readonly kept: Map<number, Hint> = new Map();
  readonly #ack: (ack: Ack) => void;
  restorable: readonly Hint[] = [];

  constructor(ack: (ack: Ack) => void) {
    this.#ack = ack;
  }

  restored(): readonly Hint[] {
    return this.restorable;
  }

  keep(hint: Hint, ack: Ack): void {
    this.kept.set(hint.id, { ...hint });
    this.#ack(ack);
  }

  drop(hint: Hint, ack: Ack): void {
    this.kept.delete(hint.id);
    this.#ack(ack);
  }
}

const nameOf = (key: Uint8Array): string => Buffer.from(key).toString('latin1');

/** Fences and reap logs. */
export class MemoryReaps implements ReapStorage {
  readonly #fences: Map<number, PartitionFence> = new Map();
  readonly #entries: { readonly partition: number; readonly entry: ReapEntry }[] = [];
  readonly #ack: (ack: Ack) => void;

  constructor(ack: (ack: Ack) => void) {
    this.#ack = ack;
  }

  stampOf(partition: number): number {
    return this.#fence(partition).stamp;
  }

  floorOf(partition: number): number {
    return this.#fence(partition).floor;
  }

  reapedAt(partition: number): number {
    return this.#fence(partition).reapedAt;
  }

  trimmedAt(partition: number): number {
    return this.#fence(partition).trimmedAt;
  }

  refuseBelow(partition: number, fence: number): void {
    const state = this.#fence(partition);
    state.floor = Math.max(state.floor, fence);
  }

  raise(partition: number, state: FenceState, ack: Ack): void {
    const fence = this.#fence(partition);
    fence.asked(state);
    this.#ack({
      durable: true,
      onWritten: (durable) => {
        fence.stamp = Math.max(fence.stamp, state.fence);
        ack.onWritten(durable);
      },
    });
  }

  learn(partition: number, entry: ReapEntry): void {
    this.#fence(partition).reaped(entry.fence);
    this.#entries.push({ partition, entry });
  }

  entriesOf(partition: number, hashHi: number, hashLo: number): readonly ReapEntry[] {
    return this.#of(partition).filter((entry) => entry.hashHi === hashHi && entry.hashLo === hashLo);
  }

  since(partition: number, fence: number): ReapPage {
    return { entries: this.#of(partition).filter((entry) => entry.fence > fence), next: '' };
  }

  trim(partition: number, atMs: number): string {
    const old = this.#entries.filter((one) => one.partition === partition && one.entry.atMs < atMs);
    const fence = this.#fence(partition);
    for (const one of old) {
      fence.trimmedAt = Math.max(fence.trimmedAt, one.entry.fence);
      this.#entries.splice(this.#entries.indexOf(one), 1);
    }
    return '';
  }

  #of(partition: number): readonly ReapEntry[] {
    return this.#entries.flatMap((one) => (one.partition === partition ? [one.entry] : []));
  }

  #fence(partition: number): PartitionFence {
    let fence = this.#fences.get(partition);
    if (fence === undefined) {
      fence = new PartitionFence();
      this.#fences.set(partition, fence);
    }
    return fence;
  }
}
