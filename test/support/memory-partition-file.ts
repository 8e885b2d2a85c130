/*
 * env.PartitionFile in memory: the last synced commit of every file, and what a test may do to it.
 *
 * That a file is there, and under which name, is the simulated disk's business (an empty file of that name): so
 * listing, renaming, crashes before the folder was synced and failing calls are the same as for every other file.
 * A batch is applied when it is answered, from the bytes as they are then: whoever changes them too early is found out.
 * Reads see the commit that the first of them saw, until a batch is begun or answered, as LMDB's do.
 */
import type { Timers } from '../../src/env/clock.js';
import type { Disk, DiskFile } from '../../src/env/disk.js';
import type {
  FileName,
  FileSnapshot,
  PartitionFile,
  PartitionFileOperation,
  PartitionFiles,
  PartitionFileStats,
} from '../../src/env/partition-file.js';
import { assert } from '../../src/lib/assert.js';
import { type Flow, run, wait } from '../../src/lib/flow.js';
import type { Prng } from '../../src/lib/prng.js';
import { type Commit, decodeCommit, encodeCommit } from './commit-bytes.js';
import { folderOf } from './simulated-inode.js';

export class MemoryFileError extends Error {
  readonly code: string;
  constructor(code: string, text: string) {
    super(`${code}: ${text}`);
    this.code = code;
  }
}

const text = (key: Uint8Array): string => Buffer.from(key).toString('latin1');

function copyOf(value: Uint8Array | undefined): Uint8Array | null {
  return value === undefined ? null : Buffer.from(value);
}

