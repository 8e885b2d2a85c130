/*
 * A copy of a partition that is not this node's any more, and that all owners have, goes: as a whole where no hint is kept
 * of any of its records, for then a file is deleted and its space is free. Else record by record, but for those of which a
 * hint is kept: they go home by themselves, and the file, which keeps its size, goes after them (departures.ts).
 */
import type { Slices } from '../../background/slices.js';
import { copyBytes } from '../../lib/bytes.js';
import { type Flow, wait } from '../../lib/flow.js';
import type { KeyHash } from '../../model/hash.js';
import type { PartitionId } from '../../model/ids.js';
import { HASH_END_HI } from '../../storage/scan.js';
import type { KeyPlace } from '../../storage/storage.js';
import { keyName } from '../../storage/storage-key.js';
import { KeyDrop } from './key-write.js';
import type { MeetingParts } from './owner-meeting.js';

const DROP_RECORDS_MAX = 256;
const DROP_BYTES_MAX = 262_144;
/** What a file that is deleted is charged with: a few syncs. */
const WHOLE_BYTES = 32_768;

export type DropEnding =
  /** Nothing is left. */
  | 'whole'
  /** What a hint is kept of is left, or came meanwhile, and the file. */
  | 'hints-stay';

/** `isValid`: it may go, and nothing is to be done about it otherwise. */
export function* dropCopy(
  { parts, slices, drops }: MeetingParts,
  partition: PartitionId,
  isValid: () => boolean,
): Flow<DropEnding> {
  const mayGo = (): boolean => isValid() && parts.hints.noneOutstanding(partition);
  if (mayGo()) {
    yield* slice(slices, WHOLE_BYTES);
    const isGone = yield* wait<boolean>((done) => {
      drops.dropPartition(partition, mayGo, done);
    });
    if (isGone) return 'whole';
  }
  let from: KeyHash | null = { hi: 0, lo: 0 };
  while (from !== null && isValid()) {
    yield* slice(slices, DROP_BYTES_MAX);
    const batch: Batch = yield* batchFrom(parts, partition, from);
    for (const place of batch.places) yield* dropOne(parts, place, isValid);
    from = batch.next;
  }
  return 'hints-stay';
}

function* slice(slices: Slices, bytes: number): Flow<void> {
  yield* wait<void>((done) => {
    slices.ask('exchange', bytes, () => {
      done(null);
    });
  });
}

interface Batch {
  readonly places: readonly KeyPlace[];
  readonly next: KeyHash | null;
}

/** A record of which nothing tells whose it was stays: there is nothing to drop it by. */
function* batchFrom({ services }: MeetingParts['parts'], partition: PartitionId, { hi, lo }: KeyHash): Flow<Batch> {
  const places: KeyPlace[] = [];
  const next = yield* wait<KeyHash | null>((done) => {
    services.storage.scan({
      partition,
      fromHi: hi,
      fromLo: lo,
      untilHi: HASH_END_HI,
      untilLo: 0,
      recordsMax: DROP_RECORDS_MAX,
      bytesMax: DROP_BYTES_MAX,
      onRecord: (_stored, key, hashHi, hashLo) => {
        if (key.length > 0) places.push({ partition, key: copyBytes(key), hashHi, hashLo });
      },
      onEnd: (place, fault) => {
        if (fault === null) done(null, place);
        else done(new Error(fault.text));
      },
    });
  });
  return { places, next };
}

function* dropOne({ services, hints }: MeetingParts['parts'], place: KeyPlace, isValid: () => boolean): Flow<void> {
  const name = keyName(place.key, 0, place.key.length);
  const ending = yield* wait<'dropped' | 'kept' | 'refused'>((done) => {
    const mayGo = (): boolean => isValid() && !hints.keeps(name);
    services.storage.write(
      new KeyDrop(place, mayGo, (how) => {
        done(null, how);
      }),
    );
  });
  if (ending === 'refused') throw new Error('The store takes no writes');
}
