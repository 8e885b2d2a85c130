/*
 * The storage engine on the real machine: disk, LMDB files, worker pool, and the clock that its records are stamped by.
 */
import type { Clock, Timers } from '../env/clock.js';
import type { Log, Meter } from '../env/meter.js';
import type { Random } from '../env/random.js';
import type { Hash64 } from '../model/hash.js';
import { LmdbPartitionFiles } from '../disk/lmdb-partition-file.js';
import { Arena } from '../storage/arena.js';
import type { Engine } from '../storage/engine.js';
import type { EngineDeps, EngineOptions } from '../storage/engine-deps.js';
import { logOpener, observing } from '../storage/engine-log.js';
import { openEngine } from '../storage/engine-open.js';
import { FLUSH_DEFAULTS } from '../storage/flusher.js';
import { Hlc } from '../versioning/hlc.js';
import { inspectFiles } from './inspect-files.js';
import { PoolWorkers } from '../workers/pool.js';
import type { Config } from './config-types.js';
import { answered, promised } from './flows.js';
import type { NodeDirectory } from './node-directory.js';
import { realDigest } from './real-world.js';

/** How much of the arena is kept for reuse when the buffer has been emptied. */
const ARENA_KEPT_SHARE = 0.25;

export interface StorageWorld {
  readonly engine: Engine;
  readonly hlc: Hlc;
  close(): Promise<void>;
}

export interface StorageWorldOptions {
  readonly config: Config;
  readonly directory: NodeDirectory;
  readonly hash: Hash64;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly meter: Meter;
  readonly log: Log;
  readonly fatal: (error: Error) => void;
}

export async function openStorage(options: StorageWorldOptions): Promise<StorageWorld> {
  const { meta } = options.directory;
  const hlc = new Hlc(meta.meta.hlcMs, meta.meta.hlcLogical);
  const workers = new PoolWorkers();
  const engine = await promised(openEngine(engineDeps(options, hlc, workers), engineOptions(options)));
  return {
    engine,
    hlc,
    close: async () => {
      // The pool first: its tasks read files that the engine closes.
      await answered((done) => {
        workers.close(done);
      });
      await answered((done) => {
        engine.close(done);
      });
      await answered((done) => {
        meta.close(done);
      });
    },
  };
}

function engineDeps(options: StorageWorldOptions, hlc: Hlc, workers: PoolWorkers): EngineDeps {
  const { config, directory, hash, clock, timers, random, meter, log, fatal } = options;
  const { meta, disk, path, ring } = directory;
  const { nodeId, opening, logSalt } = meta.meta;
  const arena = new Arena(config.memory.writeBufferBytes * ARENA_KEPT_SHARE);
  const files = new LmdbPartitionFiles(path);
  const openLog = logOpener({
    disk,
    timers,
    clock,
    hash,
    arena,
    nodeId,
    opening,
    salt: logSalt,
    durability: config.durability,
    segmentBytes: config.storage.segmentBytes,
    durableLsn: meta.lastStop.lastLsn,
    clean: meta.lastStop.clean,
  });
  const stamp = (): { hlcMs: number; hlcLogical: number } => ({ hlcMs: hlc.wallMs, hlcLogical: hlc.logical });
  return {
    disk,
    files,
    arena,
    openLog: observing(openLog, hlc, clock, directory.member.ordinal),
    beforeRelease: (done) => {
      meta.update(stamp(), done);
    },
    markClean: (lastLsn, done) => {
      meta.update({ ...stamp(), lastLsn, clean: true }, done);
    },
    timers,
    clock,
    hash,
    digest: realDigest,
    random,
    workers,
    meter,
    log,
    inspectFiles: inspectFiles({ partitionCount: ring.partitionCount, pathOf: (name) => files.path(name) }),
    majorFaults: () => process.resourceUsage().majorPageFault,
    onFatal: fatal,
  };
}

function engineOptions({ config, directory }: StorageWorldOptions): EngineOptions {
  const { nodeId, opening, uncleanStarts } = directory.meta.meta;
  return {
    nodeId,
    opening,
    uncleanStarts,
    partitionCount: directory.ring.partitionCount,
    hasOtherOwners: directory.ring.replicaCount > 1,
    bufferBytesMax: config.memory.writeBufferBytes,
    logBytesMax: config.storage.logBytesMax,
    logSegmentBytes: config.storage.segmentBytes,
    cacheBytesMax: config.memory.hotCacheBytes,
    durability: config.durability,
    flush: { ...FLUSH_DEFAULTS, syncTargetMs: config.storage.syncTargetMs },
  };
}
