/*
 * Frame kind → operation, and operation → answer. Every dispatched request ends in exactly one `session.finish`.
 */
import { failure, type Failure } from '../model/errors.js';
import { ringMessage } from '../ring/document.js';
import { decodePing } from '../wire/codec-connection.js';
import { decodeMultiGet, decodeMultiPut } from '../wire/codec-multi.js';
import { decodeRingFetch, encodeRingReply } from '../wire/codec-ring.js';
import {
  DELETE,
  GET,
  MULTI_GET,
  MULTI_GET_REPLY,
  MULTI_PUT,
  MULTI_PUT_REPLY,
  nameOfKind,
  PING,
  PUT,
  PUT_REPLY,
  RING_FETCH,
  RING_REPLY,
} from '../wire/kinds.js';
import { isFault } from '../wire/plain.js';
import { decodeDeleteInto, decodeGetInto, decodePutInto, GetRequestView, PutRequestView } from '../wire/requests.js';
import type { ReplyParts } from '../wire/write-replies.js';
import { Administration } from './administration.js';
import type { Incoming } from './incoming.js';
import { ManyGet, ManyPut } from './many.js';
import { Pool } from './pool.js';
import { answerBody, answerRefusal, countOk, refuseMalformed } from './plain-answer.js';
import { replyError, replyGet, replyItems, replyPong, replyPut, replyRange, TOO_LATE } from './replies.js';
import type { Services } from './services.js';
import type { Session } from './session.js';
import type { GetTarget, GetWork, PutTarget, PutWork } from './work.js';

/** A pooled get with the connection that waits for it. */
class ClientGet implements GetTarget {
  readonly work: GetWork;
  session: Session | null = null;
  readonly #dispatcher: Dispatcher;

  constructor(dispatcher: Dispatcher, work: GetWork) {
    this.#dispatcher = dispatcher;
    this.work = work;
  }

  onFound(get: GetWork, parts: ReplyParts, owned: boolean): void {
    this.#dispatcher.answerGet(this, get, parts, owned);
  }

  onFailure(get: GetWork, refusal: Failure): void {
    this.#dispatcher.failGet(this, get, refusal);
  }

  onHeld(get: GetWork, bytes: number): void {
    this.session?.reserve(bytes);
    get.bodyBytes += bytes;
  }

  onOver(): void {
    this.#dispatcher.gets.give(this);
  }
}

class ClientPut implements PutTarget {
  readonly work: PutWork;
  session: Session | null = null;
  readonly #dispatcher: Dispatcher;

  constructor(dispatcher: Dispatcher, work: PutWork) {
    this.#dispatcher = dispatcher;
    this.work = work;
  }

  onStored(put: PutWork): void {
    this.#dispatcher.answerPut(this, put);
  }

  onForwarded(put: PutWork, kind: number, bytes: Uint8Array, start: number, end: number): void {
    this.#dispatcher.passOn(this, put, kind, bytes, start, end);
  }

  onFailure(put: PutWork, refusal: Failure): void {
    this.#dispatcher.failPut(this, put, refusal);
  }

  onHeld(put: PutWork, bytes: number): void {
    this.session?.reserve(bytes);
    put.bodyBytes += bytes;
  }

  onOver(): void {
    this.#dispatcher.puts.give(this);
  }
}

/** Makes the gets and puts of this node: of its store alone, or of its cluster. */
export interface Works {
  newGet(): GetWork;
  newPut(): PutWork;
}

export class Dispatcher {
  readonly gets: Pool<ClientGet>;
  readonly puts: Pool<ClientPut>;
  readonly #services: Services;
  readonly #administration: Administration;
  readonly #newGet: () => GetWork;
  readonly #newPut: () => PutWork;
  readonly #getRequest: GetRequestView = new GetRequestView();
  readonly #putRequest: PutRequestView = new PutRequestView();

  constructor(services: Services, works: Works) {
    this.#services = services;
    this.#administration = new Administration(services);
    this.#newGet = () => works.newGet();
    this.#newPut = () => works.newPut();
    this.gets = new Pool(() => new ClientGet(this, works.newGet()));
    this.puts = new Pool(() => new ClientPut(this, works.newPut()));
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
      default:
        if (this.#administration.serve(session, frame)) return;
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
      refuseMalformed(session, frame, `GET cannot be read: ${fault}`);
      return;
    }
    const get = this.gets.take();
    get.session = session;
    get.work.requestId = frame.requestId;
    get.work.bodyBytes = frame.bodyBytes;
    get.work.start(get, this.#getRequest, frame.nowMs);
    if (get.work.waits) this.#reserve(session, get.work);
  }

  /** What a read that waits brings in is in nobody's account until it is there: so room for a largest value is taken before. */
  #reserve(session: Session, get: GetWork): void {
    const { valueBytesMax } = this.#services.settings;
    session.reserve(valueBytesMax);
    get.bodyBytes += valueBytesMax;
  }

