/*
 * Notes about changes of the ring (node/cluster/ring-notes.ts): `ring/notes`, two slots with checksums. Nothing rests on
 * them, so a file that cannot be read is made anew.
 */
import type { Disk } from '../env/disk.js';
import { type Flow, run } from '../lib/flow.js';
import type { Hash64 } from '../model/hash.js';
import { SLOT_HEADER_BYTES, SlotFile, type SlotKind, SlotsDamagedError } from './slots.js';

const FOLDER = 'ring';
const NAME = 'notes';
const PATH = `${FOLDER}/${NAME}`;
const KIND: SlotKind = { magic: 'partnote', format: 1, slotBytes: 262_144 };
const BYTES_MAX = KIND.slotBytes - SLOT_HEADER_BYTES;

export class RingNotesFile {
  readonly #slots: SlotFile;
  /** As it was opened; null: there was none. */
  readonly kept: Uint8Array | null;

  private constructor(slots: SlotFile, kept: Uint8Array | null) {
    this.#slots = slots;
    this.kept = kept;
  }

  /** The folder is there: the ring document is in it. Throws on errors of the disk, and SlotsTooNewError. */
  static *open(disk: Disk, hash: Hash64): Flow<RingNotesFile> {
    try {
      const slots = yield* SlotFile.open(disk, hash, PATH, KIND, FOLDER, NAME);
      if (slots !== null) return new RingNotesFile(slots, slots.body);
    } catch (error) {
      if (!(error instanceof SlotsDamagedError)) throw error;
    }
    const none = new Uint8Array(0);
    return new RingNotesFile(yield* SlotFile.create(disk, hash, PATH, KIND, FOLDER, none), null);
  }

  /** One at a time; after an error not again. */
  save(notes: Uint8Array, done: (error: Error | null) => void): void {
    if (notes.length > BYTES_MAX) done(new Error(`${notes.length} bytes of notes, and there is room for ${BYTES_MAX}`));
    else run(this.#slots.write(notes), done);
  }
}
