/*
 * A partition's file on LMDB through node-lmdb: one environment a file, written by batchWrite alone.
 *
 * node-lmdb believes what it is told, and a mistake is not an exception but a dead process. So, here and nowhere else:
 * - A path is one string for ever, its real path: two spellings open LMDB twice in one process and corrupt the locks.
 * - An operation's key and value are checked before the call: a throw inside leaks handles so that the process never
 *   ends, a hole in the array is a segmentation fault, a bad key size is a result code while the rest commits.
 * - One batch at a time a file, since batches are not ordered; no close while one is under way.
 * - The read transaction is kept from one read to the next, until a batch is begun or answered: nobody else writes to the file, so
 *   till then its commit is the newest and keeps no page from being reused. Renewing it in every turn of the loop cost
 *   more than some of the reads. It is reset and renewed, not made anew.
 * - Errors of a batch have a text only; it is turned into a code.
 * - Threads of the pool keep what they have opened for ever, and share it with the loop. When a file has been closed, and
 *   another one takes its name, they must not touch what they have: so tasks name it otherwise (`taskPath`).
 */
import { mkdirSync, realpathSync, renameSync, statSync, truncateSync, existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import lmdb from 'node-lmdb';
import type { Cursor, Dbi, Env, Txn } from 'node-lmdb';
import type { DiskError } from '../env/disk.js';
import type {
  FileName,
  PartitionFile,
  PartitionFileOperation,
  PartitionFiles,
  PartitionFileStats,
} from '../env/partition-file.js';
import { assert } from '../lib/assert.js';
import { laterPath, removeFile, replaceFile, settle, syncFolder } from './lmdb-file-moves.js';
import { sizeFault } from './lmdb-file-size.js';

const KEY_BYTES_MAX = 511;
/** Readers of one file: the loop, the pool's threads, and tools. */
const READERS_MAX = 64;
const RESULT_NOT_FOUND = 2;
/** Of the map: beyond it a batch is refused before LMDB would, so that there is room left to heal. */
const MAP_SHARE_MAX = 0.9;

export class LmdbError extends Error implements DiskError {
  readonly code: string;
  constructor(code: string, text: string, options?: ErrorOptions) {
    super(text, options);
    this.code = code;
  }
}

/** node-lmdb's errors, by their text: batches have nothing else. */
function codeOf(error: Error): string {
  const text = error.message;
  if (text.includes('MDB_MAP_FULL')) return 'MAP_FULL';
  if (text.includes('No space left on device')) return 'ENOSPC';
  if (text.includes('Disk quota exceeded')) return 'EDQUOT';
  if (text.includes('Input/output error')) return 'EIO';
  if (/MDB_(CORRUPTED|PAGE_NOTFOUND|INVALID|VERSION_MISMATCH|BAD_TXN)/.test(text)) return 'DAMAGED';
  return 'LMDB';
}

function lmdbError(path: string, what: string, error: unknown): LmdbError {
  const cause = error instanceof Error ? error : new Error(String(error));
  return new LmdbError(codeOf(cause), `${what} ${path}: ${cause.message}`, { cause });
}

export class LmdbPartitionFiles implements PartitionFiles {
  readonly #directory: string;
  readonly #folder: string;
  readonly #quarantine: string;
  /**
   * Folders whose names are known to be on the disk. A file that is there may have been made by a process that was killed
   * before it synced the folder, or whose sync failed: then a power cut still takes it, with all that is in it.
   */
  readonly #synced: Set<string> = new Set();
  /** How many files have gone from a name so far. */
  readonly #gone: Map<FileName, number> = new Map();

  /** `directory`: the node's; its folders `partitions/` and `quarantine/` are made if they are not there. */
  constructor(directory: string) {
    mkdirSync(join(directory, 'partitions'), { recursive: true });
    this.#folder = realpathSync(join(directory, 'partitions'));
    this.#directory = realpathSync(directory);
    this.#quarantine = join(this.#directory, 'quarantine');
  }

  path(name: FileName): string {
    if (name === 'hints') return join(this.#directory, 'hints.mdb');
    return join(this.#folder, `${name.toString(16).padStart(4, '0')}.mdb`);
  }

  taskPath(name: FileName): string {
    const gone = this.#gone.get(name) ?? 0;
    return gone === 0 ? this.path(name) : laterPath(this.path(name), gone);
  }

  open(which: FileName, mapBytes: number, done: (error: Error | null, file?: PartitionFile) => void): void {
    this.#open(this.path(which), mapBytes, done);
  }

  openReceived(path: string, mapBytes: number, done: (error: Error | null, file?: PartitionFile) => void): void {
    const whole = join(this.#directory, path);
    if (existsSync(whole)) this.#open(whole, mapBytes, done);
    else done(new LmdbError('ENOENT', `There is no ${path}`));
  }

  copyPath(path: string): string {
    return join(this.#directory, path);
  }

  remove(which: number, done: (error: Error | null) => void): void {
    const path = this.path(which);
    this.#noteGone(which);
    settle(removeFile(path), done);
  }

  install(from: string, which: number, done: (error: Error | null) => void): void {
    const path = this.path(which);
    const received = join(this.#directory, from);
    this.#noteGone(which);
    settle(replaceFile(received, path), done);
  }

  #noteGone(name: FileName): void {
    this.#gone.set(name, (this.#gone.get(name) ?? 0) + 1);
  }

  #open(path: string, mapBytes: number, done: (error: Error | null, file?: PartitionFile) => void): void {
    const folder = dirname(path);
    let file: LmdbPartitionFile;
    try {
      const fault = sizeFault(path);
      if (fault !== null) throw new LmdbError('DAMAGED', `${path} has ${fault}`);
      if (!existsSync(path)) this.#synced.delete(folder);
      file = new LmdbPartitionFile(path, this.#directory, openEnvironment(path, mapBytes));
    } catch (error) {
      done(error instanceof LmdbError ? error : lmdbError(path, 'Opening', error));
      return;
    }
    if (this.#synced.has(folder)) {
      done(null, file);
      return;
    }
    syncFolder(folder).then(
      () => {
        this.#synced.add(folder);
        done(null, file);
      },
      (error: unknown) => {
        file.close();
        done(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }

  quarantine(which: FileName, done: (error: Error | null, to?: string) => void): void {
    const path = this.path(which);
    let to: string;
    try {
      mkdirSync(this.#quarantine, { recursive: true });
      const name = basename(path);
      const taken = new Set(readdirSync(this.#quarantine));
      let suffix = 0;
      while (taken.has(`${name}.${suffix}`)) suffix += 1;
      to = join(this.#quarantine, `${name}.${suffix}`);
      renameSync(path, to);
      if (existsSync(`${path}-lock`)) renameSync(`${path}-lock`, `${to}-lock`);
    } catch (error) {
      done(error as Error);
      return;
    }
    Promise.all([syncFolder(dirname(path)), syncFolder(this.#quarantine)]).then(
      () => {
        done(null, to);
      },
      (error: unknown) => {
        done(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }
}

/**
 * What was read last, of all files: whoever reads looks at it, or copies it, before the next read. A buffer for each
 * read of a large value was hundreds of MiB of memory that malloc never gave back.
 */
let scratch: Buffer = Buffer.allocUnsafeSlow(65_536);
const SCRATCH_BYTES_MAX = 8_388_608;

function scratchOf(size: number): Buffer {
  if (size > SCRATCH_BYTES_MAX) return Buffer.allocUnsafeSlow(size);
  if (size > scratch.length) scratch = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(size)));
  return scratch.subarray(0, size);
}

class LmdbPartitionFile implements PartitionFile {
  readonly #path: string;
  readonly #directory: string;
  readonly #env: Env;
  readonly #dbi: Dbi;
  readonly #mapBytes: number;
  readonly #pageBytes: number;
  /** Made with the first read and kept, reset when there is a newer commit. */
  #txn: Txn | null = null;
  #reading = false;
  #writing = false;
  #copying = 0;
  #closed = false;

  constructor(path: string, directory: string, opened: { readonly env: Env; readonly dbi: Dbi }) {
    this.#path = path;
    this.#directory = directory;
    this.#env = opened.env;
    this.#dbi = opened.dbi;
    this.#mapBytes = opened.env.info().mapSize;
    this.#pageBytes = opened.env.stat().pageSize;
  }

  get(key: Uint8Array): Uint8Array | null {
    try {
      const mapped = this.#lookUp(key);
      return mapped === null ? null : this.#copyOf(mapped);
    } catch (error) {
      throw lmdbError(this.#path, 'Reading', error);
    }
  }

  /** Typed as it is: node-lmdb's own type forgets that a key may be absent. */
  #lookUp(key: Uint8Array): Buffer | null {
    return this.#read().getBinaryUnsafe(this.#dbi, asBuffer(key));
  }

  /**
   * The mapped bytes are LMDB's, and change when the transaction ends: copied and let go before anybody sees them. For
   * 1 KiB that takes 1.1 µs where getBinary, which makes a buffer of its own outside of the heap, takes 1.9 µs.
   */
  #copyOf(mapped: Buffer): Buffer {
    const copy = scratchOf(mapped.length);
    copy.set(mapped);
    this.#env.detachBuffer(mapped.buffer);
    return copy;
  }

  write(operations: readonly PartitionFileOperation[], done: (error: Error | null) => void): void {
    assert(!this.#closed, 'a closed file is not written');
    assert(!this.#writing, 'one batch at a time a file');
    const batch: [Dbi, Buffer, Buffer][] = [];
    for (const { key, value } of operations) {
      assert(key.length > 0 && key.length <= KEY_BYTES_MAX, 'a storage key has 1..511 bytes');
      batch.push([this.#dbi, asBuffer(key), value === null ? (null as unknown as Buffer) : asBuffer(value)]);
    }
    if (this.#env.info().lastPageNumber * this.#pageBytes > this.#mapBytes * MAP_SHARE_MAX) {
      queueMicrotask(() => {
        done(new LmdbError('MAP_FULL', `${this.#path} has filled ${MAP_SHARE_MAX * 100} % of its map`));
      });
      return;
    }
    this.#writing = true;
    this.#endRead(); // so that this batch may use again what the last one gave up
    this.#read(); // what is read until the answer must not be what this batch has committed in between
    this.#env.batchWrite(batch, {}, (error: Error | null, results?: readonly number[]) => {
      this.#writing = false;
      this.#endRead();
      done(error === null ? this.#judge(operations, results ?? []) : lmdbError(this.#path, 'Writing to', error));
    });
  }

  scan(
    after: Uint8Array | null,
    limit: number,
    bytesMax?: number,
  ): readonly { readonly key: Uint8Array; readonly value: Uint8Array }[] {
    try {
      return scanEntries(this.#read(), this.#dbi, after, limit, bytesMax);
    } catch (error) {
      throw lmdbError(this.#path, 'Reading', error);
    }
  }

  stats(): PartitionFileStats {
    const { lastPageNumber } = this.#env.info();
    return {
      fileBytes: statSync(this.#path).size,
      usedBytes: (lastPageNumber + 1) * this.#pageBytes,
      mapBytes: this.#mapBytes,
      entries: this.#env.stat().entryCount,
    };
  }

  copy(to: string, done: (error: Error | null) => void): void {
    assert(!this.#closed, 'a closed file is not copied');
    const target = join(this.#directory, to);
    if (existsSync(target)) {
      queueMicrotask(() => {
        done(new LmdbError('EEXIST', `There is a ${to} already`));
      });
      return;
    }
    this.#copying += 1;
    this.#env.copy(target, true, (error: Error | null | undefined) => {
      this.#copying -= 1;
      done(error == null ? null : lmdbError(this.#path, 'Copying', error));
    });
  }

  close(): void {
    assert(!this.#closed, 'a file is closed once');
    assert(!this.#writing && this.#copying === 0, 'no file is closed with a batch or a copy under way');
    this.#closed = true;
    this.#txn?.abort();
    this.#env.close();
  }

  #read(): Txn {
    assert(!this.#closed, 'a closed file is not read');
    if (this.#reading) return this.#txn as Txn;
    if (this.#txn === null) this.#txn = this.#env.beginTxn({ readOnly: true });
    else this.#txn.renew();
    this.#reading = true;
    return this.#txn;
  }

  #endRead(): void {
    if (!this.#reading) return;
    this.#reading = false;
    this.#txn?.reset();
  }

  /** Everything must have worked: a code other than done leaves a commit with a hole in it. */
  #judge(operations: readonly PartitionFileOperation[], results: readonly number[]): Error | null {
    if (results.length !== operations.length)
      return new LmdbError('BAD_RESULT', `${this.#path}: ${results.length} results of ${operations.length} operations`);
    for (let index = 0; index < results.length; index++) {
      const result = results[index];
      const fine = result === 0 || (result === RESULT_NOT_FOUND && operations[index]?.value === null);
      if (!fine) return new LmdbError('BAD_RESULT', `${this.#path}: operation ${index} answered ${result}`);
    }
    this.#coverPages();
    return null;
  }

  /** Pages at the end that a transaction took and gave up again are counted but were never written: make the file as long as it says. */
  #coverPages(): void {
    const bytes = (this.#env.info().lastPageNumber + 1) * this.#pageBytes;
    if (statSync(this.#path).size < bytes) truncateSync(this.#path, bytes);
  }
}

/** Up to `limit` entries with keys > `after`, until their values come to `bytesMax`; copied. */
export function scanEntries(
  txn: Txn,
  dbi: Dbi,
  after: Uint8Array | null,
  limit: number,
  bytesMax: number = Number.POSITIVE_INFINITY,
): { readonly key: Uint8Array; readonly value: Uint8Array }[] {
  const cursor: Cursor<Buffer> = new lmdb.Cursor<Buffer>(txn, dbi, { keyIsBuffer: true });
  const entries: { readonly key: Uint8Array; readonly value: Uint8Array }[] = [];
  try {
    let key = after === null ? cursor.goToFirst() : cursor.goToRange(asBuffer(after));
    if (key !== null && after !== null && Buffer.compare(key, after) === 0) key = cursor.goToNext();
    let bytes = 0;
    while (key !== null && entries.length < limit && bytes < bytesMax) {
      const value = cursor.getCurrentBinary();
      if (value === null) break;
      entries.push({ key, value });
      bytes += value.length;
      key = cursor.goToNext();
    }
  } finally {
    cursor.close();
  }
  return entries;
}

export function openEnvironment(path: string, mapBytes: number): { readonly env: Env; readonly dbi: Dbi } {
  const env = new lmdb.Env();
  env.open({ path, noSubdir: true, mapSize: mapBytes, maxDbs: 1, maxReaders: READERS_MAX, noReadAhead: true });
  try {
    return { env, dbi: env.openDbi({ name: null, create: true, keyIsBuffer: true }) };
  } catch (error) {
    env.close(); // open worked, so it may be touched; after a failed open it may not
    throw error;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
