/*
 * Damage to the pages that lead to the records: a walk meets every record all the same, and a read does not find it. The
 * scrub task and the inspection in a process of its own must say so.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { readFiles } from '../../src/daemon/inspect-files.js';
import { LmdbPartitionFiles } from '../../src/disk/lmdb-partition-file.js';
import { withSnapshot } from '../../src/disk/lmdb-snapshot.js';
import type { FileSnapshot, PartitionFile } from '../../src/env/partition-file.js';
import { leafCountOf } from '../../src/repair/merkle.js';
import { isRecordKey } from '../../src/storage/storage-key.js';
import { rebuildLeaves } from '../../src/workers/tasks.js';
import { walkSlice } from '../../src/workers/walk.js';
import { DIGEST, HASH, place } from '../storage/engine-requests.js';
import { livePages, nodeKey } from '../support/lmdb-pages.js';
import { wholeScrub } from '../support/whole-scrub.js';
import { recordsWithLeaves } from './records.js';

const Q = 256;
const LEAVES = leafCountOf(Q);

function namesOfPartition(partition: number, count: number): readonly string[] {
  const names: string[] = [];
  for (let i = 0; names.length < count; i++)
    if (place(Buffer.from(`key ${i}`), Q).partition === partition) names.push(`key ${i}`);
  return names;
}

/** A partition file with this many records and their leaves, as bytes; and the records' storage keys. */
async function fileBytes(
  folder: string,
  records: number,
): Promise<{ readonly bytes: Buffer; readonly path: string; readonly keys: readonly Uint8Array[] }> {
  const files = new LmdbPartitionFiles(folder);
  const file = await new Promise<PartitionFile>((resolve, reject) => {
    files.open(0, 2 ** 30, (error, opened) => {
      if (error === null && opened !== undefined) resolve(opened);
      else reject(error ?? new Error('No file'));
    });
  });
  const { operations } = recordsWithLeaves(namesOfPartition(0, records), 1, Q);
  await new Promise<void>((resolve, reject) => {
    file.write(operations, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  file.close();
  const path = files.path(0);
  return { bytes: readFileSync(path), path, keys: operations.map(({ key }) => key).filter(isRecordKey) };
}

/** Records that a read does not find, though nobody took them out. */
const hiddenFrom = (path: string, keys: readonly Uint8Array[]): number =>
  withSnapshot(path, (snapshot) => keys.filter((key) => snapshot.get(key) === null).length);

test('records that a changed branch page hides from reads are met by the walk, and reported', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'partita-walk-'));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  const { bytes, path, keys } = await fileBytes(folder, 600);
  const branches = livePages(path).filter(({ kind }) => kind === 'branch');
  t.is(branches.length, 1, 'one branch page, with leaf pages below it');
  const separators = branches.flatMap(({ nodes }) => nodes.slice(1)).map((node) => nodeKey(bytes, node).at);
  t.true(separators.length > 10);

  // Each bit of a separator in the middle that says where in the partition it stands: up and down, far and near.
  const at = separators[separators.length >> 1] as number;
  const damaged: string[] = [];
  for (let bit = 0; bit < 24; bit++) {
    const copy = Buffer.from(bytes);
    const byte = at + 1 + (bit >> 3);
    copy.writeUInt8(copy.readUInt8(byte) ^ (1 << (bit & 7)), byte);
    damaged.push(join(folder, `flip-${bit}.mdb`));
    writeFileSync(join(folder, `flip-${bit}.mdb`), copy);
  }
  const inspected = await readFiles({ partitionCount: Q, pathOf: (i) => damaged[Number(i)] ?? path }, [
    ...damaged.keys(),
    damaged.length,
  ]);
  let hiding = 0;
  for (const [i, file] of damaged.entries()) {
    const hidden = hiddenFrom(file, keys);
    const report = await wholeScrub({ path: file, partition: 0, leafCount: LEAVES });
    t.is(report.hidden > 0, hidden > 0, file);
    t.is(report.damaged.length > 0, hidden > 0, 'those that were met are named');
    t.true(
      rebuildLeaves({ path: file, leafCount: LEAVES }).records <= keys.length - hidden,
      'leaves are of what is found',
    );
    t.is(inspected.bad.has(i), hidden > 0, inspected.bad.get(i) ?? 'nothing was said');
    if (hidden > 0) hiding += 1;
  }
  t.true(hiding >= 4, `${hiding} of the flips hid something`);
  t.is(inspected.fine.get(damaged.length)?.records, keys.length, 'the file as it was');
  for (const recordsMax of [1_000, 7])
    t.like(await wholeScrub({ path, partition: 0, leafCount: LEAVES }, undefined, recordsMax), {
      hidden: 0,
      damaged: [],
      differingLeaves: 0,
      records: keys.length,
    });
});

