/*
 * The server side of one connection, for tests of the client: reads frames, and answers as the test says. It knows
 * nothing of how bytes travel; fake-server.ts puts it behind a socket, fake-network.ts behind a simulated one.
 *
 * Left alone it is a well-behaved node that stores values in a Map. A test's `script` sees every request first and may
 * answer otherwise, later, twice or never.
 */
import type { Failure } from '../../src/model/errors.js';
import type { HelloReply } from '../../src/model/messages.js';
import { toHex } from '../../src/lib/bytes.js';
import {
  decodeHello,
  decodePing,
  encodeGoAway,
  encodeHelloReply,
  encodePong,
} from '../../src/wire/codec-connection.js';
import {
  decodeMultiGet,
  decodeMultiPut,
  encodeMultiGetReply,
  encodeMultiPutReply,
} from '../../src/wire/codec-multi.js';
import { decodeExplain, encodeExplainReply, encodeRingReply } from '../../src/wire/codec-ring.js';
import { FrameDecoder, frameOf } from '../../src/wire/frame.js';
import * as kinds from '../../src/wire/kinds.js';
import { isFault } from '../../src/wire/plain.js';
import {
  GetRequestView,
  PutRequestView,
  decodeDeleteInto,
  decodeGetInto,
  decodePutInto,
} from '../../src/wire/requests.js';
import { sizeOfErrorFrame, writeErrorFrame } from '../../src/wire/write-replies.js';
import { explained, get, getReplyFrame, put, putReplyFrame, textOf } from './fake-node.js';
import type { FakeNode, Request } from './fake-node.js';

export interface Wire {
  send(bytes: Uint8Array): void;
  close(): void;
}

export class ScriptedPeer {
  readonly node: FakeNode;
  readonly #wire: Wire;
  readonly #decoder: FrameDecoder;
  #greeted: boolean = false;

