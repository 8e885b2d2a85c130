import test from 'ava';
import fc from 'fast-check';
import { toHex } from '../../src/lib/bytes.js';
import { MULTI_KEYS_MAX } from '../../src/model/limits.js';
import * as admin from '../../src/wire/codec-admin.js';
import * as connection from '../../src/wire/codec-connection.js';
import * as multi from '../../src/wire/codec-multi.js';
import * as ring from '../../src/wire/codec-ring.js';
import { countAt } from '../../src/wire/cursor.js';
import { util } from '../../src/wire/numbers.js';
import { partita } from '../../src/wire/protobuf.js';
import { decodeGetReply, decodePutReply } from '../../src/wire/read-replies.js';
import {
  GetRequestView,
  PutRequestView,
  decodeDeleteInto,
  decodeGetInto,
  decodePutInto,
} from '../../src/wire/requests.js';
import {
  bytes,
  deleteRequest,
  failure,
  fieldSoup,
  getReply,
  getRequest,
  mutated,
  putReply,
  putRequest,
  text,
  u32,
  u53,
} from './arbitrary.js';

const v1 = partita.v1;
const hexId = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(toHex);
const members = fc.array(fc.record({ nodeId: hexId, ordinal: fc.nat(65_535), address: text, zone: text }), {
  maxLength: 4,
});

const hintsOfOwner = fc.record({ ordinal: fc.nat(65_535), nodeId: hexId, count: u53, bytes: u53, oldestMs: u53 });
const hintsReply = fc.record({
  owners: fc.array(hintsOfOwner, { maxLength: 4 }),
  count: u53,
  bytes: u53,
  bytesMax: u53,
  wallMs: u53,
});

const hello = fc.record({
  versionMin: u32,
  versionMax: u32,
  cluster: text,
  role: fc.constantFrom('client' as const, 'peer' as const, 'admin' as const),
  token: bytes,
  features: u32,
  clientName: text,
});
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const peerHello = fc
  .tuple(hello, fc.record({ nodeId: hexId, clusterId: hexId, nonce: bytes32, ringVersion: u32 }))
  .map(([rest, peer]) => ({ ...rest, peer }));
const challenge = fc.record({ nodeId: hexId, nonce: bytes32, proof: bytes32 });
const proof = fc.record({ proof: bytes32 });
const helloReply = fc.record({
  version: u32,
  cluster: text,
  clusterId: text,
  nodeId: text,
  ringVersion: u32,
  features: u32,
  valueBytesMax: u32,
  frameBodyBytesMax: u32,
  inFlightMax: u32,
});
const ringMessage = fc
  .tuple(u32, text, fc.nat(40), fc.nat(3), members)
  .chain(([version, clusterId, partitionCount, replicaCount, all]) =>
    fc.record({
      version: fc.constant(version),
      clusterId: fc.constant(clusterId),
      partitionCount: fc.constant(partitionCount),
      replicaCount: fc.constant(replicaCount),
      members: fc.constant(all),
      owners: fc.array(fc.nat(65_535), {
        minLength: partitionCount * replicaCount,
        maxLength: partitionCount * replicaCount,
      }),
    }),
  );
const explainReply = fc.record({
  found: fc.boolean(),
  partition: u32,
  keyHash: text,
  recordBytes: u32,
  state: fc.constantFrom('ok' as const, 'absent' as const, 'damaged' as const, 'suspect' as const),
  storedIn: text,
  mark: text,
  context: fc.array(fc.record({ actor: text, counter: u53 }), { maxLength: 3 }),
  siblings: fc.array(
    fc.record({
      dot: text,
      tombstone: fc.boolean(),
      writtenMs: u53,
      logical: u32,
      expiresMs: u53,
      putId: text,
      valueBytes: u32,
      hidden: text,
    }),
    { maxLength: 3 },
  ),
  rememberedPutIds: fc.array(text, { maxLength: 3 }),
  cutSeconds: u32,
});

const head = fc.record({ budgetMs: u32, namespace: text, ringVersion: u32 });
const multiGet = fc
  .tuple(head, fc.array(getRequest, { maxLength: 5 }))
  .map(([shared, gets]) => ({ ...shared, gets: gets.map((get) => ({ ...get, ...shared })) }));
const multiPut = fc
  .tuple(head, fc.array(fc.oneof(putRequest, deleteRequest), { maxLength: 5 }))
  .map(([shared, puts]) => ({ ...shared, sentMs: 77, puts: puts.map((put) => ({ ...put, ...shared, sentMs: 0 })) }));
/** An item's error says no ring version of its own. */
const failed = failure.map((it) => ({ failure: { ...it, ringVersion: 7 } }));
const manyGets = fc.array(fc.oneof(getReply, failed), { maxLength: 5 });
const manyPuts = fc.array(fc.oneof(putReply, failed), { maxLength: 5 });

