/*
 * Frame kind → operation, and operation → answer. Every dispatched request ends in exactly one `session.finish`.
 */
import { copyBytes } from '../lib/bytes.js';
import { failure, type Failure } from '../model/errors.js';
import { judgeBudget, judgeKey } from '../coordinator/judge.js';
import type { PartitionId } from '../model/ids.js';
import { ringMessage } from '../ring/document.js';
import { partitionOf } from '../ring/partition.js';
import { decodeHints, encodeHintsReply } from '../wire/codec-admin.js';
import { decodePing } from '../wire/codec-connection.js';
import { decodeMultiGet, decodeMultiPut } from '../wire/codec-multi.js';
import { decodeExplain, decodeRingFetch, encodeExplainReply, encodeRingReply } from '../wire/codec-ring.js';
import {
  DELETE,
  EXPLAIN,
  EXPLAIN_REPLY,
  GET,
  HINTS,
  HINTS_REPLY,
  MULTI_GET,
  MULTI_GET_REPLY,
  MULTI_PUT,
  MULTI_PUT_REPLY,
  nameOfKind,
  PING,
  PUT,
  RING_FETCH,
  RING_REPLY,
} from '../wire/kinds.js';
import { isFault } from '../wire/plain.js';
import { decodeDeleteInto, decodeGetInto, decodePutInto, GetRequestView, PutRequestView } from '../wire/requests.js';
import type { ReplyParts } from '../wire/write-replies.js';
import { Explanation } from './explain.js';
import { GetOperation, type GetTarget } from './get.js';
import { hintsReply } from './hints-reply.js';
import type { Incoming } from './incoming.js';
import { ManyGet, ManyPut } from './many.js';
import { Pool } from './pool.js';
import { PutOperation, type PutTarget } from './put.js';
import { replyBody, replyError, replyGet, replyItems, replyPong, replyPut } from './replies.js';
import type { OperationName, Services } from './services.js';
import type { Session } from './session.js';

/** A pooled operation with the connection that waits for it. */
class ClientGet implements GetTarget {
  readonly operation: GetOperation;
  session: Session | null = null;
  readonly #dispatcher: Dispatcher;

  constructor(dispatcher: Dispatcher, services: Services) {
    this.#dispatcher = dispatcher;
    this.operation = new GetOperation(services);
  }

  onFound(get: GetOperation, parts: ReplyParts, owned: boolean): void {
    this.#dispatcher.answerGet(this, get, parts, owned);
  }

  onFailure(get: GetOperation, refusal: Failure): void {
    this.#dispatcher.failGet(this, get, refusal);
  }
}

class ClientPut implements PutTarget {
  readonly operation: PutOperation;
  session: Session | null = null;
  readonly #dispatcher: Dispatcher;

  constructor(dispatcher: Dispatcher, services: Services) {
    this.#dispatcher = dispatcher;
    this.operation = new PutOperation(services);
  }

  onStored(put: PutOperation, durable: boolean): void {
    this.#dispatcher.answerPut(this, put, durable);
  }

  onFailure(put: PutOperation, refusal: Failure): void {
    this.#dispatcher.failPut(this, put, refusal);
  }

  onSiblings(put: PutOperation, bytes: number): void {
    (this.session as Session).reserve(bytes);
    put.bodyBytes += bytes;
  }
}

export class Dispatcher {
  readonly #services: Services;
  readonly #gets: Pool<ClientGet>;
  readonly #puts: Pool<ClientPut>;
  readonly #getRequest: GetRequestView = new GetRequestView();
  readonly #putRequest: PutRequestView = new PutRequestView();

  constructor(services: Services) {
    this.#services = services;
    this.#gets = new Pool(() => new ClientGet(this, services));
    this.#puts = new Pool(() => new ClientPut(this, services));
  }

  dispatch(session: Session, frame: Incoming): void {
    const { kind, requestId, bodyBytes } = frame;
    switch (kind) {
      case GET:
        this.#get(session, frame);
        return;
      case PUT:
      case DELETE:
        this.#put(session, frame);
        return;
      case PING:
        this.#ping(session, frame);
        return;
      case MULTI_GET:
        this.#manyGet(session, frame);
        return;
      case MULTI_PUT:
        this.#manyPut(session, frame);
        return;
      case RING_FETCH:
        this.#ring(session, frame);
        return;
      case EXPLAIN:
        this.#explain(session, frame);
        return;
      case HINTS:
        this.#hints(session, frame);
        return;
      default:
        session.finish(bodyBytes);
        session.refuse(
          requestId,
          failure('PROTOCOL', `A ${nameOfKind(kind)} frame is not a request that this node knows`),
        );
    }
  }

  #get(session: Session, frame: Incoming): void {
    const fault = decodeGetInto(this.#getRequest, frame.bytes, frame.start, frame.end);
    if (fault !== '') {
      this.#malformed(session, frame, `GET cannot be read: ${fault}`);
      return;
    }
    const get = this.#gets.take();
    get.session = session;
    get.operation.requestId = frame.requestId;
    get.operation.bodyBytes = frame.bodyBytes;
    get.operation.start(get, this.#getRequest, frame.nowMs);
    if (get.operation.waits) this.#reserve(session, get.operation);
  }

  /** What a cold read brings in is in nobody's account until it is there: so room for a largest value is taken before. */
  #reserve(session: Session, get: GetOperation): void {
    const { valueBytesMax } = this.#services.settings;
    session.reserve(valueBytesMax);
    get.bodyBytes += valueBytesMax;
  }