  constructor(node: FakeNode, wire: Wire) {
    this.node = node;
    this.#wire = wire;
    this.#decoder = new FrameDecoder(
      {
        onFrame: (kind, id, bytes, start, end) => {
          this.#onFrame(kind, id, new Uint8Array(bytes.subarray(start, end)));
        },
        onFault: (_fault, text) => {
          throw new Error(`The client sent a bad frame: ${text}`);
        },
      },
      16_777_216,
    );
  }

  receive(chunk: Uint8Array): void {
    this.#decoder.push(chunk, 0);
  }

  send(bytes: Uint8Array): void {
    this.#wire.send(bytes);
  }

  close(): void {
    this.#wire.close();
  }

  frame(kind: number, id: number, body: Uint8Array): void {
    this.send(frameOf(kind, id, body));
  }

  goAway(reason: string): void {
    this.frame(kinds.GO_AWAY, 0, encodeGoAway({ reason }));
  }

  fail(id: number, failure: Failure): void {
    const bytes = new Uint8Array(sizeOfErrorFrame(failure, this.node.ring.version));
    writeErrorFrame(bytes, 0, id, failure, this.node.ring.version);
    this.send(bytes);
  }

  /** As the node would on its own. */
  answer(request: Request): void {
    this.send(this.replyTo(request));
  }

  replyTo(request: Request): Uint8Array {
    const { node } = this;
    const { id, kind } = request;
    switch (kind) {
      case kinds.PING:
        return frameOf(kinds.PONG, id, encodePong({ ringVersion: node.ring.version, wallMs: 1 }));
      case kinds.RING_FETCH:
        return frameOf(kinds.RING_REPLY, id, encodeRingReply(node.ring));
      case kinds.GET:
        return getReplyFrame(node, id, get(node, request.key));
      case kinds.PUT:
      case kinds.DELETE:
        return putReplyFrame(node, id, put(node, request));
      case kinds.EXPLAIN:
        return frameOf(kinds.EXPLAIN_REPLY, id, encodeExplainReply(explained(node, request.key)));
      case kinds.MULTI_GET: {
        const many = decodeMultiGet(request.body, 0, request.body.length);
        if (isFault(many)) throw new Error(many);
        return frameOf(
          kinds.MULTI_GET_REPLY,
          id,
          encodeMultiGetReply(
            many.gets.map((item) => get(node, textOf(item.key))),
            node.ring.version,
          ),
        );
      }
      case kinds.MULTI_PUT: {
        const many = decodeMultiPut(request.body, 0, request.body.length);
        if (isFault(many)) throw new Error(many);
        const replies = many.puts.map((item) =>
          put(node, { key: textOf(item.key), value: item.value, context: item.context, durable: item.durable }),
        );
        return frameOf(kinds.MULTI_PUT_REPLY, id, encodeMultiPutReply(replies, node.ring.version));
      }
      default:
        throw new Error(`No answer to a ${kinds.nameOfKind(kind)}`);
    }
  }

  #onFrame(kind: number, id: number, body: Uint8Array): void {
    if (this.node.silent) return;
    if (!this.#greeted) {
      this.#onHello(kind, id, body);
      return;
    }
    const request = readRequest(kind, id, body);
    if (kind !== kinds.PING && kind !== kinds.RING_FETCH) this.node.requests.push(request);
    if (this.node.script?.(request, this) === true) return;
    this.answer(request);
  }

  #onHello(kind: number, id: number, body: Uint8Array): void {
    const hello = decodeHello(body, 0, body.length);
    if (kind !== kinds.HELLO || isFault(hello)) throw new Error('The first frame is a Hello');
    this.node.tokens.push(textOf(hello.token));
    this.node.roles.push(hello.role);
    const refusal = this.node.refuse?.(hello.token) ?? null;
    if (refusal !== null) {
      this.fail(id, refusal);
      this.close();
      return;
    }
    this.#greeted = true;
    const { node } = this;
    const reply: HelloReply = {
      version: 1,
      cluster: 'test',
      clusterId: 'test',
      nodeId: node.nodeId,
      ringVersion: node.ring.version,
      features: 0,
      valueBytesMax: 1_048_576,
      frameBodyBytesMax: node.frameBodyBytesMax,
      inFlightMax: node.inFlightMax,
    };
    this.frame(kinds.HELLO_REPLY, id, encodeHelloReply(reply));
  }
}

export function readRequest(kind: number, id: number, body: Uint8Array): Request {
  const nothing = {
    kind,
    id,
    body,
    key: '',
    budgetMs: 0,
    ringVersion: 0,
    value: undefined,
    context: new Uint8Array(0),
    putId: '',
    retry: false,
    durable: false,
    ttlMs: 0,
  };
  if (kind === kinds.GET) {
    const view = new GetRequestView();
    check(decodeGetInto(view, body, 0, body.length));
    return { ...nothing, key: textOf(view.key), budgetMs: view.budgetMs, ringVersion: view.ringVersion };
  }
  if (kind === kinds.PUT || kind === kinds.DELETE) {
    const view = new PutRequestView();
    check((kind === kinds.PUT ? decodePutInto : decodeDeleteInto)(view, body, 0, body.length));
    const { budgetMs, ringVersion, value, context, retry, durable, ttlMs } = view;
    return {
      ...nothing,
      key: textOf(view.key),
      budgetMs,
      ringVersion,
      value,
      context,
      putId: toHex(view.putId),
      retry,
      durable,
      ttlMs,
    };
  }
  if (kind === kinds.EXPLAIN) {
    const view = decodeExplain(body, 0, body.length);
    if (isFault(view)) throw new Error(view);
    return { ...nothing, key: textOf(view.key), budgetMs: view.budgetMs };
  }
  if (kind === kinds.PING) {
    const ping = decodePing(body, 0, body.length);
    if (isFault(ping)) throw new Error(ping);
    return { ...nothing, budgetMs: ping.budgetMs };
  }
  return nothing;
}

function check(fault: string): void {
  if (fault !== '') throw new Error(fault);
}
