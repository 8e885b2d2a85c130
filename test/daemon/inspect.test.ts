import { mkdtempSync, openSync, readFileSync, rmSync, writeSync, closeSync, truncateSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { LmdbPartitionFiles } from '../../src/disk/lmdb-partition-file.js';
import type { FileName, PartitionFile, PartitionFileOperation } from '../../src/env/partition-file.js';
import { HINTS_HOME_PARTITION, encodeHint, hintKey, sealHint } from '../../src/storage/hint-format.js';
import { encodeHome, HOME_KEY } from '../../src/storage/partition-home.js';
import { partitionId } from '../../src/model/ids.js';
import { HASH, NODE } from '../storage/engine-requests.js';
import { inspectFiles, readFiles } from '../../src/daemon/inspect-files.js';

const PAGE = 4_096;

async function made(files: LmdbPartitionFiles, partition: number): Promise<void> {
  const file = await new Promise<PartitionFile>((resolve, reject) => {
    files.open(partition, 2 ** 38, (error, opened) => {
      if (error === null && opened !== undefined) resolve(opened);
      else reject(error ?? new Error('No file'));
    });
  });
  const operations: PartitionFileOperation[] = [];
  for (let i = 0; i < 400; i++)
    operations.push({ key: Buffer.from(`\0\0\0\0\0\0\0\0\0own${i}`), value: Buffer.alloc(500, i) });
  await new Promise<void>((resolve, reject) => {
    file.write(operations, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  file.close();
}

test('a file on which its reader dies is named, those before and behind it are read', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'partita-inspect-'));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  const files = new LmdbPartitionFiles(folder);
  for (const partition of [1, 2, 3, 4, 5]) await made(files, partition);
  cutUnnoticed(files.path(2));
  killWhoReads(files.path(4));
  truncateSync(files.path(3), statSync(files.path(3)).size - PAGE);
  const inspect = inspectFiles({ partitionCount: 256, pathOf: (partition) => files.path(partition) });
  const bad = await new Promise<ReadonlyMap<FileName, string>>((resolve, reject) => {
    inspect([1, 2, 3, 4, 5], (error, found) => {
      if (error === null && found !== undefined) resolve(found);
      else reject(error ?? new Error('No answer'));
    });
  });
  t.deepEqual([...bad.keys()].sort(), [2, 3, 4]);
  t.regex(bad.get(2) ?? '', /MDB_/);
  t.regex(bad.get(3) ?? '', /but its pages take/);
  t.regex(bad.get(4) ?? '', /dies \(SIG(BUS|SEGV)|dies \(exit code 135/);
});

test('hints are counted and their checksums verified', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'partita-inspect-'));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  const files = new LmdbPartitionFiles(folder);
  const file = await new Promise<PartitionFile>((resolve, reject) => {
    files.open('hints', 2 ** 30, (error, opened) => {
      if (error === null && opened !== undefined) resolve(opened);
      else reject(error ?? new Error('No file'));
    });
  });
  const home = { nodeId: NODE, installation: 1, appliedLsn: 5, partition: HINTS_HOME_PARTITION, partitionCount: 256 };
  const operations: PartitionFileOperation[] = [{ key: HOME_KEY, value: encodeHome(home, HASH) }];
  for (let i = 1; i <= 300; i++) {
    const hint = { id: i, version: i, partition: partitionId(0, 256), key: `k${i}`, owner: 1, bytes: 1, sinceMs: 1 };
    const value = sealHint(encodeHint(hint), HASH);
    if (i % 100 === 0) value[33] = 0;
    operations.push({ key: hintKey(i), value });
  }
  const write = (batch: readonly PartitionFileOperation[]): Promise<Error | null> =>
    new Promise((resolve) => {
      file.write(batch, resolve);
    });
  t.is(await write(operations), null);
  const options = { partitionCount: 256, pathOf: () => files.path('hints') };
  const { fine, bad } = await readFiles(options, ['hints']);
  t.like(fine.get('hints'), { records: 297, damaged: 3 });
  t.is(bad.size, 0);
  t.is(await write([{ key: HOME_KEY, value: new Uint8Array(52) }]), null);
  file.close();
  t.is((await readFiles(options, ['hints'])).bad.get('hints'), 'Its home entry fails its check');
});

/** Makes an entry claim 256 MiB: reading it runs over the end of the file, which the map does not stop. */
function killWhoReads(path: string): void {
  const at = readFileSync(path).lastIndexOf('own7');
  const descriptor = openSync(path, 'r+');
  writeSync(descriptor, Buffer.from([0xff, 0x0f]), 0, 2, at - 9 - 8 + 2);
  closeSync(descriptor);
}

/** Makes the meta pages claim fewer pages, and cuts the file there: the tree points behind its end. */
function cutUnnoticed(path: string): void {
  const bytes = readFileSync(path);
  const pages = Math.floor(bytes.length / PAGE / 2);
  const descriptor = openSync(path, 'r+');
  const last = Buffer.alloc(8);
  last.writeBigUInt64LE(BigInt(pages - 1));
  for (const meta of [0, PAGE]) writeSync(descriptor, last, 0, 8, meta + 136);
  closeSync(descriptor);
  truncateSync(path, pages * PAGE);
}
