/*
 * A small document that is replaced as a whole and survives a crash at any moment: two slots in one file, written in
 * turn. Whatever happens to the slot being written, the other one still holds the document before it.
 *
 *   file   ├ slot A ─────────────┼ slot B ─────────────┤        each `slotBytes` long, a multiple of 4096
 *
 *   slot
 *   offset  size  field
 *        0     8  magic, names the kind of document
 *        8     4  format
 *       12     4  length of the body
 *       16     8  generation: the readable slot with the higher one counts
 *       24     8  XXH64 of bytes 0..23 and the body, the generation as seed
 *       32     n  body, then zeros, or what is left of a longer one
 *
 * The header keeps this shape, and a slot its size, in every format to come: so that one is told from damage.
 *
 * The file comes into being whole: written and synced under another name, then renamed. So a file of which neither slot
 * can be read was damaged, and is never taken for a new one.
 */
import type { Disk, DiskFile } from '../env/disk.js';
import { assert } from '../lib/assert.js';
import { copyBytes, readU32, readU53, writeU32, writeU53 } from '../lib/bytes.js';
import { type Flow, wait } from '../lib/flow.js';
import { newerFormatText } from '../model/build.js';
import type { Hash64 } from '../model/hash.js';

export const SLOT_HEADER_BYTES = 32;
/** What is rewritten is whole blocks of the file: no page need be read for it. */
const BLOCK_BYTES = 4_096;

export interface SlotKind {
  /** Eight ASCII characters. */
  readonly magic: string;
  readonly format: number;
  readonly slotBytes: number;
}

export class SlotsDamagedError extends Error {
  readonly code = 'DAMAGED';
}

export class SlotsTooNewError extends Error {
  readonly code = 'FORMAT';
}

interface Slot {
  readonly generation: number;
  readonly body: Uint8Array;
}

export class SlotFile {
  readonly #file: DiskFile;
  readonly #kind: SlotKind;
  readonly #hash: Hash64;
  #generation: number;
  /** Which slot holds the newest document. */
  #newest: 0 | 1;
  /** The newest document; replaced by `write`, never changed. */
  body: Uint8Array;
  /** One slot could not be read at opening: a torn write, or damage. */
  readonly oneDamaged: boolean;

