/*
 * Reads one segment front to back through a window of at most 1 MiB (larger for a larger batch), and says what stands
 * at an offset: a whole batch, a batch of which only the header holds, or nothing of this segment.
 *
 * Bytes behind the end of the file read as absent: a shortened file is damage or a torn tail like any other. An error
 * of the disk is neither, it ends recovery: what cannot be read today may be readable tomorrow.
 */
import type { Disk, DiskFile } from '../env/disk.js';
import { type Flow, wait } from '../lib/flow.js';
import { readU32, readU53 } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import {
  alignSector,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  type BatchHeader,
  emptyBatchHeader,
  entriesHold,
  ENTRY_HEADER_BYTES,
  entryBytes,
  entryHeaderHolds,
  entryKind,
  entryPartition,
  entrySize,
  type LogSalt,
  openBatchHeader,
  SECTOR_BYTES,
} from './log-format.js';
import type { ReplayVisitor } from './log-types.js';

const WINDOW_BYTES = 1_048_576;
const ZEROS: Uint8Array = Buffer.alloc(WINDOW_BYTES);

export type BatchState = 'whole' | 'header-only' | 'none';

export class SegmentReader {
  readonly #hash: Hash64;
  readonly #salt: LogSalt;
  readonly #file: DiskFile;
  readonly sequence: number;
  readonly size: number;
  #window: Uint8Array = new Uint8Array(0);
  #windowAt = 0;
  /** Header of the batch that `at` found last, unless it said 'none'. */
  readonly header: BatchHeader = emptyBatchHeader();

  constructor(hash: Hash64, salt: LogSalt, file: DiskFile, sequence: number, size: number) {
    this.#hash = hash;
    this.#salt = salt;
    this.#file = file;
    this.sequence = sequence;
    this.size = size;
  }

  static *open(
    disk: Disk,
    hash: Hash64,
    salt: LogSalt,
    segment: { path: string; sequence: number; size: number },
  ): Flow<SegmentReader> {
    const file = yield* wait<DiskFile>((done) => {
      disk.open(segment.path, 'read', done);
    });
    return new SegmentReader(hash, salt, file, segment.sequence, segment.size);
  }

  *close(): Flow<void> {
    yield* wait((done) => {
      this.#file.close(done);
    });
  }

  /** What stands at `offset`. A whole batch's entries are in the window until the next call. */
  *at(offset: number): Flow<BatchState> {
    if (!this.has(offset, BATCH_HEADER_BYTES) && !(yield* this.load(offset, BATCH_HEADER_BYTES))) return 'none';
    const { header } = this;
    if (!openBatchHeader(this.#hash, this.#salt, this.#window, offset - this.#windowAt, this.sequence, offset, header))
      return 'none';
    if (!this.has(offset, header.length) && !(yield* this.load(offset, header.length))) return 'header-only';
    const at = offset - this.#windowAt;
    if (!entriesHold(this.#hash, this.#salt, this.#window, at, header, offset)) return 'header-only';
    return this.#entriesFit(at) ? 'whole' : 'header-only';
  }

  /** Hands out the entries of the whole batch at `offset`. */
  visit(offset: number, visitor: ReplayVisitor): void {
    let at = offset - this.#windowAt + BATCH_HEADER_BYTES;
    for (let i = 0; i < this.header.count; i++) {
      const body = at + ENTRY_HEADER_BYTES;
      const size = entrySize(this.#window, at);
      const lsn = (this.header.firstLsn + i) as Parameters<ReplayVisitor>[2];
      visitor(
        entryKind(this.#window, at),
        entryPartition(this.#window, at),
        lsn,
        this.#window.subarray(body, body + size),
      );
      at += entryBytes(size);
    }
  }

  /**
   * Follows the entry headers of a damaged batch from `offset` on, LSN by LSN, to exactly `end`. The partitions, or
   * null if the headers do not lead there: then nobody can say what was lost.
   */
  *partitionsOf(offset: number, end: number, firstLsn: number, count: number): Flow<ReadonlySet<number> | null> {
    if (count === 0) return new Set();
    if (!this.has(offset, end - offset) && !(yield* this.load(offset, end - offset))) return null;
    const partitions = new Set<number>();
    const reached = this.#follow(offset, end, firstLsn, count, partitions);
    return reached !== null && offset + alignSector(reached - offset) === end ? partitions : null;
  }

  /** The same where nothing tells the end: one batch of `count` entries. */
  *partitionsFrom(offset: number, firstLsn: number, count: number): Flow<ReadonlySet<number> | null> {
    const length = Math.min(WINDOW_BYTES, this.size - offset);
    if (length <= 0 || !(yield* this.load(offset, length))) return null;
    const partitions = new Set<number>();
    return this.#follow(offset, offset + length, firstLsn, count, partitions) !== null ? partitions : null;
  }

  #follow(offset: number, end: number, firstLsn: number, count: number, partitions: Set<number>): number | null {
    let at = offset - this.#windowAt + BATCH_HEADER_BYTES;
    for (let i = 0; i < count; i++) {
      if (at + this.#windowAt + ENTRY_HEADER_BYTES > end || !entryHeaderHolds(this.#window, at, firstLsn + i))
        return null;
      partitions.add(entryPartition(this.#window, at));
      at += entryBytes(entrySize(this.#window, at));
    }
    return at + this.#windowAt;
  }

  /** The next sector from `offset` on that holds anything; the end of the file if there is none. */
  *skipZeros(offset: number): Flow<number> {
    let at = offset;
    while (at < this.size) {
      const sector = Math.min(SECTOR_BYTES, this.size - at);
      if (!this.has(at, sector)) {
        if (!(yield* this.load(at, sector))) return this.size;
        const loaded = this.#window.length;
        if (this.#isZero(at, loaded)) {
          at += loaded;
          continue;
        }
      }
      if (!this.#isZero(at, sector)) return at;
      at += sector;
    }
    return this.size;
  }

  /** No valid batch header, but what was one: its sequence is this segment's, or its LSN the expected one. */
  looksOurs(offset: number, expectedLsn: number): boolean {
    if (!this.has(offset, BATCH_HEADER_BYTES)) return false;
    const at = offset - this.#windowAt;
    if (readU53(this.#window, at + 8) === this.sequence) return true;
    return readU32(this.#window, at) === BATCH_MAGIC && readU53(this.#window, at + 16) === expectedLsn;
  }

  has(offset: number, length: number): boolean {
    return this.#windowAt <= offset && offset + length <= this.#windowAt + this.#window.length;
  }

  /** Brings [offset, offset + length) into the window; false: the file ends before. */
  *load(offset: number, length: number): Flow<boolean> {
    if (offset + length > this.size) return false;
    const wanted = Math.min(Math.max(length, WINDOW_BYTES), this.size - offset);
    this.#window = yield* wait<Uint8Array>((done) => {
      this.#file.read(offset, wanted, done);
    });
    this.#windowAt = offset;
    return this.#window.length >= length;
  }

  #isZero(offset: number, length: number): boolean {
    const at = offset - this.#windowAt;
    return Buffer.compare(this.#window.subarray(at, at + length), ZEROS.subarray(0, length)) === 0;
  }

  /** A batch whose checksum holds but whose entries do not fit it was not written by us: treated as damaged. */
  #entriesFit(start: number): boolean {
    const end = start + this.header.length;
    let at = start + BATCH_HEADER_BYTES;
    for (let i = 0; i < this.header.count; i++) {
      if (at + ENTRY_HEADER_BYTES > end) return false;
      at += entryBytes(entrySize(this.#window, at));
    }
    return at <= end;
  }
}