  answerGet(client: ClientGet, get: GetWork, parts: ReplyParts, owned: boolean): void {
    replyGet(client.session as Session, get.requestId, parts, get.origin, owned, get);
    countOk(this.#services, 'get', get.startedMs);
    this.#endGet(client, get);
  }

  failGet(client: ClientGet, get: GetWork, refusal: Failure): void {
    replyError(client.session as Session, get.requestId, refusal, this.#services.ring.version);
    this.#services.meters.get.failed();
    this.#endGet(client, get);
  }

  #endGet(client: ClientGet, get: GetWork): void {
    const session = client.session as Session;
    client.session = null;
    session.finish(get.bodyBytes);
  }

  #put(session: Session, frame: Incoming): void {
    const isDelete = frame.kind === DELETE;
    const decode = isDelete ? decodeDeleteInto : decodePutInto;
    const fault = decode(this.#putRequest, frame.bytes, frame.start, frame.end);
    if (fault !== '') {
      refuseMalformed(session, frame, `${isDelete ? 'DELETE' : 'PUT'} cannot be read: ${fault}`);
      return;
    }
    if (session.isLate(this.#putRequest.sentMs, this.#putRequest.budgetMs)) {
      answerRefusal(this.#services, session, frame, isDelete ? 'delete' : 'put', TOO_LATE);
      return;
    }
    const put = this.puts.take();
    put.session = session;
    put.work.requestId = frame.requestId;
    put.work.bodyBytes = frame.bodyBytes;
    put.work.start(put, this.#putRequest, frame.nowMs);
  }

  answerPut(client: ClientPut, put: PutWork): void {
    const { parts } = this.#services;
    put.fillReply(parts);
    replyPut(client.session as Session, put.requestId, parts, put.siblingCount, put.origin);
    countOk(this.#services, put.isDelete ? 'delete' : 'put', put.startedMs);
    this.#endPut(client, put);
  }

  passOn(client: ClientPut, put: PutWork, kind: number, bytes: Uint8Array, start: number, end: number): void {
    replyRange(client.session as Session, kind, put.requestId, bytes, start, end);
    if (kind === PUT_REPLY) countOk(this.#services, put.isDelete ? 'delete' : 'put', put.startedMs);
    else this.#services.meters[put.isDelete ? 'delete' : 'put'].failed();
    this.#endPut(client, put);
  }

  failPut(client: ClientPut, put: PutWork, refusal: Failure): void {
    replyError(client.session as Session, put.requestId, refusal, this.#services.ring.version);
    this.#services.meters[put.isDelete ? 'delete' : 'put'].failed();
    this.#endPut(client, put);
  }

  #endPut(client: ClientPut, put: PutWork): void {
    const session = client.session as Session;
    client.session = null;
    session.finish(put.bodyBytes);
  }

  #ping(session: Session, frame: Incoming): void {
    const ping = decodePing(frame.bytes, frame.start, frame.end);
    if (isFault(ping)) {
      refuseMalformed(session, frame, `PING cannot be read: ${ping}`);
      return;
    }
    replyPong(session, frame.requestId, this.#services.ring.version, this.#services.clock.wallMs());
    session.finish(frame.bodyBytes);
  }

  #manyGet(session: Session, frame: Incoming): void {
    const request = decodeMultiGet(frame.bytes, frame.start, frame.end);
    if (isFault(request)) {
      refuseMalformed(session, frame, `MULTI_GET cannot be read: ${request}`);
      return;
    }
    const { requestId, nowMs } = frame;
    const reserved = this.#services.settings.frameBodyBytesMax;
    session.reserve(reserved);
    let held = frame.bodyBytes + reserved;
    const hold = (bytes: number): void => {
      session.reserve(bytes);
      held += bytes;
    };
    new ManyGet(this.#services, this.#newGet, request.gets.length, hold, (items) => {
      replyItems(session, MULTI_GET_REPLY, requestId, items);
      countOk(this.#services, 'multi_get', nowMs);
      session.finish(held);
    }).start(request, nowMs);
  }

  #manyPut(session: Session, frame: Incoming): void {
    const request = decodeMultiPut(frame.bytes, frame.start, frame.end);
    if (isFault(request)) {
      refuseMalformed(session, frame, `MULTI_PUT cannot be read: ${request}`);
      return;
    }
    if (session.isLate(request.sentMs ?? 0, request.budgetMs)) {
      answerRefusal(this.#services, session, frame, 'multi_put', TOO_LATE);
      return;
    }
    const { requestId, nowMs } = frame;
    let held = frame.bodyBytes;
    const hold = (bytes: number): void => {
      session.reserve(bytes);
      held += bytes;
    };
    new ManyPut(this.#services, this.#newPut, request.puts.length, hold, (items) => {
      replyItems(session, MULTI_PUT_REPLY, requestId, items);
      countOk(this.#services, 'multi_put', nowMs);
      session.finish(held);
    }).start(request, nowMs);
  }

  #ring(session: Session, frame: Incoming): void {
    const request = decodeRingFetch(frame.bytes, frame.start, frame.end);
    if (isFault(request)) {
      refuseMalformed(session, frame, `RING_FETCH cannot be read: ${request}`);
      return;
    }
    const body = encodeRingReply(ringMessage(this.#services.ring));
    answerBody(this.#services, session, frame, { op: 'ring', kind: RING_REPLY, body });
  }
}
