/*
 * Partitions that come and go on LMDB, while threads of the pool have their files open: whoever touched an environment
 * that is closed would take the process along.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { partitionId } from '../../src/model/ids.js';
import type { FileManifest } from '../../src/env/workers.js';
import { leafCountOf, treeRoot } from '../../src/repair/merkle.js';
import type { Engine } from '../../src/storage/engine.js';
import { HASH_END_HI } from '../../src/storage/scan.js';
import { rebuildLeaves } from '../../src/workers/tasks.js';
import { wholeScrub } from '../support/whole-scrub.js';
import { close, type Node, open, read, stayAlive, write } from './engine-real-world.js';
import { HASH, place } from './engine-requests.js';

const CHILD = fileURLToPath(new URL('../support/moves-child.js', import.meta.url));

type Start<T> = (done: (error: Error | null, value?: T) => void) => void;
const ask = <T>(start: Start<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    start((error, value) => {
      if (error === null) resolve(value as T);
      else reject(error);
    });
  });

const namesIn = (partition: number, count: number): readonly string[] => {
  const names: string[] = [];
  for (let i = 0; names.length < count; i++) {
    if (place(Buffer.from(`key ${i}`), 16).partition === partition) names.push(`key ${i}`);
  }
  return names;
};

/** Through the pool, whose threads open the file. */
function scanned(engine: Engine, partition: number): Promise<number> {
  let count = 0;
  return new Promise((resolve, reject) => {
    engine.scan({
      partition: partitionId(partition, 16),
      fromHi: 0,
      fromLo: 0,
      untilHi: HASH_END_HI,
      untilLo: 0,
      recordsMax: 10_000,
      bytesMax: 10_000_000,
      onRecord: () => {
        count += 1;
      },
      onEnd: (_next, failure) => {
        if (failure === null) resolve(count);
        else reject(new Error(failure.text));
      },
    });
  });
}

const flush = (engine: Engine): Promise<void> =>
  new Promise((resolve) => {
    engine.flush(resolve);
  });

function newFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'partita-moves-'));
  mkdirSync(join(folder, 'incoming'));
  mkdirSync(join(folder, 'outgoing'));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  return folder;
}

function copied(node: Node): Promise<FileManifest | null> {
  return ask<FileManifest | null>((done) => {
    node.engine.moves.copyFile(3, 'outgoing/copy', done);
  });
}

function checkManifest(t: ExecutionContext, manifest: FileManifest, path: string, records: number): void {
  const bytes = readFileSync(path);
  t.false(existsSync(`${path}-lock`));
  t.is(manifest.bytes, bytes.length);
  t.is(manifest.records, records);
  t.is(manifest.digests.length, 8 * Math.ceil(bytes.length / manifest.chunkBytes));
  const digestOf = (piece: Uint8Array): string => {
    HASH.hash(piece, 0, piece.length);
    const digest = Buffer.alloc(8);
    digest.writeUInt32BE(HASH.hi, 0);
    digest.writeUInt32BE(HASH.lo, 4);
    return digest.toString('hex');
  };
  t.is(digestOf(bytes.subarray(0, manifest.chunkBytes)), Buffer.from(manifest.digests.subarray(0, 8)).toString('hex'));
  t.is(digestOf(manifest.digests), Buffer.from(manifest.digest).toString('hex'));
  const { leaves } = rebuildLeaves({ path, leafCount: leafCountOf(16) });
  const [hi, lo, count] = treeRoot(leaves, HASH);
  t.deepEqual([hi, lo, count], [manifest.rootHi, manifest.rootLo, records]);
}

