/*
 * The real engine on the real disk, in a child process, so that a file that kills its reader kills nobody else. Told by
 * IPC what to do, one thing at a time:
 *
 *   make    a store with so many keys, each put a few times; the last values are the answer
 *   read    open the directory, read the keys, close it: what each read answered, and what recovery found
 *   scrub   walk a partition file as the pool's scrub task does
 *
 * A store that is made `flushed` has everything in its files and was closed in peace. One that is not has everything in
 * the log, whose last batch names what is durable, and was never closed.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { LmdbPartitionFiles } from '../../src/disk/lmdb-partition-file.js';
import { RealDisk } from '../../src/disk/real-disk.js';
import { answered, promised } from '../../src/daemon/flows.js';
import { kernelRandom, realClock, realTimers } from '../../src/daemon/real-world.js';
import { leafCountOf } from '../../src/repair/merkle.js';
import { Arena } from '../../src/storage/arena.js';
import { logOpener } from '../../src/storage/engine-log.js';
import { openEngine } from '../../src/storage/engine-open.js';
import type { Engine } from '../../src/storage/engine.js';
import type { OpenLog } from '../../src/storage/engine-deps.js';
import { FLUSH_DEFAULTS } from '../../src/storage/flusher.js';
import type { LogRecovery } from '../../src/storage/log-types.js';
import { NodeMetaFile } from '../../src/storage/node-meta.js';
import { InlineWorkers } from '../../src/workers/inline.js';
import { withSnapshot } from '../../src/disk/lmdb-snapshot.js';
import { DIGEST, HASH, TestRead, TestWrite } from '../storage/engine-requests.js';
import { silentMeter } from './silent.js';
import { stampedValue } from './stamp.js';
import { wholeScrub } from './whole-scrub.js';

export interface StoreShape {
  readonly partitionCount: number;
  readonly segmentBytes: number;
}

export type StoreTask =
  | {
      readonly task: 'make';
      readonly directory: string;
      readonly shape: StoreShape;
      readonly keys: number;
      readonly rounds: number;
      readonly flushed: boolean;
      readonly seed: number;
      readonly valueBytes: number;
    }
  | { readonly task: 'read'; readonly directory: string; readonly shape: StoreShape; readonly names: readonly string[] }
  | { readonly task: 'scrub'; readonly directory: string; readonly shape: StoreShape };

export interface ReadAnswer {
  readonly state: 'ok' | 'absent' | 'unknown' | 'waiting';
  /** latin1; empty unless there is a good record. */
  readonly value: string;
}

export type StoreReply =
  /** Ids of the puts, by key, oldest first; the last one is what must be found. */
  | { readonly reply: 'made'; readonly ids: Readonly<Record<string, readonly number[]>> }
  | {
      readonly reply: 'read';
      readonly answers: readonly ReadAnswer[];
      readonly suspects: number;
      readonly quarantined: number;
      readonly cut: boolean;
      readonly damage: number;
      /** Events of level error. */
      readonly errors: readonly string[];
    }
  | { readonly reply: 'scrubbed'; readonly faults: number }
  /** It did not open, and said so. */
  | { readonly reply: 'refused'; readonly text: string };

interface OpenStore {
  readonly engine: Engine;
  readonly recovery: LogRecovery;
  readonly errors: readonly string[];
  readonly meta: NodeMetaFile;
}

const NEVER_MS = 1e9;

