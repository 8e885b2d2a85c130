/*
 * What the engine does when it finds that it may lack something: says so, counts it, and remembers it in the partition
 * table, so that a restart does not forget it.
 */
import type { Log } from '../env/meter.js';
import type { EngineCounters } from './engine-counters.js';
import type { LogRelease } from './engine-release.js';
import { SUSPICIONS, suspicionText, type Partition, type Suspicion } from './partition.js';
import type { DamagedPlace } from './replica-storage.js';
import type { KeyPlace } from './storage.js';

/** More than so many at once, and scrubbing finds the others again. */
const DAMAGED_KEPT_MAX = 1_024;

const NO_PLACES: readonly DamagedPlace[] = [];

export class Suspicions {
  readonly #log: Log;
  readonly #release: LogRelease;
  readonly #counters: EngineCounters;
  #damagedRecords = 0;
  #damaged: Map<string, DamagedPlace> = new Map();

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
      partition.marksHold = false;
      this.#log.error('partition_suspect', { partition: partition.id, why: suspicionText(suspicion) });
    }
    this.#release.saveTable(true, done);
  }

  /** A record of the file failed its check. */
  onDamagedRecord(partition: Partition, place: Pick<KeyPlace, 'hashHi' | 'hashLo'>, fault: string): void {
    this.#damagedRecords += 1;
    this.#counters.damaged.add(1);
    if (this.#damaged.size < DAMAGED_KEPT_MAX) {
      const { hashHi: hi, hashLo: lo } = place;
      this.#damaged.set(`${hi}/${lo}`, { partition: partition.id, hi, lo });
    }
    const hash = place.hashHi.toString(16).padStart(8, '0');
    this.#log.error('record_damaged', { partition: partition.id, hash, fault });
  }

  /** What has been found damaged since this was asked last, each place once. */
  takeDamaged(): readonly DamagedPlace[] {
    if (this.#damaged.size === 0) return NO_PLACES;
    const places = [...this.#damaged.values()];
    this.#damaged = new Map();
    return places;
  }

  /** The file itself could not be read. */
  onBrokenFile(partition: Partition, error: Error): void {
    this.#log.error('file_unreadable', { partition: partition.id, error: error.message });
    this.onFileBroken(partition);
  }

  /** The file is not what was written to it. */
  onFileBroken(partition: Partition): void {
    partition.marksHold = false;
    if (partition.suspicion === SUSPICIONS.none) this.set(partition, SUSPICIONS.fileDamaged, () => undefined);
  }
}
