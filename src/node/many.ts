/*
 * Requests for many keys: each key is a get or a put of its own, with its own outcome; the answer goes out when the last
 * has one, in the order of the request. An answer is no larger than a frame may be: keys whose values do not fit any more
 * are not read, and say so.
 */
import { failure, type Failure } from '../model/errors.js';
import { ReplyItems } from '../wire/reply-items.js';
import type { MultiGetRequest, MultiPutRequest } from '../wire/codec-multi.js';
import type { ReplyParts } from '../wire/write-replies.js';
import { GetOperation, type GetTarget } from './get.js';
import { PutOperation, type PutTarget } from './put.js';
import type { Services } from './services.js';

const NO_ROOM: Failure = failure(
  'TOO_LARGE',
  'The values of this request do not fit into one answer: get this key by itself, or fewer at once',
);

export class ManyGet implements GetTarget {
  readonly #services: Services;
  readonly #items: ReplyItems;
  readonly #done: (items: ReplyItems) => void;
  #left: number;
  #isFull = false;

  constructor(services: Services, count: number, done: (items: ReplyItems) => void) {
    this.#services = services;
    this.#items = new ReplyItems(count);
    this.#left = count;
    this.#done = done;
  }

  start(request: MultiGetRequest, nowMs: number): void {
    if (request.gets.length === 0) this.#done(this.#items);
    request.gets.forEach((get, index) => {
      const operation = new GetOperation(this.#services);
      operation.index = index;
      if (this.#isFull) this.onFailure(operation, NO_ROOM);
      else operation.start(this, get, nowMs);
    });
  }

  onFound(get: GetOperation, parts: ReplyParts): void {
    const { settings, readOrigin } = this.#services;
    if (this.#items.bytes + ReplyItems.sizeOfGet(parts, readOrigin) > settings.frameBodyBytesMax) {
      this.#isFull = true;
      this.onFailure(get, NO_ROOM);
      return;
    }
    const item = this.#items.setGet(get.index, parts, readOrigin);
    if (parts.contextAt >= 0) get.encodeContext(item, parts.contextAt);
    this.#settled();
  }

  onFailure(get: GetOperation, refusal: Failure): void {
    this.#items.setError(get.index, refusal, this.#services.ring.version);
    this.#settled();
  }

  #settled(): void {
    this.#left -= 1;
    if (this.#left === 0) this.#done(this.#items);
  }
}

export class ManyPut implements PutTarget {
  readonly #services: Services;
  readonly #items: ReplyItems;
  readonly #hold: (bytes: number) => void;
  readonly #done: (items: ReplyItems) => void;
  #left: number;

  /** `hold` is told of bytes that are kept until `done`. */
  constructor(services: Services, count: number, hold: (bytes: number) => void, done: (items: ReplyItems) => void) {
    this.#services = services;
    this.#items = new ReplyItems(count);
    this.#left = count;
    this.#hold = hold;
    this.#done = done;
  }

  start(request: MultiPutRequest, nowMs: number): void {
    if (request.puts.length === 0) this.#done(this.#items);
    request.puts.forEach((put, index) => {
      const operation = new PutOperation(this.#services);
      operation.index = index;
      operation.start(this, put, nowMs);
    });
  }

  onStored(put: PutOperation, durable: boolean): void {
    const { parts, durableOrigin, bufferedOrigin, settings } = this.#services;
    put.fillReply(parts);
    const origin = durable ? durableOrigin : bufferedOrigin;
    // Siblings were asked for and do not fit: the put is stored all the same, and its answer goes without them.
    if (this.#items.bytes + ReplyItems.sizeOfGet(parts, origin) > settings.frameBodyBytesMax) parts.clear();
    this.#items.setPut(put.index, parts, put.siblingCount, origin);
    this.#settled();
  }

  onSiblings(_put: PutOperation, bytes: number): void {
    this.#hold(bytes);
  }

  onFailure(put: PutOperation, refusal: Failure): void {
    this.#items.setError(put.index, refusal, this.#services.ring.version);
    this.#settled();
  }

  #settled(): void {
    this.#left -= 1;
    if (this.#left === 0) this.#done(this.#items);
  }
}
