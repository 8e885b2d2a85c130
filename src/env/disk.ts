/*
 * Files as storage/ needs them: the commit log, node.meta, ring slots. Everything answers by callback, later, in any
 * order across calls; errors carry `code` (`ENOSPC`, `EIO`, …). The simulated disk of the tests loses what was not
 * synced, tears writes, flips bits, fills up and fails the k-th call.
 *
 * Paths are relative to the node's directory, with `/` between names.
 */
export interface DiskError extends Error {
  readonly code: string;
}

export type Done<T = void> = (error: DiskError | null, value?: T) => void;

export interface DiskFile {
  /**
   * Reads up to `length` bytes; fewer only at the end of the file. `into`: of at least that length, may be used for them
   * instead of new memory, and is the caller's again with the answer.
   */
  read(offset: number, length: number, done: Done<Uint8Array>, into?: Buffer): void;
  /** Writes all of `chunks` at `offset`, in order; a short write is an error. The chunks must not change until `done`. */
  write(offset: number, chunks: readonly Uint8Array[], done: Done): void;
  /** fdatasync. */
  sync(done: Done): void;
  size(done: Done<number>): void;
  close(done: Done): void;
}

/**
 * `read`: must exist. `write`: must exist, read and write. `create`: must not exist, read and write.
 * `write-synced`: as `write`, and every write is durable when it is answered (O_DSYNC).
 */
export type OpenMode = 'read' | 'write' | 'create' | 'write-synced';

export interface Disk {
  open(path: string, mode: OpenMode, done: Done<DiskFile>): void;
  /** Names in a folder, sorted; an absent folder is empty. */
  list(folder: string, done: Done<readonly string[]>): void;
  makeFolder(path: string, done: Done): void;
  rename(from: string, to: string, done: Done): void;
  remove(path: string, done: Done): void;
  /** Makes creations, renames and removals in a folder durable (fsync of the directory). `''`: the node's directory. */
  syncFolder(folder: string, done: Done): void;
  /** Bytes free for us on the file system, and its size. */
  space(done: Done<{ readonly freeBytes: number; readonly totalBytes: number }>): void;
}
