import test from 'ava';
import { hintsReply } from '../../src/node/hints-reply.js';
import { decodeHintsReply, encodeHints } from '../../src/wire/codec-admin.js';
import { encodePing } from '../../src/wire/codec-connection.js';
import { FRAME_BODY_BYTES_BEFORE_HELLO } from '../../src/model/limits.js';
import { ERROR, GET, GO_AWAY, HELLO, HELLO_REPLY, HINTS, HINTS_REPLY, PING, PONG } from '../../src/wire/kinds.js';
import { errorOf, helloBody, NodeBench } from '../support/node-bench.js';
import { putReplyOf, TestClient } from '../support/test-client.js';

test('Hello comes first, and nothing is served before it', (t) => {
  const bench = new NodeBench();
  const connection = bench.connect();
  connection.send(GET, 1, new Uint8Array(0));
  const [frame] = connection.take();
  t.is(errorOf(frame).code, 'PROTOCOL');
  t.not(connection.destroyed, '');
  t.is(bench.node.sessions, 0);
});

test('Hello is answered with what the client must know', (t) => {
  const connection = new NodeBench().connect();
  connection.send(HELLO, 1, helloBody('client'));
  t.is(connection.take()[0]?.kind, HELLO_REPLY);
  connection.send(PING, 2, encodePing({ budgetMs: 100 }));
  t.is(connection.take()[0]?.kind, PONG);
});

test('Hello is refused for another version, cluster, role, token, and on the peer listener', (t) => {
  const token = Buffer.from('secret');
  const codeOf = (bench: NodeBench, group: 'client' | 'peer' | 'admin', body: Uint8Array): string => {
    const connection = bench.connect(group);
    connection.send(HELLO, 1, body);
    const { code } = errorOf(connection.take()[0]);
    t.not(connection.destroyed, '', 'and the connection is closed');
    return code;
  };
  t.is(codeOf(new NodeBench(), 'client', helloBody('client', { versionMin: 2 })), 'VERSION_MISMATCH');
  t.is(codeOf(new NodeBench(), 'client', helloBody('client', { cluster: 'other' })), 'DENIED');
  t.is(codeOf(new NodeBench(), 'client', helloBody('peer')), 'DENIED');
  t.is(codeOf(new NodeBench(), 'client', helloBody('admin')), 'DENIED');
  t.is(codeOf(new NodeBench(), 'peer', helloBody('peer')), 'DENIED');
  t.is(codeOf(new NodeBench({ token }), 'client', helloBody('client')), 'UNAUTHENTICATED');
  t.is(
    codeOf(new NodeBench({ token }), 'client', helloBody('client', { token: Buffer.from('secrex') })),
    'UNAUTHENTICATED',
  );
  t.is(codeOf(new NodeBench(), 'client', Buffer.from([0xff])), 'PROTOCOL');
  const connection = new NodeBench({ token }).connect();
  connection.send(HELLO, 1, helloBody('client', { token }));
  t.is(connection.take()[0]?.kind, HELLO_REPLY);
});

test('before Hello a frame of more than 4 KiB is refused by its length alone', (t) => {
  const connection = new NodeBench().connect();
  const header = new Uint8Array(12);
  new DataView(header.buffer).setUint32(0, FRAME_BODY_BYTES_BEFORE_HELLO + 1);
  header[4] = HELLO;
  connection.bytes(header);
  t.is(errorOf(connection.take()[0]).code, 'TOO_LARGE');
  t.not(connection.destroyed, '');
});

test('a connection that says nothing is closed after 3 s, one that stops in a frame after 30 s, an idle one after 5 min', (t) => {
  const bench = new NodeBench();
  const silent = bench.connect();
  const half = bench.ready();
  const idle = bench.ready();
  half.bytes(new Uint8Array([0, 0, 0, 9, GET]));
  bench.pass(2_900);
  silent.take();
  t.is(silent.destroyed, '');
  bench.pass(500);
  t.is(errorOf(silent.take()[0]).code, 'TIMEOUT');
  t.not(silent.destroyed, '');
  t.is(half.destroyed, '');
  bench.pass(28_000);
  t.not(half.destroyed, '');
  bench.pass(260_000);
  t.is(idle.destroyed, '');
  bench.pass(20_000);
  t.not(idle.destroyed, '');
  t.is(bench.node.sessions, 0);
});

