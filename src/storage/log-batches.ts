/*
 * Lays out batches in the arena, before anybody knows where on the disk they will go.
 *
 *   chunk   ├ batch header │ entry │ entry │ … │ zeros ┼ batch header │ entry │ … ┤ free
 *           └ start                                    └ start (a multiple of 512 behind the one before)
 *
 * Entries are written once, here; the log's write, the write buffer, replicas and LMDB refer to the same bytes. A batch
 * never spans chunks: where the next entry does not fit, the batch is closed and another opened in a new chunk. An
 * entry larger than a chunk gets a chunk of its own, and the chunk that was being filled goes on being filled.
 *
 * References: the chunk being filled holds one, and each batch holds one until its write has come back.
 */
import { assert } from '../lib/assert.js';
import type { Lsn } from '../model/ids.js';
import { ARENA_CHUNK_BYTES, type Arena, type Chunk } from './arena.js';
import {
  alignSector,
  BATCH_HEADER_BYTES,
  ENTRY_HEADER_BYTES,
  entryBytes,
  SECTOR_BYTES,
  writeEntryHeader,
} from './log-format.js';
import type { LogPlace } from './log-types.js';

/** The largest body of one entry: lengths are 32 bits, and buffers end at 2 GiB. */
export const ENTRY_BODY_BYTES_MAX = 1_073_741_824;

export class LogBatch {
  readonly chunk: Chunk;
  readonly start: number;
  /** End of the entries, before padding. */
  end: number;
  firstLsn: number;
  count = 0;

  constructor(chunk: Chunk, start: number, firstLsn: number) {
    this.chunk = chunk;
    this.start = start;
    this.end = start + BATCH_HEADER_BYTES;
    this.firstLsn = firstLsn;
  }

  /** On the disk: padding included. */
  get length(): number {
    return alignSector(this.end - this.start);
  }

  get lastLsn(): number {
    return this.firstLsn + this.count - 1;
  }
}

class Place implements LogPlace {
  chunk: Chunk;
  at = 0;
  lsn: Lsn = 0 as Lsn;
  constructor(chunk: Chunk) {
    this.chunk = chunk;
  }
}

export class BatchLayout {
  readonly #arena: Arena;
  /** So that a batch fits any segment of usual size. */
  readonly #batchBytesMax: number;
  #filling: Chunk;
  #open: LogBatch | null = null;
  readonly #place: Place;
  /** LSN of the next entry. */
  nextLsn: number;

  constructor(arena: Arena, batchBytesMax: number, nextLsn: number) {
    assert(batchBytesMax >= SECTOR_BYTES && batchBytesMax % SECTOR_BYTES === 0, 'batches are whole sectors');
    this.#arena = arena;
    this.#batchBytesMax = Math.min(batchBytesMax, ARENA_CHUNK_BYTES);
    this.#filling = arena.take(ARENA_CHUNK_BYTES);
    this.#place = new Place(this.#filling);
    this.nextLsn = nextLsn;
  }

  /** Reserves an entry; batches that it closes go to `closed`. */
  append(kind: number, partition: number, size: number, closed: LogBatch[]): LogPlace {
    assert(Number.isInteger(size) && 0 <= size && size <= ENTRY_BODY_BYTES_MAX, 'an entry is at most 1 GiB');
    assert(0 <= partition && partition <= 0xffff, 'a partition is 16 bits');
    assert(0 < kind && kind <= 0xff, 'a kind is 8 bits and not zero');
    const batch = this.#roomFor(entryBytes(size), closed);
    const bytes = batch.chunk.bytes;
    const at = batch.end;
    const lsn = this.nextLsn;
    this.nextLsn = lsn + 1;
    writeEntryHeader(bytes, at, size, kind, partition, lsn);
    batch.end = at + entryBytes(size);
    bytes.fill(0, at + ENTRY_HEADER_BYTES + size, batch.end);
    batch.count += 1;
    const place = this.#place;
    place.chunk = batch.chunk;
    place.at = at + ENTRY_HEADER_BYTES;
    place.lsn = lsn as Lsn;
    return place;
  }

  /** Closes the open batch, if any, onto `closed`. */
  close(closed: LogBatch[]): void {
    const batch = this.#open;
    if (batch === null) return;
    this.#open = null;
    const end = batch.start + batch.length;
    batch.chunk.bytes.fill(0, batch.end, end);
    batch.chunk.used = end;
    closed.push(batch);
  }

  /** A batch without entries: it says what is durable. */
  empty(): LogBatch {
    assert(this.#open === null, 'entries come first');
    const batch = this.#begin(BATCH_HEADER_BYTES);
    const end = batch.start + batch.length;
    batch.chunk.bytes.fill(0, batch.end, end);
    batch.chunk.used = end;
    return batch;
  }

  get hasOpen(): boolean {
    return this.#open !== null;
  }

  #roomFor(need: number, closed: LogBatch[]): LogBatch {
    const open = this.#open;
    if (open !== null) {
      const length = alignSector(open.end + need - open.start);
      if (length <= this.#batchBytesMax && open.start + length <= open.chunk.bytes.length) return open;
      this.close(closed);
    }
    const batch = this.#begin(BATCH_HEADER_BYTES + need);
    this.#open = batch;
    return batch;
  }

  #begin(bytes: number): LogBatch {
    const length = alignSector(bytes);
    if (length > ARENA_CHUNK_BYTES) return new LogBatch(this.#arena.take(length), 0, this.nextLsn);
    if (this.#filling.used + length > this.#filling.bytes.length) {
      this.#arena.release(this.#filling);
      this.#filling = this.#arena.take(ARENA_CHUNK_BYTES);
    }
    this.#arena.retain(this.#filling);
    return new LogBatch(this.#filling, this.#filling.used, this.nextLsn);
  }
}
