/*
 * What the engine does when it finds that it may lack something: says so, counts it, and remembers it in the partition
 * table, so that a restart does not forget it.
 */
import type { Log } from '../env/meter.js';
import type { EngineCounters } from './engine-counters.js';
import type { LogRelease } from './engine-release.js';
import { SUSPICIONS, suspicionText, type Partition, type Suspicion } from './partition.js';
import type { KeyPlace } from './storage.js';

export class Suspicions {
  readonly #log: Log;
  readonly #release: LogRelease;
  readonly #counters: EngineCounters;
  #damagedRecords = 0;

  constructor(log: Log, release: LogRelease, counters: EngineCounters) {
    this.#log = log;
    this.#release = release;
    this.#counters = counters;
  }

  get damagedRecords(): number {
    return this.#damagedRecords;
  }

  set(partition: Partition, suspicion: Suspicion, done: (error: Error | null) => void): void {
    partition.suspicion = suspicion;
    if (suspicion !== SUSPICIONS.none) {
      this.#log.error('partition_suspect', { partition: partition.id, why: suspicionText(suspicion) });
    }
    this.#release.saveTable(true, done);
  }

  /** A record of the file failed its check. */
  onDamagedRecord(partition: Partition, place: Pick<KeyPlace, 'hashHi'>, fault: string): void {
    this.#damagedRecords += 1;
    this.#counters.damaged.add(1);
    const hash = place.hashHi.toString(16).padStart(8, '0');
    this.#log.error('record_damaged', { partition: partition.id, hash, fault });
  }

  /** The file itself could not be read. */
  onBrokenFile(partition: Partition, error: Error): void {
    this.#log.error('file_unreadable', { partition: partition.id, error: error.message });
    if (partition.suspicion === SUSPICIONS.none) this.set(partition, SUSPICIONS.fileDamaged, () => undefined);
  }
}
