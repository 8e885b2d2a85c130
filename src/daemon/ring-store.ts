/* The ring that a directory has: read at the start, and kept as it changes. */
import type { Disk } from '../env/disk.js';
import type { Flow } from '../lib/flow.js';
import type { Hash64 } from '../model/hash.js';
import { decodeRing, type RingDocument } from '../ring/document.js';
import { RING_PATH, RingSlots } from '../storage/ring-slots.js';
import { StartRefusedError } from './running-node.js';

export interface KeptRing {
  readonly ring: RingDocument;
  readonly slots: RingSlots;
}

/** null: there is none yet. */
export function* openRing(disk: Disk, hash: Hash64): Flow<KeptRing | null> {
  const slots = yield* RingSlots.open(disk, hash);
  if (slots === null) return null;
  const ring = decodeRing(slots.document);
  if (!('fault' in ring)) return { ring, slots };
  yield* slots.close();
  throw new StartRefusedError(`The ring document in ${RING_PATH} cannot be used: ${ring.fault}`);
}

/** Only to be looked at. */
export function* loadRing(disk: Disk, hash: Hash64): Flow<RingDocument | null> {
  const kept = yield* openRing(disk, hash);
  if (kept === null) return null;
  yield* kept.slots.close();
  return kept.ring;
}

export function* createRing(disk: Disk, hash: Hash64, ring: RingDocument, document: Uint8Array): Flow<KeptRing> {
  return { ring, slots: yield* RingSlots.create(disk, hash, document) };
}
