/*
 * A whole engine on a simulated disk, memory partition files and virtual time, with a dumb twin beside it: for every
 * key the list of values in the order in which they took their place, and which of them were acknowledged.
 *
 * What a read may answer follows from that list alone. While the node is up: the last one. After a crash: the last
 * acknowledged one or any after it, and from then on that one. Anything else is lost, invented or brought back.
 */
import type { FileName } from '../../src/env/partition-file.js';
import { run } from '../../src/lib/flow.js';
import { Prng } from '../../src/lib/prng.js';
import { Arena } from '../../src/storage/arena.js';
import type { Engine } from '../../src/storage/engine.js';
import type { EngineOptions } from '../../src/storage/engine-deps.js';
import { logOpener } from '../../src/storage/engine-log.js';
import { openEngine } from '../../src/storage/engine-open.js';
import { FLUSH_DEFAULTS } from '../../src/storage/flusher.js';
import type { Stored } from '../../src/storage/storage.js';
import { InlineWorkers } from '../../src/workers/inline.js';
import { DIGEST, HASH, NODE, place, TestRead, TestWrite } from './engine-requests.js';
import { MemoryMedium, MemoryPartitionFiles } from '../support/memory-partition-file.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { SimulatedTime, type TimeScope } from '../support/simulated-time.js';

export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface WorldOptions {
  readonly seed: number;
  readonly partitionCount?: number;
  readonly bufferBytesMax?: number;
  readonly logBytesMax?: number;
  readonly cacheBytesMax?: number;
  readonly durability?: EngineOptions['durability'];
  readonly capacityBytes?: number;
  readonly batchOperationsMax?: number;
  /** Every read of a file goes through the pool. */
  readonly alwaysCold?: boolean;
  /** Shared with others. */
  readonly time?: SimulatedTime;
  /** A new store is suspect until it has met them. */
  readonly hasOtherOwners?: boolean;
}

const SEGMENT_BYTES = 65_536;

export class World {
  readonly time: SimulatedTime;
  readonly random: Prng;
  readonly options: WorldOptions;
  readonly partitionCount: number;
  readonly medium: MemoryMedium = new MemoryMedium();
  disk: SimulatedDisk;
  files: MemoryPartitionFiles;
  arena: Arena = new Arena(4 * 1_048_576);
  readonly lines: LogLine[] = [];
  /** What node.meta holds in a real node. */
  opening = 0;
  clean = false;
  uncleanStarts = 0;
  metaLsn = 0;
  /** Partitions whose file "kills" the inspecting child. */
  readonly killers: Set<FileName> = new Set();
  inspections = 0;

  engine: Engine | null = null;
  fatal: Error | null = null;
  /** Since the last clean stop the machine went down, too. */
  lostPower = false;
  #scope: TimeScope;

