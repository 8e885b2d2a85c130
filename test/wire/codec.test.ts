import test from 'ava';
import fc from 'fast-check';
import { toHex } from '../../src/lib/bytes.js';
import { MULTI_KEYS_MAX } from '../../src/model/limits.js';
import * as exchange from '../../src/wire/codec-exchange.js';
import * as connection from '../../src/wire/codec-connection.js';
import * as multi from '../../src/wire/codec-multi.js';
import * as ring from '../../src/wire/codec-ring.js';
import * as ringLog from '../../src/wire/codec-ring-log.js';
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
import { fieldSoup, mutated } from './arbitrary.js';
import { CODECS } from './codecs.js';

const v1 = partita.v1;

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

test('questions of owners to each other are bounded before they are taken apart', (t) => {
  const many = exchange.encodePull({
    partition: 1,
    ringVersion: 1,
    budgetMs: 1,
    hashes: Array(257).fill({ hi: 1, lo: 1 }),
  });
  t.is(exchange.decodePull(many, 0, many.length), '257 hashes, at most 256 are accepted');
  const long = exchange.encodeTree({
    partition: 1,
    ringVersion: 1,
    budgetMs: 1,
    level: 0,
    parents: Array(5_000).fill(1),
  });
  const fault = exchange.decodeTree(long, 0, long.length);
  t.regex(typeof fault === 'string' ? fault : 'taken', /^A question of \d+ bytes$/);
  const records = Buffer.alloc(2 * 1_025, Buffer.of(0x2a, 0));
  t.is(exchange.decodePullReply(records, 0, records.length), 'More than 1024 records');
});

test('a ring that is proposed is of some length, not too long, and comes with its hash and a ballot', (t) => {
  const ballot = { round: 1, ordinal: 1 };
  const hash = new Uint8Array(8);
  const faultOf = (accept: object): unknown => {
    const body = v1.RingAccept.encode({ version: 2, ballot, document: Uint8Array.of(1), hash, ...accept }).finish();
    const fault = ringLog.decodeRingAccept(body, 0, body.length);
    return typeof fault === 'string' ? fault : 'taken';
  };
  t.is(faultOf({}), 'taken');
  t.is(faultOf({ document: new Uint8Array(1_048_544) }), 'taken');
  t.is(faultOf({ document: new Uint8Array(1_048_545) }), 'A ring of 1048545 bytes, at most 1048544 are accepted');
  t.is(faultOf({ document: new Uint8Array(0), hash: new Uint8Array(0) }), 'An empty ring');
  t.is(faultOf({ hash: new Uint8Array(7) }), 'A hash of 7 bytes instead of 8');
  t.is(faultOf({ ballot: null }), 'A ballot of round 0');
  const odd = v1.RingAcceptReply.encode({ says: 9 }).finish();
  t.is(ringLog.decodeRingAcceptReply(odd, 0, odd.length), 'An answer that says 9');
});

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
