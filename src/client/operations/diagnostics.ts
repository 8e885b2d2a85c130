/* Ping and explain: for people, so encoded the plain way. */
import type { Connection } from '../../env/transport.js';
import { FRAME_HEADER_BYTES } from '../../model/limits.js';
import type { ExplainReply } from '../../model/messages.js';
import { decodePong, encodePing } from '../../wire/codec-connection.js';
import { decodeExplainReply, encodeExplain } from '../../wire/codec-ring.js';
import { EXPLAIN, EXPLAIN_REPLY, PING, PONG } from '../../wire/kinds.js';
import type { Call, Operation } from '../core/call.js';
import { orThrow, sendFrame } from '../core/session-frames.js';
import type { PartitaError } from '../errors.js';
import type { Explanation } from '../results.js';

const NOTHING: Uint8Array = new Uint8Array(0);

export class PingOperation implements Operation {
  readonly name = 'ping';
  readonly key: undefined = undefined;
  readonly fastest = 0;
  readonly writes = false;
  readonly replyKind: number = PONG;
  readonly #resolve: (durationMs: number) => void;
  readonly #reject: (error: unknown) => void;
  #body: Uint8Array = NOTHING;

  constructor(resolve: (durationMs: number) => void, reject: (error: unknown) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  measure(budgetMs: number): number {
    this.#body = encodePing({ budgetMs });
    return FRAME_HEADER_BYTES + this.#body.length;
  }

  write(connection: Connection, requestId: number): void {
    sendFrame(connection, PING, requestId, this.#body);
  }

  read(bytes: Uint8Array, start: number, end: number): number {
    return orThrow(decodePong(bytes, start, end)).ringVersion;
  }

  succeed(_call: Call, durationMs: number): void {
    this.#resolve(durationMs);
  }

  fail(error: PartitaError): void {
    this.#reject(error);
  }
}

export class ExplainOperation implements Operation {
  readonly name = 'explain';
  readonly key: Uint8Array;
  readonly fastest = 0;
  readonly writes = false;
  readonly replyKind: number = EXPLAIN_REPLY;
  readonly #resolve: (reply: Explanation) => void;
  readonly #reject: (error: unknown) => void;
  #body: Uint8Array = NOTHING;
  #reply: ExplainReply | null = null;

  constructor(key: Uint8Array, resolve: (reply: Explanation) => void, reject: (error: unknown) => void) {
    this.key = key;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  measure(budgetMs: number): number {
    this.#body = encodeExplain({ key: this.key, budgetMs, namespace: '' });
    return FRAME_HEADER_BYTES + this.#body.length;
  }

  write(connection: Connection, requestId: number): void {
    sendFrame(connection, EXPLAIN, requestId, this.#body);
  }

  read(bytes: Uint8Array, start: number, end: number): number {
    this.#reply = orThrow(decodeExplainReply(bytes, start, end));
    return 0;
  }

  succeed(call: Call): void {
    this.#resolve({ ...(this.#reply as ExplainReply), node: call.peer?.address ?? '' });
  }

  fail(error: PartitaError): void {
    this.#reject(error);
  }
}