test('keys out of order on a leaf page are reported', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'partita-walk-'));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  const { bytes, path, keys } = await fileBytes(folder, 600);
  const page = livePages(path).filter(({ kind, nodes }) => kind === 'leaf' && nodes.length > 8)[5];
  t.truthy(page);
  // The first and the last of the page change places.
  const first = (page?.offset ?? 0) + 16;
  const last = first + 2 * ((page?.nodes.length ?? 1) - 1);
  const [low, high] = [bytes.readUInt16LE(first), bytes.readUInt16LE(last)];
  bytes.writeUInt16LE(high, first);
  bytes.writeUInt16LE(low, last);
  const damaged = join(folder, 'swapped.mdb');
  writeFileSync(damaged, bytes);
  const hidden = hiddenFrom(damaged, keys);
  t.true(hidden > 0);
  t.true((await wholeScrub({ path: damaged, partition: 0, leafCount: LEAVES })).hidden >= hidden);
  const { bad } = await readFiles({ partitionCount: Q, pathOf: () => damaged }, [0]);
  t.true(bad.has(0));
});

test('a walk ends even where keys lead around in a circle', (t) => {
  const { operations } = recordsWithLeaves(namesOfPartition(0, 300), 1, Q);
  const entries = operations
    .filter(({ key }) => isRecordKey(key))
    .map(({ key, value }) => ({ key, value: value ?? new Uint8Array(0) }))
    .sort((a, b) => Buffer.compare(a.key, b.key));
  // The first stretch comes again whatever one asks for.
  const circle: FileSnapshot = {
    get: (key) => entries.find((entry) => Buffer.compare(entry.key, key) === 0)?.value ?? null,
    scan: (_after, limit) => entries.slice(0, limit),
    counts: () => ({ entries: entries.length, commit: 1 }),
  };
  const parts = {
    snapshot: <T>(use: (snapshot: FileSnapshot) => T): T => use(circle),
    leafCount: LEAVES,
    hash: HASH,
    digest: DIGEST,
    nowMs: () => 0,
  };
  const slice = walkSlice(parts, 0, 0);
  t.is(slice.nextLeaf, LEAVES);
  t.true(slice.hidden > 0);
  t.true(slice.differingCount > 0);
});

test('slices of any size find the same, each from where the last ended', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'partita-walk-'));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  const { path, keys } = await fileBytes(folder, 300);
  const task = { path, partition: 0, leafCount: LEAVES };
  const [whole, small] = [await wholeScrub(task), await wholeScrub(task, undefined, 3)];
  t.is(whole.slices, 1);
  t.true(small.slices > 50);
  t.is(small.records, keys.length);
  t.like(small, { damaged: [], hidden: 0, differingLeaves: 0 });
});

test('a damaged record explains that its leaf differs, and is named; a leaf that is wrong by itself is not explained', (t) => {
  const { operations } = recordsWithLeaves(namesOfPartition(0, 50), 1, Q);
  const names = namesOfPartition(0, 50);
  const entries = operations.map(({ key, value }) => ({ key, value: Buffer.from(value ?? []) }));
  const parts = (of: typeof entries): Parameters<typeof walkSlice>[0] => {
    const sorted = [...of].sort((a, b) => Buffer.compare(a.key, b.key));
    const file: FileSnapshot = {
      get: (key) => sorted.find((entry) => Buffer.compare(entry.key, key) === 0)?.value ?? null,
      scan: (after, limit) =>
        sorted.filter(({ key }) => after === null || Buffer.compare(key, after) > 0).slice(0, limit),
      counts: () => ({ entries: sorted.length, commit: 1 }),
    };
    return { snapshot: (use) => use(file), leafCount: LEAVES, hash: HASH, digest: DIGEST, nowMs: () => 0 };
  };
  t.like(walkSlice(parts(entries), 0, 0), { damagedCount: 0, differingCount: 0, records: 50, counted: 50 });

  for (const byte of [0, 5, 24, 30, 60]) {
    const value = Buffer.from(entries[7]?.value ?? []);
    value[byte] = (value[byte] as number) ^ 1;
    const found = walkSlice(parts(entries.with(7, { key: entries[7]?.key ?? value, value })), 0, 0);
    t.like(found, { damagedCount: 1, differingCount: 1, unexplained: [], hidden: 0 }, `byte ${byte}`);
    t.is(Buffer.from(found.damaged[0]?.name ?? []).toString(), names[7] ?? '', `byte ${byte}`);
    t.false(found.damaged[0]?.isOrphan);
  }

  const key = Buffer.from(entries[7]?.key ?? []);
  key[12] = (key[12] as number) ^ 1;
  const orphan = walkSlice(parts(entries.with(7, { key, value: entries[7]?.value ?? key })), 0, 0);
  t.like(orphan, { damagedCount: 1, differingCount: 1, unexplained: [] });
  t.is(Buffer.from(orphan.damaged[0]?.name ?? []).toString(), names[7] ?? '', 'its record still names it');
  t.true(orphan.damaged[0]?.isOrphan);

  const gone = walkSlice(parts(entries.filter((_, i) => i !== 7)), 0, 0);
  t.like(gone, { damagedCount: 0, differingCount: 1, records: 49, counted: 50 });
  t.is(gone.unexplained.length, 1);
});
