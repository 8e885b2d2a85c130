/*
 * Bringing a node's directory back to life: partition table, partition files, log.
 *
 * Each file says how far it has come, so the log's entries up to there are skipped and the rest goes to the write
 * buffer as if it had just been put. Doing it twice changes nothing, and a crash in the middle means doing it again.
 *
 * Whatever does not fit together makes a partition suspect, never silently poorer: a file that is missing, older than
 * the table knows, of another node, damaged, or that killed the process; entries of the log that were durable and are
 * gone. A suspicion is in the table before the node serves anything.
 */
import type { FileName, PartitionFile } from '../env/partition-file.js';
import { assert } from '../lib/assert.js';
import { newerFormatText } from '../model/build.js';
import { wait, type Flow } from '../lib/flow.js';
import { drawInstallation, mapBytesOf } from './engine-files.js';
import type { EngineDeps, EngineLogEvents, EngineOptions } from './engine-deps.js';
import { Engine } from './engine.js';
import { EntryReplay } from './entry-replay.js';
import { HintRecovery } from './hint-recovery.js';
import type { CommitLog, LogRecovery } from './log-types.js';
import { decodeHome, HOME_FORMAT, HOME_KEY } from './partition-home.js';
import { decodeFence, FENCE_KEY, unsealed } from './reap-format.js';
import { PartitionTable, type LoadedTable, type TableRow } from './partition-table.js';
import { Partition, SUSPICIONS, suspicionText, type Suspicion } from './partition.js';
import { WriteBuffer } from './write-buffer.js';

/** Chunks are counted whole, and one is always being filled. */
export const BUFFER_BYTES_MIN = 4_194_304;
const UNCLEAN_STARTS_BEFORE_INSPECTION = 2;

export function* openEngine(deps: EngineDeps, options: EngineOptions): Flow<Engine> {
  const opening = new Opening(deps, options);
  return yield* opening.open();
}

class Opening {
  readonly #deps: EngineDeps;
  readonly #options: EngineOptions;
  readonly #partitions: readonly Partition[];
  readonly #buffer: WriteBuffer<Partition>;
  readonly #table: PartitionTable;
  readonly #entries: EntryReplay;
  readonly #hints: HintRecovery;
  readonly #quarantined: string[] = [];
  #engine: Engine | null = null;
  #failedEarly: Error | null = null;
  #logFull = false;

