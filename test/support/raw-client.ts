/*
 * A client of a few lines that speaks frames, for tests that must see exactly what is on the wire. It shares neither the
 * SDK's code nor wire/'s hand-written encoders: messages go through the code that protobufjs generated from the contract.
 */
import { connect, type Socket } from 'node:net';
import { FRAME_HEADER_BYTES } from '../../src/model/limits.js';
import * as kinds from '../../src/wire/kinds.js';
import { partita } from '../../src/wire/protobuf.js';

const v1 = partita.v1;

export interface RawFrame {
  readonly kind: number;
  readonly requestId: number;
  readonly body: Buffer;
}

/** The connection broke, or was never there: what was under way may have happened. */
export class ConnectionLostError extends Error {
  override readonly name = 'ConnectionLostError';
}

/** The server's own error frame. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly code: number;
  readonly outcomeUnknown: boolean;
  readonly retryable: boolean;

  constructor(error: {
    readonly code: number;
    readonly text: string;
    readonly outcomeUnknown: boolean;
    readonly retryable: boolean;
  }) {
    super(error.text);
    this.code = error.code;
    this.outcomeUnknown = error.outcomeUnknown;
    this.retryable = error.retryable;
  }
}

export function encodeFrame(kind: number, requestId: number, body: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + body.length);
  frame.writeUInt32BE(body.length, 0);
  frame.writeUInt32BE(kind * 0x1000000, 4);
  frame.writeUInt32BE(requestId, 8);
  frame.set(body, FRAME_HEADER_BYTES);
  return frame;
}

/** Cuts a stream into frames. Simple rather than fast: what is left over is joined with the next chunk. */
export class FrameCutter {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): readonly RawFrame[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: RawFrame[] = [];
    let at = 0;
    while (bytes.length - at >= FRAME_HEADER_BYTES) {
      const end = at + FRAME_HEADER_BYTES + bytes.readUInt32BE(at);
      if (end > bytes.length) break;
      const body = bytes.subarray(at + FRAME_HEADER_BYTES, end);
      frames.push({ kind: bytes.readUInt8(at + 4), requestId: bytes.readUInt32BE(at + 8), body });
      at = end;
    }
    this.#rest = bytes.subarray(at);
    return frames;
  }
}

export const helloBody = (): Uint8Array =>
  v1.Hello.encode({ versionMin: 1, versionMax: 1, clientName: 'raw' }).finish();

/** Opens a socket to `host:port`; it keeps its errors to itself and reports them by `close`. */
export function openSocket(address: string): Promise<Socket> {
  const colon = address.lastIndexOf(':');
  const socket = connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)), noDelay: true });
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      reject(new ConnectionLostError(error.message, { cause: error }));
    };
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      socket.on('error', () => undefined); // `close` follows
      resolve(socket);
    });
  });
}

export interface RawRead {
  readonly values: readonly Uint8Array[];
  readonly context: Uint8Array;
}

export interface RawWritten {
  readonly context: Uint8Array;
  readonly siblingCount: number;
  readonly durable: boolean;
}

export interface RawWrite {
  readonly key: string;
  /** undefined: delete. */
  readonly value: Uint8Array | undefined;
  readonly context: Uint8Array;
  readonly putId: Uint8Array;
  readonly retry?: boolean;
  readonly durable?: boolean;
}

interface Waiting {
  readonly resolve: (frame: RawFrame) => void;
  readonly reject: (error: Error) => void;
}

export class RawClient {
  readonly socket: Socket;
  readonly #waiting: Map<number, Waiting> = new Map();
  readonly #cutter = new FrameCutter();
  #lastRequestId = 0;
  #goneAway = false;
  budgetMs = 10_000;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      for (const frame of this.#cutter.push(chunk)) this.#onFrame(frame);
    });
    socket.on('close', () => {
      for (const waiting of this.#waiting.values())
        waiting.reject(new ConnectionLostError('The connection was closed'));
      this.#waiting.clear();
    });
  }

  static async connect(address: string): Promise<RawClient> {
    const client = new RawClient(await openSocket(address));
    const reply = await client.request(kinds.HELLO, helloBody());
    if (reply.kind !== kinds.HELLO_REPLY)
      throw new ConnectionLostError(`HELLO was answered by ${kinds.nameOfKind(reply.kind)}`);
    return client;
  }

  get goneAway(): boolean {
    return this.#goneAway;
  }

  #onFrame(frame: RawFrame): void {
    if (frame.kind === kinds.GO_AWAY) this.#goneAway = true;
    const waiting = this.#waiting.get(frame.requestId);
    if (waiting === undefined) return;
    this.#waiting.delete(frame.requestId);
    if (frame.kind === kinds.ERROR) waiting.reject(new RefusedError(v1.Error.decode(frame.body)));
    else waiting.resolve(frame);
  }

  request(kind: number, body: Uint8Array): Promise<RawFrame> {
    this.#lastRequestId = (this.#lastRequestId + 1) >>> 0;
    const requestId = this.#lastRequestId;
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed || !this.socket.writable) {
        reject(new ConnectionLostError('The connection is closed'));
        return;
      }
      this.#waiting.set(requestId, { resolve, reject });
      this.socket.write(encodeFrame(kind, requestId, body));
    });
  }

  async ping(): Promise<void> {
    await this.request(kinds.PING, v1.Ping.encode({ budgetMs: this.budgetMs }).finish());
  }

  async get(key: string): Promise<RawRead> {
    const body = v1.Get.encode({ key: Buffer.from(key), budgetMs: this.budgetMs }).finish();
    const reply = v1.GetReply.decode((await this.request(kinds.GET, body)).body);
    return { values: reply.siblings.map((sibling) => sibling.value ?? new Uint8Array(0)), context: reply.context };
  }

  async write(write: RawWrite): Promise<RawWritten> {
    const { value, context, putId, retry = false, durable = false } = write;
    const head = { key: Buffer.from(write.key), context, putId, retry, durable, budgetMs: this.budgetMs };
    const frame =
      value === undefined
        ? this.request(kinds.DELETE, v1.Delete.encode(head).finish())
        : this.request(kinds.PUT, v1.Put.encode({ ...head, value }).finish());
    const reply = v1.PutReply.decode((await frame).body);
    return { context: reply.context, siblingCount: reply.siblingCount, durable: reply.origin?.durable ?? false };
  }

  close(): void {
    this.socket.destroy();
  }
}

let putIds = 0;

/** Twelve bytes: seconds now, and eight that no other put of this process has. */
export function newPutId(): Uint8Array {
  const id = Buffer.allocUnsafe(12);
  putIds += 1;
  id.writeUInt32BE(Math.floor(Date.now() / 1_000), 0);
  id.writeUInt32BE(process.pid, 4);
  id.writeUInt32BE(putIds, 8);
  return id;
}
