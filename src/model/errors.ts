/*
 * Error codes as they travel. The numbers are in protocol/PROTOCOL.md; a number or a name is never reused or renamed.
 * `retryable`: the same request may succeed later or elsewhere. `outcomeUnknown` is per error, not per code.
 */
export type ErrorCode =
  | 'PROTOCOL'
  | 'VERSION_MISMATCH'
  | 'UNAUTHENTICATED'
  | 'DENIED'
  | 'INVALID_ARGUMENT'
  | 'TOO_LARGE'
  | 'INVALID_CONTEXT'
  | 'SIBLINGS_LIMIT'
  | 'RETRY_TOO_LATE'
  | 'OVERLOADED'
  | 'DISK_FULL'
  | 'TIMEOUT'
  | 'UNAVAILABLE'
  | 'QUORUM_UNAVAILABLE'
  | 'UNKNOWN_STATE'
  | 'DRAINING'
  | 'INTERNAL'
  | 'BEHIND_FENCE'
  | 'NOT_A_MEMBER';

export const ERROR_CODES: Readonly<Record<ErrorCode, { readonly number: number; readonly retryable: boolean }>> = {
  PROTOCOL: { number: 1, retryable: false },
  VERSION_MISMATCH: { number: 2, retryable: false },
  UNAUTHENTICATED: { number: 3, retryable: false },
  DENIED: { number: 4, retryable: false },
  INVALID_ARGUMENT: { number: 5, retryable: false },
  TOO_LARGE: { number: 6, retryable: false },
  INVALID_CONTEXT: { number: 7, retryable: false },
  SIBLINGS_LIMIT: { number: 8, retryable: false },
  RETRY_TOO_LATE: { number: 9, retryable: false },
  OVERLOADED: { number: 10, retryable: true },
  DISK_FULL: { number: 11, retryable: true },
  TIMEOUT: { number: 12, retryable: true },
  UNAVAILABLE: { number: 13, retryable: true },
  QUORUM_UNAVAILABLE: { number: 14, retryable: true },
  UNKNOWN_STATE: { number: 15, retryable: true },
  DRAINING: { number: 16, retryable: true },
  INTERNAL: { number: 17, retryable: false },
  BEHIND_FENCE: { number: 18, retryable: true },
  NOT_A_MEMBER: { number: 19, retryable: false },
};

const CODE_OF_NUMBER: ReadonlyMap<number, ErrorCode> = new Map(
  (Object.keys(ERROR_CODES) as ErrorCode[]).map((code) => [ERROR_CODES[code].number, code]),
);

/** The code of a number from the wire; INTERNAL for one that a newer peer knows and we do not. */
export function errorCodeOf(number: number): ErrorCode {
  return CODE_OF_NUMBER.get(number) ?? 'INTERNAL';
}

/** A refusal or failure as data: what goes wrong in the pure parts, and what an error frame carries. */
export interface Failure {
  readonly code: ErrorCode;
  /** Sentence case, no full stop, with the numbers. */
  readonly text: string;
  readonly retryable: boolean;
  /** The request may have had its effect. */
  readonly outcomeUnknown: boolean;
  /** SIBLINGS_LIMIT: the context of the record, to read and put again with. */
  readonly context?: Uint8Array;
  readonly retryAfterMs?: number;
  /** BEHIND_FENCE: what the record's stamp must be at least. */
  readonly fence?: number;
}

export function failure(
  code: ErrorCode,
  text: string,
  more: {
    readonly outcomeUnknown?: boolean;
    readonly context?: Uint8Array;
    readonly retryAfterMs?: number;
    readonly fence?: number;
  } = {},
): Failure {
  return { code, text, retryable: ERROR_CODES[code].retryable, outcomeUnknown: false, ...more };
}
