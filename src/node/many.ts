/*
 * Requests for many keys: each key is a get or a put of its own, with its own outcome; the answer goes out when the last
 * has one, in the order of the request. Not the hottest path: objects a key are fine here, copies of values are needed
 * anyway, because the answers come at different times.
 */
import { copyBytes } from '../lib/bytes.js';
import { failure, type Failure } from '../model/errors.js';
import type { GetReply, PutReply, ReplyOrigin, SiblingMessage } from '../model/messages.js';
import type { ReplyParts } from '../wire/write-replies.js';
import { GetOperation, type GetTarget } from './get.js';
import { PutOperation, type PutTarget } from './put.js';
import type { Services } from './services.js';
import {
  encodeMultiGetReply,
  encodeMultiPutReply,
  type MultiGetRequest,
  type MultiPutRequest,
} from '../wire/codec-multi.js';

type Item<T> = T | { readonly failure: Failure };

const SIBLING_OVERHEAD_BYTES = 64;

export class ManyGet implements GetTarget {
  readonly #services: Services;
  readonly #items: Item<GetReply>[];
  readonly #done: (body: Uint8Array) => void;
  #left: number;
  #roomBytes: number;

  constructor(services: Services, count: number, done: (body: Uint8Array) => void) {
    this.#services = services;
    this.#items = new Array<Item<GetReply>>(count);
    this.#left = count;
    this.#roomBytes = services.settings.frameBodyBytesMax;
    this.#done = done;
  }

  start(request: MultiGetRequest, nowMs: number): void {
    if (request.gets.length === 0) {
      this.#done(encodeMultiGetReply([], this.#services.ring.version));
      return;
    }
    request.gets.forEach((get, index) => {
      const operation = new GetOperation(this.#services);
      operation.index = index;
      operation.start(this, get, nowMs);
    });
  }

  onFound(get: GetOperation, parts: ReplyParts): void {
    const contextBytes = parts.contextEnd - parts.contextStart;
    let bytes = contextBytes + SIBLING_OVERHEAD_BYTES;
    for (let i = 0; i < parts.count; i++) {
      bytes += (parts.valueEnds[i] as number) - (parts.valueStarts[i] as number) + SIBLING_OVERHEAD_BYTES;
    }
    if (bytes > this.#roomBytes) {
      this.onFailure(
        get,
        failure(
          'TOO_LARGE',
          'The values of this request do not fit into one answer: get this key by itself, or fewer at once',
        ),
      );
      return;
    }
    this.#roomBytes -= bytes;
    const context = new Uint8Array(contextBytes);
    if (contextBytes > 0) get.encodeContext(context, 0);
    this.#settle(get.index, { siblings: copies(parts), context, origin: originOf(this.#services, true) });
  }

  onFailure(get: GetOperation, refusal: Failure): void {
    this.#settle(get.index, { failure: refusal });
  }

  #settle(index: number, item: Item<GetReply>): void {
    this.#items[index] = item;
    this.#left -= 1;
    if (this.#left === 0) this.#done(encodeMultiGetReply(this.#items, this.#services.ring.version));
  }
}

export class ManyPut implements PutTarget {
  readonly #services: Services;
  readonly #items: Item<PutReply>[];
  readonly #done: (body: Uint8Array) => void;
  #left: number;

  constructor(services: Services, count: number, done: (body: Uint8Array) => void) {
    this.#services = services;
    this.#items = new Array<Item<PutReply>>(count);
    this.#left = count;
    this.#done = done;
  }

  start(request: MultiPutRequest, nowMs: number): void {
    if (request.puts.length === 0) {
      this.#done(encodeMultiPutReply([], this.#services.ring.version));
      return;
    }
    request.puts.forEach((put, index) => {
      const operation = new PutOperation(this.#services);
      operation.index = index;
      operation.start(this, put, nowMs);
    });
  }

  onStored(put: PutOperation, durable: boolean): void {
    const { siblings, siblingCount } = put;
    const context = copyBytes(put.context, 0, put.contextBytes);
    this.#settle(put.index, { context, siblings, siblingCount, origin: originOf(this.#services, durable) });
  }

  onFailure(put: PutOperation, refusal: Failure): void {
    this.#settle(put.index, { failure: refusal });
  }

  #settle(index: number, item: Item<PutReply>): void {
    this.#items[index] = item;
    this.#left -= 1;
    if (this.#left === 0) this.#done(encodeMultiPutReply(this.#items, this.#services.ring.version));
  }
}

function originOf(services: Services, durable: boolean): ReplyOrigin {
  return { nodeId: services.nodeId, ringVersion: services.ring.version, acked: 1, durable, sloppy: false };
}

function copies(parts: ReplyParts): readonly SiblingMessage[] {
  return Array.from({ length: parts.count }, (_, i) => ({
    value: copyBytes(parts.values[i] as Uint8Array, parts.valueStarts[i], parts.valueEnds[i]),
    writtenMs: parts.writtenMs[i] as number,
    expiresMs: parts.expiresMs[i] as number,
  }));
}
