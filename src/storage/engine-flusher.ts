/* The flusher as the engine uses it. */
import type { RecordCache } from './cache.js';
import type { EngineCounters } from './engine-counters.js';
import type { EngineDeps, EngineOptions } from './engine-deps.js';
import { flusherFiles } from './engine-files.js';
import type { Idle } from './engine-idle.js';
import type { Leaves } from './engine-leaves.js';
import type { Pressure } from './engine-pressure.js';
import type { LogRelease } from './engine-release.js';
import type { SpaceWatch } from './engine-space.js';
import type { Throttle } from './engine-throttle.js';
import type { FileTurn } from './file-turn.js';
import { Flusher } from './flusher.js';
import type { CommitLog } from './log-types.js';
import type { Partition } from './partition.js';
import type { WriteBuffer } from './write-buffer.js';

export interface FlusherWorld {
  readonly buffer: WriteBuffer<Partition>;
  readonly log: CommitLog;
  readonly pressure: Pressure;
  readonly leaves: Leaves;
  readonly turn: FileTurn;
  readonly cache: RecordCache;
  readonly idle: Idle;
  readonly release: LogRelease;
  readonly throttle: Throttle;
  readonly counters: EngineCounters;
  readonly space: SpaceWatch;
  readonly fail: (error: Error) => void;
}

export function makeFlusher(deps: EngineDeps, options: EngineOptions, world: FlusherWorld): Flusher {
  const { buffer, log, pressure, leaves, turn, cache, idle, release, throttle, counters, space, fail } = world;
  return new Flusher(
    {
      ...deps,
      buffer,
      fill: () => pressure.fill(),
      leaves,
      options: options.flush,
      ...flusherFiles(deps, options),
      turn,
      cache,
      onFlushed: (partition) => {
        idle.look();
        release.onApplied(partition.appliedLsn);
      },
      onBatch: (records, bytes, ms) => {
        throttle.noteFlush(records, bytes, ms);
        counters.flushedRecords.add(records);
        counters.flushedBytes.add(bytes);
      },
      onNoSpace: (error) => {
        space.noSpace('partition', error);
      },
      onFailed: fail,
    },
    log,
  );
}
