/*
 * From the frame that answers a request to whoever asked. Views are used again and again: an answer makes no object.
 */
import { ERROR, FORWARD, READ, STORE, nameOfKind } from '../../wire/kinds.js';
import { decodeError, type ErrorMessage } from '../../wire/codec-connection.js';
import { isFault } from '../../wire/plain.js';
import {
  ForwardReplyView,
  ReadReplyView,
  StoreReplyView,
  decodeForwardReplyInto,
  decodeReadReplyInto,
  decodeStoreReplyInto,
} from '../../wire/read-peer.js';
import type { BodyAsker, ForwardAsker, PeerRequest, ReadAsker, StoreAsker } from './request.js';

const NOTHING = new Uint8Array(0);

export class AnswerReader {
  readonly #store: StoreReplyView = new StoreReplyView();
  readonly #read: ReadReplyView = new ReadReplyView();
  readonly #forward: ForwardReplyView = new ForwardReplyView();
  #refusal: ErrorMessage | null = null;
  /** The body of an answer that its asker decodes. */
  readonly #body: { bytes: Uint8Array; start: number; end: number } = { bytes: NOTHING, start: 0, end: 0 };

  /** Takes the answer in; what is wrong with it, or the empty text. */
  take(asked: number, kind: number, bytes: Uint8Array, start: number, end: number): string {
    this.#refusal = null;
    if (kind === ERROR) {
      const message = decodeError(bytes, start, end);
      if (isFault(message)) return `its ERROR cannot be read: ${message}`;
      this.#refusal = message;
      return '';
    }
    if (kind !== asked + 1) return `a ${nameOfKind(asked)} was answered by a ${nameOfKind(kind)}`;
    const fault = this.#decode(asked, bytes, start, end);
    return fault === '' ? '' : `its ${nameOfKind(kind)} cannot be read: ${fault}`;
  }

  /** Tells the asker what was taken in last. */
  deliver(kind: number, asker: PeerRequest['asker'], from: number, tag: number): void {
    const refusal = this.#refusal;
    if (asker === null) return;
    if (refusal !== null) {
      asker.onRefused(from, tag, refusal);
    } else if (kind === STORE) {
      (asker as StoreAsker).onStored(from, tag, this.#store);
    } else if (kind === READ) {
      (asker as ReadAsker).onRead(from, tag, this.#read);
      this.#read.bytes = NOTHING;
    } else if (kind === FORWARD) {
      (asker as ForwardAsker).onForwarded(from, tag, this.#forward);
      this.#forward.bytes = NOTHING;
    } else {
      const { bytes, start, end } = this.#body;
      this.#body.bytes = NOTHING;
      (asker as BodyAsker).onAnswer(from, tag, bytes, start, end);
    }
  }

  #decode(asked: number, bytes: Uint8Array, start: number, end: number): string {
    if (asked === STORE) return decodeStoreReplyInto(this.#store, bytes, start, end);
    if (asked === READ) return decodeReadReplyInto(this.#read, bytes, start, end);
    if (asked === FORWARD) return decodeForwardReplyInto(this.#forward, bytes, start, end);
    this.#body.bytes = bytes;
    this.#body.start = start;
    this.#body.end = end;
    return '';
  }
}
