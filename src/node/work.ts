/*
 * A get or a put under way, as whoever asked for it sees it. In a cluster of one node it is served from this store alone
 * (get.ts, put.ts), in a larger one by several nodes (cluster/). Who asked is a connection, a request for many keys, or
 * another node.
 */
import type { Failure } from '../model/errors.js';
import type { GetRequest, PutRequest } from '../model/messages.js';
import type { ReplyParts } from '../wire/write-replies.js';

interface Work {
  /** For the target's use. */
  requestId: number;
  bodyBytes: number;
  index: number;
  startedMs: number;
  /** Who answered, encoded (wire/); inside the target's calls. */
  readonly origin: Uint8Array;
}

interface Target<W extends Work> {
  onFailure(work: W, failure: Failure): void;
  /** So many bytes more lie in memory until the answer. */
  onHeld(work: W, bytes: number): void;
  /** Once, after the answer: the work may be started again. */
  onOver(work: W): void;
}

export interface GetWork extends Work {
  /** Begins; `request` and its bytes are needed only until this returns. */
  start(target: GetTarget, request: GetRequest, nowMs: number): void;
  /** It waits for what it will find, and does not know yet how much that is. */
  readonly waits: boolean;
  /** Inside `onFound` only: writes the context that was reserved in the parts. */
  encodeContext(target: Uint8Array, at: number): void;
}

export interface GetTarget extends Target<GetWork> {
  /** `parts` holds the versions shown; the context is to be written by `get.encodeContext` once its place is known. */
  onFound(get: GetWork, parts: ReplyParts, owned: boolean): void;
}

export interface PutWork extends Work {
  readonly isDelete: boolean;
  readonly siblingCount: number;
  /** As of a get. */
  start(target: PutTarget, request: PutRequest, nowMs: number): void;
  /** Inside `onStored` only: the parts of the answer. */
  fillReply(parts: ReplyParts): void;
}

export interface PutTarget extends Target<PutWork> {
  onStored(put: PutWork): void;
  /** Another node has coordinated it: this is the body of its answer, PUT_REPLY or ERROR. */
  onForwarded(put: PutWork, kind: number, bytes: Uint8Array, start: number, end: number): void;
}
