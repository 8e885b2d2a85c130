/*
 * A node in a few lines, in memory, for tests of the generator: real frames, a map of values, and a context that is right
 * or wrong. It can be told to be slow, to stand still, to refuse, to lie, and to say no more.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { failure } from '../../src/model/errors.js';
import { FRAME_OVERHEAD_BYTES, VALUE_BYTES_DEFAULT_MAX } from '../../src/model/limits.js';
import type { RingMessage } from '../../src/model/messages.js';
import { encodeHelloReply } from '../../src/wire/codec-connection.js';
import { encodeRingReply } from '../../src/wire/codec-ring.js';
import { FrameDecoder, frameOf } from '../../src/wire/frame.js';
import * as kinds from '../../src/wire/kinds.js';
import {
  GetRequestView,
  PutRequestView,
  decodeDeleteInto,
  decodeGetInto,
  decodePutInto,
} from '../../src/wire/requests.js';
import {
  ReplyParts,
  encodeOrigin,
  sizeOfErrorFrame,
  sizeOfGetReplyFrame,
  sizeOfPutReplyFrame,
  writeErrorFrame,
  writeGetReplyFrame,
  writePutReplyFrame,
} from '../../src/wire/write-replies.js';

const NODE_ID = '0'.repeat(31) + '1';
const origin = encodeOrigin({
  nodeId: NODE_ID,
  ringVersion: 1,
  acked: 1,
  durable: true,
  sloppy: false,
  owners: [1],
  fallbacks: [],
  fastest: 1,
});
const CONTEXT_BYTES = 24;

interface Entry {
  values: Buffer[];
  version: number;
}

export class ToyServer {
  readonly entries: Map<string, Entry> = new Map();
  gets: number = 0;
  puts: number = 0;
  /** Puts that added a sibling because their context was not the newest. */
  concurrentPuts: number = 0;
  /** Each answer comes so much later. */
  delayMs: number = 0;
  /** 0 ≤ share ≤ 1 of requests that get no answer, refused requests, bytes that are flipped in a value. */
  silentEach: number = 0;
  refuseEach: number = 0;
  corruptEach: number = 0;
  /** At this request (0: never) the whole server stands still for `stallMs`. */
  stallAt: number = 0;
  stallMs: number = 200;
  /** What it says of its ring, and who of it it is. */
  ring: RingMessage | undefined;
  nodeId: string = NODE_ID;
  /** At this request all connections are dropped. */
  dropAt: number = 0;
  readonly #server: Server;
  readonly #sockets: Set<Socket> = new Set();
  #requests: number = 0;

  constructor() {
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.#sockets.delete(socket));
      this.#serve(socket);
    });
  }

  listen(): Promise<string> {
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', () => {
        resolve(`127.0.0.1:${(this.#server.address() as AddressInfo).port}`);
      });
    });
  }

  #dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.#dropConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    const send = (frame: Buffer): void => {
      if (this.delayMs === 0) socket.write(frame);
      else setTimeout(() => socket.write(frame), this.delayMs);
    };
    const decoder = new FrameDecoder(
      {
        onFrame: (kind, requestId, bytes, start, end) => {
          if (kind === kinds.HELLO) {
            send(Buffer.from(frameOf(kinds.HELLO_REPLY, requestId, hello(this.nodeId))));
            return;
          }
          if (kind === kinds.RING_FETCH && this.ring !== undefined) {
            send(Buffer.from(frameOf(kinds.RING_REPLY, requestId, encodeRingReply(this.ring))));
            return;
          }
          const number = ++this.#requests;
          const due = (each: number): boolean => each > 0 && number % each === 0;
          if (number === this.stallAt) stall(this.stallMs);
          if (number === this.dropAt) this.#dropConnections();
          if (due(this.silentEach)) return;
          if (due(this.refuseEach)) {
            send(refusal(requestId));
            return;
          }
          if (kind === kinds.GET) send(this.#get(requestId, bytes, start, end, due(this.corruptEach)));
          else send(this.#put(requestId, bytes, start, end, kind === kinds.DELETE));
        },
        onFault: () => socket.destroy(),
      },
      VALUE_BYTES_DEFAULT_MAX + FRAME_OVERHEAD_BYTES,
    );
    socket.on('data', (chunk: Buffer) => {
      decoder.push(chunk, 0);
    });
  }

  #get(requestId: number, bytes: Uint8Array, start: number, end: number, corrupt: boolean): Buffer {
    this.gets++;
    const view = new GetRequestView();
    decodeGetInto(view, bytes, start, end);
    const entry = this.entries.get(Buffer.from(view.key).toString('latin1'));
    const parts = new ReplyParts();
    for (const value of entry?.values ?? []) {
      const shown = Buffer.from(value);
      if (corrupt && shown.length > 0) shown[shown.length >> 1] = (shown[shown.length >> 1] as number) ^ 1;
      parts.addSibling(shown, 0, shown.length, 1, 0);
    }
    if (entry !== undefined) parts.setContext(contextOf(entry.version), 0, CONTEXT_BYTES);
    const frame = Buffer.alloc(sizeOfGetReplyFrame(parts, origin));
    writeGetReplyFrame(frame, 0, requestId, parts, origin);
    return frame;
  }

  #put(requestId: number, bytes: Uint8Array, start: number, end: number, isDelete: boolean): Buffer {
    this.puts++;
    const view = new PutRequestView();
    (isDelete ? decodeDeleteInto : decodePutInto)(view, bytes, start, end);
    const key = Buffer.from(view.key).toString('latin1');
    const entry = this.entries.get(key) ?? { values: [], version: 0 };
    this.entries.set(key, entry);
    const seen = view.context.length === 0 ? 0 : Buffer.from(view.context).readUInt32BE(0);
    if (seen === entry.version) entry.values = [];
    else this.concurrentPuts++;
    if (view.value !== undefined) entry.values.push(Buffer.from(view.value));
    entry.version++;
    const parts = new ReplyParts();
    if (entry.values.length <= 1) parts.setContext(contextOf(entry.version), 0, CONTEXT_BYTES);
    const frame = Buffer.alloc(sizeOfPutReplyFrame(parts, entry.values.length, origin));
    writePutReplyFrame(frame, 0, requestId, parts, entry.values.length, origin);
    return frame;
  }
}

function stall(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

function contextOf(version: number): Buffer {
  const context = Buffer.alloc(CONTEXT_BYTES);
  context.writeUInt32BE(version, 0);
  return context;
}

function refusal(requestId: number): Buffer {
  const error = failure('OVERLOADED', 'The write buffer is full');
  const frame = Buffer.alloc(sizeOfErrorFrame(error, 1));
  writeErrorFrame(frame, 0, requestId, error, 1);
  return frame;
}

function hello(nodeId: string): Uint8Array {
  return encodeHelloReply({
    version: 1,
    cluster: 'toy',
    clusterId: '0'.repeat(32),
    nodeId,
    ringVersion: 1,
    features: 0,
    valueBytesMax: VALUE_BYTES_DEFAULT_MAX,
    frameBodyBytesMax: VALUE_BYTES_DEFAULT_MAX + FRAME_OVERHEAD_BYTES,
    inFlightMax: 1_024,
  });
}
