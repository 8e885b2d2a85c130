/*
 * A whole engine on a simulated disk, memory partition files and virtual time, with a dumb twin beside it: for every
 * key the list of values in the order in which they took their place, and which of them were acknowledged.
 *
 * What a read may answer follows from that list alone. While the node is up: the last one. After a crash: the last
 * acknowledged one or any after it, and from then on that one. Anything else is lost, invented or brought back.
 */
import { createHash } from 'node:crypto';
import xxhash from 'xxhash-wasm';
import { run } from '../../src/lib/flow.js';
import { Prng } from '../../src/lib/prng.js';
import type { Failure } from '../../src/model/errors.js';
import { type Hash64, hash64From } from '../../src/model/hash.js';
import { type NodeId, nodeId, partitionId, type PartitionId } from '../../src/model/ids.js';
import { Arena } from '../../src/storage/arena.js';
import type { Engine } from '../../src/storage/engine.js';
import type { EngineOptions } from '../../src/storage/engine-deps.js';
import { logOpener } from '../../src/storage/engine-log.js';
import { openEngine } from '../../src/storage/engine-open.js';
import { FLUSH_DEFAULTS } from '../../src/storage/flusher.js';
import type { ReadRequest, Stored, WriteRequest } from '../../src/storage/storage.js';
import { recordHeaderEnd } from '../../src/versioning/record.js';
import { seal, writeDot, writeRecordFixed } from '../../src/versioning/write.js';
import { InlineWorkers } from '../../src/workers/inline.js';
import { MemoryMedium, MemoryPartitionFiles } from '../support/memory-partition-file.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { SimulatedTime, type TimeScope } from '../support/simulated-time.js';

