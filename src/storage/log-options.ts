/*
 * What a commit log is made of, and where it begins.
 */
import type { Clock, Timers } from '../env/clock.js';
import type { Disk } from '../env/disk.js';
import type { Hash64 } from '../model/hash.js';
import type { Arena } from './arena.js';
import type { LogSalt } from './log-format.js';
import type { LogSegment } from './log-live.js';
import type { SpareSegment } from './log-segments.js';
import type { Durability, LogEvents } from './log-types.js';

export const SEGMENT_BYTES_DEFAULT = 67_108_864;
export const SEGMENTS_AHEAD_DEFAULT = 2;
/** Where the log goes on: what recovery answers, or `EMPTY_LOG`. */
export interface LogStart {
  /** LSN at which what was recovered ends. */
  readonly previousLsn: number;
  /** First LSN to be given out; above `previousLsn` + 1 where numbers may have been given out before a crash. */
  readonly nextLsn: number;
  readonly nextSequence: number;
  readonly segments: readonly LogSegment[];
  readonly spares: readonly SpareSegment[];
}

export const EMPTY_LOG: LogStart = { previousLsn: 0, nextLsn: 1, nextSequence: 1, segments: [], spares: [] };

export interface SegmentLogOptions {
  readonly disk: Disk;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly hash: Hash64;
  readonly arena: Arena;
  readonly nodeId: string;
  readonly opening: number;
  readonly salt: LogSalt;
  readonly durability: Durability;
  /** How `always` makes a write durable: `dsync` by O_DSYNC (default), `sync` by fdatasync after it. */
  readonly syncBy?: 'dsync' | 'sync';
  /** A multiple of 4,096; default 64 MiB. */
  readonly segmentBytes?: number;
  /** Segments kept ready ahead of the one in use; default 2. */
  readonly segmentsAhead?: number;
  readonly start: LogStart;
}

export interface SegmentLogEvents extends LogEvents {
  /** True: no room to make segments ahead; the log goes on while it has one. False: there is room again. */
  onDiskFull(full: boolean): void;
}
