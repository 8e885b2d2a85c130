/* Live leaves that are made while a flush is under way. */
import test from 'ava';
import type { PartitionFile } from '../../src/env/partition-file.js';
import { toHex } from '../../src/lib/bytes.js';
import { leafCountOf, leavesEqual } from '../../src/repair/merkle.js';
import { Leaves, takeLeafHash } from '../../src/storage/engine-leaves.js';
import { Partition } from '../../src/storage/partition.js';
import { keyName } from '../../src/storage/storage-key.js';
import { BufferedRecord, OLD_NONE } from '../../src/storage/write-buffer.js';
import { recordsWithLeaves } from '../workers/records.js';
import { DIGEST, HASH, place, testRecordBytes, writeTestRecord } from './engine-requests.js';

const PARTITIONS = 256;
/** A key of partition 7. */
const NAME = ((): string => {
  for (let i = 0; ; i++) if (place(Buffer.from(`key ${i}`), PARTITIONS).partition === 7) return `key ${i}`;
})();

/** A file that holds the record of NAME and its leaf, or nothing. */
function fileWith(names: readonly string[]): { file: PartitionFile; leaves: Uint32Array } {
  const { operations, leaves } = recordsWithLeaves(names, 1, PARTITIONS);
  const values = new Map(operations.map(({ key, value }) => [toHex(key), value]));
  const file: PartitionFile = {
    get: (key) => values.get(toHex(key)) ?? null,
    write: () => undefined,
    scan: () => [],
    stats: () => ({ fileBytes: 0, usedBytes: 0, mapBytes: 0, entries: values.size }),
    close: () => undefined,
  };
  return { file, leaves };
}

/** The same record as a frozen entry, of which the flusher has not been told that it is in the file. */
function partitionWith(file: PartitionFile): Partition {
  const key = Buffer.from(NAME);
  const value = Buffer.from(`value of ${NAME}`);
  const size = testRecordBytes(key, value.length);
  const bytes = Buffer.alloc(size);
  writeTestRecord(bytes, 0, key, 1, value);
  const { hashHi, hashLo } = place(key, PARTITIONS);
  const chunk = { bytes, used: size, references: 1 } as unknown as BufferedRecord['chunk'];
  const entry = new BufferedRecord(keyName(key, 0, key.length), hashHi, hashLo, chunk, 0, size, 1);
  takeLeafHash(entry, HASH);
  entry.oldKind = OLD_NONE;
  const partition = new Partition(7);
  partition.file = file;
  partition.buffer.frozen = new Map([[entry.name, entry]]);
  partition.buffer.frozenOrder = [entry];
  return partition;
}

test('a record is counted once, whether the batch that writes it is in the file already or not', (t) => {
  const leaves = new Leaves(leafCountOf(PARTITIONS), HASH, DIGEST);
  const { leaves: wanted, file: committed } = fileWith([NAME]);
  t.true(leavesEqual(leaves.liveOf(partitionWith(committed)), wanted), 'committed, and nobody told yet');
  t.true(leavesEqual(leaves.liveOf(partitionWith(fileWith([]).file)), wanted), 'not yet');
});
