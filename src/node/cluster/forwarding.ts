/*
 * A put on its way to an owner of its key: FORWARD, once a node, to at most FORWARDS_MAX of them. Who gets one answers as
 * it would have answered the client, and that answer is passed on as it is.
 *
 * What could not be sent has not happened. What was not answered may have: whoever does it next is told that it is a retry,
 * and the put's id keeps it from being shown twice.
 */
import { chooseCoordinator, HERE } from '../../coordinator/choose-coordinator.js';
import type { Preference } from '../../coordinator/preference.js';
import type { Failure } from '../../model/errors.js';
import { FRAME_HEADER_BYTES } from '../../model/limits.js';
import type { PutRequest } from '../../model/messages.js';
import { DELETE, PUT } from '../../wire/kinds.js';
import type { ForwardReplyView } from '../../wire/read-peer.js';
import { sizeOfPutFrame, writePutFrame } from '../../wire/write-requests.js';
import type { ForwardAsker } from '../peers/request.js';
import type { ClusterParts } from './parts.js';

/** An owner that has not answered by then is not waited for: this node can do it as well. */
const PATIENCE_MS_MAX = 1_000;

/** Whose put it is. */
export interface Forwarder {
  onForwarded(kind: number, bytes: Uint8Array, start: number, end: number): void;
  onNobody(isRetry: boolean): void;
}

export class Forwarding implements ForwardAsker {
  /** Somebody that did not answer may have done it. */
  mayHaveHappened: boolean = false;
  readonly #parts: ClusterParts;
  readonly #put: Forwarder;
  readonly #request: PutRequest;
  readonly #cannotStore: boolean;
  readonly #preference: Preference;
  readonly #deadlineMs: number;
  readonly #excluded: number[] = [];

  /** `request`'s bytes must stay. `cannotStore`: this node has tried, and its store takes nothing. */
  constructor(
    parts: ClusterParts,
    put: Forwarder,
    request: PutRequest,
    preference: Preference,
    deadlineMs: number,
    cannotStore: boolean,
  ) {
    this.#parts = parts;
    this.#put = put;
    this.#request = request;
    this.#preference = preference;
    this.#deadlineMs = deadlineMs;
    this.#cannotStore = cannotStore;
  }

  to(node: number): void {
    const { links, meters, preferences } = this.#parts;
    meters.forwarded.add(1);
    const leftMs = Math.max(1, Math.floor(this.#deadlineMs - this.#parts.nowMs()));
    const budgetMs = Math.min(leftMs, PATIENCE_MS_MAX);
    const frame = this.#encode(budgetMs);
    const body = frame.subarray(FRAME_HEADER_BYTES);
    const kind = this.#request.value === undefined ? DELETE : PUT;
    const forward = { kind, budgetMs, ringVersion: preferences.ringVersion, body };
    if ((links.get(node)?.forward(forward, budgetMs, this, node) ?? null) === null) this.#next(node);
  }

  onForwarded(_from: number, _tag: number, reply: ForwardReplyView): void {
    this.#put.onForwarded(reply.kind, reply.bytes, reply.body.start, reply.body.end);
  }

  /** It would not have it at all: what it answers to the put itself comes as an answer. */
  onRefused(from: number, _tag: number, refusal: Failure): void {
    if (refusal.outcomeUnknown) this.mayHaveHappened = true;
    this.#next(from);
  }

  onUnanswered(from: number): void {
    this.mayHaveHappened = true;
    this.#next(from);
  }

  #next(failed: number): void {
    const { self, table } = this.#parts;
    this.#excluded.push(failed);
    const circumstances = { forwarded: false, cannotStore: this.#cannotStore, excluded: this.#excluded };
    const node = chooseCoordinator(self, this.#preference, table, circumstances, this.#parts.nowMs());
    if (node === HERE) this.#put.onNobody(this.mayHaveHappened);
    else this.to(node);
  }

  #encode(budgetMs: number): Uint8Array {
    const request = { ...this.#request, budgetMs, retry: this.#request.retry || this.mayHaveHappened };
    const frame = new Uint8Array(sizeOfPutFrame(request));
    writePutFrame(frame, 0, 0, request);
    return frame;
  }
}
