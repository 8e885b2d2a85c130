/*
 * Partita's own frames (protocol/PROTOCOL.md), by templates: a put is one copy of a frame that wire/ encoded before the
 * run, with request id, key, context and put id patched where wire/ itself says that they lie.
 *
 * A get's reply is judged by its header: one that is as long as the smallest value holds one. Each 64th is decoded and
 * looked into; with `verify`, each one, to the last byte.
 */
import type { Prng } from '../../src/lib/prng.js';
import { readU32, writeU32 } from '../../src/lib/bytes.js';
import { FRAME_HEADER_BYTES } from '../../src/model/limits.js';
import type { PutRequest } from '../../src/model/messages.js';
import { decodeError, encodeHello } from '../../src/wire/codec-connection.js';
import { frameOf } from '../../src/wire/frame.js';
import * as kinds from '../../src/wire/kinds.js';
import { decodeGetReply, decodePutReply } from '../../src/wire/read-replies.js';
import {
  GetRequestView,
  PutRequestView,
  decodeDeleteInto,
  decodeGetInto,
  decodePutInto,
} from '../../src/wire/requests.js';
import { sizeOfGetFrame, sizeOfPutFrame, writeGetFrame, writePutFrame } from '../../src/wire/write-requests.js';
import { CONTEXT_NONE } from './contexts.js';
import type { ContextStore } from './contexts.js';
import { KEY_BYTES, MISMATCH, NOT_FOUND, keyBytes, writeKey } from './dialect.js';
import type { WireDialect } from './dialect.js';
import type { Plan } from './plan.js';
import { OK } from './recorder.js';
import { faultOfValue, writeValue } from './value.js';

const PROTOCOL_VERSION = 1;
const LOOK_INTO_EACH = 64;
const NOTHING: Uint8Array = new Uint8Array(0);
/** A context that is longer than this is not from a record that a bench wrote; room for it is made all the same. */
const CONTEXT_BYTES_ROOM = 4_096;
const REQUEST_ROOM = 256;

interface PutTemplate {
  readonly frame: Buffer;
  readonly keyAt: number;
  readonly contextAt: number;
  readonly putIdAt: number;
  readonly valueAt: number;
}

export class PartitaDialect implements WireDialect {
  readonly greeting: Uint8Array;
  readonly requestBytesMax: number;
  readonly contexts: ContextStore;
  readonly inOrder: boolean = false;
  requestId: number = 0;
  fault: string = '';
  seconds: number = Math.floor(Date.now() / 1000);

  readonly #plan: Plan;
  readonly #thread: number;
  readonly #prng: Prng;
  readonly #sizes: ReadonlySet<number>;
  readonly #smallestValue: number;
  readonly #getTemplate: Buffer;
  readonly #getKeyAt: number;
  /** value bytes → context bytes → template; a delete is under -1. */
  readonly #putTemplates: Map<number, Map<number, PutTemplate>> = new Map();
  #operations: number = 0;
  #untilLook: number = 1;
  #bytes: Buffer = Buffer.alloc(0);
  #kind: number = 0;
  #start: number = 0;
  #end: number = 0;

