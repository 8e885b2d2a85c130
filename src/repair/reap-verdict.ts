/*
 * What a member of the ring answers for one key when it is asked whether a delete may be forgotten.
 *
 *   an owner      yes, if it holds that very record, durably
 *   another       yes, if it holds no copy of the key, and no hint: durably, too
 *
 * Everything else is a reason to keep the tombstone, and is told to whoever asks why it is still there.
 */

/** In the order of their numbers on the wire. */
export const REAP_VERDICTS = [
  'yes',
  /** It takes no part: its fence is not below the one proposed, or it does not know yet whether it is behind. */
  'fence',
  'ring',
  /** It holds another record of the key. */
  'differs',
  /** An owner that holds nothing. */
  'absent',
  /** An owner that has reaped it already: its entry comes with the answer. */
  'reaped',
  /** It owns no copy, and has one all the same. */
  'copy',
  'hint',
  /** Its store cannot say. */
  'unknown',
  /** By its clock it is too young. */
  'young',
] as const;
export type ReapVerdict = (typeof REAP_VERDICTS)[number];

export const YES = 0;

export function verdictNumber(verdict: ReapVerdict): number {
  return REAP_VERDICTS.indexOf(verdict);
}

/** A verdict of a later release is none that we may take for a yes. */
export function verdictOf(number: number): ReapVerdict {
  return REAP_VERDICTS[number] ?? 'unknown';
}

export interface Holding {
  readonly isOwner: boolean;
  readonly state: 'ok' | 'absent' | 'unknown';
  /** What is held is, byte for byte, what was asked about. */
  readonly isSame: boolean;
  readonly isHinted: boolean;
  readonly isOldEnough: boolean;
  /** The reap log has it. */
  readonly isReaped: boolean;
}

export function judgeHolding(holding: Holding): ReapVerdict {
  const { isOwner, state, isSame, isHinted, isOldEnough, isReaped } = holding;
  if (state === 'unknown') return 'unknown';
  if (isHinted) return 'hint';
  if (!isOldEnough) return 'young';
  if (!isOwner) return state === 'absent' ? 'yes' : 'copy';
  if (state === 'absent') return isReaped ? 'reaped' : 'absent';
  return isSame ? 'yes' : 'differs';
}
