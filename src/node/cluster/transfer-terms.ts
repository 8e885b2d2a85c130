/* Whose file may be had from this member. */
import type { ClusterParts } from './parts.js';

/** Why the file of a partition is not to be had from here at this reap fence; empty: it is. */
export function donorRefusal(
  { preferences, services, reaps, self }: Pick<ClusterParts, 'preferences' | 'services' | 'reaps' | 'self'>,
  partition: number,
  fence: number,
): string {
  const { partitionCount, version } = services.ring;
  if (partition >= partitionCount) return `There is no partition ${partition}: there are ${partitionCount}`;
  if (!preferences.isOwner(partition, self)) return `Partition ${partition} has no copy here, by ring ${version}`;
  const { suspectPartitions } = services.storage.status();
  if (suspectPartitions.includes(partition)) return `Partition ${partition} may lack something here`;
  const stamp = reaps.stampOf(partition);
  return stamp < fence ? `The reap fence of partition ${partition} is ${stamp} here, ${fence} there` : '';
}
