/* The texts and details of the errors that calls end with. */
import { PartitaError, TimeoutError, errorOf } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import type { Call } from './call.js';

/** What all attempts together know. */
export function detailsOf(call: Call): { node: string | undefined; attempts: number; outcomeUnknown: boolean } {
  return { node: call.peer?.address, attempts: call.sends, outcomeUnknown: call.maybeDone };
}

/** The error of the last attempt, with what all attempts together know. */
export function lastWord(call: Call, error: PartitaError): PartitaError {
  const { code, message, retryable, cause, context, retryAfterMs } = error;
  const node = error.node ?? call.peer?.address;
  return errorOf(code, message, { ...detailsOf(call), retryable, cause, context, retryAfterMs, node });
}

/** What a call was waiting for when its deadline passed; asked before it is taken from whoever holds it. */
export function phaseOf({ state, peer }: Call): TimeoutError['phase'] {
  if (state === 'sent') return 'reply';
  return peer !== null && peer.isUp ? 'queue' : 'connect';
}

export function deadlineError(call: Call, phase: TimeoutError['phase']): TimeoutError {
  const { peer, endMs, startedMs } = call;
  const what = { reply: 'no reply', queue: 'no room among the calls under way', connect: 'no connection' }[phase];
  const node = peer === null ? '' : phase === 'reply' ? ` from ${peer.address}` : ` to ${peer.address}`;
  const cause = call.lastFailure ?? peer?.lastError ?? undefined;
  const text = `${what}${node} within ${Math.round(endMs - startedMs)} ms`;
  return new TimeoutError(text, phase, { ...detailsOf(call), retryable: true, cause });
}

/** Why a call goes to another node, too. */
export function silenceError(call: Call, limitMs: number): TimeoutError {
  const phase = phaseOf(call);
  const what = phase === 'reply' ? 'No reply from' : 'No connection to';
  const text = `${what} ${call.peer?.address ?? 'anybody'} for ${Math.round(limitMs)} ms`;
  return new TimeoutError(text, phase, { ...detailsOf(call), retryable: true });
}

export function abortedError(call: Call, cause: unknown): PartitaError {
  return new PartitaError('ABORTED', `The ${call.operation.name} was aborted`, { ...detailsOf(call), cause });
}

/** About the request, not the node that says so: every other node would say the same. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'DENIED',
  'INVALID_ARGUMENT',
  'TOO_LARGE',
  'INVALID_CONTEXT',
  'SIBLINGS_LIMIT',
]);

/** Ends the call whatever other attempts of it are under way. */
export function isFinal({ code, retryable, outcomeUnknown }: PartitaError): boolean {
  return !retryable && !outcomeUnknown && REFUSALS.has(code);
}
