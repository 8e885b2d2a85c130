import test from 'ava';
import fc from 'fast-check';
import { toHex } from '../../src/lib/bytes.js';
import { ERROR_CODES } from '../../src/model/errors.js';
import type { GetReply, PutReply, ReplyOrigin, SiblingMessage } from '../../src/model/messages.js';
import { decodeError, decodePong } from '../../src/wire/codec-connection.js';
import { ERROR, GET_REPLY, PONG, PUT_REPLY } from '../../src/wire/kinds.js';
import { Reader, partita } from '../../src/wire/protobuf.js';
import { ORDINALS_DECODED_MAX } from '../../src/wire/read-origin.js';
import { SIBLINGS_DECODED_MAX, decodeGetReply, decodePutReply } from '../../src/wire/read-replies.js';
import {
  ReplyParts,
  encodeOrigin,
  sizeOfErrorFrame,
  sizeOfGetReplyFrame,
  sizeOfGetReplyHead,
  sizeOfPongFrame,
  sizeOfPutReplyFrame,
  writeErrorFrame,
  writeGetReplyFrame,
  writeGetReplyHead,
  writePongFrame,
  writePutReplyFrame,
} from '../../src/wire/write-replies.js';
import { failure, fieldSoup, getReply, mutated, putReply, u32, u53 } from './arbitrary.js';

const v1 = partita.v1;
const parts = new ReplyParts();

/** Scatters a reply's parts over other bytes, as they lie in the arena. */
function scatter(reply: Pick<GetReply, 'siblings' | 'context'>): void {
  parts.clear();
  for (const { value, writtenMs, expiresMs } of reply.siblings) {
    parts.addSibling(
      Buffer.concat([Buffer.alloc(7, 9), value, Buffer.alloc(2, 9)]),
      7,
      7 + value.length,
      writtenMs,
      expiresMs,
    );
  }
  parts.setContext(Buffer.concat([Buffer.alloc(3, 9), reply.context, Buffer.of(9)]), 3, 3 + reply.context.length);
}

function plainOrigin(origin: partita.v1.Origin.$Properties | null | undefined): ReplyOrigin {
  const o = new v1.Origin(origin ?? {});
  if (o.nodeId.length !== 0 && o.nodeId.length !== 16) throw new RangeError('node id');
  if (Math.max(o.owners.length, o.fallbacks.length) > ORDINALS_DECODED_MAX) throw new RangeError('ordinals');
  const { ringVersion, acked, durable, sloppy, owners, fallbacks, fastest } = o;
  return { nodeId: toHex(o.nodeId), ringVersion, acked, durable, sloppy, owners, fallbacks, fastest };
}

function plainSiblings(siblings: readonly partita.v1.Sibling.$Properties[]): unknown {
  return siblings.map((s) => {
    const [writtenMs, expiresMs] = [Number(s.writtenMs ?? 0), Number(s.expiresMs ?? 0)];
    if (Math.max(writtenMs, expiresMs) > Number.MAX_SAFE_INTEGER) throw new RangeError('time');
    return { value: toHex(s.value ?? new Uint8Array(0)), writtenMs, expiresMs };
  });
}

function plain(reply: GetReply | PutReply): unknown {
  const siblings = reply.siblings.map((s: SiblingMessage) => ({ ...s, value: toHex(s.value) }));
  return { ...reply, siblings, context: toHex(reply.context) };
}

/** protobufjs's opinion, undefined where it throws or a field breaks a rule of ours. */
function byProtobufjs(kind: number, body: Uint8Array): unknown {
  try {
    if (kind === GET_REPLY) {
      const reply = v1.GetReply.decode(Reader.create(body));
      return {
        siblings: plainSiblings(reply.siblings),
        context: toHex(reply.context),
        origin: plainOrigin(reply.origin),
      };
    }
    const reply = v1.PutReply.decode(Reader.create(body));
    const { siblingCount } = reply;
    return {
      context: toHex(reply.context),
      siblings: plainSiblings(reply.siblings),
      siblingCount,
      origin: plainOrigin(reply.origin),
    };
  } catch {
    return undefined;
  }
}

function byUs(kind: number, body: Uint8Array): unknown {
  const around = Buffer.concat([Buffer.alloc(3, 0xff), body, Buffer.alloc(5, 0x01)]);
  const reply = (kind === GET_REPLY ? decodeGetReply : decodePutReply)(around, 3, 3 + body.length);
  return typeof reply === 'string' ? undefined : plain(reply);
}

