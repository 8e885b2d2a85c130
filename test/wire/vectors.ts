/*
 * The golden frames of protocol/vectors: what they say is written here, their bytes are made by the code. Authors of
 * other clients read the JSON files; vectors.test holds the code to them, so that the bytes of a released version stay
 * what they are. Bytes in messages are `0x` and hexadecimal digits.
 */
import { fromHex, toHex } from '../../src/lib/bytes.js';
import type { Failure } from '../../src/model/errors.js';
import type { GetReply, ManyReply, PutReply } from '../../src/model/messages.js';
import * as connection from '../../src/wire/codec-connection.js';
import type { ErrorMessage } from '../../src/wire/codec-connection.js';
import * as multi from '../../src/wire/codec-multi.js';
import * as ring from '../../src/wire/codec-ring.js';
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
import * as replies from '../../src/wire/write-replies.js';
import { sizeOfGetFrame, sizeOfPutFrame, writeGetFrame, writePutFrame } from '../../src/wire/write-requests.js';

export interface Vector {
  readonly name: string;
  /** What it means, in a sentence. */
  readonly what: string;
  readonly kind: number;
  readonly requestId: number;
  readonly message: unknown;
  /** The whole frame. */
  readonly hex: string;
}

/** A stream that a receiver refuses. */
export interface Refusal {
  readonly name: string;
  readonly what: string;
  /** The limit that holds: 4096 before Hello is accepted. */
  readonly frameBodyBytesMax: number;
  readonly hex: string;
  readonly fault: string;
}

interface Codec {
  encode(message: never, requestId: number): Uint8Array;
  decode(bytes: Uint8Array, start: number, end: number): unknown;
}

/** In items of MultiGetReply and MultiPutReply, errors carry the ring version of the whole. */
const RING_VERSION = 3;

export const CODECS: ReadonlyMap<number, Codec> = new Map<number, Codec>([
  [kinds.HELLO, framed(kinds.HELLO, connection.encodeHello, connection.decodeHello)],
  [kinds.HELLO_REPLY, framed(kinds.HELLO_REPLY, connection.encodeHelloReply, connection.decodeHelloReply)],
  [kinds.PING, framed(kinds.PING, connection.encodePing, connection.decodePing)],
  [kinds.PONG, { encode: writtenPong, decode: connection.decodePong }],
  [kinds.GO_AWAY, framed(kinds.GO_AWAY, connection.encodeGoAway, connection.decodeGoAway)],
  [kinds.ERROR, { encode: writtenError, decode: connection.decodeError }],
  [kinds.GET, { encode: writtenGet, decode: readGet }],
  [kinds.GET_REPLY, { encode: writtenGetReply, decode: decodeGetReply }],
  [kinds.PUT, { encode: writtenPut, decode: (...at) => readPut(decodePutInto, ...at) }],
  [kinds.DELETE, { encode: writtenPut, decode: (...at) => readPut(decodeDeleteInto, ...at) }],
  [kinds.PUT_REPLY, { encode: writtenPutReply, decode: decodePutReply }],
  [kinds.MULTI_GET, framed(kinds.MULTI_GET, multi.encodeMultiGet, multi.decodeMultiGet)],
  [kinds.MULTI_PUT, framed(kinds.MULTI_PUT, multi.encodeMultiPut, multi.decodeMultiPut)],
  [
    kinds.MULTI_GET_REPLY,
    framed(
      kinds.MULTI_GET_REPLY,
      (items: ManyReply<GetReply>) => multi.encodeMultiGetReply(items, RING_VERSION),
      multi.decodeMultiGetReply,
    ),
  ],
  [
    kinds.MULTI_PUT_REPLY,
    framed(
      kinds.MULTI_PUT_REPLY,
      (items: ManyReply<PutReply>) => multi.encodeMultiPutReply(items, RING_VERSION),
      multi.decodeMultiPutReply,
    ),
  ],
  [kinds.RING_FETCH, framed(kinds.RING_FETCH, ring.encodeRingFetch, ring.decodeRingFetch)],
  [kinds.RING_REPLY, framed(kinds.RING_REPLY, ring.encodeRingReply, ring.decodeRingReply)],
  [kinds.EXPLAIN, framed(kinds.EXPLAIN, ring.encodeExplain, ring.decodeExplain)],
  [kinds.EXPLAIN_REPLY, framed(kinds.EXPLAIN_REPLY, ring.encodeExplainReply, ring.decodeExplainReply)],
]);

