/*
 * What is asked by hand: how a key stands, which keys there are, what is kept and done in the background. None of it is
 * on the path of a get or a put, so each answer is made whole and sent as one body.
 */
import { copyBytes } from '../lib/bytes.js';
import { judgeBudget, judgeKey } from '../coordinator/judge.js';
import { failure, type Failure } from '../model/errors.js';
import type { PartitionId } from '../model/ids.js';
import { partitionOf } from '../ring/partition.js';
import { decodeHints, encodeHintsReply } from '../wire/codec-admin.js';
import { decodeRepair, encodeRepairReply } from '../wire/codec-exchange.js';
import { decodeKeys, encodeKeysReply } from '../wire/codec-keys.js';
import { decodeExplain, encodeExplainReply } from '../wire/codec-ring.js';
import {
  BACKGROUND,
  EXPLAIN,
  EXPLAIN_REPLY,
  HINTS,
  HINTS_REPLY,
  KEYS,
  KEYS_REPLY,
  REPAIR,
  REPAIR_REPLY,
  SCRUB,
} from '../wire/kinds.js';
import { isFault } from '../wire/plain.js';
import { type AdminAnswer, answerBackground } from './background-reply.js';
import { Explanation } from './explain.js';
import { hintsReply } from './hints-reply.js';
import type { Incoming } from './incoming.js';
import { listKeys } from './keys-listing.js';
import { NOBODY_TO_MEET } from './repair-reply.js';
import { replyBody, replyError } from './replies.js';
import type { OperationName, Services } from './services.js';
import type { Session } from './session.js';

export class Administration {
  readonly #services: Services;

  constructor(services: Services) {
    this.#services = services;
  }

  /** False: it is no request of these. */
  serve(session: Session, frame: Incoming): boolean {
    switch (frame.kind) {
      case EXPLAIN:
        this.#explain(session, frame);
        return true;
      case HINTS:
        this.#hints(session, frame);
        return true;
      case REPAIR:
        this.#repair(session, frame);
        return true;
      case KEYS:
        this.#keys(session, frame);
        return true;
      case BACKGROUND:
      case SCRUB:
        this.#tell(session, frame, answerBackground(this.#services, frame));
        return true;
      default:
        return false;
    }
  }

  #explain(session: Session, frame: Incoming): void {
    const request = decodeExplain(frame.bytes, frame.start, frame.end);
    if (isFault(request)) {
      this.#malformed(session, frame, `EXPLAIN cannot be read: ${request}`);
      return;
    }
    const refusal = judgeKey(request.key, request.namespace) ?? judgeBudget(request.budgetMs);
    if (refusal !== null) {
      replyError(session, frame.requestId, refusal, this.#services.ring.version);
      this.#services.meters.explain.failed();
      session.finish(frame.bodyBytes);
      return;
    }
    const { hash, partitionBits, storage } = this.#services;
    hash.hash(request.key, 0, request.key.length);
    const place = {
      key: copyBytes(request.key),
      hashHi: hash.hi,
      hashLo: hash.lo,
      partition: partitionOf(hash.hi, partitionBits) as PartitionId,
    };
    const { requestId, bodyBytes, nowMs } = frame;
    storage.read(
      new Explanation(place, this.#services.viewMs(), this.#services.reapTextOf, (reply) => {
        this.#answer(session, 'explain', EXPLAIN_REPLY, requestId, encodeExplainReply(reply), bodyBytes, nowMs);
      }),
    );
  }

  #repair(session: Session, frame: Incoming): void {
    const request = decodeRepair(frame.bytes, frame.start, frame.end);
    if (isFault(request)) {
      this.#malformed(session, frame, `REPAIR cannot be read: ${request}`);
      return;
    }
    const { repair } = this.#services;
    if (request.start) repair?.startAll('all');
    const body = encodeRepairReply(repair?.status() ?? NOBODY_TO_MEET);
    this.#answer(session, 'repair', REPAIR_REPLY, frame.requestId, body, frame.bodyBytes, frame.nowMs);
  }

  #hints(session: Session, frame: Incoming): void {
    const request = decodeHints(frame.bytes, frame.start, frame.end);
    if (isFault(request)) {
      this.#malformed(session, frame, `HINTS cannot be read: ${request}`);
      return;
    }
    const body = encodeHintsReply(hintsReply(this.#services));
    this.#answer(session, 'hints', HINTS_REPLY, frame.requestId, body, frame.bodyBytes, frame.nowMs);
  }

  #keys(session: Session, frame: Incoming): void {
    const request = decodeKeys(frame.bytes, frame.start, frame.end);
    if (isFault(request)) {
      this.#malformed(session, frame, `KEYS cannot be read: ${request}`);
      return;
    }
    const { requestId, bodyBytes, nowMs } = frame;
    const refuse = (refusal: Failure): void => {
      replyError(session, requestId, refusal, this.#services.ring.version);
      this.#services.meters.keys.failed();
      session.finish(bodyBytes);
    };
    const kept = { ...request, prefix: copyBytes(request.prefix), cursor: copyBytes(request.cursor) };
    const refusal =
      judgeBudget(request.budgetMs) ??
      listKeys(this.#services, kept, (reply) => {
        if ('code' in reply) refuse(reply);
        else this.#answer(session, 'keys', KEYS_REPLY, requestId, encodeKeysReply(reply), bodyBytes, nowMs);
      });
    if (refusal !== null) refuse(refusal);
  }

  /** Administration that is answered at once. */
  #tell(session: Session, frame: Incoming, answer: AdminAnswer): void {
    const { requestId, bodyBytes, nowMs } = frame;
    if (typeof answer === 'string') {
      this.#malformed(session, frame, answer);
    } else if (answer.body === null) {
      replyError(session, requestId, answer.refusal, this.#services.ring.version);
      this.#services.meters[answer.op].failed();
      session.finish(bodyBytes);
    } else this.#answer(session, answer.op, answer.kind, requestId, answer.body, bodyBytes, nowMs);
  }

  #answer(
    session: Session,
    op: OperationName,
    kind: number,
    requestId: number,
    body: Uint8Array,
    bodyBytes: number,
    startedMs: number,
  ): void {
    replyBody(session, kind, requestId, body);
    const nowMs = this.#services.clock.monotonicMs();
    this.#services.meters[op].ok(nowMs - startedMs, nowMs);
    session.finish(bodyBytes);
  }

  #malformed(session: Session, frame: Incoming, text: string): void {
    const { requestId, bodyBytes } = frame;
    session.finish(bodyBytes);
    session.refuse(requestId, failure('PROTOCOL', text));
  }
}
