/*
 * FORWARD: a put of another node's client. It is answered here as it would be to the client, into a buffer of its own,
 * and that answer goes back inside a FORWARD_REPLY.
 */
import type { Failure } from '../../model/errors.js';
import { FRAME_HEADER_BYTES } from '../../model/limits.js';
import { sizeOfForwardReplyFrame, writeForwardReplyFrame } from '../../wire/write-peer.js';
import { type Listener, replyError, replyPut } from '../replies.js';
import type { Session } from '../session.js';
import type { PutTarget, PutWork } from '../work.js';
import { ClusterPut } from './cluster-put.js';
import type { ClusterParts } from './parts.js';

const KIND_AT = 4;
const OUTPUT_BYTES = 1_024;

export class ForwardedPut implements PutTarget {
  readonly work: ClusterPut;
  readonly #parts: ClusterParts;
  readonly #over: (put: ForwardedPut) => void;
  readonly #answer: Answer = new Answer();
  session: Session | null = null;

  constructor(parts: ClusterParts, over: (put: ForwardedPut) => void) {
    this.#parts = parts;
    this.#over = over;
    this.work = new ClusterPut(parts);
    this.work.isForwarded = true;
  }

  onStored(put: PutWork): void {
    const { parts } = this.#parts.services;
    put.fillReply(parts);
    replyPut(this.#answer, 0, parts, put.siblingCount, put.origin);
    this.#send(put);
  }

  onFailure(put: PutWork, refusal: Failure): void {
    replyError(this.#answer, 0, refusal, this.#parts.preferences.ringVersion);
    this.#send(put);
  }

  /** Who gets a put that was handed on never hands it on again. */
  onForwarded(): void {}

  onHeld(put: PutWork, bytes: number): void {
    this.session?.reserve(bytes);
    put.bodyBytes += bytes;
  }

  onOver(): void {
    this.#over(this);
  }

  #send(put: PutWork): void {
    const session = this.session as Session;
    this.session = null;
    const { output, length } = this.#answer;
    if (!session.closed) {
      const kind = output[KIND_AT] as number;
      const { connection } = session;
      const at = connection.claim(sizeOfForwardReplyFrame(kind, length - FRAME_HEADER_BYTES));
      writeForwardReplyFrame(connection.output, at, put.requestId, kind, output, FRAME_HEADER_BYTES, length);
    }
    session.finish(put.bodyBytes);
  }
}

/** Takes one frame where a connection would be. */
class Answer implements Listener {
  readonly closed: boolean = false;
  output: Uint8Array = new Uint8Array(OUTPUT_BYTES);
  length: number = 0;

  get connection(): Listener['connection'] {
    return this;
  }

  claim(size: number): number {
    if (this.output.length < size) this.output = new Uint8Array(2 * size);
    this.length = size;
    return 0;
  }

  sendChunk(): void {}
}
