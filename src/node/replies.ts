/*
 * What a node says, written straight into a connection's output. Nothing is written to a connection that is gone.
 */
import { failure, type Failure } from '../model/errors.js';
import {
  type ReplyParts,
  sizeOfErrorFrame,
  sizeOfGetReplyFrame,
  sizeOfGetReplyHead,
  sizeOfPongFrame,
  sizeOfPutReplyFrame,
  writeErrorFrame,
  writeGetReplyFrame,
  writeGetReplyHead,
  writePongFrame,
  writePutReplyFrame,
} from '../wire/write-replies.js';
import type { ReplyItems } from '../wire/reply-items.js';
import { writeFrame, writeFrameHeader } from '../wire/frame.js';
import { copyInto } from '../wire/varint.js';
import { FRAME_HEADER_BYTES } from '../model/limits.js';
import { encodeGoAway } from '../wire/codec-connection.js';
import { GO_AWAY } from '../wire/kinds.js';
import type { Connection } from '../env/transport.js';

/** Whom an answer goes to: a session. */
export interface Listener {
  readonly connection: Pick<Connection, 'claim' | 'output' | 'sendChunk'>;
  /** Gone: what is said is dropped. */
  readonly closed: boolean;
}

/** From this size on a value leaves as a chunk of its own, uncopied, where its bytes are nobody else's. */
export const OWN_CHUNK_BYTES_MIN = 16_384;

/** Of a request that whoever sent it does not wait for any more. */
export const TOO_LATE: Failure = failure('TIMEOUT', 'It was on its way for longer than its budget, and was not done');

export function replyError(session: Listener, requestId: number, refusal: Failure, ringVersion: number = 0): void {
  if (session.closed) return;
  const { connection } = session;
  const at = connection.claim(sizeOfErrorFrame(refusal, ringVersion));
  writeErrorFrame(connection.output, at, requestId, refusal, ringVersion);
}

/** How the context of a get's reply is written once its place in the output is known. */
export interface ContextWriter {
  encodeContext(target: Uint8Array, at: number): void;
}

/**
 * `owned`: the last sibling's bytes belong to this reply alone and never change. `context` fills what the parts reserved.
 */
export function replyGet(
  session: Listener,
  requestId: number,
  parts: ReplyParts,
  origin: Uint8Array,
  owned: boolean,
  context: ContextWriter,
): void {
  if (session.closed) return;
  const { connection } = session;
  const last = parts.count - 1;
  const lastStart = last < 0 ? 0 : (parts.valueStarts[last] as number);
  const lastEnd = last < 0 ? 0 : (parts.valueEnds[last] as number);
  const ownChunk = owned && lastEnd - lastStart >= OWN_CHUNK_BYTES_MIN;
  const at = connection.claim(ownChunk ? sizeOfGetReplyHead(parts, origin) : sizeOfGetReplyFrame(parts, origin));
  const { output } = connection;
  if (ownChunk) writeGetReplyHead(output, at, requestId, parts, origin);
  else writeGetReplyFrame(output, at, requestId, parts, origin);
  if (parts.contextAt >= 0) context.encodeContext(output, parts.contextAt);
  if (ownChunk) connection.sendChunk((parts.values[last] as Uint8Array).subarray(lastStart, lastEnd));
}

export function replyPut(
  session: Listener,
  requestId: number,
  parts: ReplyParts,
  siblingCount: number,
  origin: Uint8Array,
): void {
  if (session.closed) return;
  const { connection } = session;
  const at = connection.claim(sizeOfPutReplyFrame(parts, siblingCount, origin));
  writePutReplyFrame(connection.output, at, requestId, parts, siblingCount, origin);
}

export function replyPong(session: Listener, requestId: number, ringVersion: number, wallMs: number): void {
  if (session.closed) return;
  const { connection } = session;
  const at = connection.claim(sizeOfPongFrame(ringVersion, wallMs));
  writePongFrame(connection.output, at, requestId, ringVersion, wallMs);
}

/** A message that is rare enough to be a body first and a frame then. */
export function replyBody(session: Listener, kind: number, requestId: number, body: Uint8Array): void {
  if (session.closed) return;
  const { connection } = session;
  const at = connection.claim(FRAME_HEADER_BYTES + body.length);
  writeFrame(connection.output, at, kind, requestId, body);
}

/** A body that somebody else has encoded. */
export function replyRange(
  session: Listener,
  kind: number,
  requestId: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  if (session.closed) return;
  const { connection } = session;
  const at = connection.claim(FRAME_HEADER_BYTES + end - start);
  writeFrameHeader(connection.output, at, kind, requestId, end - start);
  copyInto(connection.output, at + FRAME_HEADER_BYTES, bytes, start, end);
}

/** A message that ends in a field of bytes: `head` is the rest of it. Both are copied, here and no more. */
export function replyTailed(
  session: Listener,
  kind: number,
  requestId: number,
  head: Uint8Array,
  tail: Uint8Array,
): void {
  if (session.closed) return;
  const { connection } = session;
  const bodyBytes = head.length + tail.length;
  const at = connection.claim(FRAME_HEADER_BYTES + bodyBytes);
  const { output } = connection;
  writeFrameHeader(output, at, kind, requestId, bodyBytes);
  output.set(head, at + FRAME_HEADER_BYTES);
  output.set(tail, at + FRAME_HEADER_BYTES + head.length);
}

export function sendGoAway(session: Listener, reason: string): void {
  replyBody(session, GO_AWAY, 0, encodeGoAway({ reason }));
}

export function replyItems(session: Listener, kind: number, requestId: number, items: ReplyItems): void {
  if (session.closed) return;
  const { connection } = session;
  const at = connection.claim(items.frameBytes);
  items.writeFrame(connection.output, at, kind, requestId);
}
