/*
 * One partition file in memory, and what survives crashes of all of them: the commits.
 *
 * A batch is applied when it is answered, from the bytes as they are then: whoever changes them too early is found out.
 * Reads see the commit that the first of them saw, until a batch is begun or answered, as LMDB's do.
 */
import type { Disk, DiskFile } from '../../src/env/disk.js';
import type { PartitionFile, PartitionFileOperation, PartitionFileStats } from '../../src/env/partition-file.js';
import { assert } from '../../src/lib/assert.js';
import { type Flow, run, wait } from '../../src/lib/flow.js';
import { type Commit, encodeCommit } from './commit-bytes.js';

export class MemoryFileError extends Error {
  readonly code: string;
  constructor(code: string, text: string) {
    super(`${code}: ${text}`);
    this.code = code;
  }
}

export const text = (key: Uint8Array): string => Buffer.from(key).toString('latin1');

export function copyOf(value: Uint8Array | undefined): Uint8Array | null {
  return value === undefined ? null : Buffer.from(value);
}

export function scanCommit(
  commit: Commit,
  after: Uint8Array | null,
  limit: number,
  bytesMax: number = Number.POSITIVE_INFINITY,
): { readonly key: Uint8Array; readonly value: Uint8Array }[] {
  const from = after === null ? null : text(after);
  let bytes = 0;
  return [...commit]
    .filter(([key]) => from === null || key > from)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, limit)
    .filter(([, value]) => {
      const before = bytes;
      bytes += value.length;
      return before < bytesMax;
    })
    .map(([key, value]) => ({ key: Buffer.from(key, 'latin1'), value: Buffer.from(value) }));
}

/** What survives crashes: the commits, by the file's name. */
export class MemoryMedium {
  readonly commits: Map<string, Commit> = new Map();
  /** Files that are damaged in a way that opening finds out. */
  readonly broken: Set<string> = new Set();
  /** Files whose name has been given to a received one: its bytes on the disk, and what is in it by now. */
  readonly installing: Map<string, { readonly bytes: Uint8Array; readonly commit: Commit }> = new Map();
  /** Batches that were applied, in all. */
  batches = 0;
  /** The k-th batch from now (of one file, if it says so) fails, counted from 1; `forever`: every one after it too. */
  failing: { at: number; readonly code: string; readonly forever: boolean; readonly path?: string } | null = null;
  /** Sum of keys and values that fit in; batches beyond fail with ENOSPC. */
  capacityBytes: number = Number.POSITIVE_INFINITY;

  /** Called in the very turn in which a batch is answered, just before it is committed and just after. */
  aroundAnswer: (() => void) | null = null;
  /** Longest answer of a batch, ms. */
  batchMsMax = 3;

  usedBytes(): number {
    let used = 0;
    for (const commit of this.commits.values()) for (const [key, value] of commit) used += key.length + value.length;
    return used;
  }

  /** A copy of one file as it is, to be put back later. */
  snapshot(path: string): Commit {
    return new Map(this.commits.get(path) ?? []);
  }

  swap(path: string, older: Commit): void {
    this.commits.set(path, older);
  }

  /** Changes one byte of a value in the file. */
  flip(path: string, key: Uint8Array, byte: number): void {
    const commit = new Map(this.commits.get(path) ?? []);
    const value = Buffer.from(commit.get(text(key)) ?? assertFound(path));
    value[byte] = (value[byte] as number) ^ 0x40;
    commit.set(text(key), value);
    this.commits.set(path, commit);
  }
}

function assertFound(path: string): never {
  throw new Error(`No such key in ${path}`);
}

export class MemoryPartitionFile implements PartitionFile {
  readonly #path: string;
  readonly #mapBytes: number;
  readonly #medium: MemoryMedium;
  readonly #disk: Disk;
  readonly #later: (commit: () => void, answer: () => void) => void;
  #snapshot: Commit | null = null;
  #writing = false;
  #closed = false;

