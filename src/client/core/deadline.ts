/* What a call was waiting for when its deadline passed, for its error. */
import type { TimeoutError } from '../errors.js';
import type { Call } from './call.js';

/** Asked before the call is taken from whoever holds it. */
export function phaseOf({ state, peer }: Call): TimeoutError['phase'] {
  if (state === 'sent') return 'reply';
  return peer !== null && peer.isUp ? 'queue' : 'connect';
}

export function deadlineText({ peer, deadlineMs, startedMs }: Call, phase: TimeoutError['phase']): string {
  const what = { reply: 'no reply', queue: 'no room among the calls under way', connect: 'no connection' }[phase];
  const node = peer === null ? '' : phase === 'reply' ? ` from ${peer.address}` : ` to ${peer.address}`;
  return `${what}${node} within ${Math.round(deadlineMs - startedMs)} ms`;
}
