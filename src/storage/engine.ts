/*
 * The engine of one node: what is stored under a key, and a way to replace it (DESIGN §5).
 *
 * A write finds what is stored, lets the caller decide on the new record, and has it encoded straight into the log's
 * batch. Those bytes are then the write buffer's entry, what reads find, and later what the partition file is given.
 * Between finding and placing nothing can come in, so several writes to one key in one turn each see the one before.
 * The acknowledgement waits until the log says how far it has come.
 *
 * Who does what: engine-open.ts brings a directory back to life, engine-reader.ts finds records, write-buffer.ts holds
 * the new ones, flusher.ts carries them to the files, partition-table.ts remembers how far files had come, engine-space.ts
 * and engine-throttle.ts say when writes must wait or be refused.
 */
import type { Clock, Timers } from '../env/clock.js';
import type { Digest } from '../env/digest.js';
import type { Disk } from '../env/disk.js';
import type { Counter, Log, Meter } from '../env/meter.js';
import type { PartitionFiles } from '../env/partition-file.js';
import type { Random } from '../env/random.js';
import type { Workers } from '../env/workers.js';
import { assert } from '../lib/assert.js';
import { run, type Flow } from '../lib/flow.js';
import { failure, type Failure } from '../model/errors.js';
import type { Hash64 } from '../model/hash.js';
import type { NodeId } from '../model/ids.js';
import { leafCountOf, leafIndex, toggleLeaf } from '../repair/merkle.js';
import type { Arena } from './arena.js';
import { RecordCache } from './cache.js';
import { AckQueue } from './engine-acks.js';
import { hashHeader, Leaves } from './engine-leaves.js';
import { MARK_BYTES, writeMark } from './engine-mark.js';
import { Reader, type Fetched } from './engine-reader.js';
import { SpaceWatch } from './engine-space.js';
import { StoredSlots, type StoredSlot } from './engine-stored.js';
import { Throttle } from './engine-throttle.js';
import { Flusher, type FlushOptions } from './flusher.js';
import { LOG_KINDS, type CommitLog, type Durability, type LogEvents, type LogRecovery, type ReplayVisitor } from './log-types.js';
import { encodeHome } from './partition-home.js';
import { SUSPICIONS, suspicionText, type Partition, type Suspicion } from './partition.js';
import type { PartitionTable } from './partition-table.js';
import { keyName } from './storage-key.js';
import { WAIT_FOR_EARLIER, WRITE_NOTHING } from './storage.js';
import type { KeyPlace, ReadRequest, Storage, StorageStatus, WriteRequest } from './storage.js';
import { OLD_HASH, OLD_NONE, type BufferedRecord, type WriteBuffer } from './write-buffer.js';

export interface EngineOptions {
  readonly nodeId: NodeId;
  /** Of this opening of the store: one more than ever before. */
  readonly opening: number;
  /** Starts in a row that found no clean mark. */
  readonly uncleanStarts: number;
  readonly partitionCount: number;
  /** How much the arena may hold before puts are refused; default 256 MiB, or 256 KiB a partition if that is more. */
  readonly bufferBytesMax: number;
  /** What the log may come to on the disk before puts are refused; at least two segments, default twice the buffer. */
  readonly logBytesMax: number;
  readonly logSegmentBytes: number;
  /** 0: no cache of hot records. */
  readonly cacheBytesMax: number;
  readonly durability: Durability;
  readonly flush: FlushOptions;
}

/** What a log tells beyond what every log does. */
export interface EngineLogEvents extends LogEvents {
  /** No room to make segments ahead; the log goes on while it has one. False: there is room again. */
  onDiskFull(full: boolean): void;
}

/** Recovers the log, handing out its entries, and opens it for appends, all above `appliedMax`. */
export type OpenLog = (
  visit: ReplayVisitor,
  events: EngineLogEvents,
  appliedMax: number,
) => Flow<{ readonly log: CommitLog; readonly recovery: LogRecovery }>;

