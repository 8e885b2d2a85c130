/*
 * Many keys in one frame, to one node. A frame fails or answers as a whole; inside of an answer every key has a result
 * or an error of its own. Resent as a whole: gets do no harm, puts carry their ids.
 */
import type { Connection } from '../../env/transport.js';
import type { Failure } from '../../model/errors.js';
import type { GetReply, ManyReply, PutReply } from '../../model/messages.js';
import { FRAME_HEADER_BYTES } from '../../model/limits.js';
import { decodeMultiGetReply, decodeMultiPutReply, encodeMultiGet, encodeMultiPut } from '../../wire/codec-multi.js';
import { MULTI_GET, MULTI_GET_REPLY, MULTI_PUT, MULTI_PUT_REPLY } from '../../wire/kinds.js';
import type { Call, Operation } from '../core/call.js';
import { errorOfFailure, orThrow, sendFrame } from '../core/session-frames.js';
import { PartitaError } from '../errors.js';
import type { GetResult, PutResult } from '../results.js';
import type { ReadSettings } from './get.js';
import type { MutablePut } from './put.js';
import { getResultOf, metaOf, putResultOf } from './replies.js';
import type { Reading } from './replies.js';

/** A put, and the node that its context names; 0: none. */
export interface RoutedPut {
  readonly put: MutablePut;
  readonly fastest: number;
}

/** Answers in the order of the request. */
export type ManyDone<R> = (results: readonly (R | PartitaError)[]) => void;

export class GetManyOperation<T> implements Operation {
  readonly name = 'getMany';
  readonly key: Uint8Array | undefined;
  readonly fastest = 0;
  readonly writes = false;
  readonly replyKind: number = MULTI_GET_REPLY;
  readonly #keys: readonly Uint8Array[];
  readonly #settings: ReadSettings;
  readonly #reading: Reading<T>;
  readonly #done: ManyDone<GetResult<T>>;
  #body: Uint8Array = NOTHING;
  #reply: ManyReply<GetReply> = [];

  constructor(keys: readonly Uint8Array[], settings: ReadSettings, reading: Reading<T>, done: ManyDone<GetResult<T>>) {
    this.key = keys[0];
    this.#keys = keys;
    this.#settings = settings;
    this.#reading = reading;
    this.#done = done;
  }

  measure(budgetMs: number, ringVersion: number): number {
    const head = { budgetMs, ringVersion, namespace: '' };
    this.#body = encodeMultiGet({ ...head, gets: this.#keys.map((key) => ({ ...head, ...this.#settings, key })) });
    return FRAME_HEADER_BYTES + this.#body.length;
  }

  write(connection: Connection, requestId: number): void {
    sendFrame(connection, MULTI_GET, requestId, this.#body);
  }

  read(bytes: Uint8Array, start: number, end: number): number {
    this.#reply = orThrow(decodeMultiGetReply(bytes, start, end));
    return checkCount(this.#reply, this.#keys.length);
  }

  succeed(call: Call, durationMs: number): void {
    this.#done(
      this.#reply.map((item, i) => {
        if ('failure' in item) return errorOfItem(item.failure, call);
        try {
          return getResultOf(item, this.#keys[i] as Uint8Array, this.#reading, metaOf(item.origin, call, durationMs));
        } catch (error) {
          if (error instanceof PartitaError) return error;
          return new PartitaError('DECODE', `The resolver failed: ${String(error)}`, { cause: error });
        }
      }),
    );
  }

  fail(error: PartitaError): void {
    this.#done(this.#keys.map(() => error));
  }
}

export class PutManyOperation implements Operation {
  readonly name = 'putMany';
  readonly key: Uint8Array | undefined;
  readonly fastest: number;
  readonly writes = true;
  readonly replyKind: number = MULTI_PUT_REPLY;
  readonly #puts: readonly RoutedPut[];
  readonly #done: ManyDone<PutResult>;
  #body: Uint8Array = NOTHING;
  #reply: ManyReply<PutReply> = [];

  /** All of them go where the first one would. */
  constructor(puts: readonly RoutedPut[], done: ManyDone<PutResult>) {
    this.key = puts[0]?.put.key;
    this.fastest = puts[0]?.fastest ?? 0;
    this.#puts = puts;
    this.#done = done;
  }

  measure(budgetMs: number, ringVersion: number, retry: boolean, sentMs: number): number {
    for (const { put } of this.#puts) put.retry = retry;
    const puts = this.#puts.map(({ put }) => put);
    this.#body = encodeMultiPut({ budgetMs, ringVersion, namespace: '', puts, sentMs });
    return FRAME_HEADER_BYTES + this.#body.length;
  }

  write(connection: Connection, requestId: number): void {
    sendFrame(connection, MULTI_PUT, requestId, this.#body);
  }

  read(bytes: Uint8Array, start: number, end: number): number {
    this.#reply = orThrow(decodeMultiPutReply(bytes, start, end));
    return checkCount(this.#reply, this.#puts.length);
  }

  succeed(call: Call, durationMs: number): void {
    this.#done(
      this.#reply.map((item, i) =>
        'failure' in item
          ? errorOfItem(item.failure, call)
          : putResultOf(item, metaOf(item.origin, call, durationMs), this.#puts[i]?.fastest ?? 0),
      ),
    );
  }

  fail(error: PartitaError): void {
    this.#done(this.#puts.map(() => error));
  }
}

const NOTHING: Uint8Array = new Uint8Array(0);

/** Throws when keys and answers do not pair; else the newest ring version that an answer names. */
function checkCount(reply: ManyReply<GetReply | PutReply>, asked: number): number {
  if (reply.length !== asked) throw new RangeError(`${reply.length} answers for ${asked} keys`);
  let newest = 0;
  for (const item of reply) if (!('failure' in item)) newest = Math.max(newest, item.origin.ringVersion);
  return newest;
}

/** An earlier attempt of the whole may have done what the last one refused. */
function errorOfItem(failure: Failure, call: Call): PartitaError {
  const outcomeUnknown = failure.outcomeUnknown || call.maybeDone;
  return errorOfFailure({ ...failure, outcomeUnknown }, call.peer?.address, call.sends);
}
