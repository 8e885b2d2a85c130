/*
 * How the engine comes by its log: recovery first, which hands out every entry, then a log that goes on where it ended.
 *
 * The first new LSN lies above whatever any partition file has applied, too. A file that is ahead of the log is a fault
 * and is treated as one; but a number that it has applied must never be given out again, or a later replay would skip
 * an entry that it does not hold.
 */
import type { Clock, Timers } from '../env/clock.js';
import type { Disk } from '../env/disk.js';
import type { Flow } from '../lib/flow.js';
import type { Hash64 } from '../model/hash.js';
import type { NodeId } from '../model/ids.js';
import type { Arena } from './arena.js';
import type { EngineLogEvents, OpenLog } from './engine-deps.js';
import type { LogSalt } from './log-format.js';
import { SegmentLog } from './log.js';
import { type Durability, LOG_KINDS, type LogRecovery, type ReplayVisitor } from './log-types.js';
import type { Hlc } from '../versioning/hlc.js';
import { eachStamp } from '../versioning/record.js';
import { recoverLog } from './recovery.js';

export interface LogOpenerParts {
  readonly disk: Disk;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly hash: Hash64;
  readonly arena: Arena;
  readonly nodeId: NodeId;
  readonly opening: number;
  readonly salt: LogSalt;
  readonly durability: Durability;
  readonly segmentBytes: number;
  /** What node.meta says: the last LSN that it knows, and whether the stop before was a clean one. */
  readonly durableLsn: number;
  readonly clean: boolean;
}

export function logOpener(parts: LogOpenerParts): OpenLog {
  return function* (
    visit: ReplayVisitor,
    events: EngineLogEvents,
    appliedMax: number,
  ): Flow<{ log: SegmentLog; recovery: LogRecovery }> {
    const recovery = yield* recoverLog(parts, visit);
    const nextLsn = Math.max(recovery.start.nextLsn, appliedMax + 1);
    return { log: new SegmentLog({ ...parts, start: { ...recovery.start, nextLsn } }, events), recovery };
  };
}

/**
 * Replayed records carry the newest stamps that this node (`ordinal`) gave before it went down: its clock must not fall
 * behind them, and they are not clamped as those of others are. A wall clock that was set back by more than the allowed
 * skew would else take the node's own stamps with it.
 */
export function observing(openLog: OpenLog, hlc: Hlc, clock: Clock, ordinal: number): OpenLog {
  const observe = (wallMs: number, logical: number, giver: number): void => {
    if (giver === ordinal) hlc.resume(wallMs, logical);
    else hlc.observe(wallMs, logical, clock.wallMs(), 'peer');
  };
  return function* (visit, events, appliedMax): ReturnType<OpenLog> {
    return yield* openLog(
      (kind, partition, lsn, body) => {
        visit(kind, partition, lsn, body);
        if (kind === LOG_KINDS.record) eachStamp(body, 0, body.length, observe);
      },
      events,
      appliedMax,
    );
  };
}
