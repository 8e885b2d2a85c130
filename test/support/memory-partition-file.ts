/*
 * env.PartitionFile in memory: the last synced commit of every file, and what a test may do to it.
 *
 * That a file is there, and under which name, is the simulated disk's business (an empty file of that name): so
 * listing, renaming, crashes before the folder was synced and failing calls are the same as for every other file.
 */
import type { Timers } from '../../src/env/clock.js';
import type { Disk } from '../../src/env/disk.js';
import type { FileName, FileSnapshot, PartitionFile, PartitionFiles } from '../../src/env/partition-file.js';
import { type Flow, run, wait } from '../../src/lib/flow.js';
import type { Prng } from '../../src/lib/prng.js';
import { decodeCommit } from './commit-bytes.js';
import {
  copyOf,
  MemoryFileError,
  type MemoryMedium,
  MemoryPartitionFile,
  readWhole,
  scanCommit,
  text,
} from './memory-file.js';
import { folderOf } from './simulated-inode.js';

export { MemoryMedium } from './memory-file.js';

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

  copyPath(path: string): string {
    return path;
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

  /** A copy on the disk, as a worker reads it. */
  static copyAt(
    disk: { contents(path: string): Buffer },
    path: string,
  ): { bytes: Buffer; snapshot: FileSnapshot } | null {
    const bytes = disk.contents(path);
    const commit = decodeCommit(bytes);
    if (commit === null) return null;
    const snapshot: FileSnapshot = {
      get: (key) => copyOf(commit.get(text(key))),
      scan: (after, limit, bytesMax) => scanCommit(commit, after, limit, bytesMax),
      counts: () => ({ entries: commit.size, commit: 0 }),
    };
    return { bytes, snapshot };
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
