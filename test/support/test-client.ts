/** A client on a test's bench: says gets and puts, reads the answers. */
import type { GetReply, GetRequest, PutReply, PutRequest } from '../../src/model/messages.js';
import { GET_REPLY, PUT_REPLY } from '../../src/wire/kinds.js';
import { isFault } from '../../src/wire/plain.js';
import { decodeGetReply, decodePutReply } from '../../src/wire/read-replies.js';
import { sizeOfGetFrame, sizeOfPutFrame, writeGetFrame, writePutFrame } from '../../src/wire/write-requests.js';
import { errorOf, type Frame, type NodeBench, type TestConnection } from './node-bench.js';

const NONE = new Uint8Array(0);
export const text = (value: string): Uint8Array => Buffer.from(value);
export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

export class TestClient {
  readonly connection: TestConnection;
  readonly #bench: NodeBench;
  #requestId = 100;
  #random = 0;

  constructor(bench: NodeBench, connection: TestConnection = bench.ready()) {
    this.#bench = bench;
    this.connection = connection;
  }

  /** Sends and returns the request id. */
  askGet(key: string | Uint8Array, more: Partial<GetRequest> = {}): number {
    const get: GetRequest = {
      key: bytesOf(key),
      budgetMs: 1_000,
      namespace: '',
      ringVersion: 1,
      r: 0,
      strict: false,
      ...more,
    };
    const frame = Buffer.alloc(sizeOfGetFrame(get));
    writeGetFrame(frame, 0, ++this.#requestId, get);
    this.#send(frame);
    return this.#requestId;
  }

  askPut(key: string | Uint8Array, value: string | Uint8Array | undefined, more: Partial<PutRequest> = {}): number {
    const put: PutRequest = {
      key: bytesOf(key),
      value: value === undefined ? undefined : bytesOf(value),
      context: NONE,
      putId: this.#bench.putId(++this.#random),
      retry: false,
      budgetMs: 1_000,
      namespace: '',
      ringVersion: 1,
      w: 0,
      strict: false,
      durable: false,
      ttlMs: 0,
      returnSiblings: false,
      ...more,
    };
    const frame = Buffer.alloc(sizeOfPutFrame(put));
    writePutFrame(frame, 0, ++this.#requestId, put);
    this.#send(frame);
    return this.#requestId;
  }

  /** As a socket does: the chunk is a Buffer, whose slice() is a view, and its memory is used again at once. */
  #send(frame: Buffer): void {
    const { reading } = this.connection;
    this.connection.bytes(frame);
    if (reading) frame.fill(0xee);
  }

  get(key: string | Uint8Array, more: Partial<GetRequest> = {}): GetReply {
    this.askGet(key, more);
    return getReplyOf(this.connection.take()[0]);
  }

  values(key: string): string[] {
    return this.get(key).siblings.map(({ value }) => textOf(value));
  }

  put(key: string | Uint8Array, value: string | Uint8Array | undefined, more: Partial<PutRequest> = {}): PutReply {
    this.askPut(key, value, more);
    return putReplyOf(this.connection.take()[0]);
  }

  putError(
    key: string | Uint8Array,
    value: string | Uint8Array | undefined,
    more: Partial<PutRequest> = {},
  ): ReturnType<typeof errorOf> {
    this.askPut(key, value, more);
    return errorOf(this.connection.take()[0]);
  }
}

export function getReplyOf(frame: Frame | undefined): GetReply {
  if (frame?.kind !== GET_REPLY) throw new Error(`Not a GET_REPLY: ${describe(frame)}`);
  const reply = decodeGetReply(frame.body, 0, frame.body.length);
  if (isFault(reply)) throw new Error(reply);
  return reply;
}

export function putReplyOf(frame: Frame | undefined): PutReply {
  if (frame?.kind !== PUT_REPLY) throw new Error(`Not a PUT_REPLY: ${describe(frame)}`);
  const reply = decodePutReply(frame.body, 0, frame.body.length);
  if (isFault(reply)) throw new Error(reply);
  return reply;
}

function describe(frame: Frame | undefined): string {
  if (frame === undefined) return 'nothing was said';
  return frame.kind === 6 ? JSON.stringify(errorOf(frame)) : `kind ${frame.kind}`;
}

const bytesOf = (value: string | Uint8Array): Uint8Array => (typeof value === 'string' ? text(value) : value);
