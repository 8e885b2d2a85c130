import type { Fault } from '../../coordinator/asked.js';
import type { Failure } from '../../model/errors.js';
import type { StoreReplyView } from '../../wire/read-peer.js';
import type { StoreAsker } from '../peers/request.js';

export interface CopyReply {
  readonly durable: boolean;
  /** It keeps the copy with a hint, whatever it was asked for. */
  readonly hinted: boolean;
  /** By which it lives. */
  readonly ringVersion: number;
}

/** A put that has sent copies. */
interface CopyTarget {
  onAcked(ticket: number, reply: CopyReply): void;
  onFailed(ticket: number, fault: Fault): void;
  /** The node's reap fence is above our stamp. */
  onBehind(node: number, ticket: number, fence: number): void;
}

/** Answers of replicas, as the asker of a link hears them. */
export class CopyAcks implements StoreAsker {
  readonly #put: CopyTarget;

  constructor(put: CopyTarget) {
    this.#put = put;
  }

  onStored(_from: number, tag: number, reply: StoreReplyView): void {
    this.#put.onAcked(tag, reply);
  }

  onRefused(from: number, tag: number, refusal: Failure): void {
    if (refusal.fence !== undefined) this.#put.onBehind(from, tag, refusal.fence);
    else this.#put.onFailed(tag, refusal.outcomeUnknown ? 'lost' : refusal.code);
  }

  onUnanswered(_from: number, tag: number): void {
    this.#put.onFailed(tag, 'lost');
  }
}
