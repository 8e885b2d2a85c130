/*
 * The ring document on disk: `ring/document`, two slots with checksums. It is never made up: a node without one waits,
 * and one whose copies are both unreadable says so and stays down.
 */
import type { Disk } from '../env/disk.js';
import { assert } from '../lib/assert.js';
import { type Flow, run, wait } from '../lib/flow.js';
import type { Hash64 } from '../model/hash.js';
import { RING_DOCUMENT_BYTES_MAX } from '../ring/ring-file.js';
import { SLOT_HEADER_BYTES, SlotFile, type SlotKind } from './slots.js';

const FOLDER = 'ring';
const NAME = 'document';
export const RING_PATH: string = `${FOLDER}/${NAME}`;
const KIND: SlotKind = { magic: 'partring', format: 1, slotBytes: 1_048_576 };
assert(RING_DOCUMENT_BYTES_MAX <= KIND.slotBytes - SLOT_HEADER_BYTES, 'every ring that can be made can be kept');

export class RingSlots {
  readonly #slots: SlotFile;
  #isWriting = false;

  private constructor(slots: SlotFile) {
    this.#slots = slots;
  }

  /** null: there is no ring yet. Throws SlotsDamagedError, SlotsTooNewError. Changes nothing. */
  static *open(disk: Disk, hash: Hash64): Flow<RingSlots | null> {
    const slots = yield* SlotFile.open(disk, hash, RING_PATH, KIND, FOLDER, NAME);
    return slots === null ? null : new RingSlots(slots);
  }

  /**
   * For whoever is going to live by what was found: it is written anew, and the folder is synced. A process that was killed
   * before its sync has left a ring that would go with a power cut, and who has lived by a ring must not go back to the one
   * before.
   */
  *renew(disk: Disk): Flow<void> {
    yield* this.#slots.write(this.#slots.body);
    yield* wait((done) => {
      disk.syncFolder(FOLDER, done);
    });
  }

  static *create(disk: Disk, hash: Hash64, document: Uint8Array): Flow<RingSlots> {
    yield* wait((done) => {
      disk.makeFolder(FOLDER, done);
    });
    yield* wait((done) => {
      disk.syncFolder('', done);
    });
    return new RingSlots(yield* SlotFile.create(disk, hash, RING_PATH, KIND, FOLDER, document));
  }

  /** The newest that was kept. */
  get document(): Uint8Array {
    return this.#slots.body;
  }

  /** One at a time; `done` when it outlives a power cut. */
  save(document: Uint8Array, done: (error: Error | null) => void): void {
    assert(!this.#isWriting, 'rings are kept one after the other');
    this.#isWriting = true;
    run(this.#slots.write(document), (error) => {
      this.#isWriting = false;
      done(error);
    });
  }

  *close(): Flow<void> {
    yield* this.#slots.close();
  }
}