function framed<M>(kind: number, encode: (message: M) => Uint8Array, decode: Codec['decode']): Codec {
  return { encode: (message: never, requestId: number) => frameOf(kind, requestId, encode(message)), decode };
}

function writtenGet(get: never, requestId: number): Uint8Array {
  const frame = new Uint8Array(sizeOfGetFrame(get));
  writeGetFrame(frame, 0, requestId, get);
  return frame;
}

function writtenPut(put: never, requestId: number): Uint8Array {
  const frame = new Uint8Array(sizeOfPutFrame(put));
  writePutFrame(frame, 0, requestId, put);
  return frame;
}

function partsOf(reply: GetReply | PutReply): replies.ReplyParts {
  const parts = new replies.ReplyParts();
  for (const { value, writtenMs, expiresMs } of reply.siblings) {
    parts.addSibling(value, 0, value.length, writtenMs, expiresMs);
  }
  parts.setContext(reply.context, 0, reply.context.length);
  return parts;
}

function writtenGetReply(reply: GetReply, requestId: number): Uint8Array {
  const [parts, origin] = [partsOf(reply), replies.encodeOrigin(reply.origin)];
  const frame = new Uint8Array(replies.sizeOfGetReplyFrame(parts, origin));
  replies.writeGetReplyFrame(frame, 0, requestId, parts, origin);
  return frame;
}

function writtenPutReply(reply: PutReply, requestId: number): Uint8Array {
  const [parts, origin] = [partsOf(reply), replies.encodeOrigin(reply.origin)];
  const frame = new Uint8Array(replies.sizeOfPutReplyFrame(parts, reply.siblingCount, origin));
  replies.writePutReplyFrame(frame, 0, requestId, parts, reply.siblingCount, origin);
  return frame;
}

function writtenError(error: ErrorMessage, requestId: number): Uint8Array {
  const frame = new Uint8Array(replies.sizeOfErrorFrame(error, error.ringVersion));
  replies.writeErrorFrame(frame, 0, requestId, error, error.ringVersion);
  return frame;
}

function writtenPong(pong: connection.Pong, requestId: number): Uint8Array {
  const frame = new Uint8Array(replies.sizeOfPongFrame(pong.ringVersion, pong.wallMs));
  replies.writePongFrame(frame, 0, requestId, pong.ringVersion, pong.wallMs);
  return frame;
}

function readGet(bytes: Uint8Array, start: number, end: number): unknown {
  const view = new GetRequestView();
  const fault = decodeGetInto(view, bytes, start, end);
  if (fault !== '') return fault;
  const { key, budgetMs, namespace, ringVersion, r, strict } = view;
  return { key, budgetMs, namespace, ringVersion, r, strict };
}

function readPut(decode: typeof decodePutInto, bytes: Uint8Array, start: number, end: number): unknown {
  const view = new PutRequestView();
  const fault = decode(view, bytes, start, end);
  if (fault !== '') return fault;
  const { key, value, context, putId, retry, budgetMs, namespace, ringVersion, w, strict, durable, ttlMs } = view;
  const { returnSiblings } = view;
  const rest = { context, putId, retry, budgetMs, namespace, ringVersion, w, strict, durable, ttlMs, returnSiblings };
  return value === undefined ? { key, ...rest } : { key, value, ...rest };
}

/** For JSON: bytes as `0x…`. */
export function toJson(message: unknown): unknown {
  if (message instanceof Uint8Array) return `0x${toHex(message)}`;
  if (Array.isArray(message)) return message.map(toJson);
  if (typeof message !== 'object' || message === null) return message;
  return Object.fromEntries(
    Object.entries(message)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, toJson(value)]),
  );
}

export function fromJson(message: unknown): unknown {
  if (typeof message === 'string' && message.startsWith('0x')) return fromHex(message.slice(2));
  if (Array.isArray(message)) return message.map(fromJson);
  if (typeof message !== 'object' || message === null) return message;
  return Object.fromEntries(Object.entries(message).map(([key, value]) => [key, fromJson(value)]));
}

