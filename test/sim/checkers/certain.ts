import type { Evidence } from '../evidence.js';
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
