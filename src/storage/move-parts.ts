/* What dropping and replacing files share. */
import type { Timers } from '../env/clock.js';
import { type Flow, wait } from '../lib/flow.js';
import type { RecordCache } from './cache.js';
import type { Acks } from './engine-acks.js';
import type { EngineDeps, EngineOptions } from './engine-deps.js';
import type { EngineReaps } from './engine-reaps.js';
import type { LogRelease } from './engine-release.js';
import { isNoSpace } from './engine-space.js';
import type { FileTurn } from './file-turn.js';
import type { Flusher } from './flusher.js';
import type { Ack } from './hint-storage.js';
import type { CommitLog } from './log-types.js';
import type { Partition } from './partition.js';
import type { WriteRequest } from './storage.js';
import type { WriteBuffer } from './write-buffer.js';

/** How often it is looked whether others are done with a file. */
const LOOK_MS = 2;
const NO_SPACE_RETRY_MS = 1_000;

export interface MoveParts {
  readonly deps: EngineDeps;
  readonly options: EngineOptions;
  readonly partitions: readonly Partition[];
  readonly buffer: WriteBuffer<Partition>;
  readonly log: CommitLog;
  readonly acks: Acks;
  readonly cache: RecordCache;
  readonly turn: FileTurn;
  readonly release: LogRelease;
  readonly reaps: EngineReaps;
  /** False: nothing is begun any more. */
  readonly isOpen: () => boolean;
  readonly fail: (error: Error) => void;
  /** Something is to be flushed. */
  readonly kick: () => void;
  /** Has one partition flushed before the others. */
  readonly flusher: Pick<Flusher, 'first'>;
  /** A write of ours: not refused, not slowed, and decided in the call. */
  readonly place: (partition: Partition, request: WriteRequest) => void;
}

/** Waits for whatever `ask` wants to be told when it is on the disk. */
export function* durable(ask: (ack: Ack) => void): Flow<void> {
  yield* wait((done) => {
    ask({
      durable: true,
      onWritten: () => {
        done(null);
      },
    });
  });
}

export function* rest(timers: Timers): Flow<void> {
  yield* wait((done) => {
    timers.after(LOOK_MS, () => {
      done(null);
    });
  });
}

/** Nobody reads the file any more that the partition had. */
export function* freed(partition: Partition, timers: Timers): Flow<void> {
  while (partition.tasks > 0) yield* rest(timers);
}

/** To both slots. */
export function* saveTable({ release }: MoveParts): Flow<void> {
  yield* wait((done) => {
    release.saveTable(true, done);
  });
}

/** The same, however long there is no space for it: there is no way back. */
export function* surelySaveTable(parts: MoveParts): Flow<void> {
  for (;;) {
    try {
      yield* saveTable(parts);
      return;
    } catch (error) {
      if (!isNoSpace(error as Error)) throw error;
    }
    yield* wait((done) => {
      parts.deps.timers.after(NO_SPACE_RETRY_MS, () => {
        done(null);
      });
    });
  }
}
