import type { Evidence } from '../evidence.js';
import type { KeyHistory, WriteOp } from '../history.js';

/** Acknowledged, and nothing that was destroyed since excuses its absence. */
export function isOwed(evidence: Evidence, write: WriteOp): boolean {
  return write.outcome === 'ok' && write.endMs > evidence.doubtMs(write.key, write.isDurable);
}

/** Somebody who had read the put's value may have replaced it before `beforeMs`. */
export function mayBeReplaced(history: KeyHistory, id: number, beforeMs: number): boolean {
  return history.readersOf(id).some((reader) => reader.outcome !== 'refused' && reader.startMs < beforeMs);
}
