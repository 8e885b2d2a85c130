/*
 * env.Disk on a real file system, by node:fs with callbacks: each call is one hop to libuv's pool.
 *
 * A write goes out as one pwrite or pwritev. A short one is an error (`SHORT`), not a reason to try the rest: it means
 * that the disk is full or broken, and what follows would stand on bytes that nobody asked for. A synced write opens
 * its file with O_DSYNC. Sync is fdatasync; a folder is synced by fsync on a descriptor of the folder.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Disk, DiskError, DiskFile, Done, OpenMode } from '../env/disk.js';

const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: fs.constants.O_RDONLY,
  write: fs.constants.O_RDWR,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL,
  'write-synced': fs.constants.O_RDWR | fs.constants.O_DSYNC,
};
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

export class DiskFailure extends Error implements DiskError {
  readonly code: string;
  constructor(code: string, text: string, options?: ErrorOptions) {
    super(text, options);
    this.code = code;
  }
}

export class RealDisk implements Disk {
  readonly #root: string;

  /** `root`: the node's directory, absolute and resolved. */
  constructor(root: string) {
    this.#root = root;
  }

  /** The absolute path of a name inside; refuses what leads out of the directory. */
  path(name: string): string {
    if (name === '') return this.#root;
    const bad =
      name.startsWith('/') ||
      name.split('/').some((part) => part === '' || part === '.' || part === '..') ||
      name.includes('\0');
    if (bad) throw new DiskFailure('EINVAL', `Not a name inside the data directory: ${JSON.stringify(name)}`);
    return join(this.#root, name);
  }

  open(path: string, mode: OpenMode, done: Done<DiskFile>): void {
    fs.open(this.path(path), FLAGS[mode], FILE_MODE, (error, fd) => {
      if (error === null) done(null, new RealFile(fd, path));
      else done(failureOf(error));
    });
  }

  list(folder: string, done: Done<readonly string[]>): void {
    fs.readdir(this.path(folder), (error, names) => {
      if (error === null) done(null, names.sort());
      else if (error.code === 'ENOENT') done(null, []);
      else done(failureOf(error));
    });
  }

  makeFolder(path: string, done: Done): void {
    fs.mkdir(this.path(path), { recursive: true, mode: FOLDER_MODE }, (error) => {
      done(error === null ? null : failureOf(error));
    });
  }

  rename(from: string, to: string, done: Done): void {
    fs.rename(this.path(from), this.path(to), (error) => {
      done(error === null ? null : failureOf(error));
    });
  }

  remove(path: string, done: Done): void {
    fs.unlink(this.path(path), (error) => {
      done(error === null ? null : failureOf(error));
    });
  }

  syncFolder(folder: string, done: Done): void {
    fs.open(this.path(folder), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY, (error, fd) => {
      if (error !== null) {
        done(failureOf(error));
        return;
      }
      fs.fsync(fd, (failed) => {
        fs.close(fd, () => {
          done(failed === null ? null : failureOf(failed));
        });
      });
    });
  }

  space(done: Done<{ readonly freeBytes: number; readonly totalBytes: number }>): void {
    fs.statfs(this.#root, (error, stats) => {
      if (error === null) done(null, { freeBytes: stats.bavail * stats.bsize, totalBytes: stats.blocks * stats.bsize });
      else done(failureOf(error));
    });
  }
}

class RealFile implements DiskFile {
  readonly #fd: number;
  readonly #path: string;

  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
  }

  read(offset: number, length: number, done: Done<Uint8Array>, into?: Buffer): void {
    this.#readOn(into?.subarray(0, length) ?? Buffer.allocUnsafeSlow(length), offset, 0, done);
  }

  write(offset: number, chunks: readonly Uint8Array[], done: Done): void {
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    const finished = (error: NodeJS.ErrnoException | null, written: number): void => {
      if (error !== null) done(failureOf(error));
      else if (written === length) done(null);
      else
        done(
          new DiskFailure(
            'SHORT',
            `Only ${written} of ${length} bytes were written to ${this.#path} at offset ${offset}`,
          ),
        );
    };
    const only = chunks[0];
    if (only === undefined) throw new DiskFailure('EINVAL', 'Nothing to write');
    if (chunks.length === 1) fs.write(this.#fd, only, 0, only.length, offset, finished);
    else fs.writev(this.#fd, chunks, offset, finished);
  }

  sync(done: Done): void {
    fs.fdatasync(this.#fd, (error) => {
      done(error === null ? null : failureOf(error));
    });
  }

  size(done: Done<number>): void {
    fs.fstat(this.#fd, (error, stats) => {
      if (error === null) done(null, stats.size);
      else done(failureOf(error));
    });
  }

  close(done: Done): void {
    fs.close(this.#fd, (error) => {
      done(error == null ? null : failureOf(error));
    });
  }

  /** The kernel may give less than asked for before the end of the file; nothing at all is the end. */
  #readOn(into: Buffer, offset: number, have: number, done: Done<Uint8Array>): void {
    fs.read(this.#fd, into, have, into.length - have, offset + have, (error, got) => {
      if (error !== null) done(failureOf(error));
      else if (got === 0 || have + got === into.length) done(null, into.subarray(0, have + got));
      else this.#readOn(into, offset, have + got, done);
    });
  }
}

function failureOf(error: NodeJS.ErrnoException): DiskError {
  return new DiskFailure(error.code ?? 'EIO', error.message, { cause: error });
}