  private constructor(file: DiskFile, kind: SlotKind, hash: Hash64, slots: readonly (Slot | null)[]) {
    const [a, b] = slots;
    this.#file = file;
    this.#kind = kind;
    this.#hash = hash;
    this.#newest = b != null && (a == null || b.generation > a.generation) ? 1 : 0;
    const slot = slots[this.#newest];
    assert(slot != null, 'one slot can be read');
    this.#generation = slot.generation;
    this.body = slot.body;
    this.oneDamaged = a == null || b == null;
  }

  /** null: there is no such file. Throws when there is one that cannot be used. */
  static *open(
    disk: Disk,
    hash: Hash64,
    path: string,
    kind: SlotKind,
    folder: string,
    name: string,
  ): Flow<SlotFile | null> {
    const names = yield* wait<readonly string[]>((done) => {
      disk.list(folder, done);
    });
    if (!names.includes(name)) return null;
    const file = yield* wait<DiskFile>((done) => {
      disk.open(path, 'write', done);
    });
    const slots: (Slot | null)[] = [];
    for (const index of [0, 1]) {
      const bytes = yield* wait<Uint8Array>((done) => {
        file.read(index * kind.slotBytes, kind.slotBytes, done);
      });
      slots.push(decodeSlot(hash, kind, bytes, path));
    }
    if (slots[0] == null && slots[1] == null) {
      yield* wait((done) => {
        file.close(done);
      });
      throw new SlotsDamagedError(
        `Neither copy in ${path} can be read: the file is damaged. Restore it from a copy of this directory; starting without it would give this node's data a new identity`,
      );
    }
    return new SlotFile(file, kind, hash, slots);
  }

  static *create(
    disk: Disk,
    hash: Hash64,
    path: string,
    kind: SlotKind,
    folder: string,
    body: Uint8Array,
  ): Flow<SlotFile> {
    const half = `${path}.new`;
    yield* wait((done) => {
      disk.remove(half, () => {
        done(null); // left from an interrupted creation, if it is there
      });
    });
    const made = yield* wait<DiskFile>((done) => {
      disk.open(half, 'create', done);
    });
    const slots = [1, 2].map((generation) => encodeSlot(hash, kind, generation, body, kind.slotBytes));
    yield* wait((done) => {
      made.write(0, slots, done);
    });
    yield* sync(made);
    yield* wait((done) => {
      made.close(done);
    });
    yield* wait((done) => {
      disk.rename(half, path, done);
    });
    yield* wait((done) => {
      disk.syncFolder(folder, done);
    });
    const file = yield* wait<DiskFile>((done) => {
      disk.open(path, 'write', done);
    });
    return new SlotFile(file, kind, hash, [null, { generation: 2, body }]);
  }

  /**
   * Replaces the document, durably. One at a time. After an error the slot that was being written holds this document, or
   * nothing that can be read; the next write goes to the same slot, as a whole, so what a failed sync left out comes along.
   */
  *write(body: Uint8Array): Flow<void> {
    const generation = this.#generation + 1;
    const older = this.#newest === 0 ? 1 : 0;
    const blocks = Math.ceil((SLOT_HEADER_BYTES + body.length) / BLOCK_BYTES);
    const bytes = encodeSlot(this.#hash, this.#kind, generation, body, blocks * BLOCK_BYTES);
    yield* wait((done) => {
      this.#file.write(older * this.#kind.slotBytes, [bytes], done);
    });
    yield* sync(this.#file);
    this.#generation = generation;
    this.#newest = older;
    this.body = body;
  }

  *close(): Flow<void> {
    yield* wait((done) => {
      this.#file.close(done);
    });
  }
}

function encodeSlot(hash: Hash64, kind: SlotKind, generation: number, body: Uint8Array, length: number): Uint8Array {
  assert(SLOT_HEADER_BYTES + body.length <= kind.slotBytes, 'a document fits its slot');
  const bytes = new Uint8Array(length);
  for (let i = 0; i < 8; i++) bytes[i] = kind.magic.charCodeAt(i);
  writeU32(bytes, 8, kind.format);
  writeU32(bytes, 12, body.length);
  writeU53(bytes, 16, generation);
  bytes.set(body, SLOT_HEADER_BYTES);
  checksum(hash, bytes, body.length, generation);
  writeU32(bytes, 24, hash.hi);
  writeU32(bytes, 28, hash.lo);
  return bytes;
}

function decodeSlot(hash: Hash64, kind: SlotKind, bytes: Uint8Array, path: string): Slot | null {
  if (bytes.length < SLOT_HEADER_BYTES) return null;
  for (let i = 0; i < 8; i++) if (bytes[i] !== kind.magic.charCodeAt(i)) return null;
  const length = readU32(bytes, 12);
  if (SLOT_HEADER_BYTES + length > bytes.length) return null;
  const generation = readU53(bytes, 16);
  checksum(hash, bytes, length, generation);
  if (readU32(bytes, 24) !== hash.hi || readU32(bytes, 28) !== hash.lo) return null;
  const format = readU32(bytes, 8);
  if (format !== kind.format) {
    throw new SlotsTooNewError(newerFormatText(path, format, kind.format));
  }
  return { generation, body: copyBytes(bytes, SLOT_HEADER_BYTES, SLOT_HEADER_BYTES + length) };
}

/** Over the header's first 24 bytes and the body; the checksum itself counts as zeros. */
function checksum(hash: Hash64, bytes: Uint8Array, length: number, generation: number): void {
  const covered = copyBytes(bytes, 0, SLOT_HEADER_BYTES + length);
  covered.fill(0, 24, SLOT_HEADER_BYTES);
  hash.hashSeeded(covered, 0, covered.length, Math.floor(generation / 0x1_0000_0000), generation >>> 0);
}

function* sync(file: DiskFile): Flow<void> {
  yield* wait((done) => {
    file.sync(done);
  });
}