function scanCommit(
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

export class MemoryPartitionFiles implements PartitionFiles {
  readonly medium: MemoryMedium;
  readonly #disk: Disk;
  readonly #timers: Timers;
  readonly #random: Prng;
  readonly #inFlight: Set<() => void> = new Set();
  /** Folders whose names are known to be on the disk: a file that is there may have been made and never synced. */
  readonly #synced: Set<string> = new Set();
  #dead = false;

  constructor(medium: MemoryMedium, disk: Disk, timers: Timers, random: Prng) {
    this.medium = medium;
    this.#disk = disk;
    this.#timers = timers;
    this.#random = random;
  }

  taskPath(name: FileName): string {
    return this.path(name);
  }

  path(name: FileName): string {
    return name === 'hints' ? 'hints.mdb' : `partitions/${name.toString(16).padStart(4, '0')}.mdb`;
  }

  open(name: FileName, mapBytes: number, done: (error: Error | null, file?: PartitionFile) => void): void {
    const path = this.path(name);
    this.#disk.list(folderOf(path), (error, names) => {
      if (error !== null) {
        done(error);
      } else if (!(names ?? []).includes(path.slice(path.indexOf('/') + 1))) {
        this.medium.commits.delete(path);
        this.#create(path, mapBytes, done);
      } else if (this.medium.broken.has(path)) {
        done(new MemoryFileError('DAMAGED', `${path} is shorter than its pages`));
      } else {
        this.#opened(path, mapBytes, done);
      }
    });
  }

  #opened(path: string, mapBytes: number, done: (error: Error | null, file?: PartitionFile) => void): void {
    const folder = folderOf(path);
    const installing = this.medium.installing.get(path);
    if (installing !== undefined) {
      // The machine went down before the renaming was on the disk: what bears the name now is the one or the other.
      this.medium.installing.delete(path);
      run(readWhole(this.#disk, path), (error, bytes) => {
        if (error === null && Buffer.from(installing.bytes).equals(bytes as Uint8Array))
          this.medium.commits.set(path, installing.commit);
        this.#opened(path, mapBytes, done);
      });
      return;
    }
    if (this.#synced.has(folder)) {
      done(null, this.#handle(path, mapBytes));
      return;
    }
    this.#disk.syncFolder(folder, (error) => {
      if (error !== null) {
        done(error);
        return;
      }
      this.#synced.add(folder);
      done(null, this.#handle(path, mapBytes));
    });
  }

  quarantine(name: FileName, done: (error: Error | null, to?: string) => void): void {
    const path = this.path(name);
    this.#disk.makeFolder('quarantine', (failed) => {
      if (failed !== null) {
        done(failed);
        return;
      }
      this.#disk.list('quarantine', (error, names) => {
        const to = `quarantine/${path.slice(path.indexOf('/') + 1)}.${(names ?? []).length}`;
        if (error !== null) done(error);
        else this.#move(path, to, done);
      });
    });
  }

  remove(name: number, done: (error: Error | null) => void): void {
    const path = this.path(name);
    const synced = (): void => {
      this.#disk.syncFolder(folderOf(path), (error) => {
        if (error === null) this.medium.commits.delete(path);
        done(error);
      });
    };
    this.#disk.list(folderOf(path), (error, names) => {
      if (error !== null) done(error);
      else if (!(names ?? []).includes(path.slice(path.indexOf('/') + 1))) synced();
      else
        this.#disk.remove(path, (failed) => {
          if (failed === null) synced();
          else done(failed);
        });
    });
  }

  openReceived(path: string, mapBytes: number, done: (error: Error | null, file?: PartitionFile) => void): void {
    run(readWhole(this.#disk, path), (error, bytes) => {
      const commit = error === null ? decodeCommit(Buffer.from(bytes as Uint8Array)) : null;
      if (commit === null) {
        done(error ?? new MemoryFileError('DAMAGED', `${path} is no file`));
        return;
      }
      this.medium.commits.set(path, commit);
      done(null, this.#handle(path, mapBytes));
    });
  }

  install(from: string, name: number, done: (error: Error | null) => void): void {
    run(this.#installing(from, this.path(name)), (error) => {
      done(error);
    });
  }

  *#installing(from: string, path: string): Flow<void> {
    const commit = this.medium.commits.get(from) ?? new Map<string, Uint8Array>();
    const bytes = yield* readWhole(this.#disk, from);
    this.medium.installing.set(path, { bytes, commit });
    yield* wait((done) => {
      this.#disk.rename(from, path, done);
    });
    for (const folder of [folderOf(path), folderOf(from)]) {
      yield* wait((done) => {
        this.#disk.syncFolder(folder, done);
      });
    }
    this.medium.installing.delete(path);
    this.medium.commits.delete(from);
    this.medium.commits.set(path, commit);
  }

  /** The machine is gone: of batches under way, each was committed or not; nobody is answered. */
  crash(): void {
    this.#dead = true;
    for (const commit of this.#inFlight) if (this.#random.chance(0.5)) commit();
    this.#inFlight.clear();
  }

  /** Reads as a worker does: the newest commit, held for as long as the snapshot is. */
  snapshotOf(path: string): FileSnapshot {
    const commit = this.medium.commits.get(path) ?? new Map<string, Uint8Array>();
    return {
      get: (key) => copyOf(commit.get(text(key))),
      scan: (after, limit, bytesMax) => scanCommit(commit, after, limit, bytesMax),
      counts: () => ({ entries: commit.size, commit: this.medium.batches }),
    };
  }

  #create(path: string, mapBytes: number, done: (error: Error | null, file?: PartitionFile) => void): void {
    this.#disk.open(path, 'create', (failed, marker) => {
      if (failed !== null || marker === undefined) {
        done(failed);
        return;
      }
      this.#synced.delete(folderOf(path));
      marker.close(() => {
        this.#opened(path, mapBytes, done);
      });
    });
  }

  #move(path: string, to: string, done: (error: Error | null, to?: string) => void): void {
    this.#disk.rename(path, to, (error) => {
      if (error !== null) {
        done(error);
        return;
      }
      const commit = this.medium.commits.get(path);
      if (commit !== undefined) this.medium.commits.set(to, commit);
      this.medium.commits.delete(path);
      this.medium.broken.delete(path);
      this.#disk.syncFolder(folderOf(path), (first) => {
        this.#disk.syncFolder('quarantine', (second) => {
          done(first ?? second, to);
        });
      });
    });
  }

  #handle(path: string, mapBytes: number): PartitionFile {
    const later = (commit: () => void, answer: () => void): void => {
      this.#later(commit, answer);
    };
    return new MemoryPartitionFile(path, mapBytes, this.medium, this.#disk, later);
  }

  /** Commits and answers after a while, unless the machine goes down before. */
  #later(commit: () => void, answer: () => void): void {
    this.#inFlight.add(commit);
    this.#timers.after(this.#random.float() * this.medium.batchMsMax, () => {
      if (this.#dead) return;
      this.#inFlight.delete(commit);
      this.medium.aroundAnswer?.();
      commit();
      answer();
      this.medium.aroundAnswer?.();
    });
  }
}

class MemoryPartitionFile implements PartitionFile {
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
    const commit = this.#medium.commits.get(this.#path) ?? new Map();
    return { fileBytes: 0, usedBytes: 0, mapBytes: this.#mapBytes, entries: commit.size };
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

function* readWhole(disk: Disk, path: string): Flow<Uint8Array> {
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
