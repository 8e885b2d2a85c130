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
import { assert } from '../lib/assert.js';
import { run } from '../lib/flow.js';
import { failure, type Failure } from '../model/errors.js';
import { leafCountOf, type LeafTree } from '../repair/merkle.js';
import { RecordCache } from './cache.js';
import { Acks } from './engine-acks.js';
import { appendRecord } from './engine-append.js';
import { closeFiles, stopped } from './engine-close.js';
import { countersOf, type EngineCounters } from './engine-counters.js';
import type { EngineDeps, EngineOptions, Opened } from './engine-deps.js';
import { makeFlusher } from './engine-flusher.js';
import { EngineHints } from './engine-hints.js';
import { Idle } from './engine-idle.js';
import { markTag } from './engine-mark.js';
import { EngineMoves } from './engine-moves.js';
import type { MoveParts } from './move-parts.js';
import { Leaves } from './engine-leaves.js';
import { Pressure } from './engine-pressure.js';
import { EngineReaps } from './engine-reaps.js';
import { Reader, type Fetched } from './engine-reader.js';
import { LogRelease } from './engine-release.js';
import { Scanner } from './engine-scan.js';
import { EngineScrub } from './engine-scrub.js';
import { SpaceWatch } from './engine-space.js';
import { statusOf } from './engine-status.js';
import { StoredSlots, type StoredSlot } from './engine-stored.js';
import { Suspicions } from './engine-suspicion.js';
import { Throttle } from './engine-throttle.js';
import { FileTurn } from './file-turn.js';
import type { Flusher } from './flusher.js';
import type { CommitLog } from './log-types.js';
import { SUSPICIONS, type Partition, type Suspicion } from './partition.js';
import type { DamagedPlace, ReplicaStorage } from './replica-storage.js';
import type { ScanRequest } from './scan.js';
import { keyName } from './storage-key.js';
import { DROP_RECORD, WAIT_FOR_EARLIER, WRITE_NOTHING } from './storage.js';
import type { ReadRequest, Storage, StorageStatus, WriteRequest } from './storage.js';
import { DROPPED_SIZE, type WriteBuffer } from './write-buffer.js';

