/*
 * What a call can fail with. One base class carries everything a program decides by; the subclasses are for those who
 * prefer `instanceof`. `code` never changes its meaning, texts do.
 */
import type { ErrorCode as ServerErrorCode } from '../model/errors.js';
import type { OpaqueContext as Context } from './opaque-context.js';

/**
 * Why a call failed. Upper-case names of protocol/PROTOCOL.md for what a server said, and of our own:
 *
 * - `CONNECTION`: no node could be reached, or the connection broke while the call was under way
 * - `CLOSED`: the client was closed before or during the call
 * - `ABORTED`: the call's `signal` fired; `cause` is its reason
 * - `DECODE`: the codec refused the stored bytes; `cause` is what it threw
 */
export type ErrorCode = ServerErrorCode | 'CONNECTION' | 'CLOSED' | 'ABORTED' | 'DECODE';

/** What an error says beside its code and text. */
export interface PartitaErrorDetails {
  /** Default: false. */
  readonly retryable?: boolean | undefined;
  /** Default: false. */
  readonly outcomeUnknown?: boolean | undefined;
  readonly node?: string | undefined;
  /** Default: 0. */
  readonly attempts?: number | undefined;
  readonly cause?: unknown;
  readonly context?: Context | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** On the prototype, under a registered symbol: the same in every copy of the package. */
const MARK = Symbol.for('partita.error');

/** Base of everything that the client throws or rejects with, except for mistakes in calling it (TypeError, RangeError). */
export class PartitaError extends Error {
  override readonly name: string = 'PartitaError';
  readonly code: ErrorCode;
  /** The same call may succeed later or elsewhere. The client has already retried as far as its policy goes. */
  readonly retryable: boolean;
  /**
   * A put or delete may have happened, or may yet. To find out, read the key; to make sure, put again with the same
   * context: what the lost put wrote is then a sibling at worst, never lost and never doubled by us.
   */
  readonly outcomeUnknown: boolean;
  /** Address of the node that the last attempt went to; undefined if it went nowhere. */
  readonly node: string | undefined;
  /** How many times the request was given to a node. */
  readonly attempts: number;
  /** `SIBLINGS_LIMIT` only: the context of the record as it is, to put again with. */
  readonly context: Context | undefined;
  /** When the server asks to be spared for a while: for how long, ms. */
  readonly retryAfterMs: number | undefined;

  static {
    Object.defineProperty(PartitaError.prototype, MARK, { value: true });
  }

  constructor(code: ErrorCode, text: string, details: PartitaErrorDetails = {}) {
    super(text, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.retryable = details.retryable ?? false;
    this.outcomeUnknown = details.outcomeUnknown ?? false;
    this.node = details.node;
    this.attempts = details.attempts ?? 0;
    this.context = details.context;
    this.retryAfterMs = details.retryAfterMs;
  }

  /**
   * Whether `value` is an error of Partita's (with this code, if one is given). Unlike `instanceof`, it also knows those
   * of a second copy of the package.
   */
  static is(value: unknown, code?: ErrorCode): value is PartitaError {
    if (typeof value !== 'object' || value === null || !(MARK in value)) return false;
    return code === undefined || (value as unknown as PartitaError).code === code;
  }
}

/** The deadline passed (`TIMEOUT`). */
export class TimeoutError extends PartitaError {
  override readonly name: string = 'TimeoutError';
  /** What the call was waiting for: a connection, room among the calls under way, or the reply. */
  readonly phase: 'connect' | 'queue' | 'reply';

  constructor(text: string, phase: 'connect' | 'queue' | 'reply', details: PartitaErrorDetails = {}) {
    super('TIMEOUT', text, details);
    this.phase = phase;
  }
}

/** Too few replicas answered (`QUORUM_UNAVAILABLE`, `UNAVAILABLE`, `UNKNOWN_STATE`); the text has the numbers. */
export class QuorumError extends PartitaError {
  override readonly name: string = 'QuorumError';
}

/** No connection, or a broken one (`CONNECTION`), or a closed client (`CLOSED`). */
export class ConnectionError extends PartitaError {
  override readonly name: string = 'ConnectionError';
}

/** Too many calls wait already, here or in the server (`OVERLOADED`). */
export class OverloadedError extends PartitaError {
  override readonly name: string = 'OverloadedError';
}

/** The peer does not speak our protocol, or not our version of it (`PROTOCOL`, `VERSION_MISMATCH`). */
export class ProtocolError extends PartitaError {
  override readonly name: string = 'ProtocolError';
}

/** The error of a code: the subclass that goes with it. */
export function errorOf(code: ErrorCode, text: string, details: PartitaErrorDetails): PartitaError {
  switch (code) {
    case 'TIMEOUT':
      return new TimeoutError(text, 'reply', details);
    case 'QUORUM_UNAVAILABLE':
    case 'UNAVAILABLE':
    case 'UNKNOWN_STATE':
      return new QuorumError(code, text, details);
    case 'CONNECTION':
    case 'CLOSED':
      return new ConnectionError(code, text, details);
    case 'OVERLOADED':
      return new OverloadedError(code, text, details);
    case 'PROTOCOL':
    case 'VERSION_MISMATCH':
      return new ProtocolError(code, text, details);
    default:
      return new PartitaError(code, text, details);
  }
}