export const HASH: Hash64 = hash64From(await xxhash());
export const NODE: NodeId = nodeId('00112233445566778899aabbccddeeff');
export const DIGEST = { sha256: (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest() };

const FIXED = 24;
const ACTOR_HI = 0x00010002;
const ACTOR_LO = 0x03040506;

/** A record with one actor and one sibling, whose value is `text` and as many more bytes as asked for. */
export function testRecordBytes(key: Uint8Array, valueBytes: number): number {
  return FIXED + key.length + 14 + 48 + valueBytes + 8;
}

export function writeTestRecord(
  target: Uint8Array,
  at: number,
  key: Uint8Array,
  counter: number,
  value: Uint8Array,
): void {
  const size = testRecordBytes(key, value.length);
  writeRecordFixed(target, at, key.length, size, 1, 1, 0, 0);
  target.set(key, at + FIXED);
  const entry = at + FIXED + key.length;
  writeDot(target, entry, ACTOR_HI, ACTOR_LO, counter);
  const sibling = entry + 14;
  target.fill(0, sibling, sibling + 48);
  writeDot(target, sibling, ACTOR_HI, ACTOR_LO, counter);
  Buffer.from(target.buffer, target.byteOffset, target.byteLength).writeUInt32BE(value.length, sibling + 44);
  target.set(value, sibling + 48);
  seal(target, at, size, HASH);
}

export function valueOf(stored: Stored): string {
  const end = stored.end - 8;
  return Buffer.from(stored.bytes.subarray(recordHeaderEnd(stored.bytes, stored.start), end)).toString('latin1');
}

export function place(
  key: Uint8Array,
  partitionCount: number,
): { partition: PartitionId; hashHi: number; hashLo: number } {
  HASH.hash(key, 0, key.length);
  const bits = Math.log2(partitionCount);
  const partition = bits === 0 ? 0 : HASH.hi >>> (32 - bits);
  return { partition: partitionId(partition, partitionCount), hashHi: HASH.hi, hashLo: HASH.lo };
}

export class TestRead implements ReadRequest {
  readonly partition: PartitionId;
  readonly hashHi: number;
  readonly hashLo: number;
  readonly key: Uint8Array;
  state: 'waiting' | 'ok' | 'absent' | 'unknown' = 'waiting';
  value = '';
  reason = '';
  from = '';
  hasMark = false;
  markCounter = 0;
  /** What the record adds to its Merkle leaf. */
  leafHi = 0;
  leafLo = 0;

  constructor(name: string, partitionCount: number) {
    this.key = Buffer.from(name, 'latin1');
    ({ partition: this.partition, hashHi: this.hashHi, hashLo: this.hashLo } = place(this.key, partitionCount));
  }

  onRead(stored: Stored): void {
    if (this.state !== 'waiting') throw new Error('A read was answered twice');
    this.state = stored.state;
    this.reason = stored.reason;
    this.from = stored.from;
    this.hasMark = stored.hasMark;
    this.markCounter = stored.markCounter;
    if (stored.end === stored.start) return;
    this.value = valueOf(stored);
    HASH.hash(stored.bytes, stored.start, recordHeaderEnd(stored.bytes, stored.start));
    this.leafHi = HASH.hi;
    this.leafLo = HASH.lo;
  }
}

export class TestWrite implements WriteRequest {
  readonly partition: PartitionId;
  readonly hashHi: number;
  readonly hashLo: number;
  readonly key: Uint8Array;
  readonly durable: boolean;
  readonly value: Uint8Array;
  readonly markActorHi: number = ACTOR_HI;
  readonly markActorLo: number = ACTOR_LO;
  readonly markCounter: number;
  readonly #onPlaced: (stored: Stored, write: TestWrite) => void;
  state: 'waiting' | 'placed' | 'acked' | 'refused' = 'waiting';
  ackedDurable = false;
  failure: Failure | null = null;

  constructor(
    name: string,
    value: string,
    counter: number,
    partitionCount: number,
    durable: boolean,
    onPlaced: (stored: Stored, write: TestWrite) => void,
  ) {
    this.key = Buffer.from(name, 'latin1');
    this.value = Buffer.from(value, 'latin1');
    this.markCounter = counter;
    this.durable = durable;
    this.#onPlaced = onPlaced;
    ({ partition: this.partition, hashHi: this.hashHi, hashLo: this.hashLo } = place(this.key, partitionCount));
  }

  decide(stored: Stored): number {
    if (this.state !== 'waiting') throw new Error('A write was decided twice');
    this.state = 'placed';
    this.#onPlaced(stored, this);
    return testRecordBytes(this.key, this.value.length);
  }

  encode(target: Uint8Array, at: number): void {
    writeTestRecord(target, at, this.key, this.markCounter, this.value);
  }

  onWritten(durable: boolean): void {
    if (this.state !== 'placed') throw new Error(`A write was acknowledged while ${this.state}`);
    this.state = 'acked';
    this.ackedDurable = durable;
  }

  onRefused(failure: Failure): void {
    if (this.state !== 'waiting') throw new Error(`A write was refused while ${this.state}`);
    this.state = 'refused';
    this.failure = failure;
  }
}

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
}

const SEGMENT_BYTES = 65_536;

export class World {
  readonly time: SimulatedTime = new SimulatedTime();
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
  readonly killers: Set<number> = new Set();
  inspections = 0;

  engine: Engine | null = null;
  fatal: Error | null = null;
  /** Since the last clean stop the machine went down, too. */
  lostPower = false;
  #scope: TimeScope;

  constructor(options: WorldOptions) {
    this.options = options;
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
    value: string,
    counter: number,
    durable: boolean,
    onPlaced: (stored: Stored, write: TestWrite) => void,
  ): TestWrite {
    const write = new TestWrite(name, value, counter, this.partitionCount, durable, onPlaced);
    this.up().write(write);
    return write;
  }

  /** Writes and waits for the acknowledgement or the refusal. */
  put(name: string, value: string, counter = 1): TestWrite {
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
        hash: HASH,
        digest: DIGEST,
        nowMs: () => this.time.monotonicMs(),
      }),
      meter: { counter: () => nothing, gauge: () => nothing, histogram: () => nothing },
      log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
      inspectFiles: (partitions, done) => {
        this.inspections += 1;
        const bad = new Map<number, string>();
        for (const id of partitions) if (this.killers.has(id)) bad.set(id, 'The child died');
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