test('a file is copied while it is written, installed, dropped and installed again, with threads on it all the time', async (t) => {
  stayAlive(t);
  const [from, to] = [newFolder(t), newFolder(t)];
  const donor = await open(from, 1, 0);
  const names = namesIn(3, 300);
  await Promise.all(names.map((name) => write(donor.engine, name, `theirs of ${name}`.padEnd(500, '.'), 3)));
  await flush(donor.engine);
  t.is(await scanned(donor.engine, 3), 300);
  const during = names.slice(0, 50).map((name) => write(donor.engine, name, 'newer', 4));
  const manifest = (await copied(donor)) as FileManifest;
  const copy = join(from, 'outgoing/copy');
  checkManifest(t, manifest, copy, 300);
  await Promise.all(during);
  await t.throwsAsync(copied(donor), { code: 'EEXIST' });

  let node = await open(to, 1, 0);
  const { engine, files } = node;
  await Promise.all(namesIn(5, 50).map((name) => write(engine, name, 'elsewhere', 1)));
  for (let round = 0; round < 6; round++) {
    await write(engine, names[7] as string, 'ours', 9);
    await write(engine, names[8] as string, 'older', 1);
    if (round % 2 === 0) await flush(engine);
    await scanned(engine, 3);
    copyFileSync(copy, join(to, 'incoming/one'));
    const scans = [scanned(engine, 3), scanned(engine, 3), scanned(engine, 5)];
    const refusal = await ask<unknown>((done) => {
      engine.moves.installFile(3, 'incoming/one', done);
    });
    t.is(refusal, null);
    t.false(existsSync(join(to, 'incoming/one')) || existsSync(join(to, 'incoming/one-lock')));
    await Promise.all(scans);
    t.is(await scanned(engine, 3), 300);
    await flush(engine);
    const scrubbed = await wholeScrub({ path: files.taskPath(3), partition: 3, leafCount: leafCountOf(16) });
    t.like(scrubbed, { damaged: [], hidden: 0, differingLeaves: 0 });
    t.is((await read(engine, names[1] as string)).value, 'newer', 'what was in the buffer when it was copied');
    t.regex((await read(engine, names[100] as string)).value, /^theirs of/);
    t.is((await read(engine, names[7] as string)).value, 'ours');
    t.is((await read(engine, names[8] as string)).value, 'newer');
    if (round === 5) break;
    const meanwhile = [scanned(engine, 3), scanned(engine, 3)];
    await ask<void>((done) => {
      engine.moves.dropPartition(
        3,
        () => true,
        (error) => {
          done(error);
        },
      );
    });
    await Promise.all(meanwhile);
    t.false(existsSync(files.path(3)) || existsSync(`${files.path(3)}-lock`));
    t.is(await scanned(engine, 3), 0);
    t.is((await read(engine, names[7] as string)).state, 'absent');
  }
  t.is(await scanned(engine, 5), 50);
  await close(node);
  node = await open(to, 2, node.lastLsn);
  t.deepEqual(node.engine.status().suspectPartitions, [3]);
  t.deepEqual(node.engine.status().quarantined, []);
  t.is(await scanned(node.engine, 3), 300);
  await close(node);
  await close(donor);
});

test('a store that is killed while it installs and drops has all of it afterwards, or nothing', async (t) => {
  stayAlive(t);
  const [from, to] = [newFolder(t), newFolder(t)];
  const donor = await open(from, 1, 0);
  await Promise.all(namesIn(3, 300).map((name) => write(donor.engine, name, 'theirs'.padEnd(500, '.'), 3)));
  await flush(donor.engine);
  await copied(donor);
  await close(donor);
  const seen = { all: 0, nothing: 0 };
  for (let round = 1; round <= 8; round++) {
    const child = fork(CHILD, [to, String(2 * round - 1), join(from, 'outgoing/copy')]);
    let steps = 0;
    let last = '';
    child.on('message', (step: string) => {
      steps += 1;
      last = step;
      if (steps === 3 + round) setTimeout(() => child.kill('SIGKILL'), round * 3);
    });
    await once(child, 'exit');
    t.true(steps >= 3 + round, `round ${round}: it went by itself after ${steps} steps`);
    const node = await open(to, 2 * round, 0, false);
    const count = await scanned(node.engine, 3);
    t.true(count === 300 || count === 0, `round ${round}: ${count} records, last was ${last}`);
    t.deepEqual(node.engine.status().quarantined, []);
    if (count > 0) t.deepEqual(node.engine.status().suspectPartitions, [3]);
    seen[count > 0 ? 'all' : 'nothing'] += 1;
    await close(node);
  }
  t.log(JSON.stringify(seen));
});
