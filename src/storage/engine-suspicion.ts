/*
 * What the engine does when it finds that it may lack something: says so, counts it, and remembers it in the partition
 * table, so that a restart does not forget it.
 */
import type { Log } from '../env/meter.js';
import { copyBytes } from '../lib/bytes.js';
import type { PartitionId } from '../model/ids.js';
import type { EngineCounters } from './engine-counters.js';
import type { LogRelease } from './engine-release.js';
import { SUSPICIONS, suspicionText, type Partition, type Suspicion } from './partition.js';
import type { DamagedPlace } from './replica-storage.js';
import { keyName } from './storage-key.js';
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
    if (suspicion === SUSPICIONS.none && partition.moving) {
      // While its file is replaced some of what it holds is in neither of the two that a read looks at.
      done(new Error(`The file of partition ${partition.id} is being replaced`));
      return;
    }
    partition.suspicion = suspicion;
    if (suspicion !== SUSPICIONS.none) {
      partition.doubts += 1;
      partition.marksHold = false;
      const fields = { partition: partition.id, why: suspicionText(suspicion) };
      if (suspicion === SUSPICIONS.storeNew) this.#log.info('partition_new', fields);
      else this.#log.error('partition_suspect', fields);
    }
    this.#release.saveTable(true, done);
  }

  /** A record of the file failed its check. */
  onDamagedRecord({ id }: Partition, place: Omit<KeyPlace, 'partition'>, fault: string): void {
    this.#damagedRecords += 1;
    this.#counters.damaged.add(1);
    const { key, hashHi: hi, hashLo: lo } = place;
    const name = `${hi}/${lo}/${keyName(key, 0, key.length)}`;
    if (this.#damaged.size < DAMAGED_KEPT_MAX && !this.#damaged.has(name)) {
      this.#damaged.set(name, { partition: id as PartitionId, key: copyBytes(key), hi, lo });
    }
    this.#log.error('record_damaged', { partition: id, hash: hi.toString(16).padStart(8, '0'), fault });
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