export interface EngineDeps {
  readonly disk: Disk;
  readonly files: PartitionFiles;
  readonly arena: Arena;
  readonly openLog: OpenLog;
  /** Before the log forgets entries: whatever else was learnt from them must be durable when it answers. */
  readonly beforeRelease?: (done: (error: Error | null) => void) => void;
  /** Last of all, when everything is synced and closed: the clean mark. */
  readonly markClean: (lastLsn: number, done: (error: Error | null) => void) => void;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly hash: Hash64;
  readonly digest: Digest;
  readonly random: Random;
  readonly workers: Workers;
  readonly meter: Meter;
  readonly log: Log;
  /**
   * Reads every file in a child process, after two unclean starts in a row; answers the partitions whose file killed it
   * or did not hold together, with what happened. Absent: not done.
   */
  readonly inspectFiles?: (partitions: readonly number[], done: (error: Error | null, bad?: ReadonlyMap<number, string>) => void) => void;
  /** Major page faults of the process so far; absent: only time tells whether a file is cold. */
  readonly majorFaults?: () => number;
  /** Nothing that was acknowledged from now on could be believed: the process stops at once. */
  readonly onFatal: (error: Error) => void;
}

/** What engine-open.ts found and made. */
export interface Opened {
  readonly partitions: readonly Partition[];
  readonly buffer: WriteBuffer<Partition>;
  readonly table: PartitionTable;
  readonly log: CommitLog;
  readonly quarantined: readonly string[];
  /** The last LSN that recovery found. */
  readonly recoveredLsn: number;
}

interface EngineCounters {
  readonly reads: Counter;
  readonly writes: Counter;
  readonly refused: Counter;
  readonly damaged: Counter;
  readonly flushedRecords: Counter;
  readonly flushedBytes: Counter;
}

/** How long the releasable log waits for the partition table, in ms: it is written once for many flushes. */
const RELEASE_MS = 1_000;

export class Engine implements Storage {
  readonly #deps: EngineDeps;
  readonly #options: EngineOptions;
  readonly #partitions: readonly Partition[];
  readonly #buffer: WriteBuffer<Partition>;
  readonly #table: PartitionTable;
  readonly #log: CommitLog;
  readonly #quarantined: readonly string[];
  readonly #recoveredLsn: number;
  /** What the log called its last LSN before anything was appended: numbers left out after a crash are below it. */
  readonly #firstLsnBound: number;
  readonly #hash: Hash64;
  readonly #cache: RecordCache;
  readonly #slots: StoredSlots = new StoredSlots();
  readonly #leaves: Leaves;
  readonly #reader: Reader;
  readonly #flusher: Flusher;
  readonly #throttle: Throttle;
  readonly #space: SpaceWatch;
  readonly #written: AckQueue = new AckQueue();
  readonly #durable: AckQueue = new AckQueue();
  readonly #counters: EngineCounters;
  readonly #acksWhenDurable: boolean;
  #state: 'open' | 'closing' | 'closed' | 'failed' = 'open';
  #damagedRecords = 0;
  #writtenLsn = 0;
  #releasing = false;
  #releasedLsn = 0;
  #onIdle: (() => void)[] = [];
  #onTableFree: (() => void)[] = [];
  #tableBusy = false;

  /** Use `openEngine`. */
  constructor(deps: EngineDeps, options: EngineOptions, opened: Opened) {
    this.#deps = deps;
    this.#options = options;
    this.#partitions = opened.partitions;
    this.#buffer = opened.buffer;
    this.#table = opened.table;
    this.#log = opened.log;
    this.#quarantined = opened.quarantined;
    this.#recoveredLsn = opened.recoveredLsn;
    this.#firstLsnBound = opened.log.lastLsn;
    this.#hash = deps.hash;
    this.#cache = new RecordCache(options.cacheBytesMax);
    this.#leaves = new Leaves(leafCountOf(options.partitionCount), deps.hash, deps.digest);
    this.#acksWhenDurable = options.durability.kind === 'always';
    this.#counters = countersOf(deps.meter);
    this.#space = new SpaceWatch({ ...deps, logBytesMax: options.logBytesMax, bufferBytesMax: options.bufferBytesMax });
    this.#throttle = new Throttle(deps.clock, deps.timers, () => this.#pressure(), () => this.#buffer.fill, (request) => { this.#writeHeld(request); });
    this.#reader = this.#makeReader();
    this.#flusher = this.#makeFlusher();
  }

