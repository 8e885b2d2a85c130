/*
 * What is decided about a restore: whether an archive may be merged into a partition at all, and what a merge has come to.
 *
 * Deletes are forgotten in time: the tombstone goes, and an entry of the reap log stays for weeks. An archive from before
 * the oldest entries may hold values of which nothing tells any more that they were deleted, so it is refused unless that
 * is wanted. Fences are numbers of one cluster's partitions: an archive of another cluster, or of another number of
 * partitions, is taken to be older than any of them.
 */
import type { ArchiveRecordsReply, ArchiveStateReply } from '../model/archive-messages.js';
import type { ArchivedPartition, Manifest } from './manifest.js';

export interface TargetRing {
  readonly clusterId: string;
  readonly partitionCount: number;
}

/** At which of the target's fences the archive was read; 0: at none of them. */
export function fenceIn(
  { clusterId, partitionCount }: Manifest,
  { fence }: ArchivedPartition,
  ring: TargetRing,
): number {
  return clusterId === ring.clusterId && partitionCount === ring.partitionCount ? fence : 0;
}

/** What was reaped since may have been forgotten. */
export function mayResurrect(state: Pick<ArchiveStateReply, 'trimmedAt'>, fence: number): boolean {
  return state.trimmedAt > fence;
}

/** Which partitions of the target the keys of an archived partition fall into. */
export function targetsOf(partition: number, archived: number, target: number): readonly number[] {
  if (target <= archived) return [Math.floor((partition * target) / archived)];
  const each = target / archived;
  return Array.from({ length: each }, (_, i) => partition * each + i);
}

/** Sums over batches; of one owner. */
export class RestoreCount {
  known: number = 0;
  absent: number = 0;
  different: number = 0;
  reaped: number = 0;
  unknown: number = 0;

  add({ known, absent, different, reaped, unknown }: ArchiveRecordsReply): void {
    this.known += known;
    this.absent += absent;
    this.different += different;
    this.reaped += reaped;
    this.unknown += unknown;
  }

  /** That were not there with all that they hold. */
  get missing(): number {
    return this.absent + this.different + this.unknown;
  }

  /** The same when it is looked again. What was known to be deleted `before` may have been forgotten since, and is absent. */
  missingSince(before: RestoreCount | undefined): number {
    const forgotten = Math.max(0, (before?.reaped ?? 0) - this.reaped);
    return this.missing - Math.min(this.absent, forgotten);
  }
}
