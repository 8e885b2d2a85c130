/*
 * What the client of a chaos run did and was told, one entry for every get, put and delete. Values are stamped
 * (support/stamp.ts), so a value stands for the id of the put that wrote it.
 */

/**
 * What a key is used for; each has keys of its own.
 *
 *   merge   read, and write with what was read: siblings become one value
 *   blind   puts without a context, which pile up as siblings, and now and then a merge
 *   chain   a put, and another on the context that the first was answered with
 *   gone    read, then delete what was read, or put
 *   one     puts with w = 1, without a context
 */
export type Stream = 'merge' | 'blind' | 'chain' | 'gone' | 'one';
export const STREAMS: readonly Stream[] = ['merge', 'blind', 'chain', 'gone', 'one'];

/**
 *   ok       a get was answered, a put or delete acknowledged
 *   refused  it did not happen, the client was told
 *   unknown  a put or delete that may have happened, or may yet
 */
export type Outcome = 'ok' | 'refused' | 'unknown';

export interface Operation {
  readonly id: number;
  readonly stream: Stream;
  readonly kind: 'get' | 'put' | 'delete';
  readonly key: string;
  /** By the machine's monotonic clock, which all processes share. */
  readonly startMs: number;
  readonly endMs: number;
  readonly outcome: Outcome;
  /** Of the error; empty when ok. */
  readonly code: string;
  readonly text: string;
  /** Node that the last attempt went to. */
  readonly node: string;
  readonly attempts: number;
  /** Puts whose values the writer had seen and told the store that it replaces. */
  readonly replaces: readonly number[];
  /** Puts whose values a get answered with. */
  readonly shown: readonly number[];
  /** Values that a get answered with and that no put of this run wrote under this key. */
  readonly strange: readonly string[];
}

/** What is under a key after healing; `shown` is null when the store could not say, and `strange` says why. */
export interface FinalState {
  readonly key: string;
  readonly shown: readonly number[] | null;
  readonly strange: readonly string[];
}

/** Milliseconds of CLOCK_MONOTONIC. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}
