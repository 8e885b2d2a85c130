/*
 * What an engine is built from: the world it runs in, its limits, and what opening a directory has found.
 */
import type { Clock, Timers } from '../env/clock.js';
import type { Digest } from '../env/digest.js';
import type { Disk } from '../env/disk.js';
import type { Log, Meter } from '../env/meter.js';
import type { FileName, PartitionFiles } from '../env/partition-file.js';
import type { Random } from '../env/random.js';
import type { Workers } from '../env/workers.js';
import type { Flow } from '../lib/flow.js';
import type { Hash64 } from '../model/hash.js';
import type { NodeId } from '../model/ids.js';
import type { Arena } from './arena.js';
import type { FlushOptions } from './flusher.js';
import type { RecoveredHints } from './hint-recovery.js';
import type { CommitLog, Durability, LogEvents, LogRecovery, ReplayVisitor } from './log-types.js';
import type { Partition } from './partition.js';
import type { PartitionTable } from './partition-table.js';
import type { WriteBuffer } from './write-buffer.js';

export interface EngineOptions {
  readonly nodeId: NodeId;
  /** Of this opening of the store: one more than ever before. */
  readonly opening: number;
  /** Starts in a row that found no clean mark. */
  readonly uncleanStarts: number;
  readonly partitionCount: number;
  /**
   * Keys have other owners. Then a store that is new may stand where one was lost, and nothing in it says which: it begins
   * suspect, and counts when it has met them. Default false.
   */
  readonly hasOtherOwners?: boolean;
  /** How much the arena may hold before puts are refused; default 256 MiB, or 256 KiB a partition if that is more. */
  readonly bufferBytesMax: number;
  /** What the log may come to on the disk before puts are refused; at least two segments, default twice the buffer. */
  readonly logBytesMax: number;
  readonly logSegmentBytes: number;
  /** 0: no cache of hot records. */
  readonly cacheBytesMax: number;
  readonly durability: Durability;
  readonly flush: FlushOptions;
}

/** What a log tells beyond what every log does. */
export interface EngineLogEvents extends LogEvents {
  /** No room to make segments ahead; the log goes on while it has one. False: there is room again. */
  onDiskFull(full: boolean): void;
}

/** Recovers the log, handing out its entries, and opens it for appends, all above `appliedMax`. */
export type OpenLog = (
  visit: ReplayVisitor,
  events: EngineLogEvents,
  appliedMax: number,
) => Flow<{ readonly log: CommitLog; readonly recovery: LogRecovery }>;

export interface EngineDeps {
  readonly disk: Disk;
  readonly files: PartitionFiles;
  readonly arena: Arena;
  readonly openLog: OpenLog;
  /** Before the log forgets entries: whatever else was learnt from them must be durable when it answers. */
  readonly beforeRelease?: (done: (error: Error | null) => void) => void;
  /** Last of all, when everything is synced and closed: the clean mark. */
  readonly markClean: (lastLsn: number, done: (error: Error | null) => void) => void;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly hash: Hash64;
  readonly digest: Digest;
  readonly random: Random;
  readonly workers: Workers;
  readonly meter: Meter;
  readonly log: Log;
  /**
   * Reads every file in a child process, after two unclean starts in a row; answers those that killed it or did not hold
   * together, with what happened. Absent: not done.
   */
  readonly inspectFiles?: (
    names: readonly FileName[],
    done: (error: Error | null, bad?: ReadonlyMap<FileName, string>) => void,
  ) => void;
  /** Major page faults of the process so far; absent: only time tells whether a file is cold. */
  readonly majorFaults?: () => number;
  /** Nothing that was acknowledged from now on could be believed: the process stops at once. */
  readonly onFatal: (error: Error) => void;
}

/** What engine-open.ts found and made. */
export interface Opened {
  readonly partitions: readonly Partition[];
  readonly buffer: WriteBuffer<Partition>;
  readonly table: PartitionTable;
  readonly log: CommitLog;
  readonly hints: RecoveredHints;
  readonly quarantined: readonly string[];
  /** The last LSN that recovery found. */
  readonly recoveredLsn: number;
}
