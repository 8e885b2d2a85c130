import type { Evidence } from '../evidence.js';
import { REMEMBERED_PUT_IDS_MAX, RETRY_WINDOW_S } from '../../../src/model/limits.js';
import type { KeyHistory, WriteOp } from '../history.js';

/**
 * Acknowledged, and nothing that was destroyed since it was first sent excuses its absence. (An answer may be under way
 * when the machine that gave it goes down; and one to a later attempt may speak of what the first one did.)
 */
export function isOwed(evidence: Evidence, write: WriteOp): boolean {
  return write.outcome === 'ok' && !evidence.mayBeGone(write);
}

/** Somebody who had read the put's value may have replaced it before `beforeMs`. */
export function mayBeReplaced(history: KeyHistory, id: number, beforeMs: number): boolean {
  return history.readersOf(id).some((reader) => reader.outcome !== 'refused' && reader.startMs < beforeMs);
}

/**
 * The store may have forgotten that `by` has overwritten this put, and so may show it again: it was minted twice, since a
 * retry came to a node that knew nothing of the key, and the id that would hide the second version is remembered no more.
 *
 *   A record remembers the 16 newest ids of what was overwritten, for as long as the retry window: so much is promised.
 *   Ids are remembered by the records of those who have read them, and not by what overwrites those in turn: so of a
 *   reader whose W disks burnt, the id may be gone, though its dots are known to what is left.
 *
 * Never true of a put that was minted once.
 */
export function mayReturn(evidence: Evidence, history: KeyHistory, write: WriteOp, by: WriteOp): boolean {
  const dots = evidence.minted.filter(({ putId }) => putId === write.putId).length;
  if (dots < 2) return false;
  const younger = [...history.writes.values()].filter((other) => other.putId > write.putId);
  // No client is shown a delete, but contexts cover it, and its id is remembered like any other.
  const overwritten = younger.filter(({ id, kind }) => kind === 'delete' || history.readersOf(id).length > 0).length;
  const aheadS = Math.max(0, ...younger.map((other) => secondsOf(other) - secondsOf(write)));
  return overwritten >= REMEMBERED_PUT_IDS_MAX || aheadS > RETRY_WINDOW_S || evidence.isPromiseVoid(by);
}

const secondsOf = ({ putId }: WriteOp): number => Number.parseInt(putId.slice(0, 8), 16);