test('a reader that does not read is paused, then dropped', (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  client.put('k', 'x'.repeat(60_000));
  client.connection.deaf = true;
  for (let i = 0; i < 40; i++) client.askGet('k');
  t.false(client.connection.reading);
  t.true(client.connection.queuedBytes < 1_048_576 + 70_000, 'one answer beyond the limit at most');
  bench.pass(29_000);
  t.is(client.connection.destroyed, '');
  bench.pass(2_000);
  t.regex(client.connection.destroyed, /unread/);
  t.is(bench.node.budget.used, 0, 'what it held is given back');
});

test('a paused reader that reads again gets every answer', (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  client.put('k', 'x'.repeat(60_000));
  client.connection.deaf = true;
  for (let i = 0; i < 40; i++) client.askGet('k');
  client.connection.deaf = false;
  let answers = 0;
  for (let round = 0; round < 40; round++) answers += client.connection.take().length;
  t.is(answers, 40);
  t.true(client.connection.reading);
  t.is(bench.node.budget.used, 0);
});

test('siblings that a put will answer with count as long as they wait for it to be stored', (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  for (let i = 0; i < 5; i++) client.put('k', 'x'.repeat(10_000));
  bench.storage.holdAcks = true;
  client.askPut('k', 'y'.repeat(10_000), { returnSiblings: true });
  t.true(bench.node.budget.used >= 60_000, `${bench.node.budget.used} bytes are counted`);
  bench.storage.sync();
  t.is(putReplyOf(client.connection.take()[0]).siblings.length, 6);
  t.is(bench.node.budget.used, 0);
});

test('a connection has only so many requests under way; the rest wait their turn', (t) => {
  const bench = new NodeBench({ inFlightMax: 4 });
  const client = new TestClient(bench);
  bench.storage.holdAcks = true;
  for (let i = 0; i < 10; i++) client.askPut(`k${i}`, 'v');
  t.false(client.connection.reading);
  let answers = 0;
  for (let round = 0; round < 10; round++) {
    bench.storage.sync();
    const got = client.connection.take();
    t.true(got.length <= 4);
    for (const frame of got) t.is(putReplyOf(frame).siblingCount, 1);
    answers += got.length;
  }
  t.is(answers, 10);
  t.true(client.connection.reading);
});

test('all connections together hold only so much: the one that asks for more waits, and wakes', (t) => {
  const bench = new NodeBench({ inFlightBytesMax: 100_000 });
  const clients = [new TestClient(bench), new TestClient(bench), new TestClient(bench)];
  bench.storage.holdAcks = true;
  for (const client of clients)
    for (let i = 0; i < 4; i++) client.askPut(`k${i}`, 'v'.repeat(30_000), { context: new Uint8Array(0) });
  t.true(bench.node.budget.used <= 200_000);
  let answers = 0;
  for (let round = 0; round < 20; round++) {
    bench.storage.sync();
    for (const client of clients) answers += client.connection.take().length;
  }
  t.is(answers, 12);
  t.is(bench.node.budget.used, 0);
});