  answerGet(client: ClientGet, get: GetOperation, parts: ReplyParts, owned: boolean): void {
    replyGet(client.session as Session, get.requestId, parts, this.#services.readOrigin, owned, get);
    this.#count('get', get.startedMs);
    this.#endGet(client, get);
  }

  failGet(client: ClientGet, get: GetOperation, refusal: Failure): void {
    replyError(client.session as Session, get.requestId, refusal, this.#services.ring.version);
    this.#services.meters.get.failed();
    this.#endGet(client, get);
  }

  #endGet(client: ClientGet, get: GetOperation): void {
    const session = client.session as Session;
    const { bodyBytes } = get;
    client.session = null;
    this.#gets.give(client);
    session.finish(bodyBytes);
  }

  #put(session: Session, frame: Incoming): void {
    const isDelete = frame.kind === DELETE;
    const decode = isDelete ? decodeDeleteInto : decodePutInto;
    const fault = decode(this.#putRequest, frame.bytes, frame.start, frame.end);
    if (fault !== '') {
      this.#malformed(session, frame, `${isDelete ? 'DELETE' : 'PUT'} cannot be read: ${fault}`);
      return;
    }
    const put = this.#puts.take();
    put.session = session;
    put.operation.requestId = frame.requestId;
    put.operation.bodyBytes = frame.bodyBytes;
    put.operation.start(put, this.#putRequest, frame.nowMs);
  }

  answerPut(client: ClientPut, put: PutOperation, durable: boolean): void {
    const { parts, durableOrigin, bufferedOrigin } = this.#services;
    put.fillReply(parts);
    replyPut(
      client.session as Session,
      put.requestId,
      parts,
      put.siblingCount,
      durable ? durableOrigin : bufferedOrigin,
    );
    this.#count(put.isDelete ? 'delete' : 'put', put.startedMs);
    this.#endPut(client, put);
  }

  failPut(client: ClientPut, put: PutOperation, refusal: Failure): void {
    replyError(client.session as Session, put.requestId, refusal, this.#services.ring.version);
    this.#services.meters[put.isDelete ? 'delete' : 'put'].failed();
    this.#endPut(client, put);
  }

  #endPut(client: ClientPut, put: PutOperation): void {
    const session = client.session as Session;
    const { bodyBytes } = put;
    client.session = null;
    this.#puts.give(client);
    session.finish(bodyBytes);
  }

  #ping(session: Session, frame: Incoming): void {
    const ping = decodePing(frame.bytes, frame.start, frame.end);
    if (isFault(ping)) {
      this.#malformed(session, frame, `PING cannot be read: ${ping}`);
      return;
    }
    replyPong(session, frame.requestId, this.#services.ring.version, this.#services.clock.wallMs());
    session.finish(frame.bodyBytes);
  }

  #manyGet(session: Session, frame: Incoming): void {
    const request = decodeMultiGet(frame.bytes, frame.start, frame.end);
    if (isFault(request)) {
      this.#malformed(session, frame, `MULTI_GET cannot be read: ${request}`);
      return;
    }
    const { requestId, bodyBytes, nowMs } = frame;
    const reserved = this.#services.settings.frameBodyBytesMax;
    session.reserve(reserved);
    new ManyGet(this.#services, request.gets.length, (items) => {
      replyItems(session, MULTI_GET_REPLY, requestId, items);
      this.#count('multi_get', nowMs);
      session.finish(bodyBytes + reserved);
    }).start(request, nowMs);
  }

  #manyPut(session: Session, frame: Incoming): void {
    const request = decodeMultiPut(frame.bytes, frame.start, frame.end);
    if (isFault(request)) {
      this.#malformed(session, frame, `MULTI_PUT cannot be read: ${request}`);
      return;
    }
    const { requestId, nowMs } = frame;
    let held = frame.bodyBytes;
    const hold = (bytes: number): void => {
      session.reserve(bytes);
      held += bytes;
    };
    new ManyPut(this.#services, request.puts.length, hold, (items) => {
      replyItems(session, MULTI_PUT_REPLY, requestId, items);
      this.#count('multi_put', nowMs);
      session.finish(held);
    }).start(request, nowMs);
  }

  #ring(session: Session, frame: Incoming): void {
    const request = decodeRingFetch(frame.bytes, frame.start, frame.end);
    if (isFault(request)) {
      this.#malformed(session, frame, `RING_FETCH cannot be read: ${request}`);
      return;
    }
    const body = encodeRingReply(ringMessage(this.#services.ring));
    this.#answer(session, 'ring', RING_REPLY, frame.requestId, body, frame.bodyBytes, frame.nowMs);
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
      new Explanation(place, this.#services.viewMs(), (reply) => {
        this.#answer(session, 'explain', EXPLAIN_REPLY, requestId, encodeExplainReply(reply), bodyBytes, nowMs);
      }),
    );
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
    this.#count(op, startedMs);
    session.finish(bodyBytes);
  }

  #count(op: OperationName, startedMs: number): void {
    this.#services.meters[op].ok(this.#services.clock.monotonicMs() - startedMs);
  }

  #malformed(session: Session, frame: Incoming, text: string): void {
    const { requestId, bodyBytes } = frame;
    session.finish(bodyBytes);
    session.refuse(requestId, failure('PROTOCOL', text));
  }
}