  constructor(plan: Plan, thread: number, prng: Prng, contexts: ContextStore) {
    this.#plan = plan;
    this.#thread = thread;
    this.#prng = prng;
    this.contexts = contexts;
    this.#sizes = new Set(plan.sizes.map((size) => size.bytes));
    this.#smallestValue = Math.min(...this.#sizes);
    this.requestBytesMax = Math.max(...this.#sizes) + CONTEXT_BYTES_ROOM + REQUEST_ROOM;
    this.greeting = frameOf(
      kinds.HELLO,
      0,
      encodeHello({
        versionMin: PROTOCOL_VERSION,
        versionMax: PROTOCOL_VERSION,
        cluster: '',
        role: 'client',
        token: NOTHING,
        features: 0,
        clientName: 'partita bench',
      }),
    );
    const get = { key: keyBytes(0), budgetMs: this.#budgetMs, namespace: '', ringVersion: 0, r: 0, strict: false };
    this.#getTemplate = Buffer.alloc(sizeOfGetFrame(get));
    writeGetFrame(this.#getTemplate, 0, 0, get);
    const view = new GetRequestView();
    decodeGetInto(view, this.#getTemplate, FRAME_HEADER_BYTES, this.#getTemplate.length);
    this.#getKeyAt = view.keyStart;
  }

  greetingFault(): string {
    if (this.#kind === kinds.HELLO_REPLY) return '';
    if (this.#kind === kinds.ERROR) {
      const error = decodeError(this.#bytes, this.#start, this.#end);
      return typeof error === 'string' ? error : `${error.code}: ${error.text}`;
    }
    return `the server answered Hello by ${kinds.nameOfKind(this.#kind)}`;
  }

  writeGet(target: Buffer, at: number, requestId: number, key: number): number {
    const template = this.#getTemplate;
    for (let i = 0; i < template.length; i++) target[at + i] = template[i] as number;
    writeU32(target, at + 8, requestId);
    writeKey(target, at + this.#getKeyAt, key);
    return at + template.length;
  }

  writePut(target: Buffer, at: number, requestId: number, key: number, valueBytes: number): number {
    const context = Math.max(CONTEXT_NONE, this.contexts.lengthOf(key));
    const template = this.#putTemplate(valueBytes, context);
    template.frame.copy(target, at);
    this.#patch(target, at, requestId, key, template, context);
    const operation = this.#operations++;
    if (this.#plan.verify) {
      writeValue(target, at + template.valueAt, valueBytes, this.#plan.seed, key, this.#thread, operation);
    } else if (valueBytes >= 4) {
      writeU32(target, at + template.valueAt, operation); // no two values are the same
    }
    return at + template.frame.length;
  }

  writeDelete(target: Buffer, at: number, requestId: number, key: number): number {
    const context = Math.max(CONTEXT_NONE, this.contexts.lengthOf(key));
    const template = this.#putTemplate(-1, context);
    template.frame.copy(target, at);
    this.#patch(target, at, requestId, key, template, context);
    return at + template.frame.length;
  }

  parse(bytes: Buffer, start: number, end: number): number {
    if (end - start < FRAME_HEADER_BYTES) return 0;
    const size = FRAME_HEADER_BYTES + readU32(bytes, start);
    if (end - start < size) return 0;
    this.#bytes = bytes;
    this.#kind = bytes[start + 4] as number;
    this.#start = start + FRAME_HEADER_BYTES;
    this.#end = start + size;
    this.requestId = this.#kind === kinds.GO_AWAY ? -1 : readU32(bytes, start + 8);
    return size;
  }

  judgeGet(key: number, learnContext: boolean): string {
    if (this.#kind !== kinds.GET_REPLY) return this.#judgeOther(key);
    const look = this.#plan.verify || learnContext || this.#end - this.#start < this.#smallestValue;
    if (!look && --this.#untilLook > 0) return OK;
    this.#untilLook = LOOK_INTO_EACH;
    const reply = decodeGetReply(this.#bytes, this.#start, this.#end);
    if (typeof reply === 'string') return this.#mismatch(reply);
    if (learnContext) this.contexts.set(key, reply.context, 0, reply.context.length);
    if (reply.siblings.length === 0) return NOT_FOUND;
    for (const { value } of reply.siblings) {
      const fault = this.#plan.verify ? faultOfValue(value, this.#plan.seed, key) : this.#faultOfSize(value.length);
      if (fault !== '') return this.#mismatch(`key ${keyBytes(key).toString()}: ${fault}`);
    }
    return OK;
  }

  judgeWrite(key: number): string {
    if (this.#kind !== kinds.PUT_REPLY) {
      this.contexts.forget(key);
      return this.#judgeOther(key);
    }
    const bytes = this.#bytes;
    const start = this.#start;
    const length = bytes[start + 1] as number;
    if (bytes[start] === 0x0a && length < 0x80 && start + 2 + length <= this.#end) {
      // Field 1, the context, comes first and is short: the usual case costs no object.
      this.contexts.set(key, bytes, start + 2, start + 2 + length);
      return OK;
    }
    const reply = decodePutReply(bytes, start, this.#end);
    if (typeof reply === 'string') return this.#mismatch(reply);
    if (reply.context.length === 0) this.contexts.forget(key);
    else this.contexts.set(key, reply.context, 0, reply.context.length);
    return OK;
  }

  get #budgetMs(): number {
    return Math.max(1, Math.min(60_000, this.#plan.timeoutMs));
  }

  #judgeOther(key: number): string {
    if (this.#kind !== kinds.ERROR) return this.#mismatch(`a reply of kind ${kinds.nameOfKind(this.#kind)}`);
    const error = decodeError(this.#bytes, this.#start, this.#end);
    if (typeof error === 'string') return this.#mismatch(error);
    if (error.context !== undefined && error.context.length > 0) {
      this.contexts.set(key, error.context, 0, error.context.length);
    }
    return error.code.toLowerCase();
  }

  #faultOfSize(length: number): string {
    return this.#sizes.has(length) ? '' : `a value of ${length} bytes, which no put of this run has`;
  }

  #mismatch(fault: string): string {
    this.fault = fault;
    return MISMATCH;
  }

  #patch(target: Buffer, at: number, requestId: number, key: number, template: PutTemplate, context: number): void {
    writeU32(target, at + 8, requestId);
    writeKey(target, at + template.keyAt, key);
    if (context > 0) this.contexts.copyTo(target, at + template.contextAt, key);
    writeU32(target, at + template.putIdAt, this.seconds);
    writeU32(target, at + template.putIdAt + 4, this.#prng.u32());
    writeU32(target, at + template.putIdAt + 8, this.#prng.u32());
  }

  #putTemplate(valueBytes: number, context: number): PutTemplate {
    let byContext = this.#putTemplates.get(valueBytes);
    if (byContext === undefined) this.#putTemplates.set(valueBytes, (byContext = new Map<number, PutTemplate>()));
    let template = byContext.get(context);
    if (template === undefined) byContext.set(context, (template = this.#encodeTemplate(valueBytes, context)));
    return template;
  }

  #encodeTemplate(valueBytes: number, context: number): PutTemplate {
    const value = valueBytes < 0 ? undefined : new Uint8Array(valueBytes);
    if (value !== undefined) this.#prng.fill(value);
    const put: PutRequest = {
      key: new Uint8Array(KEY_BYTES),
      value,
      context: new Uint8Array(context),
      putId: new Uint8Array(12),
      retry: false,
      budgetMs: this.#budgetMs,
      namespace: '',
      ringVersion: 0,
      w: 0,
      strict: false,
      durable: this.#plan.durable,
      ttlMs: 0,
      returnSiblings: false,
    };
    const frame = Buffer.alloc(sizeOfPutFrame(put));
    writePutFrame(frame, 0, 0, put);
    const view = new PutRequestView();
    const decode = value === undefined ? decodeDeleteInto : decodePutInto;
    decode(view, frame, FRAME_HEADER_BYTES, frame.length);
    return {
      frame,
      keyAt: view.keyStart,
      contextAt: view.contextStart,
      putIdAt: view.putIdStart,
      valueAt: view.valueStart,
    };
  }
}
