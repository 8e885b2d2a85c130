/* The accepting end as the node has it: a session of the peer listener, and what it takes when. */
import test from 'ava';
import { PeerIntroduction } from '../../../src/node/peers/introduction.js';
import { decodeError, encodePing } from '../../../src/wire/codec-connection.js';
import { CHALLENGE, ERROR, GET, HELLO, HELLO_REPLY, PING, PONG, PROOF, READ_REPLY } from '../../../src/wire/kinds.js';
import { sizeOfReadFrame, writeReadFrame } from '../../../src/wire/write-peer.js';
import { TestConnection, type Frame } from '../../support/node-bench.js';
import { PeerCluster, ringOf, type PeerNode } from './cluster.js';

function bench(): { cluster: PeerCluster; one: PeerNode; two: PeerNode } {
  const cluster = new PeerCluster(1);
  const ring = ringOf(2);
  return { cluster, one: cluster.add(1, ring), two: cluster.add(2, ring) };
}

function connect(node: PeerNode): TestConnection {
  const connection = new TestConnection('peer');
  connection.events = node.node.acceptor(connection);
  return connection;
}

function introduce(one: PeerNode): PeerIntroduction {
  const meant = one.credentials.ring.members[1];
  if (meant === undefined) throw new Error('There is a second member');
  return new PeerIntroduction(one.credentials, meant);
}

/** Up to the challenge; what answers it. */
function challenged(connection: TestConnection, one: PeerNode): Uint8Array {
  const introduction = introduce(one);
  connection.send(HELLO, 0, introduction.hello());
  const challenge = connection.take()[0];
  if (challenge?.kind !== CHALLENGE) throw new Error('No challenge');
  const proof = introduction.onChallenge(challenge.body, 0, challenge.body.length);
  if (!(proof instanceof Uint8Array)) throw new Error(proof.text);
  return proof;
}

const READ_KEY = { key: Buffer.from('abc'), partition: 3, ringVersion: 1, budgetMs: 100 };

function readFrame(requestId: number): Uint8Array {
  const frame = new Uint8Array(sizeOfReadFrame(READ_KEY));
  writeReadFrame(frame, 0, requestId, READ_KEY);
  return frame;
}

function textOf(frame: Frame | undefined): string {
  if (frame?.kind !== ERROR) return `kind ${frame?.kind ?? 'none'}`;
  const error = decodeError(frame.body, 0, frame.body.length);
  return typeof error === 'string' ? error : `${error.code} ${error.text}`;
}

test('a peer that has proved itself is served, and known by its ordinal', (t) => {
  const { one, two } = bench();
  const connection = connect(two);
  connection.send(PROOF, 0, challenged(connection, one));
  t.is(connection.take()[0]?.kind, HELLO_REPLY);
  connection.bytes(readFrame(9));
  connection.send(PING, 10, encodePing({ budgetMs: 100 }));
  t.deepEqual(
    connection.take().map(({ kind, requestId }) => [kind, requestId]),
    [
      [READ_REPLY, 9],
      [PONG, 10],
    ],
  );
  t.deepEqual([...two.askers], [1]);
});

test('before the proof nothing is served: not by its kind, not in the same chunk, not after a wrong proof', (t) => {
  const { one, two } = bench();
  const early = connect(two);
  early.bytes(readFrame(9));
  t.regex(textOf(early.take()[0]), /PROTOCOL The first frame must be HELLO, not READ/);
  const hasty = connect(two);
  challenged(hasty, one);
  hasty.bytes(readFrame(9));
  t.regex(textOf(hasty.take()[0]), /PROTOCOL The second frame must be PROOF, not READ/);
  const again = connect(two);
  challenged(again, one);
  again.send(HELLO, 0, introduce(one).hello());
  t.regex(textOf(again.take()[0]), /must be PROOF, not HELLO/);
  const unasked = connect(two);
  unasked.send(PROOF, 0, new Uint8Array(34));
  t.regex(textOf(unasked.take()[0]), /must be HELLO, not PROOF/);
  const liar = connect(two);
  const proof = challenged(liar, one);
  proof[20] = (proof[20] as number) ^ 1;
  const frame = new Uint8Array(12 + proof.length);
  frame.set([0, 0, 0, proof.length, PROOF]);
  frame.set(proof, 12);
  liar.bytes(Buffer.concat([frame, readFrame(9)]));
  const frames = liar.take();
  t.is(frames.length, 1);
  t.regex(textOf(frames[0]), /UNAUTHENTICATED/);
  for (const connection of [early, hasty, again, unasked, liar]) t.not(connection.destroyed, '');
  t.is(two.served, 0);
});

test('data is not served to peers, nor peers on the client listener', (t) => {
  const { one, two } = bench();
  const connection = connect(two);
  connection.send(PROOF, 0, challenged(connection, one));
  connection.take();
  connection.send(GET, 1, new Uint8Array(0));
  t.regex(textOf(connection.take()[0]), /PROTOCOL A GET frame is not served by the peer listener/);
  const client = new TestConnection('client');
  client.events = two.node.acceptor(client);
  client.send(HELLO, 0, introduce(one).hello());
  t.regex(textOf(client.take()[0]), /DENIED The client listener is not for the role peer/);
});

test('a handshake that is not completed within three seconds is closed, and holds 4 KiB at most', (t) => {
  const { cluster, one, two } = bench();
  const slow = connect(two);
  challenged(slow, one);
  cluster.time.runFor(2_900);
  slow.take();
  t.is(slow.destroyed, '');
  cluster.time.runFor(300);
  t.regex(textOf(slow.take()[0]), /TIMEOUT No PROOF within 3000 ms/);
  const large = connect(two);
  challenged(large, one);
  large.bytes(Uint8Array.from([0, 0, 0x10, 1, PROOF, 0, 0, 0, 0, 0, 0, 0]));
  t.regex(textOf(large.take()[0]), /TOO_LARGE/);
});

test('peers are not kept waiting by what clients use up', (t) => {
  const { one, two } = bench();
  const connection = connect(two);
  connection.send(PROOF, 0, challenged(connection, one));
  connection.take();
  two.node.budget.take(100_000_000);
  for (let id = 1; id <= 5; id++) connection.bytes(readFrame(id));
  t.is(connection.take().length, 5);
  t.true(connection.reading);
});