interface Codec {
  readonly messages: fc.Arbitrary<unknown>;
  readonly encode: (message: never) => Uint8Array;
  readonly decode: (bytes: Uint8Array, start: number, end: number) => unknown;
}

const CODECS: Readonly<Record<string, Codec>> = {
  Hello: { messages: hello, encode: connection.encodeHello, decode: connection.decodeHello },
  'Hello of a peer': { messages: peerHello, encode: connection.encodeHello, decode: connection.decodeHello },
  Challenge: { messages: challenge, encode: connection.encodeChallenge, decode: connection.decodeChallenge },
  Proof: { messages: proof, encode: connection.encodeProof, decode: connection.decodeProof },
  HelloReply: { messages: helloReply, encode: connection.encodeHelloReply, decode: connection.decodeHelloReply },
  Ping: { messages: fc.record({ budgetMs: u32 }), encode: connection.encodePing, decode: connection.decodePing },
  Pong: {
    messages: fc.record({ ringVersion: u32, wallMs: u53 }),
    encode: connection.encodePong,
    decode: connection.decodePong,
  },
  GoAway: { messages: fc.record({ reason: text }), encode: connection.encodeGoAway, decode: connection.decodeGoAway },
  MultiGet: { messages: multiGet, encode: multi.encodeMultiGet, decode: multi.decodeMultiGet },
  MultiPut: { messages: multiPut, encode: multi.encodeMultiPut, decode: multi.decodeMultiPut },
  MultiGetReply: {
    messages: manyGets,
    encode: (items: never) => multi.encodeMultiGetReply(items, 7),
    decode: multi.decodeMultiGetReply,
  },
  MultiPutReply: {
    messages: manyPuts,
    encode: (items: never) => multi.encodeMultiPutReply(items, 7),
    decode: multi.decodeMultiPutReply,
  },
  RingFetch: {
    messages: fc.record({ knownVersion: u32 }),
    encode: ring.encodeRingFetch,
    decode: ring.decodeRingFetch,
  },
  RingReply: { messages: ringMessage, encode: ring.encodeRingReply, decode: ring.decodeRingReply },
  Explain: {
    messages: fc.record({ key: bytes, budgetMs: u32, namespace: text }),
    encode: ring.encodeExplain,
    decode: ring.decodeExplain,
  },
  ExplainReply: { messages: explainReply, encode: ring.encodeExplainReply, decode: ring.decodeExplainReply },
  Hints: { messages: fc.record({ budgetMs: u32 }), encode: admin.encodeHints, decode: admin.decodeHints },
  HintsReply: { messages: hintsReply, encode: admin.encodeHintsReply, decode: admin.decodeHintsReply },
};

/** Bytes as hexadecimal digits, so that a Buffer equals a Uint8Array; and nothing but plain objects around them. */
function bytesAsHex(message: unknown): unknown {
  if (message instanceof Uint8Array) return `0x${toHex(message)}`;
  if (Array.isArray(message)) return message.map(bytesAsHex);
  if (typeof message !== 'object' || message === null) return message;
  const prototype: unknown = Object.getPrototypeOf(message);
  if (prototype !== Object.prototype && prototype !== null) return `an object of class ${message.constructor.name}`;
  return Object.fromEntries(Object.entries(message).map(([key, value]) => [key, bytesAsHex(value)]));
}

for (const [name, { messages, encode, decode }] of Object.entries(CODECS)) {
  test(`${name} comes back as it went`, (t) => {
    fc.assert(
      fc.property(messages, (message) => {
        const body = encode(message as never);
        const around = Buffer.concat([Buffer.alloc(3, 0xff), body, Buffer.alloc(4, 1)]);
        t.deepEqual(bytesAsHex(decode(around, 3, 3 + body.length)), bytesAsHex(message));
      }),
      { numRuns: 150 },
    );
  });

  test(`${name}: arbitrary and mutated bytes give a message or a text, and never a throw`, (t) => {
    const encoded = messages.map((message) => encode(message as never));
    let faults = 0;
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), mutated(encoded), fieldSoup), (body) => {
        const result = decode(body, 0, body.length);
        if (typeof result === 'string') {
          faults++;
          t.true(result.length > 0);
        }
      }),
      { numRuns: 400 },
    );
    t.true(faults > 0);
  });
}

test('64-bit fields are numbers, whatever else is installed', (t) => {
  t.is(typeof util.Long, 'undefined');
  t.is(typeof v1.Pong.decode(v1.Pong.encode({ wallMs: 2 ** 53 - 1 }).finish()).wallMs, 'number');
  t.is(new v1.Pong().wallMs, 0, 'defaults, too');
});

test('a 64-bit field of 2^53 or more is a fault, not a rounded number', (t) => {
  const body = Uint8Array.of(0x10, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10);
  t.is(connection.decodePong(body, 0, body.length), 'Number of 2^53 or more');
});

