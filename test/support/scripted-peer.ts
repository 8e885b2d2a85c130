/*
 * The server side of one connection, for tests of the client: reads frames, and answers as the test says. It knows
 * nothing of how bytes travel; fake-server.ts puts it behind a socket, fake-network.ts behind a simulated one.
 *
 * Left alone it is a well-behaved node that stores values in a Map. A test's `script` sees every request first and may
 * answer otherwise, later, twice or never.
 */
import { ERROR_CODES } from '../../src/model/errors.js';
import type { Failure } from '../../src/model/errors.js';
import type { GetReply, HelloReply, PutReply, RingMessage, SiblingMessage } from '../../src/model/messages.js';
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

export const NODE_ID = '0123456789abcdef0123456789abcdef';

/** A request as a script sees it; bytes are copies. */
export interface Request {
  readonly kind: number;
  readonly id: number;
  readonly body: Uint8Array;
  /** Of get, put, delete and explain. */
  readonly key: string;
  readonly budgetMs: number;
  readonly ringVersion: number;
  readonly value: Uint8Array | undefined;
  readonly context: Uint8Array;
  readonly putId: string;
  readonly retry: boolean;
  readonly durable: boolean;
  readonly ttlMs: number;
}

/** Answers true when it has dealt with the request, also by doing nothing. */
export type Script = (request: Request, peer: ScriptedPeer) => boolean;

export interface Wire {
  send(bytes: Uint8Array): void;
  close(): void;
}

/** What the connections of one fake node share. */
export interface FakeNode {
  nodeId: string;
  address: string;
  ring: RingMessage;
  script: Script | null;
  /** Asked before the greeting is answered; a failure refuses it. */
  refuse: ((token: Uint8Array) => Failure | null) | null;
  silent: boolean;
  inFlightMax: number;
  frameBodyBytesMax: number;
  readonly store: Map<string, SiblingMessage[]>;
  /** Every data request, in order. */
  readonly requests: Request[];
  readonly tokens: string[];
}

export function fakeNode(address: string, nodeId: string = NODE_ID): FakeNode {
  return {
    nodeId,
    address,
    ring: ringOf([{ nodeId, address }]),
    script: null,
    refuse: null,
    silent: false,
    inFlightMax: 1_024,
    frameBodyBytesMax: 2_097_152,
    store: new Map(),
    requests: [],
    tokens: [],
  };
}

/** A ring in which member i owns every partition p with p mod n = i; N = 1 unless said otherwise. */
export function ringOf(
  members: readonly { readonly nodeId: string; readonly address: string }[],
  version: number = 1,
  replicaCount: number = 1,
): RingMessage {
  const partitionCount = 16;
  const owners: number[] = [];
  for (let p = 0; p < partitionCount; p++) for (let r = 0; r < replicaCount; r++) owners.push((p + r) % members.length);
  return {
    version,
    clusterId: 'test',
    partitionCount,
    replicaCount,
    owners,
    members: members.map((member, ordinal) => ({ ...member, ordinal, zone: `zone-${ordinal}` })),
  };
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

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

/** The context of the fake node is the number of versions that it covers, as text. */
function contextOf(versions: number): Uint8Array {
  return Buffer.from(`seen:${versions}`);
}

function originOf(node: FakeNode): Uint8Array {
  return encodeOrigin(plainOrigin(node));
}

function plainOrigin(node: FakeNode): GetReply['origin'] {
  return { nodeId: node.nodeId, ringVersion: node.ring.version, acked: 1, durable: true, sloppy: false };
}

function get(node: FakeNode, key: string): GetReply {
  const siblings = node.store.get(key) ?? [];
  return {
    siblings,
    context: siblings.length === 0 ? new Uint8Array(0) : contextOf(siblings.length),
    origin: plainOrigin(node),
  };
}

/** A put with a context replaces what is there; without one it makes a sibling. */
function put(
  node: FakeNode,
  write: Pick<Request, 'key' | 'value' | 'context'> & { readonly durable: boolean },
): PutReply {
  const kept = write.context.length > 0 ? [] : (node.store.get(write.key) ?? []);
  const added =
    write.value === undefined ? [] : [{ value: write.value, writtenMs: 1_700_000_000_000 + kept.length, expiresMs: 0 }];
  const siblings = [...kept, ...added];
  node.store.set(write.key, siblings);
  return {
    siblings: [],
    siblingCount: siblings.length,
    context: siblings.length === 1 ? contextOf(1) : new Uint8Array(0),
    origin: plainOrigin(node),
  };
}

export function getReplyFrame(node: FakeNode, id: number, reply: Pick<GetReply, 'siblings' | 'context'>): Uint8Array {
  const parts = partsOf(reply);
  const origin = originOf(node);
  const bytes = new Uint8Array(sizeOfGetReplyFrame(parts, origin));
  writeGetReplyFrame(bytes, 0, id, parts, origin);
  return bytes;
}

export function putReplyFrame(
  node: FakeNode,
  id: number,
  reply: Pick<PutReply, 'siblings' | 'context' | 'siblingCount'>,
): Uint8Array {
  const parts = partsOf(reply);
  const origin = originOf(node);
  const bytes = new Uint8Array(sizeOfPutReplyFrame(parts, reply.siblingCount, origin));
  writePutReplyFrame(bytes, 0, id, parts, reply.siblingCount, origin);
  return bytes;
}

function partsOf(reply: Pick<GetReply, 'siblings' | 'context'>): ReplyParts {
  const parts = new ReplyParts();
  for (const { value, writtenMs, expiresMs } of reply.siblings)
    parts.addSibling(value, 0, value.length, writtenMs, expiresMs);
  parts.setContext(reply.context, 0, reply.context.length);
  return parts;
}

function explained(node: FakeNode, key: string): Parameters<typeof encodeExplainReply>[0] {
  const siblings = node.store.get(key) ?? [];
  return {
    found: siblings.length > 0,
    partition: 7,
    keyHash: '00112233aabbccdd',
    recordBytes: siblings.length === 0 ? 0 : 120,
    state: siblings.length === 0 ? 'absent' : 'ok',
    storedIn: siblings.length === 0 ? '' : 'buffer',
    mark: '0001a1b2c3d4e5f6:1',
    context: siblings.length === 0 ? [] : [{ actor: '0001a1b2c3d4e5f6', counter: siblings.length }],
    siblings: siblings.map((sibling, i) => ({
      dot: `0001a1b2c3d4e5f6:${i + 1}`,
      tombstone: false,
      writtenMs: sibling.writtenMs,
      logical: 0,
      expiresMs: 0,
      putId: '0102030405060708090a0b0c',
      valueBytes: sibling.value.length,
      hidden: '',
    })),
    rememberedPutIds: [],
    cutSeconds: 0,
  };
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

/** A failure as the server's table has it. */
export function failed(code: keyof typeof ERROR_CODES, text: string, outcomeUnknown: boolean = false): Failure {
  return { code, text, retryable: ERROR_CODES[code].retryable, outcomeUnknown };
}
