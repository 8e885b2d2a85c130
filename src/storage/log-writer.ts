/*
 * The segment that is being written: gives batches their places, seals them, and writes what fits in one go. The first
 * write into a segment brings its header along, so that going on to the next segment costs no write of its own.
 */
import type { DiskFile, Done } from '../env/disk.js';
import type { Hash64 } from '../model/hash.js';
import type { Arena } from './arena.js';
import type { LogBatch } from './log-batches.js';
import {
  type BatchHeader,
  emptyBatchHeader,
  encodeSegmentHeader,
  type LogSalt,
  sealBatch,
  SEGMENT_HEADER_BYTES,
} from './log-format.js';
import type { LogSegment } from './log-live.js';
import type { ReadySegment } from './log-segments.js';

/** Buffers of one write: below the kernel's 1,024. */
const CHUNKS_A_WRITE_MAX = 256;

/** What a batch says besides its entries. */
export interface Named {
  durableLsn: number;
  /** Sequence of the oldest segment that is needed. */
  oldest: number;
}

export interface SegmentWriterOptions {
  readonly hash: Hash64;
  readonly salt: LogSalt;
  readonly opening: number;
}

export class SegmentWriter {
  readonly #options: SegmentWriterOptions;
  readonly segment: LogSegment;
  readonly file: DiskFile;
  /** Where the next batch goes. */
  #offset = SEGMENT_HEADER_BYTES;
  /** Under way: batches, the buffers that they are written from, and where to. */
  readonly #writing: LogBatch[] = [];
  readonly #chunks: Uint8Array[] = [];
  #writeAt = 0;
  readonly #header: BatchHeader = emptyBatchHeader();

  constructor(options: SegmentWriterOptions, ready: ReadySegment, previousLsn: number, firstLsn: number) {
    const { sequence, path, bytes, file, header } = ready;
    this.#options = options;
    this.segment = { sequence, path, bytes, lastLsn: firstLsn - 1 };
    this.file = file;
    this.#chunks.push(encodeSegmentHeader(options.hash, { ...header, state: 'used', previousLsn, firstLsn }));
  }

  fits(batch: LogBatch): boolean {
    return this.#offset + batch.length <= this.segment.bytes;
  }

  /** Takes from the front of `waiting` what fits, and writes it. Answers the last LSN in it. */
  write(waiting: LogBatch[], named: Named, done: Done): number {
    if (this.#chunks.length === 0) this.#writeAt = this.#offset;
    let taken = 0;
    let lastLsn = this.segment.lastLsn;
    for (const batch of waiting) {
      if (!this.fits(batch) || this.#chunks.length === CHUNKS_A_WRITE_MAX) break;
      this.#seal(batch, named);
      this.#chunks.push(batch.chunk.bytes.subarray(batch.start, batch.start + batch.length));
      this.#writing.push(batch);
      this.#offset += batch.length;
      lastLsn = batch.lastLsn;
      taken += 1;
    }
    waiting.splice(0, taken);
    this.segment.lastLsn = lastLsn;
    this.file.write(this.#writeAt, this.#chunks, done);
    return lastLsn;
  }

  /** The write has come back: its batches' bytes are the arena's again, as far as the log goes. */
  wrote(arena: Arena): void {
    for (const batch of this.#writing) arena.release(batch.chunk);
    this.#writing.length = 0;
    this.#chunks.length = 0;
  }

  #seal(batch: LogBatch, named: Named): void {
    const header = this.#header;
    header.length = batch.length;
    header.sequence = this.segment.sequence;
    header.firstLsn = batch.firstLsn;
    header.count = batch.count;
    header.neededBefore = this.segment.sequence - named.oldest;
    header.durableLsn = named.durableLsn;
    header.opening = this.#options.opening;
    sealBatch(this.#options.hash, this.#options.salt, batch.chunk.bytes, batch.start, header, this.#offset);
  }
}
