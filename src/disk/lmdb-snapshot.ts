/*
 * Reading partition files from a thread of the pool.
 *
 * node-lmdb knows one environment a path string in the whole process. A thread that opens the string which the loop has
 * opened shares that environment; were it to close it, the loop's would be gone. So a thread opens a file once, keeps
 * it, and never closes it, and no task is sent for a file that the loop has not open. A read transaction that outlives
 * its task would hold a reader's slot for ever, hence `finally`. When a file goes and another takes its name, tasks name
 * that one otherwise; what was opened before is left as it is, since touching or closing it is what must not be.
 */
import type { Dbi, Env, Txn } from 'node-lmdb';
import type { FileSnapshot } from '../env/partition-file.js';
import { filePath } from './lmdb-file-moves.js';
import { openEnvironment, scanEntries } from './lmdb-partition-file.js';

interface OpenFile {
  readonly env: Env;
  readonly dbi: Dbi;
}

const files = new Map<string, OpenFile>();

function fileAt(path: string): OpenFile {
  let file = files.get(path);
  if (file === undefined) {
    file = openEnvironment(filePath(path), 0);
    files.set(path, file);
  }
  return file;
}

/** Calls `use` with one read transaction on the file. */
export function withSnapshot<T>(path: string, use: (snapshot: FileSnapshot) => T): T {
  const { env, dbi } = fileAt(path);
  const txn = env.beginTxn({ readOnly: true });
  try {
    return use(snapshotOf(env, dbi, txn));
  } finally {
    txn.abort();
  }
}

export function snapshotOf(env: Env, dbi: Dbi, txn: Txn): FileSnapshot {
  return {
    get: (key): Buffer | null => txn.getBinary(dbi, Buffer.from(key.buffer, key.byteOffset, key.byteLength)),
    scan: (after, limit, bytesMax) => scanEntries(txn, dbi, after, limit, bytesMax),
    counts: () => ({ entries: dbi.stat(txn).entryCount, commit: env.info().lastTxnId }),
  };
}
