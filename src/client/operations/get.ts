import type { Connection } from '../../env/transport.js';
import type { GetReply, GetRequest } from '../../model/messages.js';
import { GET_REPLY } from '../../wire/kinds.js';
import { decodeGetReply } from '../../wire/read-replies.js';
import { sizeOfGetFrame, writeGetFrame } from '../../wire/write-requests.js';
import type { Call, Operation } from '../core/call.js';
import { orThrow } from '../core/session-frames.js';
import type { PartitaError } from '../errors.js';
import type { GetResult } from '../results.js';
import { getResultOf, metaOf } from './replies.js';
import type { Reading } from './replies.js';

export interface ReadSettings {
  readonly r: number;
  readonly strict: boolean;
}

export class GetOperation<T> implements Operation {
  readonly name = 'get';
  readonly key: Uint8Array;
  readonly fastest = 0;
  readonly writes = false;
  readonly replyKind: number = GET_REPLY;
  readonly #request: { -readonly [K in keyof GetRequest]: GetRequest[K] };
  readonly #reading: Reading<T>;
  readonly #resolve: (result: GetResult<T>) => void;
  readonly #reject: (error: unknown) => void;
  #frameBytes: number = 0;
  #reply: GetReply | null = null;

  constructor(
    key: Uint8Array,
    settings: ReadSettings,
    reading: Reading<T>,
    resolve: (result: GetResult<T>) => void,
    reject: (error: unknown) => void,
  ) {
    this.key = key;
    this.#request = { key, budgetMs: 0, namespace: '', ringVersion: 0, r: settings.r, strict: settings.strict };
    this.#reading = reading;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  measure(budgetMs: number, ringVersion: number): number {
    this.#request.budgetMs = budgetMs;
    this.#request.ringVersion = ringVersion;
    this.#frameBytes = sizeOfGetFrame(this.#request);
    return this.#frameBytes;
  }

  write(connection: Connection, requestId: number): void {
    const at = connection.claim(this.#frameBytes);
    writeGetFrame(connection.output, at, requestId, this.#request);
  }

  read(bytes: Uint8Array, start: number, end: number): number {
    const reply = orThrow(decodeGetReply(bytes, start, end));
    this.#reply = reply;
    return reply.origin.ringVersion;
  }

  succeed(call: Call, durationMs: number): void {
    const reply = this.#reply as GetReply;
    let result: GetResult<T>;
    try {
      result = getResultOf(reply, this.key, this.#reading, metaOf(reply.origin, call, durationMs));
    } catch (error) {
      this.#reject(error);
      return;
    }
    this.#resolve(result);
  }

  fail(error: PartitaError): void {
    this.#reject(error);
  }
}
