/*
 * Question: what does the binding alone cost a get?
 *
 * 100,000 keys of 25 bytes (hash, marker, key) with values of 1 KiB in one LMDB file, read at random by getBinary inside
 * one read transaction that is renewed each 64 gets, as a node renews one a turn. No socket, no protocol, nothing
 * checked. It prints nanoseconds of CPU a get: the part of a node's get that no code of ours can do anything about.
 *
 *     node dist/bench/floor-lmdb.js [--keys 100000] [--value 1024] [--files 1] [--ms 1000]
 */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import lmdb from 'node-lmdb';
import type { Dbi, Env, Txn } from 'node-lmdb';
import { Prng } from '../src/lib/prng.js';
import { ThreadCpu } from './load/cpu.js';

const KEY_BYTES = 25;
const GETS_PER_RENEWAL = 64;

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '100000' },
    value: { type: 'string', default: '1024' },
    files: { type: 'string', default: '1' },
    ms: { type: 'string', default: '1000' },
  },
});
const keys = Number(values.keys);
const files = Number(values.files);

interface File {
  readonly env: Env;
  readonly dbi: Dbi;
  readonly txn: Txn;
}

/** Deterministic and spread like hashes: the first four bytes are a permutation's. */
function keyOf(index: number, target: Buffer): Buffer {
  target.writeUInt32BE(Math.imul(index, 0x9e3779b1) >>> 0, 0);
  target.writeUInt32BE(index, 4);
  return target;
}

function load(folder: string, file: number): File {
  const env = new lmdb.Env();
  env.open({
    path: join(folder, `${file}.mdb`),
    mapSize: 16 * 2 ** 30,
    noSubdir: true,
    noReadAhead: true,
    noSync: true,
  });
  const dbi = env.openDbi({ name: null, create: true, keyIsBuffer: true });
  const value = Buffer.alloc(Number(values.value), 0x2e);
  const txn = env.beginTxn();
  for (let i = file; i < keys; i += files)
    txn.putBinary(dbi, keyOf(i, Buffer.alloc(KEY_BYTES)), value, { keyIsBuffer: true });
  txn.commit();
  return { env, dbi, txn: env.beginTxn({ readOnly: true }) };
}

function measure(opened: readonly File[], milliseconds: number): { gets: number; cpuUs: number } {
  const prng = new Prng(1);
  const key = Buffer.alloc(KEY_BYTES);
  const cpu = new ThreadCpu();
  const endMs = performance.now() + milliseconds;
  let gets = 0;
  let bytes = 0;
  while (performance.now() < endMs) {
    for (let i = 0; i < GETS_PER_RENEWAL; i++) {
      const index = prng.int(keys);
      const file = opened[index % files] as File;
      bytes += file.txn.getBinary(file.dbi, keyOf(index, key), { keyIsBuffer: true }).length;
    }
    gets += GETS_PER_RENEWAL;
    for (const { txn } of opened) {
      txn.reset();
      txn.renew();
    }
  }
  if (bytes !== gets * Number(values.value)) throw new Error('Read something else than was put');
  return { gets, cpuUs: cpu.usage.cpuUs };
}

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'partita-floor-lmdb-')));
try {
  const opened = Array.from({ length: files }, (_, file) => load(folder, file));
  measure(opened, Math.min(200, Number(values.ms)));
  const { gets, cpuUs } = measure(opened, Number(values.ms));
  const nsPerGet = Math.round((cpuUs * 1000) / gets);
  console.log(
    JSON.stringify({ question: 'random getBinary', keys, valueBytes: Number(values.value), files, gets, nsPerGet }),
  );
  for (const { env, txn } of opened) {
    txn.abort();
    env.close();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