test('a written GetReply is what protobufjs reads, and its head is all but the last value', (t) => {
  fc.assert(
    fc.property(getReply, fc.nat(0xffffffff), (reply, requestId) => {
      scatter(reply);
      const origin = encodeOrigin(reply.origin);
      const size = sizeOfGetReplyFrame(parts, origin);
      const target = Buffer.alloc(size + 8, 0xaa);
      t.is(writeGetReplyFrame(target, 4, requestId, parts, origin), 4 + size);
      t.deepEqual([...target.subarray(4, 16)], headerOf(size - 12, GET_REPLY, requestId));
      t.is(toHex(target.subarray(0, 4)) + toHex(target.subarray(4 + size)), 'aa'.repeat(8));
      t.deepEqual(byProtobufjs(GET_REPLY, target.subarray(16, 4 + size)), plain(reply));

      const head = Buffer.alloc(sizeOfGetReplyHead(parts, origin));
      t.is(writeGetReplyHead(head, 0, requestId, parts, origin), head.length);
      const last = reply.siblings.at(-1)?.value ?? Buffer.alloc(0);
      t.deepEqual(Buffer.concat([head, last]), target.subarray(4, 4 + size));
    }),
    { numRuns: 500 },
  );
});

test('a context may be written by the caller into the room left for it', (t) => {
  const origin = encodeOrigin({
    nodeId: '0b'.repeat(16),
    ringVersion: 1,
    acked: 1,
    durable: true,
    sloppy: false,
    owners: [1],
    fallbacks: [],
    fastest: 1,
  });
  parts.clear();
  parts.addSibling(Buffer.from('value'), 0, 5, 1, 0);
  parts.reserveContext(6);
  const target = Buffer.alloc(sizeOfGetReplyFrame(parts, origin), 0xaa);
  writeGetReplyFrame(target, 0, 1, parts, origin);
  target.write('TOKEN!', parts.contextAt);
  const reply = v1.GetReply.decode(Reader.create(target.subarray(12)));
  t.is(Buffer.from(reply.context).toString(), 'TOKEN!');
  parts.reserveContext(0);
  t.is(v1.GetReply.decode(Reader.create(frameOfParts(origin).subarray(12))).context.length, 0);
  t.is(parts.contextAt, -1, 'nothing to fill in');
});

function frameOfParts(origin: Uint8Array): Buffer {
  const target = Buffer.alloc(sizeOfGetReplyFrame(parts, origin));
  writeGetReplyFrame(target, 0, 1, parts, origin);
  return target;
}

test('a written PutReply is what protobufjs reads', (t) => {
  fc.assert(
    fc.property(putReply, fc.nat(0xffffffff), (reply, requestId) => {
      scatter(reply);
      const origin = encodeOrigin(reply.origin);
      const size = sizeOfPutReplyFrame(parts, reply.siblingCount, origin);
      const target = Buffer.alloc(size + 3, 0xaa);
      t.is(writePutReplyFrame(target, 3, requestId, parts, reply.siblingCount, origin), 3 + size);
      t.deepEqual([...target.subarray(3, 15)], headerOf(size - 12, PUT_REPLY, requestId));
      t.deepEqual(byProtobufjs(PUT_REPLY, target.subarray(15)), plain(reply));
    }),
    { numRuns: 500 },
  );
});

test('an origin is its own, though it comes by a buffer in which another came before', (t) => {
  const socket = Buffer.alloc(256);
  const rest = { ringVersion: 1, acked: 1, durable: true, sloppy: false, owners: [1], fallbacks: [], fastest: 1 };
  for (const digits of ['0c', '0d', '0e', '0c']) {
    const nodeId = `${'0b'.repeat(10)}${digits}${'0b'.repeat(5)}`;
    parts.clear();
    parts.reserveContext(0);
    const origin = encodeOrigin({ ...rest, nodeId });
    writePutReplyFrame(socket, 0, 1, parts, 1, origin);
    const reply = decodePutReply(socket, 12, sizeOfPutReplyFrame(parts, 1, origin));
    t.is(typeof reply === 'string' ? reply : reply.origin.nodeId, nodeId);
  }
});

test('a written Error is what is read, whatever its text', (t) => {
  fc.assert(
    fc.property(failure, u32, fc.nat(0xffffffff), (failed, ringVersion, requestId) => {
      const size = sizeOfErrorFrame(failed, ringVersion);
      const target = Buffer.alloc(size);
      t.is(writeErrorFrame(target, 0, requestId, failed, ringVersion), size);
      t.deepEqual([...target.subarray(0, 12)], headerOf(size - 12, ERROR, requestId));
      const read = decodeError(target, 12, size);
      t.deepEqual(read, { ...failed, ...contextAsBuffer(failed.context), ringVersion });
      t.is(v1.Error.decode(Reader.create(target.subarray(12))).code, ERROR_CODES[failed.code].number);
    }),
    { numRuns: 500 },
  );
});

function contextAsBuffer(context: Uint8Array | undefined): object {
  return context === undefined ? {} : { context: Buffer.from(context) };
}

test('a lone surrogate in a text becomes U+FFFD and keeps the sizes right', (t) => {
  const failed = { code: 'INTERNAL', text: 'a\ud800b', retryable: false, outcomeUnknown: false } as const;
  const target = Buffer.alloc(sizeOfErrorFrame(failed, 0));
  t.is(writeErrorFrame(target, 0, 1, failed, 0), target.length);
  const read = decodeError(target, 12, target.length);
  t.is(typeof read === 'string' ? read : read.text, 'a\ufffdb');
});