  // What the log reports; wired by openEngine.

  onWritten(lsn: number): void {
    if (this.#state === 'failed') return;
    this.#writtenLsn = lsn;
    this.#written.settle(lsn, lsn <= this.#log.durableLsn);
  }

  onDurable(lsn: number): void {
    if (this.#state === 'failed') return;
    this.#durable.settle(lsn, true);
    this.#flusher.onDurable();
  }

  onLogDiskFull(full: boolean): void {
    this.#space.logFull(full);
  }

  /** No acknowledgement leaves the engine after this. */
  fail(error: Error): void {
    if (this.#state === 'failed') return;
    this.#state = 'failed';
    this.#space.stop();
    this.#deps.log.error('storage_failed', { error: error.message });
    this.#deps.onFatal(error);
  }

  /** Begins flushing and watching the disk; calls back when the free space is known. */
  start(done: () => void): void {
    this.#space.check(() => {
      if (this.#state === 'open') this.#flusher.kick();
      done();
    });
  }

  read(request: ReadRequest): void {
    this.#counters.reads.add(1);
    const partition = this.#partitionOf(request);
    const name = keyName(request.key, 0, request.key.length);
    const slot = this.#slots.take();
    if (this.#state === 'closed') {
      slot.fromDamage('The store is closed');
      request.onRead(slot);
    } else if (this.#reader.find(partition, request, name, slot)) request.onRead(slot);
    else this.#reader.wait(partition, request, name);
    this.#slots.give(slot);
  }

  write(request: WriteRequest): void {
    const refusal = this.#refusal();
    if (refusal !== null) {
      this.#counters.refused.add(1);
      request.onRefused(refusal);
      return;
    }
    if (this.#throttle.admit(request) === 'now') this.#writeNow(request);
  }

  status(): StorageStatus {
    return {
      opening: this.#options.opening,
      lastLsn: this.#log.lastLsn,
      durableLsn: this.#log.durableLsn,
      bufferBytes: this.#buffer.bytes,
      bufferBytesMax: this.#buffer.bytesMax,
      logSegments: this.#log.segments,
      suspectPartitions: this.#partitions.filter((p) => p.suspicion !== SUSPICIONS.none).map((p) => p.id),
      diskFull: this.#space.full,
      damagedRecords: this.#damagedRecords,
      quarantined: this.#quarantined,
    };
  }

  /** Merkle leaves of a partition as a read would find it, the buffer included; only to be read, before the next write. */
  liveLeaves(partition: number): Uint32Array {
    return this.#leaves.liveOf(this.#partitionAt(partition));
  }

  /** Those that the partition's file keeps. */
  storedLeaves(partition: number): Uint32Array {
    return this.#leaves.storedOf(this.#partitionAt(partition));
  }

  /** Writes the whole buffer to the files, without rests, and calls back when it is empty. For tests and tools. */
  flush(done: () => void): void {
    this.#onIdle.push(done);
    this.#flusher.hurry();
    this.#idleIfSo();
  }

  /** The partition may lack what was acknowledged: from now on, and after restarts, it answers `unknown`. */
  suspect(partition: number, suspicion: Suspicion, done: (error: Error | null) => void = () => undefined): void {
    this.#setSuspicion(this.#partitionAt(partition), suspicion, done);
  }

  /** It has been healed from other replicas. */
  trust(partition: number, done: (error: Error | null) => void): void {
    this.#setSuspicion(this.#partitionAt(partition), SUSPICIONS.none, done);
  }

  close(done: (error: Error | null) => void): void {
    assert(this.#state === 'open' || this.#state === 'failed', 'a store is closed once');
    if (this.#state === 'failed') {
      done(new Error('The storage has failed before; nothing more is written'));
      return;
    }
    this.#state = 'closing';
    this.#space.stop();
    this.#throttle.refuse(failure('DRAINING', 'The node is stopping'));
    this.#flusher.stop(() => { this.#closeWhenQuiet(done); });
  }

  #closeWhenQuiet(done: (error: Error | null) => void): void {
    if (this.#reader.waiting > 0 || this.#tableBusy) {
      this.#deps.timers.after(1, () => { this.#closeWhenQuiet(done); });
      return;
    }
    // A stop before the first append must not call numbers durable that were only left out: nobody will find them.
    const lastLsn = this.#log.lastLsn === this.#firstLsnBound ? this.#recoveredLsn : this.#log.lastLsn;
    run(this.#closing(), (error) => {
      if (error === null) this.#deps.markClean(lastLsn, done);
      else done(error);
    });
  }

  *#closing(): Flow<void> {
    yield (answer) => { this.#log.close(answer); };
    assert(this.#durable.size === 0 && this.#written.size === 0, 'a closed log has acknowledged every write');
    yield* this.#table.save(this.#partitions, false);
    this.#state = 'closed';
    for (const partition of this.#partitions) {
      partition.file?.close();
      partition.file = null;
    }
  }

  /** Of what limits writes, buffer or log, whichever is fuller. The segment in use does not count against the log. */
  /** How urgent flushing is: of memory, of what memory is heading for, of the log (whose first and last segment are partly used). */
  #fill(): number {
    return Math.max(this.#buffer.fill, this.#pressure());
  }

  /** What decides how fast puts are let in: `#fill` without the memory that only waits for the end of a flusher's round. */
  #pressure(): number {
    const { logSegmentBytes, logBytesMax } = this.#options;
    return Math.max(this.#buffer.trend, ((this.#log.segments - 2) * logSegmentBytes) / logBytesMax);
  }

  #refusal(): Failure | null {
    if (this.#state === 'closing' || this.#state === 'closed') return failure('DRAINING', 'The node is stopping');
    if (this.#state === 'failed') return failure('UNAVAILABLE', 'The storage of this node has failed');
    return this.#space.full ? failure('DISK_FULL', this.#space.text) : null;
  }

  #writeHeld(request: WriteRequest): void {
    const refusal = this.#refusal();
    if (refusal === null) this.#writeNow(request);
    else request.onRefused(refusal);
  }

  #writeNow(request: WriteRequest): void {
    const partition = this.#partitionOf(request);
    const name = keyName(request.key, 0, request.key.length);
    const slot = this.#slots.take();
    if (this.#reader.find(partition, request, name, slot)) this.#replace(partition, request, name, slot);
    else this.#reader.wait(partition, request, name);
    this.#slots.give(slot);
  }

  #resume(partition: Partition, request: ReadRequest | WriteRequest, name: string, fetched: Fetched): void {
    const slot = this.#slots.take();
    this.#reader.findFetched(partition, request, name, slot, fetched);
    if ('onRead' in request) request.onRead(slot);
    else if (this.#state === 'open') this.#replace(partition, request, name, slot);
    else request.onRefused(failure('DRAINING', 'The node is stopping'));
    this.#slots.give(slot);
  }

  #replace(partition: Partition, request: WriteRequest, name: string, slot: StoredSlot): void {
    const size = request.decide(slot);
    if (size === WRITE_NOTHING) return;
    if (size === WAIT_FOR_EARLIER) {
      this.#acknowledgeAfterEarlier(request);
      return;
    }
    const place = this.#log.append(LOG_KINDS.record, partition.id, size + MARK_BYTES);
    const { chunk, at, lsn } = place;
    request.encode(chunk.bytes, at);
    const { markActorHi, markActorLo, markCounter } = request;
    writeMark(chunk.bytes, at + size, markActorHi, markActorLo, markCounter, this.#options.opening, this.#hash);

    const before = slot.entry;
    const active = slot.from === 'active' ? before : undefined;
    const nowMs = partition.buffer.activeFirstLsn === 0 ? this.#deps.clock.monotonicMs() : 0;
    const entry = this.#buffer.place(partition, active, name, request.hashHi, request.hashLo, chunk, at, size, lsn, nowMs);
    this.#changeLeaves(partition, entry, before, slot);
    this.#cache.delete(name);
    this.#counters.writes.add(1);
    if (request.durable && !this.#acksWhenDurable) this.#log.demandSync();
    (request.durable || this.#acksWhenDurable ? this.#durable : this.#written).push(request, lsn);
    this.#flusher.kick();
  }

  /** Nothing new is written, but what the answer speaks of may still be on its way to the disk. */
  #acknowledgeAfterEarlier(request: WriteRequest): void {
    const { lastLsn, durableLsn } = this.#log;
    if (lastLsn <= durableLsn) request.onWritten(true);
    else if (request.durable || this.#acksWhenDurable) {
      if (!this.#acksWhenDurable) this.#log.demandSync();
      this.#durable.push(request, lastLsn);
    } else if (lastLsn <= this.#writtenLsn) request.onWritten(false);
    else this.#written.push(request, lastLsn);
  }

  /** Out with the old record's hash, in with the new one's; the entry keeps what the file has. */
  #changeLeaves(partition: Partition, entry: BufferedRecord, before: BufferedRecord | undefined, slot: StoredSlot): void {
    const hash = this.#hash;
    let hadOld = before !== undefined;
    let oldHi = before?.leafHi ?? 0;
    let oldLo = before?.leafLo ?? 0;
    if (before === undefined && slot.end > slot.start) {
      hashHeader(slot.bytes, slot.start, hash);
      hadOld = true;
      oldHi = hash.hi;
      oldLo = hash.lo;
    }
    if (before !== entry && !slot.damaged) {
      entry.oldKind = hadOld ? OLD_HASH : OLD_NONE;
      entry.oldHi = oldHi;
      entry.oldLo = oldLo;
    }
    hashHeader(entry.chunk.bytes, entry.at, hash);
    entry.leafHi = hash.hi;
    entry.leafLo = hash.lo;
    if (slot.damaged) partition.live = null;
    const live = partition.live;
    if (live === null) return;
    const leaf = leafIndex(entry.hashHi, this.#leaves.leafCount);
    if (hadOld) toggleLeaf(live, leaf, oldHi, oldLo, -1);
    toggleLeaf(live, leaf, entry.leafHi, entry.leafLo, 1);
  }

  #setSuspicion(partition: Partition, suspicion: Suspicion, done: (error: Error | null) => void): void {
    partition.suspicion = suspicion;
    if (suspicion !== SUSPICIONS.none) {
      this.#deps.log.error('partition_suspect', { partition: partition.id, why: suspicionText(suspicion) });
    }
    this.#saveTable(true, done);
  }

  /** One at a time: the slots are written in turn. */
  #saveTable(twice: boolean, done: (error: Error | null) => void): void {
    if (this.#tableBusy) {
      this.#onTableFree.push(() => { this.#saveTable(twice, done); });
      return;
    }
    this.#tableBusy = true;
    run(this.#table.save(this.#partitions, twice), (error) => {
      this.#tableBusy = false;
      const space = (error as { code?: unknown } | null)?.code === 'ENOSPC';
      if (error !== null && !space) this.fail(error);
      done(error);
      this.#onTableFree.shift()?.();
    });
  }

  #onFlushed(partition: Partition): void {
    this.#idleIfSo();
    if (this.#releasing || this.#state !== 'open' || partition.appliedLsn <= this.#releasedLsn) return;
    this.#releasing = true;
    this.#deps.timers.after(RELEASE_MS, () => { this.#release(); });
  }

  /** First the table says how far the files have come, then the log may forget. */
  #release(): void {
    if (this.#state !== 'open') return;
    let lsn: number = this.#log.durableLsn;
    for (const { buffer } of this.#partitions) {
      if (buffer.oldestLsn !== 0) lsn = Math.min(lsn, buffer.oldestLsn - 1);
    }
    if (lsn <= this.#releasedLsn) {
      this.#releasing = false;
      return;
    }
    this.#beforeRelease(() => {
      this.#saveTable(false, (error) => {
        this.#releasing = false;
        if (error !== null || this.#state !== 'open') return;
        this.#releasedLsn = lsn;
        this.#log.release(lsn as CommitLog['lastLsn']);
      });
    });
  }

  #beforeRelease(then: () => void): void {
    if (this.#deps.beforeRelease === undefined) {
      then();
      return;
    }
    this.#deps.beforeRelease((error) => {
      if (error === null) then();
      else this.fail(error);
    });
  }

  #idleIfSo(): void {
    if (this.#onIdle.length === 0 || this.#buffer.oldest() !== undefined) return;
    if (this.#partitions.some((partition) => partition.buffer.frozen !== null)) return;
    const waiting = this.#onIdle;
    this.#onIdle = [];
    for (const done of waiting) done();
  }

  #partitionOf(place: KeyPlace): Partition {
    return this.#partitionAt(place.partition);
  }

  #partitionAt(id: number): Partition {
    const partition = this.#partitions[id];
    assert(partition !== undefined, 'a partition is below Q');
    return partition;
  }

  #makeReader(): Reader {
    const { deps, options } = { deps: this.#deps, options: this.#options };
    return new Reader({
      ...deps,
      hash: this.#hash,
      cache: this.#cache,
      opening: options.opening,
      coldReads: deps.meter.counter('partita_storage_cold_reads_total', 'Reads that went to the pool'),
      onDamagedRecord: (partition, place, fault) => {
        this.#damagedRecords += 1;
        this.#counters.damaged.add(1);
        deps.log.error('record_damaged', { partition: partition.id, hash: place.hashHi.toString(16).padStart(8, '0'), fault });
      },
      onBrokenFile: (partition, error) => {
        deps.log.error('file_unreadable', { partition: partition.id, error: error.message });
        if (partition.suspicion === SUSPICIONS.none) this.#setSuspicion(partition, SUSPICIONS.fileDamaged, () => undefined);
      },
      resume: (partition, request, name, fetched) => { this.#resume(partition, request, name, fetched); },
    });
  }

  #makeFlusher(): Flusher {
    const deps = this.#deps;
    const { nodeId, partitionCount, flush } = this.#options;
    return new Flusher(
      {
        ...deps,
        buffer: this.#buffer,
        fill: () => this.#fill(),
        leaves: this.#leaves,
        options: flush,
        homeOf: (partition, appliedLsn) =>
          encodeHome({ nodeId, installation: partition.installation, appliedLsn, partition: partition.id, partitionCount }, this.#hash),
        openFile: (partition, done) => { openNewFile(deps, partition, partitionCount, done); },
        onFlushed: (partition) => { this.#onFlushed(partition); },
        onBatch: (records, bytes, ms) => {
          this.#throttle.noteFlush(records, ms);
          this.#counters.flushedRecords.add(records);
          this.#counters.flushedBytes.add(bytes);
        },
        onNoSpace: (error) => { this.#space.noSpace(error); },
        onFailed: (error) => { this.fail(error); },
      },
      this.#log,
    );
  }
}

/**
 * 32 TiB of addresses are shared out once and for all: a map's size never changes. A process has 128 TiB, but V8 strews
 * its pages over the lower 64 at random, so only the upper half is in one piece; and files are opened late, when the
 * heap has grown. With 64 TiB in all the last ones did not fit (ENOMEM, at 16 partitions in every other run). At most
 * 1 TiB a file, so that few partitions need no larger holes than many.
 */
export function mapBytesOf(partitionCount: number): number {
  return Math.min(2 ** 40, 2 ** 45 / partitionCount);
}

export function drawInstallation(random: Random): number {
  return 1 + (random.u32() % 0x8000) * 0x1_0000_0000 + random.u32();
}

function openNewFile(deps: EngineDeps, partition: Partition, partitionCount: number, done: (error: Error | null) => void): void {
  deps.files.open(partition.id, mapBytesOf(partitionCount), (error, file) => {
    if (error !== null || file === undefined) {
      done(error ?? new Error(`Partition ${partition.id} was not opened`));
      return;
    }
    partition.file = file;
    partition.installation = drawInstallation(deps.random);
    done(null);
  });
}

function countersOf(meter: Meter): EngineCounters {
  return {
    reads: meter.counter('partita_storage_reads_total', 'Reads of the engine'),
    writes: meter.counter('partita_storage_writes_total', 'Records written'),
    refused: meter.counter('partita_storage_refused_total', 'Writes refused: disk full, overloaded, stopping'),
    damaged: meter.counter('partita_storage_damaged_records_total', 'Records of files that failed their check'),
    flushedRecords: meter.counter('partita_storage_flushed_entries_total', 'Entries written to partition files'),
    flushedBytes: meter.counter('partita_storage_flushed_bytes_total', 'Record bytes written to partition files'),
  };
}
