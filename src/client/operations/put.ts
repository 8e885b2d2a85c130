import type { Connection } from '../../env/transport.js';
import type { PutReply, PutRequest } from '../../model/messages.js';
import { PUT_REPLY } from '../../wire/kinds.js';
import { decodePutReply } from '../../wire/read-replies.js';
import { sizeOfPutFrame, sizeOfPutHead, writePutFrame, writePutHead } from '../../wire/write-requests.js';
import type { Call, Operation } from '../core/call.js';
import { orThrow } from '../core/session-frames.js';
import type { PartitaError } from '../errors.js';
import type { PutResult } from '../results.js';
import { metaOf, putResultOf } from './replies.js';

/** From this size on a value is not copied into the output, but sent behind it. */
export const CHUNK_BYTES_MIN = 16_384;

export interface WriteSettings {
  readonly w: number;
  readonly strict: boolean;
  readonly durable: boolean;
  /** 0: never expires. */
  readonly ttlMs: number;
}

export type MutablePut = { -readonly [K in keyof PutRequest]: PutRequest[K] };

export function putRequest(
  key: Uint8Array,
  value: Uint8Array | undefined,
  context: Uint8Array,
  putId: Uint8Array,
  settings: WriteSettings,
): MutablePut {
  const { w, strict, durable, ttlMs } = settings;
  return {
    key,
    value,
    context,
    putId,
    retry: false,
    budgetMs: 0,
    namespace: '',
    ringVersion: 0,
    w,
    strict,
    durable,
    ttlMs: value === undefined ? 0 : ttlMs,
    returnSiblings: false,
    sentMs: 0,
  };
}

/** A put, or a delete: a put without a value. */
export class PutOperation implements Operation {
  readonly name: 'put' | 'delete';
  readonly key: Uint8Array;
  readonly fastest: number;
  readonly writes = true;
  readonly replyKind: number = PUT_REPLY;
  readonly #request: MutablePut;
  readonly #resolve: (result: PutResult) => void;
  readonly #reject: (error: unknown) => void;
  /** The value's bytes are nobody's but ours, so they may stand in a socket's queue after the call has ended. */
  readonly #ownsValue: boolean;
  #frameBytes: number = 0;
  #reply: PutReply | null = null;

  constructor(
    request: MutablePut,
    ownsValue: boolean,
    resolve: (result: PutResult) => void,
    reject: (error: unknown) => void,
    fastest: number = 0,
  ) {
    this.name = request.value === undefined ? 'delete' : 'put';
    this.key = request.key;
    this.fastest = fastest;
    this.#request = request;
    this.#ownsValue = ownsValue;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  measure(budgetMs: number, ringVersion: number, retry: boolean, sentMs: number): number {
    const request = this.#request;
    request.budgetMs = budgetMs;
    request.ringVersion = ringVersion;
    request.retry = retry;
    request.sentMs = sentMs;
    this.#frameBytes = sizeOfPutFrame(request);
    return this.#frameBytes;
  }

  write(connection: Connection, requestId: number): void {
    const { value } = this.#request;
    if (value === undefined || value.length < CHUNK_BYTES_MIN || !this.#ownsValue) {
      const at = connection.claim(this.#frameBytes);
      writePutFrame(connection.output, at, requestId, this.#request);
      return;
    }
    const at = connection.claim(sizeOfPutHead(this.#request));
    writePutHead(connection.output, at, requestId, this.#request);
    connection.sendChunk(value);
  }

  read(bytes: Uint8Array, start: number, end: number): number {
    const reply = orThrow(decodePutReply(bytes, start, end));
    this.#reply = reply;
    return reply.origin.ringVersion;
  }

  succeed(call: Call, durationMs: number): void {
    const reply = this.#reply as PutReply;
    this.#resolve(putResultOf(reply, metaOf(reply.origin, call, durationMs), this.fastest));
  }

  fail(error: PartitaError): void {
    this.#reject(error);
  }
}