test('a written Pong is what is read', (t) => {
  fc.assert(
    fc.property(u32, u53, (ringVersion, wallMs) => {
      const target = Buffer.alloc(sizeOfPongFrame(ringVersion, wallMs));
      t.is(writePongFrame(target, 0, 7, ringVersion, wallMs), target.length);
      t.deepEqual([...target.subarray(0, 12)], headerOf(target.length - 12, PONG, 7));
      t.deepEqual(decodePong(target, 12, target.length), { ringVersion, wallMs });
    }),
  );
});

for (const [name, kind, replies] of [
  [
    'GetReply',
    GET_REPLY,
    getReply.map((r) => v1.GetReply.encode({ ...r, siblings: [...r.siblings], origin: withBytes(r.origin) }).finish()),
  ],
  [
    'PutReply',
    PUT_REPLY,
    putReply.map((r) => v1.PutReply.encode({ ...r, siblings: [...r.siblings], origin: withBytes(r.origin) }).finish()),
  ],
] as const) {
  test(`a ${name}: we take and refuse what protobufjs takes and refuses, whatever the bytes`, (t) => {
    let refused = 0;
    let taken = 0;
    fc.assert(
      fc.property(fc.oneof(replies, mutated(replies), fieldSoup, mutated(fieldSoup)), (body) => {
        const expected = byProtobufjs(kind, body);
        if (expected === undefined) refused++;
        else taken++;
        t.deepEqual(byUs(kind, body), expected, toHex(body));
      }),
      { numRuns: 3_000 },
    );
    t.true(refused > 300 && taken > 300, `${refused} refused, ${taken} taken: both sides were tried`);
  });
}

function withBytes(origin: ReplyOrigin): partita.v1.Origin.$Properties {
  const { nodeId, owners, fallbacks } = origin;
  return { ...origin, nodeId: Buffer.from(nodeId, 'hex'), owners: [...owners], fallbacks: [...fallbacks] };
}

test('a reply of nothing but empty siblings is refused before it fills the memory', (t) => {
  const siblings = (count: number): Buffer => Buffer.alloc(2 * count, Buffer.of(0x0a, 0));
  const most = decodeGetReply(siblings(SIBLINGS_DECODED_MAX), 0, 2 * SIBLINGS_DECODED_MAX);
  t.is(typeof most === 'string' ? most : most.siblings.length, SIBLINGS_DECODED_MAX);
  t.is(decodeGetReply(siblings(500_000), 0, 1_000_000), 'More than 4096 siblings');
});

test('equal origins are one object, which nobody can change', (t) => {
  const origin = {
    nodeId: new Uint8Array(16),
    ringVersion: 2,
    acked: 2,
    owners: [1, 300],
    fallbacks: [4],
    fastest: 300,
  };
  const read = (more: object): ReplyOrigin => {
    const body = v1.GetReply.encode({ origin: { ...origin, ...more } }).finish();
    return (decodeGetReply(body, 0, body.length) as GetReply).origin;
  };
  t.is(read({}), read({}));
  t.deepEqual([read({}).owners, read({}).fallbacks, read({}).fastest], [[1, 300], [4], 300]);
  t.not(read({ fastest: 1 }), read({}));
  t.is(read({ fastest: 1 }).fastest, 1);
  t.throws(() => (read({}).owners as number[]).push(9), { instanceOf: TypeError });
});

test('an origin in two parts is merged, whatever was read before', (t) => {
  const [first, second] = [
    { owners: [1], acked: 1 },
    { owners: [2], fallbacks: [3], durable: true },
  ];
  const body = Buffer.concat([first, second].map((origin) => v1.GetReply.encode({ origin }).finish()));
  for (let i = 0; i < 2; i++) t.deepEqual(byUs(GET_REPLY, body), byProtobufjs(GET_REPLY, body));
  const reply = decodeGetReply(body, 0, body.length) as GetReply;
  t.deepEqual([reply.origin.owners, reply.origin.fallbacks, reply.origin.acked], [[1, 2], [3], 1]);
});

test('an origin of nothing but ordinals is refused before it fills the memory', (t) => {
  const body = (count: number): Buffer =>
    Buffer.from(v1.GetReply.encode({ origin: { fallbacks: new Array<number>(count).fill(7) } }).finish());
  const most = decodeGetReply(body(ORDINALS_DECODED_MAX), 0, body(ORDINALS_DECODED_MAX).length);
  t.is(typeof most === 'string' ? most : most.origin.fallbacks.length, ORDINALS_DECODED_MAX);
  t.is(decodeGetReply(body(500_000), 0, body(500_000).length), 'More than 1024 ordinals');
});

test('values are views of the receive buffer', (t) => {
  const body = v1.GetReply.encode({ siblings: [{ value: Buffer.from('abc') }] }).finish();
  const reply = decodeGetReply(body, 0, body.length) as GetReply;
  t.is(reply.siblings[0]?.value.buffer, body.buffer);
});

function headerOf(length: number, kind: number, requestId: number): number[] {
  const header = Buffer.alloc(12);
  header.writeUInt32BE(length, 0);
  header.writeUInt8(kind, 4);
  header.writeUInt32BE(requestId, 8);
  return [...header];
}