export class Engine implements Storage, ReplicaStorage {
  readonly hints: EngineHints;
  readonly scrub: EngineScrub;
  readonly reaps: EngineReaps;
  readonly moves: EngineMoves;
  readonly #deps: EngineDeps;
  readonly #options: EngineOptions;
  readonly #partitions: readonly Partition[];
  readonly #buffer: WriteBuffer<Partition>;
  readonly #log: CommitLog;
  readonly #opened: Opened;
  /** What the log called its last LSN before anything was appended: numbers left out after a crash are below it. */
  readonly #firstLsnBound: number;
  readonly #cache: RecordCache;
  readonly #slots: StoredSlots = new StoredSlots();
  readonly #leaves: Leaves;
  readonly #reader: Reader;
  readonly #scanner: Scanner;
  readonly #flusher: Flusher;
  readonly #turn: FileTurn = new FileTurn();
  readonly #throttle: Throttle;
  readonly #space: SpaceWatch;
  readonly #acks: Acks;
  readonly #pressure: Pressure;
  readonly #release: LogRelease;
  readonly #counters: EngineCounters;
  readonly #suspicions: Suspicions;
  #state: 'open' | 'closing' | 'closed' | 'failed' = 'open';
  readonly #idle: Idle;
  readonly #fails = (error: Error): void => {
    this.fail(error);
  };
  readonly #kick = (): void => {
    this.#flusher.kick();
  };

  constructor(deps: EngineDeps, options: EngineOptions, opened: Opened) {
    this.#deps = deps;
    this.#options = options;
    this.#partitions = opened.partitions;
    this.#buffer = opened.buffer;
    this.#log = opened.log;
    this.#opened = opened;
    this.#firstLsnBound = opened.log.lastLsn;
    this.#cache = new RecordCache(options.cacheBytesMax);
    this.#leaves = new Leaves(leafCountOf(options.partitionCount), deps.hash, deps.digest);
    this.#acks = new Acks(opened.log, options.durability.kind === 'always');
    this.#pressure = new Pressure(opened.buffer, opened.log, options);
    this.hints = this.#makeHints();
    this.#idle = new Idle(opened.buffer, opened.partitions, this.hints);
    const isOpen = (): boolean => this.#state === 'open';
    this.reaps = new EngineReaps({ ...opened, ...deps, acks: this.#acks, isOpen, onAppended: this.#kick }, opened.log);
    this.#release = new LogRelease({
      ...deps,
      ...opened,
      isUrgent: () => this.#pressure.isUrgent(),
      isOpen,
      hints: this.hints,
      fail: this.#fails,
    });
    this.#counters = countersOf(deps.meter);
    this.#counters.hintsLost.add(opened.hints.lost);
    this.#suspicions = new Suspicions(deps.log, this.#release, this.#counters);
    this.#space = new SpaceWatch({ ...deps, logBytesMax: options.logBytesMax, bufferBytesMax: options.bufferBytesMax });
    this.#throttle = new Throttle(
      deps.clock,
      deps.timers,
      () => this.#pressure.level(),
      () => this.#buffer.fill,
      (request) => {
        this.#writeHeld(request);
      },
    );
    const world = {
      ...opened,
      pressure: this.#pressure,
      leaves: this.#leaves,
      turn: this.#turn,
      cache: this.#cache,
      idle: this.#idle,
      release: this.#release,
      throttle: this.#throttle,
      counters: this.#counters,
      space: this.#space,
      fail: this.#fails,
    };
    this.scrub = new EngineScrub({ ...world, ...deps, suspicions: this.#suspicions, isOpen });
    this.#reader = new Reader({
      ...deps,
      cache: this.#cache,
      coldReads: this.#counters.coldReads,
      suspicions: this.#suspicions,
      resume: (partition, request, name, fetched) => {
        this.#resume(partition, request, name, fetched);
      },
    });
    this.#scanner = new Scanner({ ...deps, ...options, slots: this.#slots, suspicions: this.#suspicions });
    this.#flusher = makeFlusher(deps, options, world);
    this.moves = this.#makeMoves({ ...world, flusher: this.#flusher });
    for (const partition of opened.partitions) {
      partition.markTag = markTag(options.nodeId, options.opening, 0, deps.hash);
    }
  }

  /** This and the next two: what the log reports. */
  onWritten(lsn: number): void {
    if (this.#state !== 'failed') this.#acks.onWritten(lsn);
  }

  onDurable(lsn: number): void {
    if (this.#state === 'failed') return;
    this.#acks.onDurable(lsn);
    this.#flusher.onDurable();
    this.hints.onDurable();
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
      this.#release.start();
      if (this.#state === 'open') {
        this.#flusher.kick();
        this.hints.start();
      }
      done();
    });
  }

  read(request: ReadRequest): void {
    this.#counters.reads.add(1);
    const partition = this.#partitionAt(request.partition);
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

  scan(request: ScanRequest): void {
    if (this.#state === 'open') this.#scanner.scan(this.#partitionAt(request.partition), request);
    else request.onEnd(null, stopped(this.#state));
  }

  status(): StorageStatus {
    return statusOf(this.#options, this.#opened, this.#space, this.#suspicions);
  }

  liveTree(partition: number): LeafTree {
    return this.#leaves.liveOf(this.#partitionAt(partition));
  }

  storedLeaves(partition: number): Uint32Array {
    return this.#leaves.storedOf(this.#partitionAt(partition)).all();
  }

  /** Writes the whole buffer to the files, without rests, and calls back when it is empty. For tests and tools. */
  flush(done: () => void): void {
    this.#flusher.hurry();
    this.#idle.wait(done);
  }

  /** The partition may lack what was acknowledged: from now on, and after restarts, it answers `unknown`. */
  suspect(partition: number, suspicion: Suspicion, done: (error: Error | null) => void = () => undefined): void {
    this.#suspicions.set(this.#partitionAt(partition), suspicion, done);
  }

  /** It has been healed from other replicas. */
  trust(partition: number, done: (error: Error | null) => void): void {
    this.#suspicions.set(this.#partitionAt(partition), SUSPICIONS.none, done);
  }

  takeDamaged(): readonly DamagedPlace[] {
    return this.#suspicions.takeDamaged();
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
    this.#flusher.stop(() => {
      this.hints.stop(() => {
        this.#closeWhenQuiet(done);
      });
    });
  }

  #closeWhenQuiet(done: (error: Error | null) => void): void {
    if (
      this.#reader.waiting > 0 ||
      this.#scanner.waiting > 0 ||
      this.#release.busy ||
      this.scrub.busy ||
      this.moves.busy
    ) {
      this.#deps.timers.after(1, () => {
        this.#closeWhenQuiet(done);
      });
      return;
    }
    // A stop before the first append must not call numbers durable that were only left out: nobody will find them.
    const lastLsn = this.#log.lastLsn === this.#firstLsnBound ? this.#opened.recoveredLsn : this.#log.lastLsn;
    run(closeFiles(this.#opened, this.#acks, this.hints.file), (error) => {
      if (error !== null) return done(error);
      this.#state = 'closed';
      this.#deps.markClean(lastLsn, done);
    });
  }

  #refusal(): Failure | null {
    if (this.#state !== 'open') return stopped(this.#state);
    return this.#space.full ? failure('DISK_FULL', this.#space.text) : null;
  }

  #writeHeld(request: WriteRequest): void {
    const refusal = this.#refusal();
    if (refusal !== null) return request.onRefused(refusal);
    this.#writeNow(request);
  }

  #writeNow(request: WriteRequest): void {
    const partition = this.#partitionAt(request.partition);
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
    const drops = size === DROP_RECORD;
    if (size === WAIT_FOR_EARLIER || (drops && slot.empty)) {
      this.#acks.pushBehindEarlier(request);
      return;
    }
    // Not before `decide` has returned: what it has kept as hints stands before it in the log.
    const place = drops
      ? this.reaps.appendDrop(partition, request, slot)
      : appendRecord(this.#log, request, size, partition.markTag, this.#deps.hash);
    const { chunk, at, lsn } = place;
    const before = slot.entry;
    const active = slot.from === 'active' ? before : undefined;
    const nowMs = partition.buffer.activeFirstLsn === 0 ? this.#deps.clock.monotonicMs() : 0;
    const entry = this.#buffer.place(
      partition,
      active,
      name,
      request.hashHi,
      request.hashLo,
      chunk,
      at,
      drops ? DROPPED_SIZE : size,
      lsn,
      nowMs,
    );
    this.#leaves.onReplaced(partition, entry, before, slot);
    this.#cache.delete(name);
    (drops ? this.#counters.dropped : this.#counters.writes).add(1);
    this.#acks.push(request, lsn);
    this.#flusher.kick();
  }

  #partitionAt(id: number): Partition {
    const partition = this.#partitions[id];
    assert(partition !== undefined, 'a partition is below Q');
    return partition;
  }

  #makeMoves(world: Omit<MoveParts, 'deps' | 'options' | 'acks' | 'reaps' | 'isOpen' | 'kick' | 'place'>): EngineMoves {
    return new EngineMoves({
      ...world,
      deps: this.#deps,
      options: this.#options,
      acks: this.#acks,
      reaps: this.reaps,
      isOpen: () => this.#state === 'open',
      kick: () => {
        this.#flusher.kick();
        this.#idle.look();
      },
      place: (partition, request) => {
        const name = keyName(request.key, 0, request.key.length);
        const slot = this.#slots.take();
        this.#reader.findHere(partition, request, name, slot);
        this.#replace(partition, request, name, slot);
        this.#slots.give(slot);
      },
    });
  }

  #makeHints(): EngineHints {
    const parts = {
      turn: this.#turn,
      acks: this.#acks,
      pressure: this.#pressure,
      isOpen: () => this.#state === 'open',
      onFlushed: (appliedLsn: number) => {
        this.#release.onApplied(appliedLsn);
        this.#idle.look();
      },
      onNoSpace: (error: Error | null) => {
        this.#space.noSpace('hint', error);
      },
      onFailed: this.#fails,
    };
    return new EngineHints({ ...this.#deps, ...this.#options, ...parts }, this.#log, this.#opened.hints);
  }
}
