/* What the loop reads of a partition file while a batch is under way. */
import test from 'ava';
import { LmdbPartitionFiles } from '../../src/disk/lmdb-partition-file.js';
import type { PartitionFile } from '../../src/env/partition-file.js';
import { folderFor } from '../support/temporary.js';

/** The loop stands still; the thread that commits does not. */
function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function write(file: PartitionFile, key: Uint8Array, value: string): Promise<void> {
  return new Promise((resolve, reject) => {
    file.write([{ key, value: Buffer.from(value) }], (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

test('a batch is not seen until it is answered, however long ago it was committed', async (t) => {
  const file = await new Promise<PartitionFile>((resolve, reject) => {
    new LmdbPartitionFiles(folderFor(t, 'lmdb-reads')).open(0, 2 ** 26, (error, opened) => {
      if (opened === undefined) reject(error ?? new Error('No file'));
      else resolve(opened);
    });
  });
  t.teardown(() => {
    file.close();
  });
  const key = Buffer.from('a key');
  const read = (): string => Buffer.from(file.get(key) ?? []).toString();
  await write(file, key, 'one');
  t.is(read(), 'one');
  for (const [before, after] of [
    ['one', 'two'],
    ['two', 'three'],
  ] as const) {
    const written = write(file, key, after);
    stall(200);
    t.is(read(), before);
    await written;
    t.is(read(), after);
  }
});
