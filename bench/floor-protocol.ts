/*
 * Question: what do the frames and protobuf alone cost?
 *
 * Hello, the frame decoder, get and put decoded as a node decodes them, and replies as large as a node's, written as a
 * node writes them: one write a socket and turn. No key is hashed, nothing is looked up or stored; every key has the
 * same value. What a node needs beyond this is what the store itself costs.
 *
 *     node dist/bench/floor-protocol.js --port 0 [--value 1024]
 */
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { FRAME_OVERHEAD_BYTES, VALUE_BYTES_DEFAULT_MAX } from '../src/model/limits.js';
import { encodeHelloReply } from '../src/wire/codec-connection.js';
import { FrameDecoder, frameOf } from '../src/wire/frame.js';
import type { FrameSink } from '../src/wire/frame.js';
import * as kinds from '../src/wire/kinds.js';
import {
  GetRequestView,
  PutRequestView,
  decodeDeleteInto,
  decodeGetInto,
  decodePutInto,
} from '../src/wire/requests.js';
import {
  ReplyParts,
  encodeOrigin,
  sizeOfGetReplyFrame,
  sizeOfPutReplyFrame,
  writeGetReplyFrame,
  writePutReplyFrame,
} from '../src/wire/write-replies.js';
import { serveFloor } from './floor-server.js';

const OUTPUT_BYTES = 65_536;
/** As long as the token of a record with one actor and one put id. */
const CONTEXT_BYTES = 52;

const { values } = parseArgs({ options: { value: { type: 'string', default: '1024' } }, strict: false });
const value = Buffer.alloc(Number(values.value), 0x2e);
const context = Buffer.alloc(CONTEXT_BYTES, 1);
const origin = encodeOrigin({
  nodeId: '0'.repeat(31) + '1',
  ringVersion: 1,
  acked: 1,
  durable: true,
  sloppy: false,
  owners: [1],
  fallbacks: [],
  fastest: 1,
});
const getView = new GetRequestView();
const putView = new PutRequestView();
const parts = new ReplyParts();
const writtenMs = Date.now();
const helloReply = encodeHelloReply({
  version: 1,
  cluster: 'floor',
  clusterId: '0'.repeat(32),
  nodeId: '0'.repeat(31) + '1',
  ringVersion: 1,
  features: 0,
  valueBytesMax: VALUE_BYTES_DEFAULT_MAX,
  frameBodyBytesMax: VALUE_BYTES_DEFAULT_MAX + FRAME_OVERHEAD_BYTES,
  inFlightMax: 1_024,
});

class FloorSession implements FrameSink {
  readonly #socket: Socket;
  readonly #decoder: FrameDecoder = new FrameDecoder(this, VALUE_BYTES_DEFAULT_MAX + FRAME_OVERHEAD_BYTES);
  #output: Buffer = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  #end: number = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#decoder.push(chunk, 0);
      this.#flush();
    });
    socket.on('error', () => socket.destroy());
  }

  onFrame(kind: number, requestId: number, bytes: Uint8Array, start: number, end: number): void {
    parts.clear();
    parts.setContext(context, 0, CONTEXT_BYTES);
    switch (kind) {
      case kinds.GET:
        if (decodeGetInto(getView, bytes, start, end) !== '') break;
        parts.addSibling(value, 0, value.length, writtenMs, 0);
        this.#claim(sizeOfGetReplyFrame(parts, origin));
        this.#end = writeGetReplyFrame(this.#output, this.#end, requestId, parts, origin);
        return;
      case kinds.PUT:
      case kinds.DELETE: {
        const decode = kind === kinds.PUT ? decodePutInto : decodeDeleteInto;
        if (decode(putView, bytes, start, end) !== '') break;
        this.#claim(sizeOfPutReplyFrame(parts, 1, origin));
        this.#end = writePutReplyFrame(this.#output, this.#end, requestId, parts, 1, origin);
        return;
      }
      case kinds.HELLO:
        this.#socket.write(frameOf(kinds.HELLO_REPLY, requestId, helloReply));
        return;
      default:
        break;
    }
    this.#socket.destroy();
  }

  onFault(): void {
    this.#socket.destroy();
  }

  #claim(size: number): void {
    if (this.#output.length - this.#end >= size) return;
    this.#flush();
    if (this.#output.length < size) this.#output = Buffer.allocUnsafeSlow(2 * size);
  }

  #flush(): void {
    if (this.#end === 0) return;
    this.#socket.write(this.#output.subarray(0, this.#end));
    this.#end = 0;
    if (this.#socket.writableLength > 0) this.#output = Buffer.allocUnsafeSlow(this.#output.length);
  }
}

serveFloor(createServer({ noDelay: true }, (socket) => new FloorSession(socket)));