  constructor(deps: EngineDeps, options: EngineOptions) {
    assert(options.bufferBytesMax >= BUFFER_BYTES_MIN, 'a write buffer has room for a few chunks');
    assert(options.logBytesMax >= 2 * options.logSegmentBytes, 'the log has room for two segments');
    this.#deps = deps;
    this.#options = options;
    this.#partitions = Array.from({ length: options.partitionCount }, (_, id) => new Partition(id));
    this.#buffer = new WriteBuffer(deps.arena, options.bufferBytesMax);
    this.#table = new PartitionTable(deps.disk, deps.hash, options.nodeId, options.partitionCount);
    this.#hints = new HintRecovery({ ...deps, ...options });
    this.#entries = new EntryReplay({
      ...deps,
      partitions: this.#partitions,
      buffer: this.#buffer,
      hints: this.#hints,
      suspect: (partition, suspicion, text) => {
        this.#suspect(partition, suspicion, text);
      },
    });
  }

  *open(): Flow<Engine> {
    try {
      return yield* this.#openAll();
    } catch (error) {
      for (const partition of this.#partitions) partition.file?.close();
      this.#hints.file.file?.close();
      throw error;
    }
  }

  *#openAll(): Flow<Engine> {
    yield* wait((done) => {
      this.#deps.disk.makeFolder('partitions', done);
    });
    const table = yield* this.#table.load();
    const present = yield* this.#presentFiles();
    if (yield* this.#hints.present()) present.add('hints');
    yield* this.#inspect(present);
    const aside = yield* this.#hints.open(present.has('hints'), table);
    if (aside !== null) this.#quarantined.push(aside);
    for (const partition of this.#partitions) yield* this.#openFile(partition, present, rowOf(table, partition.id));
    const { log, recovery } = yield* this.#replay();
    this.#judgeLog(recovery);
    this.#judgeTable(table, present.size > 0, recovery);
    for (const partition of this.#partitions) partition.drawConclusions();
    const hints = this.#hints.finish(recovery);
    yield* this.#table.save(this.#partitions, hints.file, true);
    const engine = new Engine(this.#deps, this.#options, {
      partitions: this.#partitions,
      buffer: this.#buffer,
      table: this.#table,
      log,
      hints,
      quarantined: this.#quarantined,
      recoveredLsn: recovery.lastLsn,
    });
    this.#engine = engine;
    if (this.#logFull) engine.onLogDiskFull(true);
    if (this.#failedEarly !== null) engine.fail(this.#failedEarly);
    yield* wait((done) => {
      engine.start(() => {
        done(null);
      });
    });
    return engine;
  }

  *#presentFiles(): Flow<Set<FileName>> {
    const names = yield* wait<readonly string[]>((done) => {
      this.#deps.disk.list('partitions', done);
    });
    const present = new Set<FileName>();
    for (const name of names) {
      const match = /^([0-9a-f]{4})\.mdb$/.exec(name);
      if (match === null) continue;
      const id = Number.parseInt(match[1] as string, 16);
      if (id >= this.#partitions.length) {
        throw new Error(
          `partitions/${name} is beyond the ${this.#partitions.length} partitions of this cluster: move it away, or start with the partition count that it was made for`,
        );
      }
      present.add(id);
    }
    return present;
  }

  /** After repeated unclean starts one of the files may be what kills us: somebody else looks first. */
  *#inspect(present: Set<FileName>): Flow<void> {
    const inspect = this.#deps.inspectFiles;
    if (inspect === undefined || this.#options.uncleanStarts < UNCLEAN_STARTS_BEFORE_INSPECTION) return;
    const bad = yield* wait<ReadonlyMap<FileName, string>>((done) => {
      inspect([...present], done);
    });
    for (const [id, text] of bad) {
      if (id === 'hints') this.#quarantined.push(yield* this.#hints.setAside(text));
      else yield* this.#setAside(this.#partitions[id] as Partition, SUSPICIONS.fileKilled, text);
      present.delete(id);
    }
  }

  *#openFile(partition: Partition, present: ReadonlySet<FileName>, row: TableRow | null): Flow<void> {
    if (row !== null && row.suspicion !== SUSPICIONS.none) this.#suspect(partition, row.suspicion, 'known from before');
    if (!present.has(partition.id)) {
      if (row !== null && row.installation !== 0) {
        this.#suspect(partition, SUSPICIONS.fileMissing, `had applied up to ${row.appliedLsn}`);
      }
      return;
    }
    const { file, error } = yield* this.#tryOpen(partition);
    if (error !== null) {
      if ((error as { code?: unknown }).code !== 'DAMAGED') throw error;
      yield* this.#setAside(partition, SUSPICIONS.fileDamaged, error.message);
      return;
    }
    partition.file = file;
    const verdict = this.#judgeHome(partition, file as PartitionFile, row);
    if (verdict !== null) yield* this.#setAside(partition, SUSPICIONS.fileForeign, verdict);
  }

  *#tryOpen(partition: Partition): Flow<{ readonly file: PartitionFile | null; readonly error: Error | null }> {
    try {
      const file = yield* wait<PartitionFile>((done) => {
        this.#deps.files.open(partition.id, mapBytesOf(this.#options.partitionCount), done);
      });
      return { file, error: null };
    } catch (error) {
      return { file: null, error: error as Error };
    }
  }

  /** Takes over what the file says of itself; a text if the file is not ours. */
  #judgeHome(partition: Partition, file: PartitionFile, row: TableRow | null): string | null {
    const bytes = file.get(HOME_KEY);
    if (bytes === null && file.stats().entries > 0) return 'It does not say whose it is';
    const home = bytes === null ? null : decodeHome(bytes, this.#deps.hash);
    if (home !== null && 'newerFormat' in home) {
      throw new Error(newerFormatText(`The file of partition ${partition.id}`, home.newerFormat, HOME_FORMAT));
    }
    if (home === null) {
      partition.installation = drawInstallation(this.#deps.random);
      if (bytes !== null) this.#suspect(partition, SUSPICIONS.fileDamaged, 'its home entry fails its check');
      else if (row !== null && row.appliedLsn > 0)
        this.#suspect(partition, SUSPICIONS.fileOlder, `empty, had applied up to ${row.appliedLsn}`);
      return null;
    }
    if (home.nodeId !== this.#options.nodeId) return `It belongs to node ${home.nodeId}`;
    if (home.partition !== partition.id || home.partitionCount !== this.#options.partitionCount) {
      return `It is partition ${home.partition} of ${home.partitionCount}`;
    }
    if (row !== null && row.installation !== 0 && row.installation !== home.installation) {
      return `It is installation ${home.installation}, not ${row.installation}`;
    }
    partition.installation = home.installation;
    partition.appliedLsn = home.appliedLsn;
    this.#takeFence(partition, file);
    if (row !== null && home.appliedLsn < row.appliedLsn) {
      this.#suspect(
        partition,
        SUSPICIONS.fileOlder,
        `has applied up to ${home.appliedLsn}, once up to ${row.appliedLsn}`,
      );
    }
    return null;
  }

  #takeFence(partition: Partition, file: PartitionFile): void {
    const value = file.get(FENCE_KEY);
    if (value === null) return;
    const body = unsealed(value, this.#deps.hash);
    const state = body === null ? null : decodeFence(body);
    if (state === null) this.#suspect(partition, SUSPICIONS.fileDamaged, 'its reap fence fails its check');
    else partition.fence.restore(state);
  }

  *#setAside(partition: Partition, suspicion: Suspicion, text: string): Flow<void> {
    partition.file?.close();
    partition.file = null;
    partition.installation = 0;
    partition.appliedLsn = 0;
    const to = yield* wait<string>((done) => {
      this.#deps.files.quarantine(partition.id, done);
    });
    this.#quarantined.push(to);
    this.#suspect(partition, suspicion, `${text}; now ${to}`);
  }

  *#replay(): Flow<{ readonly log: CommitLog; readonly recovery: LogRecovery }> {
    const events: EngineLogEvents = {
      onWritten: (lsn) => {
        this.#engine?.onWritten(lsn);
      },
      onDurable: (lsn) => {
        this.#engine?.onDurable(lsn);
      },
      onFailed: (error) => {
        if (this.#engine === null) this.#failedEarly = error;
        else this.#engine.fail(error);
      },
      onDiskFull: (full) => {
        this.#logFull = full;
        this.#engine?.onLogDiskFull(full);
      },
    };
    const applied = this.#partitions.map((partition) => partition.appliedLsn);
    const appliedMax = Math.max(this.#hints.file.appliedLsn, ...applied);
    const opened = yield* this.#deps.openLog(
      (kind, partition, lsn, body) => {
        this.#entries.replay(kind, partition, lsn, body);
      },
      events,
      appliedMax,
    );
    this.#entries.finish();
    yield* this.#removeDropped();
    return opened;
  }

  /** What the log says is gone: of its file only what was made later may be left. */
  *#removeDropped(): Flow<void> {
    for (const partition of this.#entries.dropped) {
      yield* wait((done) => {
        this.#deps.files.remove(partition.id, done);
      });
    }
  }

  #judgeLog(recovery: LogRecovery): void {
    const { lastLsn, durableLsn, entries, bytes, cut, damage, damagedPartitions } = recovery;
    this.#deps.log.info('log_recovered', {
      lastLsn,
      durableLsn,
      entries,
      bytes,
      cut,
      damagedEntries: this.#entries.damaged,
    });
    for (const where of damage) this.#deps.log.error('log_damaged', { ...where });
    for (const partition of this.#partitions) {
      if (damage.length > 0 && damagedPartitions?.has(partition.id) === true)
        this.#suspect(partition, SUSPICIONS.logDamaged, damage[0]?.text ?? '');
    }
    if (damage.length > 0 && damagedPartitions === null) this.#suspectAll(SUSPICIONS.logDamaged, damage[0]?.text ?? '');
    const applied = this.#partitions.find((partition) => partition.appliedLsn > lastLsn);
    const hints = this.#hints.file;
    if (applied === undefined && hints.appliedLsn <= lastLsn) return;
    const name = applied === undefined ? 'file of hints' : `file of partition ${applied.id}`;
    const { appliedLsn } = applied ?? hints;
    const text = `${name} has applied up to ${appliedLsn}, the log ends at ${lastLsn}`;
    this.#suspectAll(SUSPICIONS.logBehind, text);
  }

  /** The table is written before anything is served; so where anything was ever served, it must be. */
  #judgeTable(table: LoadedTable, hasFiles: boolean, recovery: LogRecovery): void {
    const stoppedCleanly = this.#options.opening > 1 && this.#options.uncleanStarts === 0;
    const wasServing = hasFiles || recovery.entries > 0 || stoppedCleanly;
    if (table.kind === 'rows') return;
    if (table.kind === 'none' && !wasServing) {
      if (this.#options.hasOtherOwners === true) this.#believeNothingYet();
      return;
    }
    this.#suspectAll(SUSPICIONS.tableLost, '');
  }

  /** Not an alarm: every node of a new cluster begins like this. */
  #believeNothingYet(): void {
    for (const partition of this.#partitions) partition.suspicion = SUSPICIONS.storeNew;
    this.#deps.log.info('store_new', { why: suspicionText(SUSPICIONS.storeNew) });
  }

  #suspect(partition: Partition, suspicion: Suspicion, text: string): void {
    if (partition.suspicion !== SUSPICIONS.none) return;
    partition.suspicion = suspicion;
    this.#deps.log.error('partition_suspect', { partition: partition.id, why: suspicionText(suspicion), text });
  }

  /** One line for what concerns them all. */
  #suspectAll(suspicion: Suspicion, text: string): void {
    for (const partition of this.#partitions) {
      if (partition.suspicion === SUSPICIONS.none) partition.suspicion = suspicion;
    }
    this.#deps.log.error('all_partitions_suspect', { why: suspicionText(suspicion), text });
  }
}

function rowOf(table: LoadedTable, partition: number): TableRow | null {
  return table.kind === 'rows' ? (table.rows[partition] ?? null) : null;
}