async function open(directory: string, shape: StoreShape, create: boolean): Promise<OpenStore> {
  const timers = realTimers();
  const disk = new RealDisk(directory);
  const meta = create
    ? await promised(NodeMetaFile.create(disk, HASH, kernelRandom()))
    : await promised(NodeMetaFile.open(disk, HASH));
  if (meta === null) throw new Error('There is no node.meta');
  const { nodeId, opening, uncleanStarts, logSalt } = meta.meta;
  const arena = new Arena(0);
  const parts = { disk, timers, clock: realClock, hash: HASH, arena, nodeId, opening };
  let recovery: LogRecovery | null = null;
  const opener = logOpener({
    ...parts,
    salt: logSalt,
    durability: { kind: 'always' },
    segmentBytes: shape.segmentBytes,
    durableLsn: meta.lastStop.lastLsn,
    clean: meta.lastStop.clean,
  });
  const openLog: OpenLog = function* (visit, events, appliedMax) {
    const opened = yield* opener(visit, events, appliedMax);
    recovery = opened.recovery;
    return opened;
  };
  const errors: string[] = [];
  const quiet = (): void => undefined;
  const engine = await promised(
    openEngine(
      {
        ...parts,
        files: new LmdbPartitionFiles(directory),
        openLog,
        markClean: (lastLsn, done) => {
          meta.update({ clean: true, lastLsn, uncleanStarts: 0 }, done);
        },
        digest: DIGEST,
        random: kernelRandom(),
        workers: new InlineWorkers({
          later: (fire) => {
            setImmediate(fire);
          },
          snapshotOf: (path) => ({
            get: (key) => withSnapshot(path, (snapshot) => snapshot.get(key)),
            scan: (after, limit) => withSnapshot(path, (snapshot) => snapshot.scan(after, limit)),
            counts: () => withSnapshot(path, (snapshot) => snapshot.counts()),
          }),
          hash: HASH,
          digest: DIGEST,
          nowMs: () => performance.now(),
        }),
        meter: silentMeter,
        log: {
          debug: quiet,
          info: quiet,
          warn: quiet,
          error: (event, fields) => {
            errors.push(`${event} ${JSON.stringify(fields)}`);
          },
        },
        onFatal: (error) => {
          throw error;
        },
      },
      {
        nodeId,
        opening,
        uncleanStarts,
        partitionCount: shape.partitionCount,
        bufferBytesMax: 64 * 1_048_576,
        logBytesMax: 64 * 1_048_576,
        logSegmentBytes: shape.segmentBytes,
        cacheBytesMax: 0,
        durability: { kind: 'always' },
        flush: { ...FLUSH_DEFAULTS, restMs: NEVER_MS },
      },
    ),
  );
  if (recovery === null) throw new Error('The log was opened without a recovery');
  return { engine, recovery, errors, meta };
}

async function close({ engine, meta }: OpenStore): Promise<void> {
  await answered((done) => {
    engine.close(done);
  });
  await answered((done) => {
    meta.close(done);
  });
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(1);
}

type Make = Extract<StoreTask, { readonly task: 'make' }>;

async function make(task: Make): Promise<StoreReply> {
  const { directory, shape, keys, rounds, flushed, seed, valueBytes } = task;
  const store = await open(directory, shape, true);
  const ids: Record<string, number[]> = {};
  let id = 0;
  for (let round = 1; round <= rounds; round++) {
    for (let i = 0; i < keys; i++) {
      const name = `key-${i}`;
      id += 1;
      const value = stampedValue(seed, name, id, valueBytes).toString('latin1');
      const write = new TestWrite(name, value, round, shape.partitionCount, false, () => undefined);
      store.engine.write(write);
      if (i % 7 === 0 || round === rounds) await until(() => write.state === 'acked'); // batches of one, and of several
      (ids[name] ??= []).push(id);
    }
    if (flushed)
      await new Promise<void>((resolve) => {
        store.engine.flush(resolve);
      });
  }
  if (flushed) {
    await sleep(1_200); // the log is let go of a second after the flush
    await close(store);
  } else {
    await sleep(400); // by then an empty batch has said that all of it is durable
  }
  return { reply: 'made', ids };
}

async function read(directory: string, shape: StoreShape, names: readonly string[]): Promise<StoreReply> {
  const store = await open(directory, shape, false);
  const reads = names.map((name) => new TestRead(name, shape.partitionCount));
  for (const one of reads) store.engine.read(one);
  await until(() => reads.every((one) => one.state !== 'waiting'));
  const { suspectPartitions, quarantined } = store.engine.status();
  const { cut, damage } = store.recovery;
  await close(store);
  return {
    reply: 'read',
    answers: reads.map(({ state, value }) => ({ state, value })),
    suspects: suspectPartitions.length,
    quarantined: quarantined.length,
    cut: cut !== null,
    damage: damage.length,
    errors: store.errors,
  };
}

async function scrubAll(directory: string, { partitionCount }: StoreShape): Promise<StoreReply> {
  const folder = join(directory, 'partitions');
  let faults = 0;
  for (const name of readdirSync(folder).filter((one) => one.endsWith('.mdb'))) {
    try {
      const partition = Number.parseInt(name, 16);
      const report = await wholeScrub({ path: join(folder, name), partition, leafCount: leafCountOf(partitionCount) });
      faults += report.damaged.length + report.hidden + report.differingLeaves;
    } catch {
      faults += 1; // LMDB itself says that it cannot read on
    }
  }
  return { reply: 'scrubbed', faults };
}

async function perform(task: StoreTask): Promise<StoreReply> {
  switch (task.task) {
    case 'make':
      return make(task);
    case 'read':
      return read(task.directory, task.shape, task.names);
    case 'scrub':
      return scrubAll(task.directory, task.shape);
  }
}

process.on('message', (task: StoreTask) => {
  perform(task)
    .catch((error: unknown): StoreReply => ({
      reply: 'refused',
      text: error instanceof Error ? error.message : String(error),
    }))
    .then((reply) => process.send?.(reply));
});
