/* The frames that are the connection's own business, and errors as they arrive. */
import type { Connection } from '../../env/transport.js';
import type { Failure } from '../../model/errors.js';
import { FRAME_HEADER_BYTES } from '../../model/limits.js';
import type { HelloReply } from '../../model/messages.js';
import { decodeError, decodeGoAway, decodeHelloReply, encodeHello, encodePing } from '../../wire/codec-connection.js';
import { writeFrame } from '../../wire/frame.js';
import { HELLO, PING } from '../../wire/kinds.js';
import { isFault } from '../../wire/plain.js';
import { contextOf } from '../opaque-context.js';
import { ProtocolError, errorOf } from '../errors.js';
import type { PartitaError } from '../errors.js';

/** The one version of the protocol that this client speaks. */
export const PROTOCOL_VERSION = 1;

export interface Greeting {
  readonly cluster: string;
  readonly clientName: string;
  readonly token: Uint8Array;
}

/** Writes a frame whose body is in bytes already. */
export function sendFrame(connection: Connection, kind: number, requestId: number, body: Uint8Array): void {
  const at = connection.claim(FRAME_HEADER_BYTES + body.length);
  writeFrame(connection.output, at, kind, requestId, body);
}

export function writeHello(connection: Connection, requestId: number, greeting: Greeting): void {
  const hello = {
    versionMin: PROTOCOL_VERSION,
    versionMax: PROTOCOL_VERSION,
    role: 'client' as const,
    features: 0,
    ...greeting,
  };
  sendFrame(connection, HELLO, requestId, encodeHello(hello));
}

export function writePing(connection: Connection, requestId: number, budgetMs: number): void {
  sendFrame(connection, PING, requestId, encodePing({ budgetMs: Math.ceil(budgetMs) }));
}

/** Throws RangeError when it cannot be read, or names a version or limits that cannot be. */
export function readHelloReply(bytes: Uint8Array, start: number, end: number): HelloReply {
  const hello = orThrow(decodeHelloReply(bytes, start, end));
  if (hello.version !== PROTOCOL_VERSION) throw new RangeError(`Version ${hello.version} was not offered`);
  if (hello.inFlightMax < 1) throw new RangeError('No request may be under way');
  if (hello.frameBodyBytesMax < 1) throw new RangeError('No frame may have a body');
  return hello;
}

export function readGoAway(bytes: Uint8Array, start: number, end: number): string {
  const goAway = decodeGoAway(bytes, start, end);
  return isFault(goAway) || goAway.reason === '' ? 'no reason given' : goAway.reason;
}

export interface HeardError {
  readonly error: PartitaError;
  readonly ringVersion: number;
}

/** An error frame as the error that it means. */
export function errorOfFrame(bytes: Uint8Array, start: number, end: number, node: string): HeardError {
  const message = decodeError(bytes, start, end);
  if (isFault(message)) {
    const error = new ProtocolError('PROTOCOL', `${node} sent an error that cannot be read: ${message}`, {
      node,
      outcomeUnknown: true,
    });
    return { error, ringVersion: 0 };
  }
  return { error: errorOfFailure(message, node), ringVersion: message.ringVersion };
}

/** A failure as a server put it; its context is copied, since it may lie in a receive buffer. */
export function errorOfFailure(failure: Failure, node: string | undefined, attempts: number = 0): PartitaError {
  const { code, text, retryable, outcomeUnknown, retryAfterMs } = failure;
  const context = failure.context === undefined ? undefined : contextOf(new Uint8Array(failure.context));
  return errorOf(code, text, { retryable, outcomeUnknown, retryAfterMs, node, context, attempts });
}

/** What a decoder answered, or its complaint thrown. */
export function orThrow<T extends object>(result: T | string): T {
  if (isFault(result)) throw new RangeError(result);
  return result;
}
