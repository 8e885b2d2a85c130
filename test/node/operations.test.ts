import test from 'ava';
import {
  decodeMultiGetReply,
  decodeMultiPutReply,
  encodeMultiGet,
  encodeMultiPut,
} from '../../src/wire/codec-multi.js';
import { decodeExplainReply, decodeRingReply, encodeExplain, encodeRingFetch } from '../../src/wire/codec-ring.js';
import { EXPLAIN, EXPLAIN_REPLY, MULTI_GET, MULTI_PUT, RING_FETCH } from '../../src/wire/kinds.js';
import { isFault } from '../../src/wire/plain.js';
import { CONTEXT_ENTRY_BYTES } from '../../src/versioning/record.js';
import { TOKEN_FIXED_BYTES, tokenBytes, writeTokenFixed } from '../../src/versioning/token.js';
import { seal, writeDot } from '../../src/versioning/write.js';
import { HASH } from '../storage/engine-requests.js';
import { errorOf, NodeBench } from '../support/node-bench.js';
import { getReplyOf, putReplyOf, TestClient, text, textOf } from '../support/test-client.js';

const NONE = new Uint8Array(0);

test('what was put is got, with a context', (t) => {
  const client = new TestClient(new NodeBench());
  const put = client.put('cart:1', 'apple');
  t.is(put.siblingCount, 1);
  t.true(put.context.length > 0, 'the only version: its context may be handed out');
  t.true(put.origin.durable);
  const got = client.get('cart:1');
  t.deepEqual(
    got.siblings.map(({ value }) => textOf(value)),
    ['apple'],
  );
  t.deepEqual(got.context, put.context);
  t.is(got.origin.nodeId, '0123456789abcdef0123456789abcdef');
});

test('a key that nobody put has no versions and no context', (t) => {
  const reply = new TestClient(new NodeBench()).get('nothing');
  t.is(reply.siblings.length, 0);
  t.is(reply.context.length, 0);
});

test('blind puts become siblings, and a put with the context of their read replaces them', (t) => {
  const client = new TestClient(new NodeBench());
  client.put('k', 'a');
  const second = client.put('k', 'b');
  t.is(second.siblingCount, 2);
  t.is(second.context.length, 0, 'a context that covers an unread sibling is not handed out');
  const read = client.get('k');
  t.deepEqual(read.siblings.map(({ value }) => textOf(value)).sort(), ['a', 'b']);
  const merged = client.put('k', 'ab', { context: read.context });
  t.is(merged.siblingCount, 1);
  t.deepEqual(client.values('k'), ['ab']);
});

test('a put can bring its siblings back with the context that covers them', (t) => {
  const client = new TestClient(new NodeBench());
  client.put('k', 'a');
  const reply = client.put('k', 'b', { returnSiblings: true });
  t.deepEqual(reply.siblings.map(({ value }) => textOf(value)).sort(), ['a', 'b']);
  t.deepEqual(reply.context, client.get('k').context);
});

test('an overwritten context makes a sibling, not a loss', (t) => {
  const client = new TestClient(new NodeBench());
  const { context } = client.put('k', 'a');
  client.put('k', 'b', { context });
  client.put('k', 'c', { context });
  t.deepEqual(client.values('k').sort(), ['b', 'c']);
});

test('a delete hides the value, keeps the context, and loses to a concurrent put', (t) => {
  const client = new TestClient(new NodeBench());
  const { context } = client.put('k', 'a');
  const deleted = client.put('k', undefined, { context });
  t.is(deleted.siblingCount, 0);
  const read = client.get('k');
  t.is(read.siblings.length, 0);
  t.true(read.context.length > 0, 'the next put sweeps the tombstone up');
  client.put('k', 'concurrent', { context });
  t.deepEqual(client.values('k'), ['concurrent']);
});

