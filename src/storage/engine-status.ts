import type { EngineOptions, Opened } from './engine-deps.js';
import type { SpaceWatch } from './engine-space.js';
import type { Suspicions } from './engine-suspicion.js';
import { SUSPICIONS } from './partition.js';
import type { StorageStatus } from './storage.js';

/** What an engine says of itself. */
export function statusOf(
  { opening }: EngineOptions,
  { log, buffer, partitions, quarantined }: Opened,
  space: SpaceWatch,
  suspicions: Suspicions,
): StorageStatus {
  return {
    opening,
    lastLsn: log.lastLsn,
    durableLsn: log.durableLsn,
    bufferBytes: buffer.bytes,
    bufferBytesMax: buffer.bytesMax,
    logSegments: log.segments,
    suspectPartitions: partitions.filter(({ suspicion }) => suspicion !== SUSPICIONS.none).map(({ id }) => id),
    diskFull: space.full,
    syncP99Ms: log.syncP99Ms,
    damagedRecords: suspicions.damagedRecords,
    quarantined,
  };
}
