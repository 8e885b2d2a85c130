/*
 * The engine of a simulated node, put together as the daemon puts its own together: the same openers, the same order,
 * other disks and clocks.
 */
import type { Disk } from '../../src/env/disk.js';
import type { Log } from '../../src/env/meter.js';
import type { Random } from '../../src/env/random.js';
import type { Flow } from '../../src/lib/flow.js';
import type { Prng } from '../../src/lib/prng.js';
import { Arena } from '../../src/storage/arena.js';
import type { Engine } from '../../src/storage/engine.js';
import { logOpener, observing } from '../../src/storage/engine-log.js';
import { openEngine } from '../../src/storage/engine-open.js';
import { FLUSH_DEFAULTS } from '../../src/storage/flusher.js';
import type { NodeMetaFile } from '../../src/storage/node-meta.js';
import type { Hlc } from '../../src/versioning/hlc.js';
import { InlineWorkers } from '../../src/workers/inline.js';
import { MemoryPartitionFiles } from '../support/memory-partition-file.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { silentMeter } from '../support/silent.js';
import type { EngineShape } from './options.js';
import type { SimProcess } from './process.js';
import { DIGEST, HASH } from './tools.js';

/** A look at the clock that makes a read of a file look slow. */
const COLD_TICK_MS = 0.6;

export interface NodeEngineParts {
  readonly shape: EngineShape;
  readonly partitionCount: number;
  readonly hasOtherOwners: boolean;
  readonly ordinal: number;
  readonly process: SimProcess;
  readonly disk: Disk;
  readonly files: MemoryPartitionFiles;
  readonly meta: NodeMetaFile;
  readonly hlc: Hlc;
  readonly random: Random;
  /** For delays. */
  readonly draws: Prng;
  /** False: replayed stamps do not move the clock (a planted bug). */
  readonly observesClock: boolean;
  readonly log: Log;
  readonly fatal: (error: Error) => void;
}

export function* openNodeEngine(parts: NodeEngineParts): Flow<Engine> {
  const { shape, process, disk, files, meta, hlc, random, draws, log, fatal } = parts;
  const { nodeId, opening, logSalt, uncleanStarts } = meta.meta;
  let ticks = 0;
  const clock = {
    wallMs: () => process.wallMs(),
    monotonicMs: () => process.monotonicMs() + (shape.coldFiles ? (ticks += COLD_TICK_MS) : 0),
  };
  const world = { disk, timers: process, clock, hash: HASH, arena: new Arena(0) };
  const openLog = logOpener({
    ...world,
    nodeId,
    opening,
    salt: logSalt,
    durability: shape.durability,
    segmentBytes: shape.logSegmentBytes,
    durableLsn: meta.lastStop.lastLsn,
    clean: meta.lastStop.clean,
  });
  const stamp = (): { hlcMs: number; hlcLogical: number } => ({ hlcMs: hlc.wallMs, hlcLogical: hlc.logical });
  return yield* openEngine(
    {
      ...world,
      files,
      openLog: parts.observesClock ? observing(openLog, hlc, clock, parts.ordinal) : openLog,
      beforeRelease: (done) => {
        meta.update(parts.observesClock ? stamp() : {}, done);
      },
      markClean: (lastLsn, done) => {
        meta.update({ ...stamp(), lastLsn, clean: true }, done);
      },
      digest: DIGEST,
      random,
      workers: new InlineWorkers({
        later: (fire) => {
          process.after(draws.float() * shape.workerMs, fire);
        },
        snapshotOf: (path) => files.snapshotOf(path),
        copyAt: (path) => (disk instanceof SimulatedDisk ? MemoryPartitionFiles.copyAt(disk, path) : null),
        hash: HASH,
        digest: DIGEST,
        nowMs: () => process.monotonicMs(),
      }),
      meter: silentMeter,
      log,
      inspectFiles: (_partitions, done) => {
        process.after(1, () => {
          done(null, new Map());
        });
      },
      onFatal: fatal,
    },
    {
      nodeId,
      opening,
      uncleanStarts,
      partitionCount: parts.partitionCount,
      hasOtherOwners: parts.hasOtherOwners,
      bufferBytesMax: shape.bufferBytesMax,
      logBytesMax: shape.logBytesMax,
      logSegmentBytes: shape.logSegmentBytes,
      cacheBytesMax: shape.cacheBytesMax,
      durability: shape.durability,
      flush: {
        ...FLUSH_DEFAULTS,
        batchOperationsMax: shape.batchOperationsMax,
        hurryBatchOperationsMax: shape.batchOperationsMax,
        restMs: shape.restMs,
      },
    },
  );
}
