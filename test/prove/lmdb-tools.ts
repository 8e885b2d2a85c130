/*
 * Partition files are plain LMDB: the stock tools read them while the node runs, and what they dump is a record with a
 * good checksum under the key that it names. The checks are written here once more, from the drawing in PROTOCOL.md,
 * and share nothing with the code that wrote the records but the hash function.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import xxhash from 'xxhash-wasm';
import { Daemon } from '../support/daemon.js';
import { dumpFile, isRecordEntry, lmdbToolsFault, statFile, type DumpedEntry } from '../support/lmdb-dump.js';
import { newPutId, RawClient } from '../support/raw-client.js';
import { inScope, scopedFolder } from '../support/scope.js';
import type { Proof } from './proof.js';

const MARK_BYTES = 24;
const RECORD_FIXED_BYTES = 24;
const STORAGE_KEY_BYTES_MAX = 511;

/** What is wrong with an entry as a record of this partition, or null. */
function faultOf(
  entry: DumpedEntry,
  partition: number,
  partitions: number,
  h64: (bytes: Uint8Array) => bigint,
): string | null {
  const { key, value } = entry;
  if (value.length < RECORD_FIXED_BYTES + 8 + MARK_BYTES) return `only ${value.length} bytes`;
  const size = value.readUInt32BE(4);
  if (size !== value.length - MARK_BYTES) return `says ${size} bytes, has ${value.length - MARK_BYTES}`;
  if (h64(value.subarray(0, size - 8)) !== value.readBigUInt64BE(size - 8)) return 'the checksum is wrong';
  const name = value.subarray(RECORD_FIXED_BYTES, RECORD_FIXED_BYTES + value.readUInt16BE(2));
  const hash = Buffer.alloc(8);
  hash.writeBigUInt64BE(h64(name));
  const long = 9 + name.length > STORAGE_KEY_BYTES_MAX;
  const tail = long ? createHash('sha256').update(name).digest() : name;
  if (!Buffer.concat([hash, Buffer.of(long ? 2 : 1), tail]).equals(key))
    return 'it lies under another key than it names';
  const home = Math.floor(hash.readUInt32BE(0) / (2 ** 32 / partitions));
  return home === partition ? null : `it belongs to partition ${home}`;
}

/** Writes values of 200 bytes and one under a key too long for LMDB; answers how many. */
async function fill(address: string, keys: number): Promise<number> {
  const client = await RawClient.connect(address);
  const context = new Uint8Array(0);
  for (let i = 0; i < keys; i += 50) {
    await Promise.all(
      Array.from({ length: Math.min(50, keys - i) }, (_, j) =>
        client.write({ key: `dumped-${i + j}`, value: Buffer.alloc(200, i + j), context, putId: newPutId() }),
      ),
    );
  }
  await client.write({ key: 'long-'.repeat(300), value: Buffer.from('long'), context, putId: newPutId() });
  client.close();
  return keys + 1;
}

/** Records in the files; asked again until all are there, since flushing is a trickle. */
async function waitForFiles(dataDir: string, records: number, timeoutMs: number): Promise<readonly string[]> {
  const folder = join(dataDir, 'partitions');
  for (const since = Date.now(); ; await new Promise((resolve) => setTimeout(resolve, 500))) {
    const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.mdb')) : [];
    const found = files.reduce((sum, name) => sum + dumpFile(join(folder, name)).filter(isRecordEntry).length, 0);
    if (found >= records || Date.now() - since > timeoutMs) return files.map((name) => join(folder, name));
  }
}

export const prove: Proof = {
  name: 'lmdb-tools',
  question: 'Can the stock LMDB tools read the partition files of a running node?',
  run: ({ full, print }) =>
    inScope(async (scope) => {
      const missing = lmdbToolsFault();
      if (missing !== null) return { held: false, summary: `skipped: ${missing}` };
      const hash = await xxhash();
      const partitions = full ? 256 : 16;
      const daemon = Daemon.prepare({
        dataDir: scopedFolder(scope, 'lmdb-tools'),
        flags: ['--partitions', String(partitions)],
      });
      scope.defer('end the daemon', () => daemon.signal('SIGKILL'));
      try {
        const { client } = await daemon.start();
        const written = await fill(client, full ? 20_000 : 2_000);
        const files = await waitForFiles(daemon.dataDir, written, 90_000);
        const faults: string[] = [];
        let records = 0;
        let entries = 0;
        for (const file of files) {
          const partition = Number.parseInt(/([0-9a-f]{4})\.mdb$/.exec(file)?.[1] ?? '', 16);
          const dumped = dumpFile(file);
          const counted = statFile(file).get('Entries') ?? -1;
          // Between the two tools the node may have flushed more, never less.
          if (counted < dumped.length)
            faults.push(`${file}: mdb_stat counts ${counted} entries, mdb_dump ${dumped.length}`);
          entries += dumped.length;
          for (const entry of dumped.filter(isRecordEntry)) {
            records += 1;
            const fault = faultOf(entry, partition, partitions, (bytes) => hash.h64Raw(bytes));
            if (fault !== null) faults.push(`${file}: ${entry.key.toString('hex').slice(0, 40)}: ${fault}`);
          }
        }
        if (!daemon.running) faults.push('the daemon did not survive it');
        if (records !== written) faults.push(`${written} keys were written, ${records} records are in the files`);
        for (const fault of faults.slice(0, 10)) print(`FAULT: ${fault}`);
        await daemon.stop();
        return {
          held: faults.length === 0,
          summary: `${files.length} files, ${entries} entries, ${records} records of ${written} keys, all checked; ${faults.length} faults`,
        };
      } finally {
        await daemon.dispose();
      }
    }),
};
