/*
 * The engine as the daemon builds it: real files, LMDB, the pool.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { LmdbPartitionFiles } from '../../src/disk/lmdb-partition-file.js';
import { RealDisk } from '../../src/disk/real-disk.js';
import type { Clock, Timers } from '../../src/env/clock.js';
import type { Hint } from '../../src/coordinator/hint-book.js';
import { run } from '../../src/lib/flow.js';
import { leafCountOf, leavesEqual } from '../../src/repair/merkle.js';
import { Arena } from '../../src/storage/arena.js';
import type { Engine } from '../../src/storage/engine.js';
import type { Ack } from '../../src/storage/hint-storage.js';
import { logOpener } from '../../src/storage/engine-log.js';
import { openEngine } from '../../src/storage/engine-open.js';
import { FLUSH_DEFAULTS } from '../../src/storage/flusher.js';
import { PoolWorkers } from '../../src/workers/pool.js';
import { rebuildLeaves } from '../../src/workers/tasks.js';
import { wholeScrub } from '../support/whole-scrub.js';
import { DIGEST, HASH, NODE, TestRead, TestWrite } from './engine-requests.js';

const TIMERS: Timers = {
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

interface Node {
  readonly engine: Engine;
  readonly files: LmdbPartitionFiles;
  readonly pool: PoolWorkers;
  readonly lastLsn: number;
}

function open(folder: string, opening: number, lastLsn: number): Promise<Node> {
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
      clean: opening > 1,
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
    uncleanStarts: 0,
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
async function close(node: Node): Promise<void> {
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

async function write(engine: Engine, name: string, value: string | null, counter: number): Promise<void> {
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
function stayAlive(t: ExecutionContext): void {
  const timer = setInterval(() => undefined, 1_000);
  t.teardown(() => {
    clearInterval(timer);
  });
}

/** At once while the file is warm; on a busy machine it may seem cold, and then the pool answers. */
async function read(engine: Engine, name: string): Promise<TestRead> {
  const request = new TestRead(name, 16);
  engine.read(request);
  while (request.state === 'waiting') await new Promise((resolve) => setImmediate(resolve));
  return request;
}

test('hints and what was dropped are found again on a real disk', async (t) => {
  stayAlive(t);
  const folder = mkdtempSync(join(tmpdir(), 'partita-engine-'));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  const hintOf = (i: number, version: number): Hint => {
    const key = `key ${i}`.padEnd(i === 7 ? 2_000 : 0, 'x');
    const { partition } = new TestRead(key, 16);
    return { id: 2 ** 32 + i + 1, version: 2 ** 32 + version, partition, key, owner: 3, bytes: i, sinceMs: 9_000 - i };
  };
  const told = (start: (ack: Ack) => void): Promise<void> =>
    new Promise((resolve) => {
      start({
        durable: true,
        onWritten: () => {
          resolve();
        },
      });
    });
  const flush = (engine: Engine): Promise<void> =>
    new Promise((resolve) => {
      engine.flush(resolve);
    });
  let node = await open(folder, 1, 0);
  const { hints } = node.engine;
  const kept = Array.from({ length: 200 }, (_, i) => hintOf(i, i + 1));
  await Promise.all(kept.map((hint) => told((ack) => hints.keep(hint, ack))));
  await write(node.engine, 'mine', 'kept for another', 1);
  await flush(node.engine);
  await Promise.all(kept.slice(100).map((hint) => told((ack) => hints.drop(hint, ack))));
  await told((ack) => hints.keep(hintOf(5, 900), ack));
  await write(node.engine, 'mine', null, 2);
  await close(node);
  const expected = [...kept.slice(0, 100).filter((_, i) => i !== 5), hintOf(5, 900)].sort(
    (a, b) => a.sinceMs - b.sinceMs,
  );
  for (const opening of [2, 3]) {
    node = await open(folder, opening, node.lastLsn);
    t.deepEqual(node.engine.hints.restored(), expected);
    t.is((await read(node.engine, 'mine')).state, 'absent');
    await flush(node.engine);
    await close(node);
  }
  t.true(existsSync(join(folder, 'hints.mdb')));
});

test('put, flush, scrub, stop, and find everything again', async (t) => {
  stayAlive(t);
  const folder = mkdtempSync(join(tmpdir(), 'partita-engine-'));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  const names = Array.from({ length: 400 }, (_, i) => (i % 40 === 0 ? `long ${i} `.padEnd(1_500, 'x') : `key ${i}`));
  let node = await open(folder, 1, 0);
  await Promise.all(names.map((name) => write(node.engine, name, `one of ${name.length}`, 1)));
  await Promise.all(names.slice(0, 100).map((name) => write(node.engine, name, `two of ${name.length}`, 2)));
  await new Promise<void>((resolve) => {
    node.engine.flush(resolve);
  });
  for (const [i, name] of names.entries())
    t.like(await read(node.engine, name), {
      state: 'ok',
      from: 'file',
      value: `${i < 100 ? 'two' : 'one'} of ${name.length}`,
    });

  for (let partition = 0; partition < 16; partition++) {
    const path = node.files.path(partition);
    t.like(await wholeScrub({ path, partition, leafCount: leafCountOf(16) }), {
      damaged: [],
      hidden: 0,
      differingLeaves: 0,
    });
    const { leaves } = rebuildLeaves({ path, leafCount: leafCountOf(16) });
    t.true(leavesEqual(leaves, node.engine.storedLeaves(partition)));
    t.true(leavesEqual(leaves, node.engine.liveTree(partition).all()));
  }

  await Promise.all(names.slice(300).map((name) => write(node.engine, name, 'three', 3)));
  await close(node);
  node = await open(folder, 2, node.lastLsn);
  t.deepEqual(node.engine.status().suspectPartitions, []);
  for (const [i, name] of names.entries()) {
    t.like(await read(node.engine, name), {
      state: 'ok',
      value: i >= 300 ? 'three' : `${i < 100 ? 'two' : 'one'} of ${name.length}`,
    });
  }
  await close(node);
});
