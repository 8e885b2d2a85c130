/*
 * What is asked by hand: how a key stands, which keys there are, what is kept and done in the background. None of it is
 * on the path of a get or a put, so each answer is made whole and sent as one body.
 */
import { copyBytes } from '../lib/bytes.js';
import { judgeBudget, judgeKey } from '../coordinator/judge.js';
import type { Failure } from '../model/errors.js';
import type { PartitionId } from '../model/ids.js';
import { partitionOf } from '../ring/partition.js';
import { decodeHints, encodeHintsReply } from '../wire/codec-admin.js';
import { decodeRepair, encodeRepairReply } from '../wire/codec-exchange.js';
import { decodeKeys, encodeKeysReply } from '../wire/codec-keys.js';
import { decodeExplain, encodeExplainReply } from '../wire/codec-ring.js';
import {
  ARCHIVE,
  BACKGROUND,
  BALANCE,
  CLUSTER,
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
import { answerArchive } from './archive-reply.js';
import { type AdminAnswer, answerBackground } from './background-reply.js';
import { answerBalance } from './balance-reply.js';
import { answerCluster } from './cluster-reply.js';
import { Explanation } from './explain.js';
import { hintsReply } from './hints-reply.js';
import type { Incoming } from './incoming.js';
import { listKeys } from './keys-listing.js';
import { NOBODY_TO_MEET } from './repair-reply.js';
import { type Asked, answerBody, answerRefusal, askedBy, refuseMalformed } from './plain-answer.js';
import type { Services } from './services.js';
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
      case BALANCE:
        this.#balance(session, frame);
        return true;
      case REPAIR:
        this.#repair(session, frame);
        return true;
      case KEYS:
        this.#keys(session, frame);
        return true;
      case CLUSTER:
        this.#cluster(session, frame);
        return true;
      case ARCHIVE:
        this.#archive(session, frame);
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
      refuseMalformed(session, frame, `EXPLAIN cannot be read: ${request}`);
      return;
    }
    const refusal = judgeKey(request.key, request.namespace) ?? judgeBudget(request.budgetMs);
    if (refusal !== null) {
      answerRefusal(this.#services, session, frame, 'explain', refusal);
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
    const asked = askedBy(frame);
    storage.read(
      new Explanation(place, this.#services.viewMs(), this.#services.reapTextOf, (reply) => {
        const body = encodeExplainReply(reply);
        answerBody(this.#services, session, asked, { op: 'explain', kind: EXPLAIN_REPLY, body });
      }),
    );
  }

  #repair(session: Session, frame: Incoming): void {
    const request = decodeRepair(frame.bytes, frame.start, frame.end);
    if (isFault(request)) {
      refuseMalformed(session, frame, `REPAIR cannot be read: ${request}`);
      return;
    }
    const { repair } = this.#services;
    if (request.start) repair?.startAll('all');
    const body = encodeRepairReply(repair?.status() ?? NOBODY_TO_MEET);
    answerBody(this.#services, session, frame, { op: 'repair', kind: REPAIR_REPLY, body });
  }

  #balance(session: Session, frame: Incoming): void {
    const asked = askedBy(frame);
    answerBalance(this.#services, frame, (answer) => {
      this.#tell(session, asked, answer);
    });
  }

  #hints(session: Session, frame: Incoming): void {
    const request = decodeHints(frame.bytes, frame.start, frame.end);
    if (isFault(request)) {
      refuseMalformed(session, frame, `HINTS cannot be read: ${request}`);
      return;
    }
    const body = encodeHintsReply(hintsReply(this.#services));
    answerBody(this.#services, session, frame, { op: 'hints', kind: HINTS_REPLY, body });
  }

  #keys(session: Session, frame: Incoming): void {
    const request = decodeKeys(frame.bytes, frame.start, frame.end);
    if (isFault(request)) {
      refuseMalformed(session, frame, `KEYS cannot be read: ${request}`);
      return;
    }
    const asked = askedBy(frame);
    const refuse = (refusal: Failure): void => {
      answerRefusal(this.#services, session, asked, 'keys', refusal);
    };
    const kept = { ...request, prefix: copyBytes(request.prefix), cursor: copyBytes(request.cursor) };
    const refusal =
      judgeBudget(request.budgetMs) ??
      listKeys(this.#services, kept, (reply) => {
        if ('code' in reply) refuse(reply);
        else {
          const body = encodeKeysReply(reply);
          answerBody(this.#services, session, asked, { op: 'keys', kind: KEYS_REPLY, body });
        }
      });
    if (refusal !== null) refuse(refusal);
  }

  #cluster(session: Session, frame: Incoming): void {
    const asked = askedBy(frame);
    answerCluster(this.#services, frame, (answer) => {
      this.#tell(session, asked, answer);
    });
  }

  #archive(session: Session, frame: Incoming): void {
    const asked = askedBy(frame);
    answerArchive(this.#services.archives, frame, (answer) => {
      this.#tell(session, asked, answer);
    });
  }

  #tell(session: Session, asked: Asked, answer: AdminAnswer): void {
    if (typeof answer === 'string') refuseMalformed(session, asked, answer);
    else if (answer.body === null) answerRefusal(this.#services, session, asked, answer.op, answer.refusal);
    else answerBody(this.#services, session, asked, answer);
  }
}
