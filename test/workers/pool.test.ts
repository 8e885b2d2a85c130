/*
 * The real pool on real LMDB files: what its threads read, walk and hash, while the loop writes to the same files.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { LmdbPartitionFiles } from '../../src/disk/lmdb-partition-file.js';
import type { PartitionFile, PartitionFileOperation } from '../../src/env/partition-file.js';
import type { ReadRange } from '../../src/env/workers.js';
import { leafCountOf, leavesEqual } from '../../src/repair/merkle.js';
import { eachPacked } from '../../src/storage/scan-range.js';
import { isRecordKey } from '../../src/storage/storage-key.js';
import { PoolWorkers } from '../../src/workers/pool.js';
import { HASH } from '../storage/engine-requests.js';
import { collidingKeys } from '../support/colliding-keys.js';
import { recordsWithLeaves } from './records.js';

const LEAVES = leafCountOf(256);

type Start<T> = (done: (error: Error | null, value?: T) => void) => void;
const ask = <T>(start: Start<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    start((error, value) => {
      if (error === null) resolve(value as T);
      else reject(error);
    });
  });

interface Folder {
  readonly files: LmdbPartitionFiles;
  readonly file: PartitionFile;
  readonly path: string;
  readonly pool: PoolWorkers;
}

async function inFolder(use: (folder: Folder) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'partita-pool-'));
  const files = new LmdbPartitionFiles(folder);
  const file = await ask<PartitionFile>((done) => {
    files.open(0, 2 ** 38, done);
  });
  const pool = new PoolWorkers();
  try {
    await use({ files, file, path: files.path(0), pool });
  } finally {
    await ask<void>((done) => {
      pool.close(done);
    });
    file.close();
    rmSync(folder, { recursive: true });
  }
}

function write(file: PartitionFile, operations: readonly PartitionFileOperation[]): Promise<void> {
  return ask<void>((done) => {
    file.write(operations, done);
  });
}

test('one hop reads many keys in their order, absent ones as null', async (t) => {
  await inFolder(async ({ file, path, pool }) => {
    await write(file, [
      { key: Buffer.from('a'), value: Buffer.from('1') },
      { key: Buffer.from('b'), value: Buffer.alloc(100_000, 2) },
    ]);
    const keys = ['b', 'none', 'a'].map((name) => Buffer.from(name));
    const values = await ask<readonly (Uint8Array | null)[]>((done) => {
      pool.readMany({ path, keys }, done);
    });
    t.deepEqual(
      values.map((value) => value?.length ?? null),
      [100_000, null, 1],
    );
  });
});

test('threads see every commit of the loop, and the loop goes on while they read', async (t) => {
  await inFolder(async ({ file, path, pool }) => {
    const key = Buffer.from('k');
    for (let round = 1; round <= 50; round++) {
      await write(file, [{ key, value: Buffer.from(`round ${round}`) }]);
      const reads = Array.from({ length: 4 }, () =>
        ask<readonly (Uint8Array | null)[]>((done) => {
          pool.readMany({ path, keys: [key] }, done);
        }),
      );
      for (const [value] of await Promise.all(reads)) t.is(Buffer.from(value ?? []).toString(), `round ${round}`);
    }
  });
});

test('leaves are rebuilt from a file, and a scrub finds what does not fit', async (t) => {
  await inFolder(async ({ file, path, pool }) => {
    const names = Array.from({ length: 700 }, (_, i) => (i % 100 === 0 ? `long${i}`.padEnd(900, 'x') : `key${i}`));
    const { operations, leaves } = recordsWithLeaves(names, 3, 256);
    await write(file, operations);
    const rebuilt = await ask<{ leaves: Uint32Array; records: number }>((done) => {
      pool.rebuildLeaves(path, LEAVES, 256, done);
    });
    t.is(rebuilt.records, 700);
    t.true(leavesEqual(rebuilt.leaves, leaves));
    const clean = await ask<object>((done) => {
      pool.scrub(path, LEAVES, 256, done);
    });
    t.like(clean, { differingLeaves: 0, unreachable: 0, records: 700, damaged: [] });

    const first = operations[0] as PartitionFileOperation;
    const flipped = Buffer.from(first.value as Uint8Array);
    flipped[40] = (flipped[40] as number) ^ 1;
    const second = operations[1] as PartitionFileOperation;
    await write(file, [
      { key: first.key, value: flipped },
      { key: second.key, value: null },
    ]);
    const scrubbed = await ask<{ damaged: readonly Uint8Array[]; differingLeaves: number; records: number }>((done) => {
      pool.scrub(path, LEAVES, 256, done);
    });
    t.is(scrubbed.records, 698);
    t.deepEqual(
      scrubbed.damaged.map((key) => Buffer.from(key).toString('hex')),
      [Buffer.from(first.key).toString('hex')],
    );
    t.true(scrubbed.differingLeaves >= 1);
  });
});

test('a stretch is read in hash order, packed, up to its limits and to the end of a hash', async (t) => {
  await inFolder(async ({ file, path, pool }) => {
    const colliding = collidingKeys(3).map((key) => Buffer.from(key).toString('latin1'));
    const names = Array.from({ length: 300 }, (_, i) => (i % 100 === 0 ? `long${i}`.padEnd(900, 'x') : `key${i}`));
    const { operations } = recordsWithLeaves([...names, ...colliding], 3, 256);
    await write(file, operations);
    const records = operations
      .filter(({ key }) => isRecordKey(key))
      .map(({ key, value }) => ({ key: Buffer.from(key), value: Buffer.from(value ?? []) }))
      .sort((a, b) => Buffer.compare(a.key, b.key));
    const hashOf = (index: number): Buffer => (records[index] as { key: Buffer }).key.subarray(0, 8);
    for (const { until, recordsMax, bytesMax } of [
      { until: null, recordsMax: 1_000, bytesMax: 10_000_000 },
      { until: null, recordsMax: 7, bytesMax: 10_000_000 },
      { until: null, recordsMax: 1, bytesMax: 10_000_000 },
      { until: hashOf(200), recordsMax: 1_000, bytesMax: 500 },
    ]) {
      const seen: { key: Buffer; value: Buffer }[] = [];
      let next: Uint8Array | null = Buffer.alloc(8);
      while (next !== null) {
        const from: Uint8Array = next;
        const range: ReadRange = await ask<ReadRange>((done) => {
          pool.readRange({ path, from, until, recordsMax, bytesMax }, done);
        });
        t.is(range.entries.buffer.byteLength, range.entries.length, 'no more memory than it needs');
        const bytes = Buffer.from(range.entries);
        let count = 0;
        eachPacked(range, (keyAt, valueAt, end) => {
          count += 1;
          seen.push({ key: bytes.subarray(keyAt, valueAt), value: bytes.subarray(valueAt, end) });
        });
        t.true(count <= recordsMax + 2, 'three records have one hash');
        t.true(count === 1 || range.entries.length < bytesMax + 3_000);
        next = range.next;
      }
      t.deepEqual(seen, records.slice(0, until === null ? records.length : 200));
    }
  });
});

test('hashes are those of the loop', async (t) => {
  await inFolder(async ({ pool }) => {
    for (const size of [0, 1, 1_000, 3_000_000]) {
      const bytes = new Uint8Array(size).fill(size % 251);
      const digest = Buffer.from(
        await ask<Uint8Array>((done) => {
          pool.hash(bytes, done);
        }),
      );
      HASH.hash(bytes, 0, size);
      t.deepEqual([digest.readUInt32BE(0), digest.readUInt32BE(4)], [HASH.hi, HASH.lo]);
    }
  });
});

test('a task that fails is answered with its error, and the pool goes on', async (t) => {
  await inFolder(async ({ path, pool, file }) => {
    await write(file, [{ key: Buffer.from('a'), value: Buffer.from('1') }]);
    await t.throwsAsync(
      ask((done) => {
        pool.readMany({ path, keys: [new Uint8Array(0), Buffer.alloc(600)] }, done);
      }),
    );
    const values = await ask<readonly (Uint8Array | null)[]>((done) => {
      pool.readMany({ path, keys: [Buffer.from('a')] }, done);
    });
    t.is(values.length, 1);
  });
});