test('a repeated put is stored once and acknowledged again', (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  const putId = bench.putId(77);
  client.put('k', 'a', { putId });
  const again = client.put('k', 'a', { putId, retry: true });
  t.is(again.siblingCount, 1);
  t.true(again.context.length > 0);
  t.deepEqual(client.values('k'), ['a']);
});

test('a repeated put is not acknowledged before the first one is synced', (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  const putId = bench.putId(78);
  bench.storage.holdAcks = true;
  client.askPut('k', 'a', { putId });
  client.askPut('k', 'a', { putId, retry: true });
  t.is(client.connection.take().length, 0);
  bench.storage.sync();
  t.deepEqual(
    client.connection.take().map((frame) => putReplyOf(frame).siblingCount),
    [1, 1],
  );
});

test('a retry of a put that was overwritten does not bring it back', (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  const putId = bench.putId(79);
  const { context } = client.put('k', 'old', { putId });
  client.put('k', 'new', { context });
  client.put('k', 'old', { putId, retry: true });
  t.deepEqual(client.values('k'), ['new']);
});

test('a put id outside the retry window is refused; what became of it is unknown', (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  const putId = bench.putId(80);
  bench.pass(61_000);
  const late = client.putError('k', 'a', { putId, retry: true });
  t.is(late.code, 'RETRY_TOO_LATE');
  t.true(late.outcomeUnknown);
  t.false(late.retryable);
  const future = Uint8Array.from(bench.putId(81));
  new DataView(future.buffer).setUint32(0, Math.floor(bench.wallMs / 1_000) + 61);
  t.is(client.putError('k', 'a', { putId: future }).code, 'INVALID_ARGUMENT');
});

test('a version that expires reads as deleted from then on', (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  client.put('k', 'short-lived', { ttlMs: 5_000 });
  t.deepEqual(client.values('k'), ['short-lived']);
  bench.pass(5_001);
  t.deepEqual(client.values('k'), []);
});

test('bad arguments get an error that says what to do, and the connection lives on', (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  const code = (key: string | Uint8Array, value: string | Uint8Array, more = {}): string =>
    client.putError(key, value, more).code;
  t.is(code('', 'v'), 'INVALID_ARGUMENT');
  t.is(code('k'.repeat(2_049), 'v'), 'TOO_LARGE');
  t.is(code('k', 'v'.repeat(65_537)), 'TOO_LARGE');
  t.is(code('k', 'v', { namespace: 'n' }), 'INVALID_ARGUMENT');
  t.is(code('k', 'v', { budgetMs: 0 }), 'INVALID_ARGUMENT');
  t.is(code('k', 'v', { budgetMs: 60_001 }), 'INVALID_ARGUMENT');
  t.is(code('k', 'v', { w: 2 }), 'INVALID_ARGUMENT');
  t.is(code('k', 'v', { putId: text('short') }), 'INVALID_ARGUMENT');
  t.is(code('k', 'v', { ttlMs: 2 ** 50 }), 'INVALID_ARGUMENT');
  t.is(code('k', 'v', { context: text('no context of ours') }), 'INVALID_CONTEXT');
  const { context } = client.put('other', 'v');
  t.is(code('k', 'v', { context }), 'INVALID_CONTEXT', 'a context of another key');
  client.askGet('k', { r: 2 });
  t.is(errorOf(client.connection.take()[0]).code, 'INVALID_ARGUMENT');
  t.deepEqual(client.values('k'), []);
});

test('keys are bytes: the names that trip objects are keys like others', (t) => {
  const client = new TestClient(new NodeBench());
  for (const key of ['__proto__', 'constructor', 'toString', 'k\u0000', 'ключ']) client.put(key, `of ${key}`);
  for (const key of ['__proto__', 'constructor', 'toString', 'k\u0000', 'ключ'])
    t.deepEqual(client.values(key), [`of ${key}`]);
  t.deepEqual(client.values('k'), []);
});

