import test from 'ava';
import fc from 'fast-check';
import { toHex } from '../../src/lib/bytes.js';
import type { GetRequest, PutRequest } from '../../src/model/messages.js';
import { DELETE, GET, PUT } from '../../src/wire/kinds.js';
import { Reader, partita } from '../../src/wire/protobuf.js';
import {
  GetRequestView,
  PutRequestView,
  decodeDeleteInto,
  decodeGetInto,
  decodePutInto,
} from '../../src/wire/requests.js';
import {
  sizeOfGetFrame,
  sizeOfPutFrame,
  sizeOfPutHead,
  writeGetFrame,
  writePutFrame,
  writePutHead,
} from '../../src/wire/write-requests.js';
import { deleteRequest, fieldSoup, getRequest, mutated, putRequest } from './arbitrary.js';

const v1 = partita.v1;

function plainGet(get: GetRequest): unknown {
  const { key, budgetMs, namespace, ringVersion, r, strict } = get;
  return { key: toHex(key), budgetMs, namespace, ringVersion, r, strict };
}

function plainPut(put: PutRequest): unknown {
  const { retry, budgetMs, namespace, ringVersion, w, strict, durable, ttlMs, returnSiblings, sentMs } = put;
  const value = put.value === undefined ? undefined : toHex(put.value);
  const [key, context, putId] = [toHex(put.key), toHex(put.context), toHex(put.putId)];
  return {
    key,
    value,
    context,
    putId,
    retry,
    budgetMs,
    namespace,
    ringVersion,
    w,
    strict,
    durable,
    ttlMs,
    returnSiblings,
    sentMs,
  };
}

/** protobufjs's opinion of a body, or undefined where it throws, or a number is not below 2^53. */
function byProtobufjs(kind: number, body: Uint8Array): unknown {
  try {
    if (kind === GET) return plainGet(v1.Get.decode(Reader.create(body)));
    if (kind === DELETE) {
      const request = v1.Delete.decode(Reader.create(body));
      if (Number(request.sentMs) > Number.MAX_SAFE_INTEGER) return undefined;
      return plainPut({ ...pick(request), value: undefined, ttlMs: 0 });
    }
    const put = v1.Put.decode(Reader.create(body));
    if (Math.max(Number(put.ttlMs), Number(put.sentMs)) > Number.MAX_SAFE_INTEGER) return undefined;
    return plainPut({ ...pick(put), value: put.value, ttlMs: Number(put.ttlMs) });
  } catch {
    return undefined;
  }
}

function pick(put: partita.v1.Put | partita.v1.Delete): Omit<PutRequest, 'value' | 'ttlMs'> {
  const { key, context, putId, retry, budgetMs, namespace, ringVersion, w, strict, durable, returnSiblings } = put;
  const sentMs = Number(put.sentMs);
  return { key, context, putId, retry, budgetMs, namespace, ringVersion, w, strict, durable, returnSiblings, sentMs };
}

const getView = new GetRequestView();
const putView = new PutRequestView();

/** Ours, from the middle of a larger buffer, as it is in life; undefined for a fault. */
/** Of `byUs`'s last body; empty: none. */
let ourFault = '';

function byUs(kind: number, body: Uint8Array): unknown {
  const around = Buffer.concat([Buffer.alloc(3, 0xff), body, Buffer.alloc(5, 0x01)]);
  const [start, end] = [3, 3 + body.length];
  if (kind === GET) {
    ourFault = decodeGetInto(getView, around, start, end);
    return ourFault === '' ? plainGet(getView) : undefined;
  }
  ourFault = (kind === PUT ? decodePutInto : decodeDeleteInto)(putView, around, start, end);
  return ourFault === '' ? plainPut(putView) : undefined;
}

const encoded: Readonly<Record<number, fc.Arbitrary<Uint8Array>>> = {
  [GET]: getRequest.map((get) => v1.Get.encode(get).finish()),
  [PUT]: putRequest.map((put) => v1.Put.encode({ ...put, value: put.value ?? null }).finish()),
  [DELETE]: deleteRequest.map((put) => v1.Delete.encode(pick(put as unknown as partita.v1.Delete)).finish()),
};

for (const [name, kind] of [
  ['get', GET],
  ['put', PUT],
  ['delete', DELETE],
] as const) {
  const bodies = encoded[kind] as fc.Arbitrary<Uint8Array>;

  test(`a ${name} that protobufjs encoded is read as it was meant`, (t) => {
    fc.assert(
      fc.property(bodies, (body) => {
        const expected = byProtobufjs(kind, body);
        t.not(expected, undefined);
        t.deepEqual(byUs(kind, body), expected);
      }),
      { numRuns: 300 },
    );
  });

  test(`a ${name}: we take and refuse what protobufjs takes and refuses, whatever the bytes`, (t) => {
    const soups = fc.oneof(fc.uint8Array({ maxLength: 60 }), fieldSoup, mutated(bodies), mutated(fieldSoup));
    let refused = 0;
    let taken = 0;
    fc.assert(
      fc.property(soups, (body) => {
        const expected = byProtobufjs(kind, body);
        if (expected === undefined) refused++;
        else taken++;
        const ours = byUs(kind, body);
        // A number of 2^53 or more is refused wherever it stands, though a later one of its field would count.
        if (/2\^53/.test(ourFault)) return;
        t.deepEqual(ours, expected, toHex(body));
      }),
      { numRuns: 4_000 },
    );
    t.true(refused > 400 && taken > 400, `${refused} refused, ${taken} taken: both sides were tried`);
  });
}

