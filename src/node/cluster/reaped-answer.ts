import type { RecordAt } from '../../repair/reap-filter.js';
import { isReaped } from '../../repair/reap-filter.js';
import type { ReapEntry, ReapStorage } from '../../storage/reap-storage.js';
import type { KeyPlace } from '../../storage/storage.js';

/**
 * What to answer to whoever offers a record (or its head): the entries of the reap log that say that something of it was
 * reaped; none: nothing was. What is held here is not to be asked about. Whoever gets them gives each to
 * `FenceWatch.apply`, if its own fence is not below the entry's; if it is, it has been put back to an earlier day, and is
 * told at its next start. May read the file: for exchanges and rounds, not for every put.
 */
export function reapedAnswer(
  reaps: Pick<ReapStorage, 'entriesOf'>,
  { partition, hashHi, hashLo }: KeyPlace,
  offered: RecordAt,
): readonly ReapEntry[] {
  return reaps.entriesOf(partition, hashHi, hashLo).filter(({ context }) => isReaped(offered, context));
}