test('at a hundred siblings a put that adds one is refused, one that merges is not', (t) => {
  const client = new TestClient(new NodeBench());
  for (let i = 0; i < 100; i++) client.put('k', `v${i}`);
  const refused = client.putError('k', 'one too many');
  t.is(refused.code, 'SIBLINGS_LIMIT');
  t.false(refused.outcomeUnknown);
  const { context, siblings } = client.get('k');
  t.is(siblings.length, 100);
  client.put('k', 'merged', { context });
  t.deepEqual(client.values('k'), ['merged']);
});

test('a request whose time has passed before it was begun does nothing and says so', (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  bench.storage.cold = true;
  client.askPut('k', 'late', { budgetMs: 50 });
  client.askGet('k', { budgetMs: 50 });
  bench.pass(51);
  bench.storage.serve();
  const errors = client.connection.take().map(errorOf);
  t.deepEqual(
    errors.map(({ code, outcomeUnknown }) => [code, outcomeUnknown]),
    [
      ['TIMEOUT', false],
      ['TIMEOUT', false],
    ],
  );
  bench.storage.cold = false;
  t.deepEqual(client.values('k'), []);
});

test('a request that waits for a cold disk keeps bytes of its own', (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  const { context } = client.put('k', 'before');
  bench.storage.cold = true;
  client.askPut('k', 'after', { context });
  client.askGet('k');
  // The frame's memory is used again before the storage answers.
  client.askPut('x'.repeat(40), 'y'.repeat(200));
  bench.storage.serve();
  const frames = client.connection.take();
  t.deepEqual(
    getReplyOf(frames[1]).siblings.map(({ value }) => textOf(value)),
    ['after'],
  );
});

test('a damaged record is neither found nor not found, and can be written over', (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  bench.storage.unknownReason = 'the record is damaged';
  client.askGet('k');
  const error = errorOf(client.connection.take()[0]);
  t.is(error.code, 'UNKNOWN_STATE');
  t.regex(error.text, /the record is damaged/);
  client.put('k', 'anew');
  bench.storage.unknownReason = '';
  t.deepEqual(client.values('k'), ['anew']);
});

test('many keys in one request have an outcome each, in order', (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  const head = { budgetMs: 1_000, namespace: '', ringVersion: 1 };
  const common = {
    ...head,
    context: NONE,
    retry: false,
    w: 0,
    strict: false,
    durable: false,
    ttlMs: 0,
    returnSiblings: false,
  };
  const puts = [
    { ...common, key: text('a'), value: text('1'), putId: bench.putId(1) },
    { ...common, key: text(''), value: text('2'), putId: bench.putId(2) },
    { ...common, key: text('c'), value: text('3'), putId: bench.putId(3) },
  ];
  client.connection.send(MULTI_PUT, 5, encodeMultiPut({ ...head, puts }));
  const putFrame = client.connection.take()[0];
  const stored = decodeMultiPutReply(putFrame?.body ?? NONE, 0, putFrame?.body.length ?? 0);
  if (isFault(stored)) return t.fail(stored);
  t.deepEqual(
    stored.map((item) => ('failure' in item ? item.failure.code : item.siblingCount)),
    [1, 'INVALID_ARGUMENT', 1],
  );
  const gets = ['c', 'b', 'a'].map((key) => ({ ...head, key: text(key), r: 0, strict: false }));
  client.connection.send(MULTI_GET, 6, encodeMultiGet({ ...head, gets }));
  const getFrame = client.connection.take()[0];
  const found = decodeMultiGetReply(getFrame?.body ?? NONE, 0, getFrame?.body.length ?? 0);
  if (isFault(found)) return t.fail(found);
  t.deepEqual(
    found.map((item) => ('failure' in item ? item.failure.code : item.siblings.map(({ value }) => textOf(value)))),
    [['3'], [], ['1']],
  );
});

