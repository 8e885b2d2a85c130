/*
 * What a node says, written straight into a connection's output. Nothing is written to a connection that is gone.
 */
import type { Failure } from '../model/errors.js';
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
import { writeFrame } from '../wire/frame.js';
import { FRAME_HEADER_BYTES } from '../model/limits.js';
import type { Session } from './session.js';

/** From this size on a value leaves as a chunk of its own, uncopied, where its bytes are nobody else's. */
export const OWN_CHUNK_BYTES_MIN = 16_384;

export function replyError(session: Session, requestId: number, failure: Failure, ringVersion: number = 0): void {
  if (session.closed) return;
  const { connection } = session;
  const at = connection.claim(sizeOfErrorFrame(failure, ringVersion));
  writeErrorFrame(connection.output, at, requestId, failure, ringVersion);
}

/** `owned`: the last sibling's bytes belong to this reply alone and never change. */
export function replyGet(session: Session, requestId: number, parts: ReplyParts, origin: Uint8Array, owned: boolean): void {
  if (session.closed) return;
  const { connection } = session;
  const last = parts.count - 1;
  const lastStart = last < 0 ? 0 : (parts.valueStarts[last] as number);
  const lastEnd = last < 0 ? 0 : (parts.valueEnds[last] as number);
  if (owned && lastEnd - lastStart >= OWN_CHUNK_BYTES_MIN) {
    const at = connection.claim(sizeOfGetReplyHead(parts, origin));
    writeGetReplyHead(connection.output, at, requestId, parts, origin);
    connection.sendChunk((parts.values[last] as Uint8Array).subarray(lastStart, lastEnd));
    return;
  }
  const at = connection.claim(sizeOfGetReplyFrame(parts, origin));
  writeGetReplyFrame(connection.output, at, requestId, parts, origin);
}

export function replyPut(session: Session, requestId: number, parts: ReplyParts, siblingCount: number, origin: Uint8Array): void {
  if (session.closed) return;
  const { connection } = session;
  const at = connection.claim(sizeOfPutReplyFrame(parts, siblingCount, origin));
  writePutReplyFrame(connection.output, at, requestId, parts, siblingCount, origin);
}

export function replyPong(session: Session, requestId: number, ringVersion: number, wallMs: number): void {
  if (session.closed) return;
  const { connection } = session;
  const at = connection.claim(sizeOfPongFrame(ringVersion, wallMs));
  writePongFrame(connection.output, at, requestId, ringVersion, wallMs);
}

/** A message that is rare enough to be a body first and a frame then. */
export function replyBody(session: Session, kind: number, requestId: number, body: Uint8Array): void {
  if (session.closed) return;
  const { connection } = session;
  const at = connection.claim(FRAME_HEADER_BYTES + body.length);
  writeFrame(connection.output, at, kind, requestId, body);
}
