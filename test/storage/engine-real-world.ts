/*
 * The engine as the daemon builds it: real files, LMDB, the pool. For tests.
 */
import type { ExecutionContext } from 'ava';
import { LmdbPartitionFiles } from '../../src/disk/lmdb-partition-file.js';
import { RealDisk } from '../../src/disk/real-disk.js';
import type { Clock, Timers } from '../../src/env/clock.js';
import { run } from '../../src/lib/flow.js';
import { Arena } from '../../src/storage/arena.js';
import type { Engine } from '../../src/storage/engine.js';
import { logOpener } from '../../src/storage/engine-log.js';
import { openEngine } from '../../src/storage/engine-open.js';
import { FLUSH_DEFAULTS } from '../../src/storage/flusher.js';
import { PoolWorkers } from '../../src/workers/pool.js';
import { DIGEST, HASH, NODE, TestRead, TestWrite } from './engine-requests.js';

export const TIMERS: Timers = {
  after: (ms, fire) => {
    const timer = setTimeout(fire, ms).unref();
    return {
      cancel: () => {
        clearTimeout(timer);
      },
    };
  },
  endOfTurn: (fire) => {
    setImmediate(fire);
  },
};
const CLOCK: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
const SEGMENT_BYTES = 1_048_576;
const NOTHING = { add: (): void => undefined, set: (): void => undefined, observe: (): void => undefined };

export interface Node {
  readonly engine: Engine;
  readonly files: LmdbPartitionFiles;
  readonly pool: PoolWorkers;
  readonly lastLsn: number;
}

/** `clean`: the opening before ended with a stop. */
export function open(folder: string, opening: number, lastLsn: number, clean: boolean = opening > 1): Promise<Node> {
  const files = new LmdbPartitionFiles(folder);
  const pool = new PoolWorkers({ threads: 1 });
  const arena = new Arena(8_388_608);
  const durability = { kind: 'always' } as const;
  const parts = { disk: new RealDisk(folder), timers: TIMERS, clock: CLOCK, hash: HASH, arena, nodeId: NODE, opening };
  const silent = (): void => undefined;
  let closedLsn = 0;
  const deps = {
    ...parts,
    files,
    openLog: logOpener({
      ...parts,
      salt: { hi: 3, lo: 4 },
      durability,
      segmentBytes: SEGMENT_BYTES,
      durableLsn: lastLsn,
      clean,
    }),
    markClean: (lsn: number, done: (error: Error | null) => void): void => {
      closedLsn = lsn;
      done(null);
    },
    digest: DIGEST,
    random: { u32: () => Math.floor(Math.random() * 2 ** 32), fill: silent },
    workers: pool,
    meter: { counter: () => NOTHING, gauge: () => NOTHING, histogram: () => NOTHING },
    log: { debug: silent, info: silent, warn: silent, error: silent },
    onFatal: (error: Error): void => {
      throw error;
    },
  };
  const options = {
    nodeId: NODE,
    opening,
    uncleanStarts: clean || opening === 1 ? 0 : 1,
    partitionCount: 16,
    bufferBytesMax: 16_777_216,
    logBytesMax: 33_554_432,
    logSegmentBytes: SEGMENT_BYTES,
    cacheBytesMax: 0,
    durability,
    flush: FLUSH_DEFAULTS,
  };
  return new Promise((resolve, reject) => {
    run(openEngine(deps, options), (error, engine) => {
      if (error !== null || engine === undefined) reject(error ?? new Error('No engine'));
      else
        resolve({
          engine,
          files,
          pool,
          get lastLsn() {
            return closedLsn;
          },
        });
    });
  });
}

/** The pool first: its threads share the environments that the engine closes. */
export async function close(node: Node): Promise<void> {
  await new Promise<void>((resolve) => {
    node.pool.close(() => {
      resolve();
    });
  });
  await new Promise<void>((resolve, reject) => {
    node.engine.close((error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

export async function write(engine: Engine, name: string, value: string | null, counter: number): Promise<void> {
  const request = new TestWrite(name, value, counter, 16, false, () => undefined);
  await new Promise<void>((resolve, reject) => {
    request.onWritten = (): void => {
      resolve();
    };
    request.onRefused = (failure): void => {
      reject(new Error(failure.text));
    };
    engine.write(request);
  });
}

/** Neither the store's timers nor the pool's threads keep a process alive: a daemon has its listeners for that. */
export function stayAlive(t: ExecutionContext): void {
  const timer = setInterval(() => undefined, 1_000);
  t.teardown(() => {
    clearInterval(timer);
  });
}

/** At once while the file is warm; on a busy machine it may seem cold, and then the pool answers. */
export async function read(engine: Engine, name: string): Promise<TestRead> {
  const request = new TestRead(name, 16);
  engine.read(request);
  while (request.state === 'waiting') await new Promise((resolve) => setImmediate(resolve));
  return request;
}
