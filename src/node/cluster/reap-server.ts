/* The frames by which members of a ring forget deletes, in and out: what they mean is done by reap-member.ts and fences.ts. */
import { copyBytes } from '../../lib/bytes.js';
import { failure } from '../../model/errors.js';
import {
  decodeFences,
  decodeReap,
  decodeReapAsk,
  decodeReapLog,
  decodeReaped,
  encodeFencesReply,
  encodeReapAskReply,
  encodeReapLogReply,
  encodeReapReply,
  encodeReapedReply,
} from '../../wire/codec-reap.js';
import {
  FENCES,
  FENCES_REPLY,
  nameOfKind,
  REAP,
  REAP_ASK,
  REAP_ASK_REPLY,
  REAP_LOG,
  REAP_LOG_REPLY,
  REAP_REPLY,
  REAPED,
  REAPED_REPLY,
} from '../../wire/kinds.js';
import { isFault } from '../../wire/plain.js';
import type { Incoming } from '../incoming.js';
import { replyBody, replyError } from '../replies.js';
import type { Session } from '../session.js';
import type { ClusterParts } from './parts.js';
import type { ReapMember } from './reap-member.js';
import { hearReaped } from './reaped-answer.js';

export class ReapServer {
  readonly #parts: ClusterParts;
  readonly #member: ReapMember;

  constructor(parts: ClusterParts, member: ReapMember) {
    this.#parts = parts;
    this.#member = member;
  }

  /** False: the kind is none of these. */
  serve(session: Session, frame: Incoming): boolean {
    switch (frame.kind) {
      case REAP_ASK:
        this.#ask(session, frame);
        return true;
      case REAP:
        this.#order(session, frame);
        return true;
      case REAP_LOG:
        this.#log(session, frame);
        return true;
      case FENCES:
        this.#fences(session, frame);
        return true;
      case REAPED:
        this.#reaped(session, frame);
        return true;
      default:
        return false;
    }
  }

  #ask(session: Session, frame: Incoming): void {
    const ask = decodeReapAsk(frame.bytes, frame.start, frame.end);
    if (isFault(ask)) return this.#malformed(session, frame, ask);
    const fault = this.#member.headsFault(ask);
    const { requestId, bodyBytes } = frame;
    if (fault !== null) {
      replyError(session, requestId, fault, this.#parts.preferences.ringVersion);
      session.finish(bodyBytes);
      return;
    }
    this.#member.ask({ ...ask, heads: ask.heads.map((head) => copyBytes(head)) }, (reply) => {
      replyBody(session, REAP_ASK_REPLY, requestId, encodeReapAskReply(reply));
      session.finish(bodyBytes);
    });
  }

  #order(session: Session, frame: Incoming): void {
    const order = decodeReap(frame.bytes, frame.start, frame.end);
    if (isFault(order)) return this.#malformed(session, frame, order);
    const fault = this.#member.headsFault(order);
    const { requestId, bodyBytes } = frame;
    if (fault !== null) {
      replyError(session, requestId, fault, this.#parts.preferences.ringVersion);
      session.finish(bodyBytes);
      return;
    }
    this.#member.order({ ...order, heads: order.heads.map((head) => copyBytes(head)) }, (reaped) => {
      replyBody(session, REAP_REPLY, requestId, encodeReapReply({ reaped }));
      session.finish(bodyBytes);
    });
  }

  #log(session: Session, frame: Incoming): void {
    const request = decodeReapLog(frame.bytes, frame.start, frame.end);
    if (isFault(request)) return this.#malformed(session, frame, request);
    if (request.partition >= this.#parts.services.ring.partitionCount) {
      return this.#malformed(session, frame, `there is no partition ${request.partition}`);
    }
    replyBody(session, REAP_LOG_REPLY, frame.requestId, encodeReapLogReply(this.#member.log(request)));
    session.finish(frame.bodyBytes);
  }

  #fences(session: Session, frame: Incoming): void {
    const theirs = decodeFences(frame.bytes, frame.start, frame.end);
    if (isFault(theirs)) return this.#malformed(session, frame, theirs);
    const { fences } = this.#parts;
    fences.hear(theirs);
    replyBody(session, FENCES_REPLY, frame.requestId, encodeFencesReply({ fences: fences.all() }));
    session.finish(frame.bodyBytes);
  }

  #reaped(session: Session, frame: Incoming): void {
    const message = decodeReaped(frame.bytes, frame.start, frame.end);
    if (isFault(message)) return this.#malformed(session, frame, message);
    const { partition } = message;
    if (partition >= this.#parts.services.ring.partitionCount) {
      return this.#malformed(session, frame, `there is no partition ${partition}`);
    }
    const { requestId, bodyBytes } = frame;
    const entries = message.entries.map((entry) => copyBytes(entry));
    hearReaped(this.#parts, { partition, entries }, (applied) => {
      if (!session.closed) replyBody(session, REAPED_REPLY, requestId, encodeReapedReply({ applied }));
      session.finish(bodyBytes);
    });
  }

  #malformed(session: Session, frame: Incoming, fault: string): void {
    const { requestId, bodyBytes, kind } = frame;
    session.finish(bodyBytes);
    session.refuse(requestId, failure('PROTOCOL', `${nameOfKind(kind)} cannot be read: ${fault}`));
  }
}
