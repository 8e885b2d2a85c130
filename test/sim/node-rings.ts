/* The ring on a machine's disk, as a daemon opens it. */
import type { Disk } from '../../src/env/disk.js';
import type { Build } from '../../src/model/build.js';
import type { Flow } from '../../src/lib/flow.js';
import { decodeRing, encodeRing, type RingDocument } from '../../src/ring/document.js';
import { RingSlots } from '../../src/storage/ring-slots.js';
import { HASH } from './tools.js';

/** `first`: the ring that a new disk begins with. */
export function* openRings(
  disk: Disk,
  build: Build,
  first: () => RingDocument,
): Flow<{ readonly rings: RingSlots; readonly ring: RingDocument }> {
  const found = yield* RingSlots.open(disk, HASH);
  if (found !== null) yield* found.renew(disk);
  const rings = found ?? (yield* RingSlots.create(disk, HASH, encodeRing(first())));
  const ring = decodeRing(rings.document, build);
  if ('fault' in ring) throw new Error(ring.fault);
  return { rings, ring };
}
