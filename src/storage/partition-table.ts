/*
 * What is durably known of every partition file, kept outside of them: without it a file that somebody swapped for an
 * older copy of itself looks perfectly good, and the puts between the two are lost in silence.
 *
 * The log gives a segment back only when the files hold all that is in it. Just before, the applied LSN of every file
 * is written here. So at the next start, of a file that has applied less than the table says entries may be gone from
 * the log: the partition is suspect. One that has applied at least as much gets the rest by replay. The table also
 * keeps the suspicions themselves, until the partition is healed.
 *
 *   offset  size  field (big-endian)
 *        0     4  "PTBL"
 *        4     4  format: 1, or 2 since this node has had a file of hints
 *        8    16  node id
 *       24     8  sequence; the valid slot with the greater one counts
 *       32     4  partition count Q
 *       36     4  zero
 *       40  24·Q  installation number 8 (0: no file) · applied LSN 8, a lower bound · suspicion 4 · zero 4
 *            24  of format 2 only, the same of hints.mdb, suspicion 0
 *                8  XXH64 of everything before it
 *
 * Magic and format come first and the checksum last in every format to come, so that one is told from damage.
 *
 * Two slots, written in turn and synced: a torn write leaves the other. A slot that is not there yet is made under
 * another name and renamed when it is whole, so a slot that is there and unreadable was readable once. A suspicion goes
 * to both slots, so that one which rots later does not take it along. What is read back is synced before the other slot
 * is written over: a process that was killed may have left the newest slot in the page cache alone.
 *
 * A node that never kept a hint writes format 1, which every release reads. Once format 2 it stays so.
 */
import type { Disk, DiskFile, OpenMode } from '../env/disk.js';
import { wait, type Flow } from '../lib/flow.js';
import { fromHex, readU32, readU53, toHex, writeU32, writeU53 } from '../lib/bytes.js';
import { newerFormatText } from '../model/build.js';
import type { Hash64 } from '../model/hash.js';
import type { NodeId } from '../model/ids.js';
import { isSuspicion, SUSPICIONS, type Partition, type Suspicion } from './partition.js';

const MAGIC = 0x5054424c;
const FORMAT = 1;
const FORMAT_WITH_HINTS = 2;
const HEADER_BYTES = 40;
const ROW_BYTES = 24;
/** Of any format: 4,096 partitions with rows of a kilobyte. */
const SLOT_BYTES_MAX = 4_194_304;
const SLOTS = ['partitions/table.a', 'partitions/table.b'] as const;

export interface TableRow {
  readonly installation: number;
  readonly appliedLsn: number;
  readonly suspicion: Suspicion;
}

/** Of hints.mdb; installation 0: there is none at present. */
export interface HintRow {
  readonly installation: number;
  readonly appliedLsn: number;
}

/** `none`: there never was a table. `lost`: there was, and no slot of it can be read. */
export type LoadedTable =
  | { readonly kind: 'none' | 'lost' }
  | {
      readonly kind: 'rows';
      readonly rows: readonly TableRow[];
      /** null: no hint was ever in a file. */
      readonly hints: HintRow | null;
    };

export class PartitionTable {
  readonly #disk: Disk;
  readonly #hash: Hash64;
  readonly #nodeId: NodeId;
  readonly #partitionCount: number;
  #sequence = 0;
  #format = FORMAT;
  /** The slot to be written next: never the newest valid one. */
  #slot = 0;

  constructor(disk: Disk, hash: Hash64, nodeId: NodeId, partitionCount: number) {
    this.#disk = disk;
    this.#hash = hash;
    this.#nodeId = nodeId;
    this.#partitionCount = partitionCount;
  }

