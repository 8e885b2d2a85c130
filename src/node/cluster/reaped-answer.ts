/*
 * Whoever offers a record of which something was reaped has missed the order: it is told the entries of the reap log that
 * say so, and applies them to what it holds. Without that two owners would differ by a tombstone until somebody happened
 * to write the key.
 */
import { type Flow, run } from '../../lib/flow.js';
import type { ReapedMessage } from '../../model/reap-messages.js';
import type { RecordAt } from '../../repair/part-of-record.js';
import { isReaped } from '../../repair/reap-filter.js';
import { decodeReap, encodeReap } from '../../storage/reap-format.js';
import type { ReapEntry, ReapStorage } from '../../storage/reap-storage.js';
import type { KeyPlace } from '../../storage/storage.js';
import { encodeReaped } from '../../wire/codec-reap.js';
import { REAPED } from '../../wire/kinds.js';
import { askBody } from './ask-body.js';
import type { FenceWatch } from './fence-watch.js';
import type { ClusterParts } from './parts.js';

const TELL_TIMEOUT_MS = 5_000;
const NO_KEY = new Uint8Array(0);

type Place = Pick<KeyPlace, 'partition' | 'hashHi' | 'hashLo'>;

/**
 * What to answer to whoever offers a record (or its head): the entries of the reap log that say that something of it was
 * reaped; none: nothing was. What is held here is not to be asked about. Whoever gets them gives each to
 * `FenceWatch.apply`, if its own fence is not below the entry's; if it is, it has been put back to an earlier day, and is
 * told at its next start. May read the file: for exchanges and rounds, not for every put.
 */
export function reapedAnswer(
  reaps: Pick<ReapStorage, 'entriesOf'>,
  { partition, hashHi, hashLo }: Place,
  offered: RecordAt,
): readonly ReapEntry[] {
  return reaps.entriesOf(partition, hashHi, hashLo).filter(({ context }) => isReaped(offered, context));
}

/** Nobody waits for it: as long as they differ, it is offered again. */
export function tellReaped(parts: ClusterParts, member: number, place: Place, offered: RecordAt): void {
  const entries = reapedAnswer(parts.reaps, place, offered).map((entry) => encodeReap(entry, NO_KEY));
  const body = encodeReaped({ partition: place.partition, budgetMs: TELL_TIMEOUT_MS, entries });
  askBody(parts, member, REAPED, body, TELL_TIMEOUT_MS, () => undefined);
}

/** Told by another member what it has reaped; answers how much of it has been applied here, later. */
export function hearReaped(
  { fences, reaps, preferences, self, services }: ClusterParts,
  { partition, entries }: Pick<ReapedMessage, 'partition' | 'entries'>,
  done: (applied: number) => void,
): void {
  const isMine = preferences.isOwner(partition, self) && fences.isSettled(partition);
  const known = entries
    .map((bytes) => decodeReap(bytes)?.entry)
    .filter((entry) => entry !== undefined)
    .filter(({ fence }) => isMine && fence <= reaps.stampOf(partition));
  run(applyAll(fences, partition, known), (error) => {
    if (error !== null) services.log.warn('reaped-not-applied', { partition, error: error.message });
    done(error === null ? known.length : 0);
  });
}

function* applyAll(fences: FenceWatch, partition: number, entries: readonly ReapEntry[]): Flow<void> {
  for (const entry of entries) yield* fences.apply(partition, entry);
}