  constructor(
    path: string,
    mapBytes: number,
    medium: MemoryMedium,
    disk: Disk,
    later: (commit: () => void, answer: () => void) => void,
  ) {
    this.#path = path;
    this.#mapBytes = mapBytes;
    this.#medium = medium;
    this.#disk = disk;
    this.#later = later;
  }

  get(key: Uint8Array): Uint8Array | null {
    return copyOf(this.#read().get(text(key)));
  }

  write(operations: readonly PartitionFileOperation[], done: (error: Error | null) => void): void {
    assert(!this.#closed && !this.#writing, 'one batch at a time, and none after close');
    this.#writing = true;
    this.#snapshot = null;
    let failure: Error | null = null;
    const commit = (): void => {
      failure = this.#apply(operations);
    };
    this.#later(commit, () => {
      this.#writing = false;
      this.#snapshot = null;
      done(failure);
    });
  }

  scan(
    after: Uint8Array | null,
    limit: number,
    bytesMax?: number,
  ): readonly { readonly key: Uint8Array; readonly value: Uint8Array }[] {
    return scanCommit(this.#read(), after, limit, bytesMax);
  }

  stats(): PartitionFileStats {
    const commit = this.#medium.commits.get(this.#path) ?? new Map<string, Uint8Array>();
    let usedBytes = 0;
    for (const value of commit.values()) usedBytes += value.length;
    return { fileBytes: usedBytes, usedBytes, mapBytes: this.#mapBytes, entries: commit.size };
  }

  copy(to: string, done: (error: Error | null) => void): void {
    assert(!this.#closed, 'a closed file is not copied');
    const bytes = encodeCommit(this.#medium.commits.get(this.#path) ?? new Map());
    run(writeWhole(this.#disk, to, bytes), done);
  }

  close(): void {
    assert(!this.#closed && !this.#writing, 'a file is closed once, with no batch under way');
    this.#closed = true;
  }

  #read(): Commit {
    assert(!this.#closed, 'a closed file is not read');
    if (this.#snapshot === null) {
      this.#snapshot = this.#medium.commits.get(this.#path) ?? new Map();
    }
    return this.#snapshot;
  }

  #apply(operations: readonly PartitionFileOperation[]): Error | null {
    const medium = this.#medium;
    const concerned = medium.failing?.path === undefined || medium.failing.path === this.#path;
    if (medium.failing !== null && concerned && --medium.failing.at <= 0) {
      const { code, forever } = medium.failing;
      if (!forever) medium.failing = null;
      return new MemoryFileError(code, `batch to ${this.#path}`);
    }
    const next = new Map(medium.commits.get(this.#path) ?? []);
    for (const { key, value } of operations) {
      assert(key.length > 0 && key.length <= 511, 'LMDB takes keys of 1..511 bytes');
      if (value === null) next.delete(text(key));
      else next.set(text(key), Buffer.from(value));
    }
    const before = medium.commits.get(this.#path);
    medium.commits.set(this.#path, next);
    if (medium.capacityBytes === Number.POSITIVE_INFINITY || medium.usedBytes() <= medium.capacityBytes) {
      medium.batches += 1;
      return null;
    }
    if (before === undefined) medium.commits.delete(this.#path);
    else medium.commits.set(this.#path, before);
    return new MemoryFileError('ENOSPC', `batch to ${this.#path}`);
  }
}

export function* readWhole(disk: Disk, path: string): Flow<Uint8Array> {
  const file = yield* wait<DiskFile>((done) => {
    disk.open(path, 'read', done);
  });
  const size = yield* wait<number>((done) => {
    file.size(done);
  });
  const bytes = yield* wait<Uint8Array>((done) => {
    file.read(0, size, done);
  });
  yield* wait((done) => {
    file.close(done);
  });
  return bytes;
}

function* writeWhole(disk: Disk, path: string, bytes: Uint8Array): Flow<void> {
  const file = yield* wait<DiskFile>((done) => {
    disk.open(path, 'create', done);
  });
  yield* wait((done) => {
    file.write(0, [bytes], done);
  });
  yield* wait((done) => {
    file.close(done);
  });
}
