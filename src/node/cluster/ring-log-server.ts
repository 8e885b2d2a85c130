/* The frames by which members agree on rings, as they come in: what they mean is done by ring-log.ts. */
import { copyBytes } from '../../lib/bytes.js';
import { failure } from '../../model/errors.js';
import type { RingBytes } from '../../model/ring-log-messages.js';
import {
  decodeRingAccept,
  decodeRingLearn,
  decodeRingPrepare,
  encodeRingAcceptReply,
  encodeRingLearnReply,
  encodeRingPrepareReply,
} from '../../wire/codec-ring-log.js';
import {
  nameOfKind,
  RING_ACCEPT,
  RING_ACCEPT_REPLY,
  RING_LEARN,
  RING_LEARN_REPLY,
  RING_PREPARE,
  RING_PREPARE_REPLY,
} from '../../wire/kinds.js';
import { isFault } from '../../wire/plain.js';
import type { Incoming } from '../incoming.js';
import { replyBody, replyError } from '../replies.js';
import type { Session } from '../session.js';
import type { RingLog } from './ring-log.js';

/** Who asks, as far as it matters here. */
export type RingSession = Pick<Session, 'connection' | 'closed' | 'finish' | 'refuse'>;

export class RingLogServer {
  readonly #ringLog: RingLog;

  constructor(ringLog: RingLog) {
    this.#ringLog = ringLog;
  }

  /** False: the kind is none of these. `from`: the ordinal of the member that asks. */
  serve(session: RingSession, frame: Incoming, from: number): boolean {
    switch (frame.kind) {
      case RING_PREPARE:
        this.#prepare(session, frame, from);
        return true;
      case RING_ACCEPT:
        this.#accept(session, frame, from);
        return true;
      case RING_LEARN:
        this.#learn(session, frame, from);
        return true;
      default:
        return false;
    }
  }

  #prepare(session: RingSession, frame: Incoming, from: number): void {
    const prepare = decodeRingPrepare(frame.bytes, frame.start, frame.end);
    if (isFault(prepare)) return this.#malformed(session, frame, prepare);
    const { requestId, bodyBytes } = frame;
    this.#ringLog.prepare(from, prepare, (said) => {
      if (said.kind !== 'accepted') replyBody(session, RING_PREPARE_REPLY, requestId, encodeRingPrepareReply(said));
      session.finish(bodyBytes);
    });
  }

  #accept(session: RingSession, frame: Incoming, from: number): void {
    const accept = decodeRingAccept(frame.bytes, frame.start, frame.end);
    if (isFault(accept)) return this.#malformed(session, frame, accept);
    const { requestId, bodyBytes } = frame;
    this.#ringLog.accept(from, { ...accept, document: owned(accept.document) }, (said) => {
      if (said === null) replyError(session, requestId, DAMAGED);
      else if (said.kind !== 'promised') replyBody(session, RING_ACCEPT_REPLY, requestId, encodeRingAcceptReply(said));
      session.finish(bodyBytes);
    });
  }

  #learn(session: RingSession, frame: Incoming, from: number): void {
    const learn = decodeRingLearn(frame.bytes, frame.start, frame.end);
    if (isFault(learn)) return this.#malformed(session, frame, learn);
    const { requestId, bodyBytes } = frame;
    const document = learn.document === null ? null : owned(learn.document);
    this.#ringLog.learn(from, { ...learn, document }, (reply) => {
      if (reply === null) replyError(session, requestId, DAMAGED);
      else replyBody(session, RING_LEARN_REPLY, requestId, encodeRingLearnReply(reply));
      session.finish(bodyBytes);
    });
  }

  #malformed(session: RingSession, frame: Incoming, fault: string): void {
    const { requestId, bodyBytes, kind } = frame;
    session.finish(bodyBytes);
    session.refuse(requestId, failure('PROTOCOL', `${nameOfKind(kind)} cannot be read: ${fault}`));
  }
}

const DAMAGED = failure(
  'INVALID_ARGUMENT',
  'The hash of the ring is another: it was damaged on its way, send it again',
);

/** The frame's memory is used again. */
const owned = ({ bytes, hash }: RingBytes): RingBytes => ({ bytes: copyBytes(bytes), hash });