test('a number of 2^53 or more is refused, also where a later one of the same field is smaller', (t) => {
  const small = [0x60, 0x01];
  const large = [0x60, 0x89, 0x84, 0x96, 0xb6, 0xea, 0xff, 0x8e, 0xf8, 0x0e];
  t.not(byUs(PUT, Buffer.from(small)), undefined);
  for (const body of [large, [...large, ...small], [...small, ...large]]) {
    t.is(byUs(PUT, Buffer.from(body)), undefined);
    t.regex(ourFault, /2\^53/);
  }
});

test('groups in groups are refused where protobufjs refuses them, and do not cost the stack', (t) => {
  for (const [depth, wellFormed] of [
    [50, true],
    [100, true],
    [101, true],
    [102, false],
    [20_000, false],
  ] as const) {
    const body = Buffer.concat([Buffer.alloc(depth, 0x7b), Buffer.alloc(depth, 0x7c)]);
    t.is(byProtobufjs(GET, body) !== undefined, byUs(GET, body) !== undefined, `depth ${depth}`);
    t.is(byUs(GET, body) !== undefined, wellFormed, `depth ${depth}`);
  }
});

test('a written get is what protobufjs reads, and fills exactly its size', (t) => {
  fc.assert(
    fc.property(getRequest, fc.nat(0xffffffff), (get, requestId) => {
      const size = sizeOfGetFrame(get);
      const target = Buffer.alloc(size + 9, 0xaa);
      t.is(writeGetFrame(target, 4, requestId, get), 4 + size);
      checkFrame(t, target, 4, size, GET, requestId);
      t.deepEqual(byProtobufjs(GET, target.subarray(16, 4 + size)), plainGet(get));
    }),
    { numRuns: 500 },
  );
});

test('a written put or delete is what protobufjs reads, and its head is all but the value', (t) => {
  fc.assert(
    fc.property(fc.oneof(putRequest, deleteRequest), fc.nat(0xffffffff), (put, requestId) => {
      const kind = put.value === undefined ? DELETE : PUT;
      const size = sizeOfPutFrame(put);
      const target = Buffer.alloc(size + 9, 0xaa);
      t.is(writePutFrame(target, 4, requestId, put), 4 + size);
      checkFrame(t, target, 4, size, kind, requestId);
      t.deepEqual(byProtobufjs(kind, target.subarray(16, 4 + size)), plainPut(put));

      const head = Buffer.alloc(sizeOfPutHead(put));
      t.is(writePutHead(head, 0, requestId, put), head.length);
      t.deepEqual(Buffer.concat([head, put.value ?? Buffer.alloc(0)]), target.subarray(4, 4 + size));
    }),
    { numRuns: 500 },
  );
});

function checkFrame(
  t: { is: (a: unknown, b: unknown) => void },
  target: Buffer,
  at: number,
  size: number,
  kind: number,
  id: number,
): void {
  t.is(target.readUInt32BE(at), size - 12);
  t.is(target.readUInt8(at + 4), kind);
  t.is(target.readUIntBE(at + 5, 3), 0);
  t.is(target.readUInt32BE(at + 8), id);
  t.is(
    target.subarray(0, at).every((byte) => byte === 0xaa),
    true,
  );
  t.is(
    target.subarray(at + size).every((byte) => byte === 0xaa),
    true,
  );
}

test('a view is its frame: what the last one left behind is gone', (t) => {
  const full = v1.Put.encode({
    key: Buffer.from('k'),
    value: Buffer.from('v'),
    context: Buffer.from('c'),
    ttlMs: 5,
    namespace: 'n',
    durable: true,
    w: 2,
  }).finish();
  t.is(decodePutInto(putView, full, 0, full.length), '');
  t.is(decodePutInto(putView, full, 0, 0), '');
  t.deepEqual(plainPut(putView), plainPut({ ...emptyPut, value: new Uint8Array(0) }));
  t.is(decodeDeleteInto(putView, full, 0, full.length), '');
  t.is(putView.value, undefined, 'a delete has no value even if its bytes name one');
});

const emptyPut: PutRequest = {
  key: new Uint8Array(0),
  value: undefined,
  context: new Uint8Array(0),
  putId: new Uint8Array(0),
  retry: false,
  budgetMs: 0,
  namespace: '',
  ringVersion: 0,
  w: 0,
  strict: false,
  durable: false,
  ttlMs: 0,
  returnSiblings: false,
  sentMs: 0,
};

test('an absurd text is refused before it becomes a string', (t) => {
  const body = v1.Get.encode({ namespace: 'n'.repeat(100_000) }).finish();
  t.regex(decodeGetInto(getView, body, 0, body.length), /^A text of 100000 bytes, at most 65536/);
});