test('an answer to many gets never outgrows a frame: what does not fit is to be asked for by itself', (t) => {
  const bench = new NodeBench({ frameBodyBytesMax: 150_000 });
  const client = new TestClient(bench);
  for (const key of ['a', 'b', 'c']) client.put(key, 'x'.repeat(60_000));
  const head = { budgetMs: 1_000, namespace: '', ringVersion: 1 };
  const gets = ['a', 'b', 'c'].map((key) => ({ ...head, key: text(key), r: 0, strict: false }));
  client.connection.send(MULTI_GET, 6, encodeMultiGet({ ...head, gets }));
  const frame = client.connection.take()[0];
  t.true((frame?.body.length ?? 0) < 150_000);
  const found = decodeMultiGetReply(frame?.body ?? NONE, 0, frame?.body.length ?? 0);
  if (isFault(found)) return t.fail(found);
  t.deepEqual(
    found.map((item) => ('failure' in item ? item.failure.code : 'ok')),
    ['ok', 'ok', 'TOO_LARGE'],
  );
});

test('explain tells everything stored under a key but the values', (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  client.put('k', 'first');
  client.put('k', 'second');
  client.connection.send(EXPLAIN, 9, encodeExplain({ key: text('k'), budgetMs: 1_000, namespace: '' }));
  const frame = client.connection.take()[0];
  t.is(frame?.kind, EXPLAIN_REPLY);
  const reply = decodeExplainReply(frame?.body ?? NONE, 0, frame?.body.length ?? 0);
  if (isFault(reply)) return t.fail(reply);
  t.true(reply.found);
  t.is(reply.state, 'ok');
  t.deepEqual(
    reply.siblings.map(({ valueBytes, hidden }) => [valueBytes, hidden]),
    [
      [5, ''],
      [6, ''],
    ],
  );
  t.is(reply.context.length, 1);
  t.regex(reply.mark, /^0007[0-9a-f]{12}:2$/, 'ordinal 7, the second dot');
});

test('the ring can be fetched', (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  client.connection.send(RING_FETCH, 9, encodeRingFetch({ knownVersion: 0 }));
  const frame = client.connection.take()[0];
  const ring = decodeRingReply(frame?.body ?? NONE, 0, frame?.body.length ?? 0);
  if (isFault(ring)) return t.fail(ring);
  t.is(ring.partitionCount, 256);
  t.deepEqual(
    ring.members.map(({ ordinal, address }) => [ordinal, address]),
    [[7, '127.0.0.1:7700']],
  );
  t.is(ring.owners.length, 256);
});

test('a key that gathers siblings is warned of, by its hash and not each time', (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  for (let i = 0; i < 30; i++) client.put('secret-key', `v${i}`);
  t.is(bench.warnings.length, 1);
  t.like(bench.warnings[0], { event: 'key-grows', siblings: 25 });
  t.false(JSON.stringify(bench.warnings).includes('secret-key'));
});

test('so is one whose context grows; at 4,096 actors the put is refused', (t) => {
  const contextOf = (key: string, actors: number): Uint8Array => {
    const token = new Uint8Array(tokenBytes(actors, 0));
    HASH.hash(text(key), 0, key.length);
    writeTokenFixed(token, 0, actors, 0, { hi: HASH.hi, lo: HASH.lo });
    for (let i = 0; i < actors; i++) writeDot(token, TOKEN_FIXED_BYTES + CONTEXT_ENTRY_BYTES * i, 1, i, 1);
    seal(token, 0, token.length, HASH);
    return token;
  };
  const bench = new NodeBench();
  const client = new TestClient(bench);
  client.put('few', 'v', { context: contextOf('few', 62) });
  t.deepEqual(bench.warnings, []);
  client.put('many', 'v', { context: contextOf('many', 63) });
  t.like(bench.warnings[0], { event: 'key-grows', siblings: 1, contextEntries: 64 });
  client.put('most', 'v', { context: contextOf('most', 4_095) });
  const refused = client.putError('more', 'v', { context: contextOf('more', 4_096) });
  t.deepEqual([refused.code, refused.outcomeUnknown], ['TOO_LARGE', false]);
  t.regex(refused.text, /would exceed 4096 actors/);
  t.deepEqual(client.values('more'), []);
});