test('a role that nobody knows is a fault', (t) => {
  const body = v1.Hello.encode({ role: 3 }).finish();
  t.is(connection.decodeHello(body, 0, body.length), 'Role 3; there are 0 (client), 1 (peer) and 2 (admin)');
});

test('an unknown error code is INTERNAL', (t) => {
  const body = v1.Error.encode({ code: 999, text: 'new', retryable: true }).finish();
  t.like(connection.decodeError(body, 0, body.length), { code: 'INTERNAL', text: 'new', retryable: true });
});

test('as many items as there may be, and not one more', (t) => {
  const items = (count: number): Buffer => Buffer.alloc(2 * count, Buffer.of(0x0a, 0));
  const most = multi.decodeMultiGet(items(MULTI_KEYS_MAX), 0, 2 * MULTI_KEYS_MAX);
  t.is(typeof most === 'string' ? most : most.gets.length, MULTI_KEYS_MAX);
  const decoders = [multi.decodeMultiGet, multi.decodeMultiPut, multi.decodeMultiGetReply, multi.decodeMultiPutReply];
  for (const decode of decoders) {
    const before = process.memoryUsage().heapUsed;
    const fault = decode(items(500_000), 0, 1_000_000);
    t.regex(typeof fault === 'string' ? fault : 'taken', /^More than 1024 (gets|puts|items) in one message$/);
    t.true(process.memoryUsage().heapUsed - before < 4_000_000, 'refused before the objects are made');
  }
});

test('siblings of all items together are counted before they are decoded', (t) => {
  const emptySiblings = Buffer.alloc(2 * 20_000, Buffer.of(0x0a, 0));
  const body = v1.MultiGetReply.encode({ items: [] }).finish();
  t.is(countAt(body, 0, body.length, [1], 10), 0);
  const delimited = (content: Uint8Array): Buffer => {
    const length = [(content.length & 0x7f) | 0x80, ((content.length >> 7) & 0x7f) | 0x80, content.length >> 14];
    return Buffer.concat([Buffer.of(0x0a, ...length), content]);
  };
  const item = delimited(delimited(emptySiblings));
  const reply = Buffer.concat([item, item, item, item, item, item]);
  t.is(countAt(reply, 0, reply.length, [1, 1, 1], 1_000_000), 120_000);
  t.is(multi.decodeMultiGetReply(reply, 0, reply.length), 'More than 102400 siblings in one message');
});

test('items without content and rings whose table does not fit are faults', (t) => {
  const empty = Uint8Array.of(0x0a, 0);
  t.is(multi.decodeMultiPut(empty, 0, 2), 'An item without put or delete');
  t.is(multi.decodeMultiGetReply(empty, 0, 2), 'An item without reply or error');
  const table = v1.RingReply.encode({ partitionCount: 4, replicaCount: 3, owners: [1, 2] }).finish();
  t.is(ring.decodeRingReply(table, 0, table.length), '2 owners for 4 partitions of 3 replicas');
  const large = v1.RingReply.encode({ partitionCount: 8_192 }).finish();
  t.is(ring.decodeRingReply(large, 0, large.length), '8192 partitions, at most 4096 can be');
  const member = v1.RingReply.encode({ members: [{ nodeId: new Uint8Array(15) }] }).finish();
  t.is(ring.decodeRingReply(member, 0, member.length), 'A node id of 15 bytes instead of 16');
});

test('names like __proto__ are names', (t) => {
  const body = connection.encodeHello({
    versionMin: 1,
    versionMax: 1,
    cluster: '__proto__',
    role: 'client',
    token: Buffer.from('constructor'),
    features: 0,
    clientName: 'toString',
  });
  t.like(connection.decodeHello(body, 0, body.length), { cluster: '__proto__', clientName: 'toString' });
  t.is(({} as Record<string, unknown>)['cluster'], undefined);
});

test('no decoder throws on many bytes of a kind', (t) => {
  const getView = new GetRequestView();
  const putView = new PutRequestView();
  const decoders: ((body: Uint8Array, start: number, end: number) => unknown)[] = [
    ...Object.values(CODECS).map((codec) => codec.decode),
    connection.decodeError,
    decodeGetReply,
    decodePutReply,
    (body, start, end) => decodeGetInto(getView, body, start, end),
    (body, start, end) => decodePutInto(putView, body, start, end),
    (body, start, end) => decodeDeleteInto(putView, body, start, end),
  ];
  for (const byte of [0x00, 0x01, 0x02, 0x08, 0x0a, 0x0b, 0x0c, 0x12, 0x7f, 0x80, 0xff]) {
    const body = Buffer.alloc(100_000, byte);
    for (const decode of decoders) t.notThrows(() => decode(body, 0, body.length));
  }
});
