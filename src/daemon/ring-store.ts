/*
 * The ring document on disk: `ring/document`, two slots with checksums. It is never made up: a node without one waits,
 * and one whose copies are both unreadable says so and stays down.
 */
import type { Disk } from '../env/disk.js';
import { assert } from '../lib/assert.js';
import { type Flow, wait } from '../lib/flow.js';
import type { Hash64 } from '../model/hash.js';
import { decodeRing, encodeRing, type RingDocument } from '../ring/document.js';
import { RING_DOCUMENT_BYTES_MAX } from '../ring/ring-file.js';
import { SLOT_HEADER_BYTES, SlotFile, type SlotKind } from '../storage/slots.js';
import { StartRefusedError } from './running-node.js';

const FOLDER = 'ring';
const NAME = 'document';
const PATH = `${FOLDER}/${NAME}`;
const KIND: SlotKind = { magic: 'partring', format: 1, slotBytes: 1_048_576 };
assert(RING_DOCUMENT_BYTES_MAX <= KIND.slotBytes - SLOT_HEADER_BYTES, 'every ring that can be made can be kept');

/** null: there is none yet. */
export function* loadRing(disk: Disk, hash: Hash64): Flow<RingDocument | null> {
  const slots = yield* SlotFile.open(disk, hash, PATH, KIND, FOLDER, NAME);
  if (slots === null) return null;
  const ring = decodeRing(slots.body);
  yield* slots.close();
  if ('fault' in ring) throw new StartRefusedError(`The ring document in ${PATH} cannot be used: ${ring.fault}`);
  return ring;
}

export function* createRing(disk: Disk, hash: Hash64, ring: RingDocument): Flow<void> {
  yield* wait((done) => {
    disk.makeFolder(FOLDER, done);
  });
  yield* wait((done) => {
    disk.syncFolder('', done);
  });
  const slots = yield* SlotFile.create(disk, hash, PATH, KIND, FOLDER, encodeRing(ring));
  yield* slots.close();
}
