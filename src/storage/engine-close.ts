/* The last steps of a clean stop, and what an engine says of itself. */
import { assert } from '../lib/assert.js';
import type { Flow } from '../lib/flow.js';
import type { Acks } from './engine-acks.js';
import type { Opened } from './engine-deps.js';
import type { SpaceWatch } from './engine-space.js';
import type { Suspicions } from './engine-suspicion.js';
import type { HintFile } from './hint-file.js';
import { SUSPICIONS } from './partition.js';
import type { StorageStatus } from './storage.js';

/** Nobody writes or waits any more: the log, then the table, then the files. */
export function* closeFiles({ log, table, partitions }: Opened, acks: Acks, hintFile: HintFile): Flow<void> {
  yield (answer) => {
    log.close(answer);
  };
  assert(acks.waiting === 0, 'a closed log has acknowledged every write');
  yield* table.save(partitions, hintFile, false);
  for (const owner of [...partitions, hintFile]) {
    owner.file?.close();
    owner.file = null;
  }
}

export function statusOf(
  opening: number,
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
    suspectPartitions: partitions.filter((p) => p.suspicion !== SUSPICIONS.none).map((p) => p.id),
    diskFull: space.full,
    damagedRecords: suspicions.damagedRecords,
    quarantined,
  };
}
