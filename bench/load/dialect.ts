/*
 * A language that the raw sender speaks: requests written into an output buffer from templates that were encoded
 * before the run, and replies looked at no further than needed. The three dialects share everything else (slots,
 * clocks, recording), so that a server and its floor are measured by the same hand.
 *
 * A dialect belongs to one thread and is not re-entrant: `parse` leaves the reply in its fields, `judge…` reads them.
 */
import type { ContextStore } from './contexts.js';

export const NOT_FOUND = 'not_found';
export const MISMATCH = 'mismatch';

export interface WireDialect {
  /** Sent first on each connection, and answered by one reply; empty: there is none. */
  readonly greeting: Uint8Array;
  /** What is wrong with the reply to the greeting that was just parsed; empty: nothing. */
  greetingFault(): string;
  /** Room to be made before any `write…`. */
  readonly requestBytesMax: number;
  /** `write…` return the offset behind the request. */
  writeGet(target: Buffer, at: number, requestId: number, key: number): number;
  writePut(target: Buffer, at: number, requestId: number, key: number, valueBytes: number): number;
  writeDelete(target: Buffer, at: number, requestId: number, key: number): number;

  /** Looks for a reply at `start`: its size, or 0 if it is not all there yet. */
  parse(bytes: Buffer, start: number, end: number): number;
  /** Replies carry no id and come in the order of the requests. */
  readonly inOrder: boolean;
  /** Of the reply just parsed; -1: it answers no request (a server says that it drains). */
  readonly requestId: number;
  /** `ok`, `not_found`, `mismatch` (see `fault`) or an error's code, of the reply just parsed. */
  judgeGet(key: number, learnContext: boolean): string;
  judgeWrite(key: number): string;
  /** What was wrong in the last mismatch. */
  readonly fault: string;
  /** Where contexts are kept, if this dialect has any. */
  readonly contexts: ContextStore | undefined;
  /** Seconds since 1970, told several times a second: put ids carry it. */
  seconds: number;
}

/** Keys are "user" and twelve digits: as long as each other, so that a template fits them all. */
export const KEY_BYTES = 16;
const PREFIX = Buffer.from('user');

export function writeKey(target: Uint8Array, at: number, key: number): void {
  for (let i = 0; i < 4; i++) target[at + i] = PREFIX[i] as number;
  let rest = key;
  for (let i = at + KEY_BYTES - 1; i >= at + 4; i--) {
    const next = Math.floor(rest / 10);
    target[i] = 48 + rest - next * 10;
    rest = next;
  }
}

export function keyBytes(key: number): Buffer {
  const bytes = Buffer.alloc(KEY_BYTES);
  writeKey(bytes, 0, key);
  return bytes;
}