  constructor(options: WorldOptions) {
    this.options = options;
    this.time = options.time ?? new SimulatedTime();
    this.random = new Prng(options.seed);
    this.partitionCount = options.partitionCount ?? 256;
    this.#scope = this.time.scope();
    this.disk = new SimulatedDisk({
      timers: this.time,
      random: this.random.fork(),
      ...(options.capacityBytes === undefined ? {} : { capacityBytes: options.capacityBytes }),
    });
    this.files = new MemoryPartitionFiles(this.medium, this.disk, this.#scope, this.random.fork());
  }

  /** Opens the store; the error if it could not be opened. */
  start(): Error | null {
    const outcome = this.#begin();
    this.time.runUntil(() => outcome.done || this.fatal !== null);
    return outcome.error ?? this.fatal;
  }

  /** Begins to open, and is gone after so many events. */
  startAndCrashWithin(events: number, kind: 'kill' | 'power'): void {
    this.#begin();
    for (let i = 0; i < events; i++) this.time.step();
    this.crash(kind);
  }

  #begin(): { done: boolean; error: Error | null } {
    this.#scope = this.time.scope();
    this.fatal = null;
    this.opening += 1;
    if (!this.clean && this.opening > 1) this.uncleanStarts += 1;
    const wasClean = this.clean || this.opening === 1;
    this.clean = false;
    this.files = new MemoryPartitionFiles(this.medium, this.disk, this.#scope, this.random.fork());
    this.arena = new Arena(4 * 1_048_576);
    const outcome: { done: boolean; error: Error | null } = { done: false, error: null };
    run(openEngine(this.#deps(wasClean), this.#engineOptions()), (error, engine) => {
      outcome.done = true;
      outcome.error = error;
      this.engine = engine ?? null;
    });
    return outcome;
  }

  /** Everybody in the process is gone; the machine stays (kill -9), or does not (power). */
  crash(kind: 'kill' | 'power'): void {
    this.#scope.end();
    this.files.crash();
    if (kind === 'power') this.lostPower = true;
    this.disk = kind === 'kill' ? this.disk.kill() : this.disk.crash();
    this.engine = null;
  }

  /** A clean stop. */
  stop(): Error | null {
    const engine = this.up();
    let outcome: { error: Error | null } | null = null;
    engine.close((error) => {
      outcome = { error };
    });
    this.time.runUntil(() => outcome !== null || this.fatal !== null);
    this.#scope.end();
    this.engine = null;
    const done = outcome as { error: Error | null } | null;
    return done?.error ?? this.fatal;
  }

  up(): Engine {
    if (this.engine === null) throw new Error('The engine is not open');
    return this.engine;
  }

  read(name: string): TestRead {
    const read = new TestRead(name, this.partitionCount);
    this.up().read(read);
    return read;
  }

  /** Reads and waits for the answer. */
  get(name: string): TestRead {
    const read = this.read(name);
    this.time.runUntil(() => read.state !== 'waiting');
    return read;
  }

  write(
    name: string,
    value: string | null,
    counter: number,
    durable: boolean,
    onPlaced: (stored: Stored, write: TestWrite) => void,
  ): TestWrite {
    const write = new TestWrite(name, value, counter, this.partitionCount, durable, onPlaced);
    this.up().write(write);
    return write;
  }

  /** Writes and waits for the acknowledgement or the refusal. */
  put(name: string, value: string | null, counter = 1): TestWrite {
    const write = this.write(name, value, counter, false, () => undefined);
    this.time.runUntil(() => write.state === 'acked' || write.state === 'refused' || this.fatal !== null);
    return write;
  }

  flush(): void {
    let done = false;
    this.up().flush(() => {
      done = true;
    });
    this.time.runUntil(() => done || this.fatal !== null);
  }

  /** A name whose key falls to one of the first `spread` partitions; the same for the same arguments. */
  nameIn(spread: number, index: number, padding = ''): string {
    for (let i = index * 1_000; ; i++) {
      const name = `k${i}${padding}`;
      if (this.partitionOf(name) < spread) return name;
    }
  }

  pathOf(name: string): string {
    return this.files.path(place(Buffer.from(name, 'latin1'), this.partitionCount).partition);
  }

  partitionOf(name: string): number {
    return place(Buffer.from(name, 'latin1'), this.partitionCount).partition;
  }

  #engineOptions(): EngineOptions {
    const { options } = this;
    return {
      nodeId: NODE,
      opening: this.opening,
      uncleanStarts: this.uncleanStarts,
      partitionCount: this.partitionCount,
      bufferBytesMax: options.bufferBytesMax ?? 64 * 1_048_576,
      hasOtherOwners: options.hasOtherOwners ?? false,
      logBytesMax: options.logBytesMax ?? 64 * 1_048_576,
      logSegmentBytes: SEGMENT_BYTES,
      cacheBytesMax: options.cacheBytesMax ?? 0,
      durability: options.durability ?? { kind: 'always' },
      flush: { ...FLUSH_DEFAULTS, batchOperationsMax: options.batchOperationsMax ?? 4, restMs: 20 },
    };
  }

  #deps(clean: boolean): Parameters<typeof openEngine>[0] {
    const scope = this.#scope;
    const log =
      (level: string) =>
      (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
        this.lines.push({ level, event, fields });
      };
    const nothing = { add: (): void => undefined, set: (): void => undefined, observe: (): void => undefined };
    const random = this.random.fork();
    let ticks = 0;
    const clock = {
      wallMs: () => this.time.wallMs(),
      // A clock that runs while a file is read makes every file look cold.
      monotonicMs: () => this.time.monotonicMs() + (this.options.alwaysCold === true ? (ticks += 0.6) : 0),
    };
    const parts = {
      disk: this.disk,
      timers: scope,
      clock,
      hash: HASH,
      arena: this.arena,
      nodeId: NODE,
      opening: this.opening,
    };
    return {
      ...parts,
      files: this.files,
      openLog: logOpener({
        ...parts,
        salt: { hi: 1, lo: 2 },
        durability: this.options.durability ?? { kind: 'always' },
        segmentBytes: SEGMENT_BYTES,
        durableLsn: this.metaLsn,
        clean,
      }),
      markClean: (lastLsn, done) => {
        this.clean = true;
        this.uncleanStarts = 0;
        this.metaLsn = lastLsn;
        done(null);
      },
      digest: DIGEST,
      random: {
        u32: () => random.u32(),
        fill: (bytes) => {
          random.fill(bytes);
        },
      },
      workers: new InlineWorkers({
        later: (fire) => {
          scope.after(random.float() * 2, fire);
        },
        snapshotOf: (path) => this.files.snapshotOf(path),
        copyAt: (path) => MemoryPartitionFiles.copyAt(this.disk, path),
        hash: HASH,
        digest: DIGEST,
        nowMs: () => this.time.monotonicMs(),
      }),
      meter: { counter: () => nothing, gauge: () => nothing, histogram: () => nothing },
      log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
      inspectFiles: (names, done) => {
        this.inspections += 1;
        const bad = new Map<FileName, string>();
        for (const id of names) if (this.killers.has(id)) bad.set(id, 'The child died');
        scope.after(1, () => {
          done(null, bad);
        });
      },
      onFatal: (error) => {
        this.fatal = error;
      },
    };
  }
}
