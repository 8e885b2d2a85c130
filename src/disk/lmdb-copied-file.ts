/*
 * A copy of a partition's file, as a thread of the pool looks at it: its bytes, and what is in it. Nobody else in this
 * process has it open, so it is closed afterwards: only then may a thread close what it has opened.
 */
import { closeSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import type { FileSnapshot } from '../env/partition-file.js';
import { openEnvironment } from './lmdb-partition-file.js';
import { snapshotOf } from './lmdb-snapshot.js';

/** `use` gets its size, and what is in it. */
export function withCopiedFile<T>(path: string, use: (bytes: number, snapshot: FileSnapshot) => T): T {
  try {
    return withClosedFile(path, (snapshot) => use(statSync(path).size, snapshot));
  } finally {
    rmSync(`${path}-lock`, { force: true });
  }
}

export interface FileBytes {
  /** Exactly so many bytes; good until the next call. */
  read(offset: number, length: number): Uint8Array;
}

export function withBytes<T>(path: string, use: (file: FileBytes) => T): T {
  const descriptor = openSync(path, 'r');
  let block = Buffer.alloc(0);
  try {
    return use({
      read: (offset, length) => {
        if (block.length !== length) block = Buffer.allocUnsafeSlow(length);
        if (readSync(descriptor, block, 0, length, offset) !== length) throw new Error(`${path} has been cut off`);
        return block;
      },
    });
  } finally {
    closeSync(descriptor);
  }
}

function withClosedFile<T>(path: string, use: (snapshot: FileSnapshot) => T): T {
  const { env, dbi } = openEnvironment(path, 0);
  try {
    const txn = env.beginTxn({ readOnly: true });
    try {
      return use(snapshotOf(env, dbi, txn));
    } finally {
      txn.abort();
    }
  } finally {
    env.close();
  }
}
