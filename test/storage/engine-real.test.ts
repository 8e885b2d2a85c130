/*
 * The engine as the daemon builds it: real files, LMDB, the pool.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { Hint } from '../../src/coordinator/hint-book.js';
import { leafCountOf, leavesEqual } from '../../src/repair/merkle.js';
import type { Engine } from '../../src/storage/engine.js';
import type { Ack } from '../../src/storage/hint-storage.js';
import { rebuildLeaves } from '../../src/workers/tasks.js';
import { wholeScrub } from '../support/whole-scrub.js';
import { close, open, read, stayAlive, write } from './engine-real-world.js';
import { TestRead } from './engine-requests.js';

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
