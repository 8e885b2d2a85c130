/*
 * What scripts branch on; never renumbered.
 *
 *   0  done
 *   1  failed for a reason of its own, which stderr has
 *   2  the command line, or a file that it names, is wrong
 *   3  no value under that key
 *   4  no quorum, or nobody could be reached
 *   5  the time was up
 *   6  several versions, and the output had room for one
 */
import { ConnectionError, PartitaError } from '../client/index.js';
import type { ErrorCode } from '../client/index.js';
import { UsageError } from './io.js';

export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_NOT_FOUND = 3;
export const EXIT_UNAVAILABLE = 4;
export const EXIT_TIMEOUT = 5;
export const EXIT_CONFLICT = 6;

const OF_CODE: Partial<Record<ErrorCode, number>> = {
  TIMEOUT: EXIT_TIMEOUT,
  QUORUM_UNAVAILABLE: EXIT_UNAVAILABLE,
  UNAVAILABLE: EXIT_UNAVAILABLE,
  UNKNOWN_STATE: EXIT_UNAVAILABLE,
  OVERLOADED: EXIT_UNAVAILABLE,
  DRAINING: EXIT_UNAVAILABLE,
  CONNECTION: EXIT_UNAVAILABLE,
  INVALID_ARGUMENT: EXIT_USAGE,
  INVALID_CONTEXT: EXIT_USAGE,
};

const NEXT_STEP: Partial<Record<ErrorCode, string>> = {
  CONNECTION: 'Is partitad running there? Name another node with --server HOST:PORT',
  UNAUTHENTICATED: 'Give the token that the node asks for with --token-file FILE',
  DENIED: 'Use a token that has the right to do this',
  TIMEOUT: 'Allow more time with --timeout, or see how the node is: partita ping',
  QUORUM_UNAVAILABLE: 'Ask for fewer replicas (--r, --w), or wait until nodes are back',
  OVERLOADED: 'Try again in a moment',
  DRAINING: 'The node is being stopped; name another with --server HOST:PORT',
  INVALID_CONTEXT: 'Read the key again: partita get KEY --context-file FILE',
  SIBLINGS_LIMIT:
    'Merge its versions: partita get KEY -o json --context-file FILE, then partita put KEY VALUE --context-file FILE',
  RETRY_TOO_LATE: 'Read the key to see whether the write happened',
  DISK_FULL: 'Make room on the node, or name another with --server HOST:PORT',
  VERSION_MISMATCH: 'Use the partita of the same release as the node',
};

/** Nobody at the admin socket of a node, or not for us: there it is not --server that helps. */
export class AdminUnreachableError extends ConnectionError {}

const ADMIN_NEXT_STEP =
  'Is partitad running here, and is this its user? Name its socket with --admin unix:/PATH, or its configuration with --config FILE; under systemd it is unix:/run/partita/NAME/admin.sock';

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT_USAGE;
  return PartitaError.is(error) ? (OF_CODE[error.code] ?? EXIT_FAILED) : EXIT_FAILED;
}

/** One line for stderr: what went wrong, why, and what to do. */
export function describeError(error: unknown, what: string): string {
  if (error instanceof UsageError) return `error: ${error.message}`;
  if (!PartitaError.is(error)) return `error: ${what}: ${error instanceof Error ? error.message : String(error)}`;
  const parts = [`${what}: ${error.message}`];
  if (error.outcomeUnknown) parts.push('The write may have happened all the same; get the key to see');
  const nextStep = error instanceof AdminUnreachableError ? ADMIN_NEXT_STEP : NEXT_STEP[error.code];
  if (nextStep !== undefined) parts.push(nextStep);
  return `error: ${parts.join('. ')}`;
}