const NODE = '000102030405060708090a0b0c0d0e0f';
const PUT_ID = '0x65f0a0b00123456789abcdef';
const WRITTEN = 1_710_268_592_123;
const ORIGIN = { nodeId: NODE, ringVersion: 3, acked: 1, durable: true, sloppy: false };
const HEAD = { budgetMs: 1_000, namespace: '', ringVersion: 3 };
/** Looks like one, is none: contexts are opaque to whoever reads these files. */
const CONTEXT = '0xc0ffee';
const PUT = {
  key: '0x757365723a31',
  value: '0x68656c6c6f',
  context: '0x',
  putId: PUT_ID,
  retry: false,
  ...HEAD,
  w: 0,
  strict: false,
  durable: false,
  ttlMs: 0,
  returnSiblings: false,
};
const { value: _value, ...DELETE } = PUT;
const failed = (code: Failure['code'], text: string, retryable: boolean, outcomeUnknown: boolean): object => ({
  code,
  text,
  retryable,
  outcomeUnknown,
  ringVersion: RING_VERSION,
});

type Row = readonly [name: string, what: string, kind: number, requestId: number, message: unknown];

const ROWS: Readonly<Record<string, readonly Row[]>> = {
  connection: [
    [
      'hello',
      'A client that speaks version 1 and takes any cluster',
      kinds.HELLO,
      1,
      {
        versionMin: 1,
        versionMax: 1,
        cluster: '',
        role: 'client',
        token: '0x',
        features: 0,
        clientName: 'example/1.0',
      },
    ],
    [
      'hello-admin',
      'A tool on the admin socket, with a token and the cluster that it means',
      kinds.HELLO,
      1,
      {
        versionMin: 1,
        versionMax: 2,
        cluster: 'prod',
        role: 'admin',
        token: '0x736563726574',
        features: 0,
        clientName: 'partita',
      },
    ],
    [
      'hello-reply',
      'Accepted: version 1, and the limits from now on',
      kinds.HELLO_REPLY,
      1,
      {
        version: 1,
        cluster: 'prod',
        clusterId: 'ffeeddccbbaa99887766554433221100',
        nodeId: NODE,
        ringVersion: 3,
        features: 0,
        valueBytesMax: 1_048_576,
        frameBodyBytesMax: 1_310_720,
        inFlightMax: 1_024,
      },
    ],
    ['ping', 'Are you there, within half a second?', kinds.PING, 2, { budgetMs: 500 }],
    ['pong', 'Yes', kinds.PONG, 2, { ringVersion: 3, wallMs: WRITTEN }],
    [
      'go-away',
      'A server that drains; it has request id 0, since nobody asked',
      kinds.GO_AWAY,
      0,
      { reason: 'The node is shutting down' },
    ],
    [
      'error',
      'A put that may or may not have happened',
      kinds.ERROR,
      7,
      failed('TIMEOUT', '0 of 1 replicas answered within 1000 ms', true, true),
    ],
    [
      'error-siblings-limit',
      'Too many siblings; the context to read and put again with',
      kinds.ERROR,
      0xffff_ffff,
      { ...failed('SIBLINGS_LIMIT', '100 siblings, at most 100 are allowed', false, false), context: CONTEXT },
    ],
    [
      'error-overloaded',
      'Try again in a quarter of a second',
      kinds.ERROR,
      8,
      { ...failed('OVERLOADED', 'The write buffer is full', true, false), retryAfterMs: 250 },
    ],
  ],
  data: [
    [
      'get',
      "The example of PROTOCOL.md: get user:1 within a second, at the cluster's R",
      kinds.GET,
      7,
      { key: '0x757365723a31', ...HEAD, r: 0, strict: false },
    ],
    [
      'get-strict',
      'Two owners must answer; fallbacks do not count',
      kinds.GET,
      8,
      { key: '0x5f5f70726f746f5f5f', ...HEAD, r: 2, strict: true },
    ],
    [
      'get-reply',
      'One version, and the context to replace it with',
      kinds.GET_REPLY,
      7,
      { siblings: [{ value: '0x68656c6c6f', writtenMs: WRITTEN, expiresMs: 0 }], context: CONTEXT, origin: ORIGIN },
    ],
    [
      'get-reply-siblings',
      'Two concurrent versions, one of them empty, one that expires',
      kinds.GET_REPLY,
      8,
      {
        siblings: [
          { value: '0x', writtenMs: WRITTEN, expiresMs: 0 },
          { value: '0x776f726c64', writtenMs: WRITTEN + 1, expiresMs: WRITTEN + 60_001 },
        ],
        context: CONTEXT,
        origin: { ...ORIGIN, acked: 2, sloppy: true },
      },
    ],
    [
      'get-reply-not-found',
      'Nothing was ever there',
      kinds.GET_REPLY,
      9,
      { siblings: [], context: '0x', origin: ORIGIN },
    ],
    [
      'get-reply-deleted',
      'Deleted: no version, but a context, to put a new one with',
      kinds.GET_REPLY,
      9,
      { siblings: [], context: CONTEXT, origin: ORIGIN },
    ],
    ['put', 'The first put of a key: no context', kinds.PUT, 10, PUT],
    ['put-retry', 'The same put sent again: same id, marked', kinds.PUT, 11, { ...PUT, retry: true, budgetMs: 400 }],
    [
      'put-all-fields',
      'Replaces what the context has seen, synced by two owners, for a day; answer with the siblings',
      kinds.PUT,
      12,
      { ...PUT, context: CONTEXT, w: 2, strict: true, durable: true, ttlMs: 86_400_000, returnSiblings: true },
    ],
    ['put-empty-value', 'An empty value is a value', kinds.PUT, 13, { ...PUT, value: '0x' }],
    ['delete', 'Deletes what the context has seen', kinds.DELETE, 14, { ...DELETE, context: CONTEXT }],
    [
      'put-reply',
      'Stored, and the only version: the context to replace it with',
      kinds.PUT_REPLY,
      10,
      { context: CONTEXT, siblings: [], siblingCount: 1, origin: ORIGIN },
    ],
    [
      'put-reply-concurrent',
      'Stored beside another version, which the client has not read: no context',
      kinds.PUT_REPLY,
      11,
      { context: '0x', siblings: [], siblingCount: 2, origin: { ...ORIGIN, durable: false } },
    ],
    [
      'put-reply-siblings',
      'Stored, with all versions as asked for',
      kinds.PUT_REPLY,
      12,
      {
        context: CONTEXT,
        siblings: [
          { value: '0x68656c6c6f', writtenMs: WRITTEN, expiresMs: 0 },
          { value: '0x21', writtenMs: WRITTEN, expiresMs: 0 },
        ],
        siblingCount: 2,
        origin: ORIGIN,
      },
    ],
  ],
  multi: [
    [
      'multi-get',
      'Two keys in one frame',
      kinds.MULTI_GET,
      20,
      {
        ...HEAD,
        gets: [
          { key: '0x61', ...HEAD, r: 0, strict: false },
          { key: '0x62', ...HEAD, r: 1, strict: true },
        ],
      },
    ],
    [
      'multi-get-reply',
      'One found, one failed, in the order of the request',
      kinds.MULTI_GET_REPLY,
      20,
      [
        { siblings: [{ value: '0x31', writtenMs: WRITTEN, expiresMs: 0 }], context: CONTEXT, origin: ORIGIN },
        { failure: failed('UNKNOWN_STATE', 'The record is damaged', true, false) },
      ],
    ],
    ['multi-put', 'A put and a delete', kinds.MULTI_PUT, 21, { ...HEAD, puts: [PUT, { ...DELETE, context: CONTEXT }] }],
    [
      'multi-put-reply',
      'One stored, one refused',
      kinds.MULTI_PUT_REPLY,
      21,
      [
        { context: CONTEXT, siblings: [], siblingCount: 1, origin: ORIGIN },
        { failure: failed('RETRY_TOO_LATE', 'The put id is 61 s old, at most 60 s are accepted', false, true) },
      ],
    ],
  ],
  ring: [
    ['ring-fetch', 'The ring, if it is newer than version 2', kinds.RING_FETCH, 30, { knownVersion: 2 }],
    [
      'ring-reply',
      'Four partitions on two nodes, N = 2',
      kinds.RING_REPLY,
      30,
      {
        version: 3,
        clusterId: 'ffeeddccbbaa99887766554433221100',
        partitionCount: 4,
        replicaCount: 2,
        members: [
          { nodeId: NODE, ordinal: 1, address: '127.0.0.1:7411', zone: 'a' },
          { nodeId: '0f0e0d0c0b0a09080706050403020100', ordinal: 2, address: '127.0.0.1:7412', zone: 'b' },
        ],
        owners: [1, 2, 2, 1, 1, 2, 2, 1],
      },
    ],
    [
      'explain',
      'What is stored under a key?',
      kinds.EXPLAIN,
      31,
      { key: '0x757365723a31', budgetMs: 1_000, namespace: '' },
    ],
    [
      'explain-reply',
      'One version and one that a retry hides',
      kinds.EXPLAIN_REPLY,
      31,
      {
        found: true,
        partition: 77,
        keyHash: '4d2b6b1c8f0a9e35',
        recordBytes: 215,
        state: 'ok',
        storedIn: 'buffer',
        mark: '0001a1b2c3d4e5f6:2',
        context: [{ actor: '0001a1b2c3d4e5f6', counter: 2 }],
        siblings: [
          {
            dot: '0001a1b2c3d4e5f6:1',
            tombstone: false,
            writtenMs: WRITTEN,
            logical: 0,
            expiresMs: 0,
            putId: '65f0a0b00123456789abcdef',
            valueBytes: 5,
            hidden: '',
          },
          {
            dot: '0001a1b2c3d4e5f6:2',
            tombstone: false,
            writtenMs: WRITTEN,
            logical: 1,
            expiresMs: 0,
            putId: '65f0a0b00123456789abcdef',
            valueBytes: 5,
            hidden: 'the same put, seen twice',
          },
        ],
        rememberedPutIds: [],
        cutSeconds: 0,
      },
    ],
  ],
};