test('draining: a go-away, answers under way still come, new requests are refused, then it is closed', (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  const idle = bench.ready();
  bench.storage.holdAcks = true;
  client.askPut('k', 'v');
  let drained = false;
  bench.node.drain('stopping', 5_000, () => {
    drained = true;
  });
  t.is(idle.take()[0]?.kind, GO_AWAY);
  t.is(idle.destroyed, '', 'what crosses the go-away is still answered');
  client.askPut('k2', 'v');
  const frames = client.connection.take();
  t.deepEqual(
    frames.map(({ kind }) => kind),
    [GO_AWAY, ERROR],
  );
  t.is(errorOf(frames[1]).code, 'DRAINING');
  t.false(drained);
  bench.storage.sync();
  t.is(putReplyOf(client.connection.take()[0]).siblingCount, 1);
  t.false(drained);
  bench.pass(300);
  for (const { ended } of [idle, client.connection]) t.true(ended);
  idle.take();
  client.connection.take();
  t.true(drained);
  const late = bench.connect();
  t.is(errorOf(late.take()[0]).code, 'DRAINING');
});

test('draining cuts off what does not end within its grace', (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  bench.storage.holdAcks = true;
  client.askPut('k', 'v');
  let drained = false;
  bench.node.drain('stopping', 5_000, () => {
    drained = true;
  });
  bench.pass(5_001);
  t.true(drained);
  bench.storage.sync();
  t.is(bench.node.budget.used, 0, 'an answer to a connection that is gone is dropped, its bytes are given back');
});

test('a body that is no message closes the connection with the reason', (t) => {
  const bench = new NodeBench();
  const connection = bench.ready();
  connection.send(GET, 3, Buffer.from([0x0a, 0xff]));
  t.is(errorOf(connection.take()[0]).code, 'PROTOCOL');
  t.not(connection.destroyed, '');
  t.is(bench.node.budget.used, 0);
});

test('the admin listener serves administration and data, the client listener data alone', (t) => {
  const bench = new NodeBench();
  const admin = bench.ready('admin');
  admin.send(HINTS, 3, encodeHints({ budgetMs: 100 }));
  const [frame] = admin.take();
  t.is(frame?.kind, HINTS_REPLY);
  t.deepEqual(decodeHintsReply(frame?.body ?? new Uint8Array(0), 0, frame?.body.length ?? 0), {
    owners: [],
    count: 0,
    bytes: 0,
    bytesMax: 0,
    wallMs: bench.wallMs,
  });
  admin.send(PING, 4, encodePing({ budgetMs: 100 }));
  t.is(admin.take()[0]?.kind, PONG);
  t.is(bench.node.budget.used, 0);
  admin.send(0xbf, 5, new Uint8Array(0)); // the last of its group
  t.regex(errorOf(admin.take()[0]).text, /not a request that this node knows/);
  const client = bench.ready('client');
  client.send(HINTS, 3, encodeHints({ budgetMs: 100 }));
  t.is(errorOf(client.take()[0]).text, 'A HINTS frame is not served by the client listener');
  t.not(client.destroyed, '');
});

test('hints are counted over all owners, and an owner that has left has no id', (t) => {
  const { ring } = new NodeBench();
  const [member] = ring.members;
  const reply = hintsReply({
    hintStatus: () => [
      { owner: 300, count: 1, bytes: 10, oldestMs: 5 },
      { owner: member?.ordinal ?? 0, count: 2, bytes: 30, oldestMs: 4 },
    ],
    hintBytesMax: 1_000,
    ring,
    clock: { wallMs: () => 9, monotonicMs: () => 0 },
  });
  t.deepEqual(reply, {
    owners: [
      { ordinal: 7, nodeId: member?.nodeId, count: 2, bytes: 30, oldestMs: 4 },
      { ordinal: 300, nodeId: '', count: 1, bytes: 10, oldestMs: 5 },
    ],
    count: 3,
    bytes: 40,
    bytesMax: 1_000,
    wallMs: 9,
  });
});

test('replies, unknown kinds and kinds of other listeners are not requests', (t) => {
  for (const kind of [HELLO, HELLO_REPLY, GO_AWAY, 0x11, 0x3f, 0x40, 0x80, 0xff]) {
    const connection = new NodeBench().ready();
    connection.send(kind, 3, new Uint8Array(0));
    t.is(errorOf(connection.take()[0]).code, 'PROTOCOL', `kind ${kind}`);
    t.not(connection.destroyed, '');
  }
});
