/*
 * Requests for many keys: each key is a get or a put of its own, with its own outcome; the answer goes out when the last
 * has one, in the order of the request. An answer is no larger than a frame may be: keys whose values do not fit any more
 * are not read, and say so.
 */
import { failure, type Failure } from '../model/errors.js';
import { ReplyItems } from '../wire/reply-items.js';
import type { MultiGetRequest, MultiPutRequest } from '../wire/codec-multi.js';
import type { ReplyParts } from '../wire/write-replies.js';
import type { Services } from './services.js';
import type { GetTarget, GetWork, PutTarget, PutWork } from './work.js';
import { PUT_REPLY } from '../wire/kinds.js';

const NO_ROOM: Failure = failure(
  'TOO_LARGE',
  'The values of this request do not fit into one answer: get this key by itself, or fewer at once',
);

export class ManyGet implements GetTarget {
  readonly #services: Services;
  readonly #newGet: () => GetWork;
  readonly #items: ReplyItems;
  readonly #hold: (bytes: number) => void;
  readonly #done: (items: ReplyItems) => void;
  #left: number;
  #isFull = false;

  /** `hold` is told of bytes that are kept until `done`. */
  constructor(
    services: Services,
    newGet: () => GetWork,
    count: number,
    hold: (bytes: number) => void,
    done: (items: ReplyItems) => void,
  ) {
    this.#services = services;
    this.#newGet = newGet;
    this.#hold = hold;
    this.#items = new ReplyItems(count);
    this.#left = count;
    this.#done = done;
  }

  start(request: MultiGetRequest, nowMs: number): void {
    if (request.gets.length === 0) this.#done(this.#items);
    request.gets.forEach((get, index) => {
      const operation = this.#newGet();
      operation.index = index;
      if (this.#isFull) this.onFailure(operation, NO_ROOM);
      else operation.start(this, get, nowMs);
    });
  }

  onFound(get: GetWork, parts: ReplyParts): void {
    const { origin } = get;
    if (this.#items.bytes + ReplyItems.sizeOfGet(parts, origin) > this.#services.settings.frameBodyBytesMax) {
      this.#isFull = true;
      this.onFailure(get, NO_ROOM);
      return;
    }
    const item = this.#items.setGet(get.index, parts, origin);
    if (parts.contextAt >= 0) get.encodeContext(item, parts.contextAt);
    this.#settled();
  }

  onFailure(get: GetWork, refusal: Failure): void {
    this.#items.setError(get.index, refusal, this.#services.ring.version);
    this.#settled();
  }

  onHeld(_get: GetWork, bytes: number): void {
    this.#hold(bytes);
  }

  onOver(): void {}

  #settled(): void {
    this.#left -= 1;
    if (this.#left === 0) this.#done(this.#items);
  }
}

export class ManyPut implements PutTarget {
  readonly #services: Services;
  readonly #newPut: () => PutWork;
  readonly #items: ReplyItems;
  readonly #hold: (bytes: number) => void;
  readonly #done: (items: ReplyItems) => void;
  #left: number;

  /** As of ManyGet. */
  constructor(
    services: Services,
    newPut: () => PutWork,
    count: number,
    hold: (bytes: number) => void,
    done: (items: ReplyItems) => void,
  ) {
    this.#services = services;
    this.#newPut = newPut;
    this.#items = new ReplyItems(count);
    this.#left = count;
    this.#hold = hold;
    this.#done = done;
  }

  start(request: MultiPutRequest, nowMs: number): void {
    if (request.puts.length === 0) this.#done(this.#items);
    request.puts.forEach((put, index) => {
      const operation = this.#newPut();
      operation.index = index;
      operation.start(this, put, nowMs);
    });
  }

  onStored(put: PutWork): void {
    const { parts, settings } = this.#services;
    const { origin } = put;
    put.fillReply(parts);
    // Siblings were asked for and do not fit: the put is stored all the same, and its answer goes without them.
    if (this.#items.bytes + ReplyItems.sizeOfGet(parts, origin) > settings.frameBodyBytesMax) parts.clear();
    this.#items.setPut(put.index, parts, put.siblingCount, origin);
    this.#settled();
  }

  onForwarded(put: PutWork, kind: number, bytes: Uint8Array, start: number, end: number): void {
    this.#items.setBody(put.index, kind === PUT_REPLY, bytes, start, end);
    this.#settled();
  }

  onHeld(_put: PutWork, bytes: number): void {
    this.#hold(bytes);
  }

  onOver(): void {}

  onFailure(put: PutWork, refusal: Failure): void {
    this.#items.setError(put.index, refusal, this.#services.ring.version);
    this.#settled();
  }

  #settled(): void {
    this.#left -= 1;
    if (this.#left === 0) this.#done(this.#items);
  }
}