export function vectorsOf(file: string): readonly Vector[] {
  return (ROWS[file] ?? []).map(([name, what, kind, requestId, message]) => {
    const codec = CODECS.get(kind) as Codec;
    const frame = codec.encode(fromJson(message) as never, requestId);
    return { name, what, kind, requestId, message, hex: toHex(frame) };
  });
}

export const FILES: readonly string[] = Object.keys(ROWS);

const header = (length: string, kind: string, rest: string): string => `${length}${kind}${rest}`;

export const REFUSALS: readonly Refusal[] = [
  {
    name: 'too-large-before-hello',
    what: 'A Hello of 4097 bytes is refused when its header is there',
    frameBodyBytesMax: 4_096,
    hex: header('00001001', '01', '00000000000001'),
    fault: 'too-large',
  },
  {
    name: 'too-large',
    what: 'No length makes a receiver allocate',
    frameBodyBytesMax: 1_310_720,
    hex: header('ffffffff', '12', '00000000000001'),
    fault: 'too-large',
  },
  {
    name: 'flags',
    what: 'No flag is known',
    frameBodyBytesMax: 1_310_720,
    hex: header('00000000', '03', '01000000000001'),
    fault: 'reserved-not-zero',
  },
  {
    name: 'reserved',
    what: 'The reserved bytes are zero',
    frameBodyBytesMax: 1_310_720,
    hex: header('00000000', '03', '00000100000001'),
    fault: 'reserved-not-zero',
  },
  {
    name: 'cut-off-key',
    what: 'A Get whose key ends behind the body',
    frameBodyBytesMax: 1_310_720,
    hex: header('00000003', '10', '00000000000001') + '0a0561',
    fault: 'body',
  },
  {
    name: 'field-zero',
    what: 'There is no field 0',
    frameBodyBytesMax: 1_310_720,
    hex: header('00000002', '10', '00000000000001') + '0001',
    fault: 'body',
  },
  {
    name: 'not-utf8',
    what: 'A namespace that is not UTF-8',
    frameBodyBytesMax: 1_310_720,
    hex: header('00000003', '10', '00000000000001') + '1a01ff',
    fault: 'body',
  },
  {
    name: 'unknown-role',
    what: 'There are three roles',
    frameBodyBytesMax: 4_096,
    hex: header('00000002', '01', '00000000000001') + '2009',
    fault: 'body',
  },
];