  *load(): Flow<LoadedTable> {
    const names = yield* wait<readonly string[]>((done) => {
      this.#disk.list('partitions', done);
    });
    let found = 0;
    let newest: Uint8Array | null = null;
    for (const [slot, path] of SLOTS.entries()) {
      if (!names.includes(path.slice('partitions/'.length))) continue;
      found += 1;
      const bytes = yield* this.#readSlot(path);
      if (bytes === null || readU53(bytes, 24) <= this.#sequence) continue;
      this.#sequence = readU53(bytes, 24);
      this.#slot = 1 - slot;
      newest = bytes;
    }
    if (newest === null) return { kind: found === 0 ? 'none' : 'lost' };
    this.#format = readU32(newest, 4);
    const rows = rowsOf(newest, this.#partitionCount);
    return { kind: 'rows', rows, hints: this.#format === FORMAT_WITH_HINTS ? hintsOf(newest) : null };
  }

  /** Writes what the partitions and the file of hints say now, synced; to both slots if `twice`. */
  *save(partitions: readonly Partition[], hints: HintRow, twice: boolean): Flow<void> {
    if (hints.installation !== 0) this.#format = FORMAT_WITH_HINTS;
    for (let i = 0; i < (twice ? 2 : 1); i++) {
      this.#sequence += 1;
      const path = SLOTS[this.#slot] as string;
      this.#slot = 1 - this.#slot;
      const bytes = this.#encode(partitions, hints);
      yield* this.#writeSlot(path, bytes);
    }
  }

  #encode(partitions: readonly Partition[], hints: HintRow): Uint8Array {
    const bytes = new Uint8Array(this.#size(this.#format));
    writeU32(bytes, 0, MAGIC);
    writeU32(bytes, 4, this.#format);
    bytes.set(fromHex(this.#nodeId), 8);
    writeU53(bytes, 24, this.#sequence);
    writeU32(bytes, 32, this.#partitionCount);
    for (const partition of partitions) {
      const at = HEADER_BYTES + ROW_BYTES * partition.id;
      writeU53(bytes, at, partition.installation);
      writeU53(bytes, at + 8, partition.appliedLsn);
      writeU32(bytes, at + 16, partition.suspicion);
    }
    const checkAt = bytes.length - 8;
    if (this.#format === FORMAT_WITH_HINTS) {
      writeU53(bytes, checkAt - ROW_BYTES, hints.installation);
      writeU53(bytes, checkAt - ROW_BYTES + 8, hints.appliedLsn);
    }
    this.#hash.hash(bytes, 0, checkAt);
    writeU32(bytes, checkAt, this.#hash.hi);
    writeU32(bytes, checkAt + 4, this.#hash.lo);
    return bytes;
  }

  *#writeSlot(path: string, bytes: Uint8Array): Flow<void> {
    const names = yield* wait<readonly string[]>((done) => {
      this.#disk.list('partitions', done);
    });
    if (names.includes(path.slice('partitions/'.length))) {
      yield* this.#writeFile(path, 'write', bytes);
      return;
    }
    const unfinished = `${path}.new`;
    const mode = names.includes(unfinished.slice('partitions/'.length)) ? 'write' : 'create';
    yield* this.#writeFile(unfinished, mode, bytes);
    yield* wait((done) => {
      this.#disk.rename(unfinished, path, done);
    });
    yield* wait((done) => {
      this.#disk.syncFolder('partitions', done);
    });
  }

  *#writeFile(path: string, mode: OpenMode, bytes: Uint8Array): Flow<void> {
    const file = yield* wait<DiskFile>((done) => {
      this.#disk.open(path, mode, done);
    });
    try {
      yield* wait((done) => {
        file.write(0, [bytes], done);
      });
      yield* wait((done) => {
        file.sync(done);
      });
    } finally {
      yield* wait((done) => {
        file.close(() => {
          done(null);
        });
      });
    }
  }

  /** The slot's bytes, which are on the disk, if they are whole and ours, else null. */
  *#readSlot(path: string): Flow<Uint8Array | null> {
    const file = yield* wait<DiskFile>((done) => {
      this.#disk.open(path, 'write', done);
    });
    let bytes: Uint8Array;
    try {
      yield* wait((done) => {
        file.sync(done);
      });
      bytes = yield* wait<Uint8Array>((done) => {
        file.read(0, SLOT_BYTES_MAX, done);
      });
    } finally {
      yield* wait((done) => {
        file.close(() => {
          done(null);
        });
      });
    }
    if (bytes.length < HEADER_BYTES || readU32(bytes, 0) !== MAGIC) return null;
    const checkAt = bytes.length - 8;
    this.#hash.hash(bytes, 0, checkAt);
    if (this.#hash.hi !== readU32(bytes, checkAt) || this.#hash.lo !== readU32(bytes, checkAt + 4)) return null;
    const format = readU32(bytes, 4);
    if (format > FORMAT_WITH_HINTS) throw new Error(newerFormatText(path, format, FORMAT_WITH_HINTS));
    if (bytes.length !== this.#size(format) || readU32(bytes, 32) !== this.#partitionCount) {
      throw new Error(`${path} is of a cluster with ${readU32(bytes, 32)} partitions, not ${this.#partitionCount}`);
    }
    return toHex(bytes.subarray(8, 24)) === this.#nodeId ? bytes : null;
  }

  #size(format: number): number {
    const rows = this.#partitionCount + (format === FORMAT_WITH_HINTS ? 1 : 0);
    return HEADER_BYTES + ROW_BYTES * rows + 8;
  }
}

function hintsOf(bytes: Uint8Array): HintRow {
  const at = bytes.length - 8 - ROW_BYTES;
  return { installation: readU53(bytes, at), appliedLsn: readU53(bytes, at + 8) };
}

function rowsOf(bytes: Uint8Array, partitionCount: number): readonly TableRow[] {
  return Array.from({ length: partitionCount }, (_, id) => {
    const at = HEADER_BYTES + ROW_BYTES * id;
    const suspicion = readU32(bytes, at + 16);
    return {
      installation: readU53(bytes, at),
      appliedLsn: readU53(bytes, at + 8),
      suspicion: isSuspicion(suspicion) ? suspicion : SUSPICIONS.tableLost,
    };
  });
}
