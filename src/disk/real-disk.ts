/*
 * env.Disk over node:fs. Nothing is retried and nothing is finished in silence: a write that the kernel took only in
 * part is an error, because what the log believes to be written must be.
 */
import * as fs from 'node:fs';
import { join, resolve, sep } from 'node:path';
import type { Disk, DiskError, DiskFile, Done, OpenMode } from '../env/disk.js';

const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: fs.constants.O_RDONLY,
  write: fs.constants.O_RDWR,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL,
  'write-synced': fs.constants.O_RDWR | fs.constants.O_DSYNC,
};

class ShortIoError extends Error implements DiskError {
  readonly code = 'SHORT';
}

function diskError(error: NodeJS.ErrnoException): DiskError {
  return Object.assign(error, { code: error.code ?? 'EIO' });
}

export interface RealDiskOptions {
  /** Test switch: syncs are answered without being done, so that a test of power loss can be seen to lose. */
  readonly sync?: boolean;
}

export class RealDisk implements Disk {
  readonly #root: string;
  readonly #sync: boolean;

  /** `root`: the node's directory, which exists. */
  constructor(root: string, options: RealDiskOptions = {}) {
    this.#root = resolve(root);
    this.#sync = options.sync ?? true;
  }

  open(path: string, mode: OpenMode, done: Done<DiskFile>): void {
    const flags = this.#sync ? FLAGS[mode] : FLAGS[mode] & ~fs.constants.O_DSYNC;
    fs.open(this.#path(path), flags, 0o640, (error, descriptor) => {
      if (error === null) done(null, new RealFile(descriptor, path, this.#sync));
      else done(diskError(error));
    });
  }

  list(folder: string, done: Done<readonly string[]>): void {
    fs.readdir(this.#path(folder), (error, names) => {
      if (error === null) done(null, names.sort());
      else if (error.code === 'ENOENT') done(null, []);
      else done(diskError(error));
    });
  }

  makeFolder(path: string, done: Done): void {
    fs.mkdir(this.#path(path), { recursive: true, mode: 0o750 }, (error) => {
      done(error === null ? null : diskError(error));
    });
  }

  rename(from: string, to: string, done: Done): void {
    fs.rename(this.#path(from), this.#path(to), (error) => {
      done(error === null ? null : diskError(error));
    });
  }

  remove(path: string, done: Done): void {
    fs.unlink(this.#path(path), (error) => {
      done(error === null ? null : diskError(error));
    });
  }

  syncFolder(folder: string, done: Done): void {
    if (!this.#sync) {
      setImmediate(done, null);
      return;
    }
    fs.open(this.#path(folder), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY, (error, descriptor) => {
      if (error !== null) {
        done(diskError(error));
        return;
      }
      fs.fsync(descriptor, (failed) => {
        fs.close(descriptor, () => {
          done(failed === null ? null : diskError(failed));
        });
      });
    });
  }

  space(done: Done<{ readonly freeBytes: number; readonly totalBytes: number }>): void {
    fs.statfs(this.#root, (error, stats) => {
      if (error === null) done(null, { freeBytes: stats.bavail * stats.bsize, totalBytes: stats.blocks * stats.bsize });
      else done(diskError(error));
    });
  }

  /** Names come from this program alone; that they stay inside is checked all the same. */
  #path(path: string): string {
    const full = join(this.#root, path);
    if (full !== this.#root && !full.startsWith(this.#root + sep)) throw new Error(`${path} is outside of the node's directory`);
    return full;
  }
}

class RealFile implements DiskFile {
  readonly #descriptor: number;
  readonly #path: string;
  readonly #sync: boolean;

  constructor(descriptor: number, path: string, sync: boolean) {
    this.#descriptor = descriptor;
    this.#path = path;
    this.#sync = sync;
  }

  read(offset: number, length: number, done: Done<Uint8Array>): void {
    this.#fill(Buffer.allocUnsafe(length), 0, offset, done);
  }

  /** The kernel may give less than was asked for in the middle of a file; only nothing is its end. */
  #fill(target: Buffer, filled: number, offset: number, done: Done<Uint8Array>): void {
    fs.read(this.#descriptor, target, filled, target.length - filled, offset + filled, (error, count) => {
      if (error !== null) done(diskError(error));
      else if (count === 0 || filled + count === target.length) done(null, target.subarray(0, filled + count));
      else this.#fill(target, filled + count, offset, done);
    });
  }

  write(offset: number, chunks: readonly Uint8Array[], done: Done): void {
    const [first] = chunks;
    if (first === undefined) {
      setImmediate(done, null);
      return;
    }
    const finish = (error: NodeJS.ErrnoException | null, written: number, asked: number): void => {
      if (error !== null) done(diskError(error));
      else if (written !== asked) done(new ShortIoError(`Wrote ${written} of ${asked} bytes to ${this.#path}`));
      else done(null);
    };
    if (chunks.length === 1) {
      fs.write(this.#descriptor, first, 0, first.length, offset, (error, written) => {
        finish(error, written, first.length);
      });
      return;
    }
    const asked = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    fs.writev(this.#descriptor, chunks as Uint8Array[], offset, (error, written) => {
      finish(error, written, asked);
    });
  }

  sync(done: Done): void {
    if (!this.#sync) {
      setImmediate(done, null);
      return;
    }
    fs.fdatasync(this.#descriptor, (error) => {
      done(error === null ? null : diskError(error));
    });
  }

  size(done: Done<number>): void {
    fs.fstat(this.#descriptor, (error, stats) => {
      if (error === null) done(null, stats.size);
      else done(diskError(error));
    });
  }

  close(done: Done): void {
    fs.close(this.#descriptor, (error) => {
      done(error == null ? null : diskError(error));
    });
  }
}
