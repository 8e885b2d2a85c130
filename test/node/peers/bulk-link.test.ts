/* The second connection to a peer: there while it is used, and whatever is asked over it ends. */
import test from 'ava';
import type { BulkLink } from '../../../src/node/peers/bulk-link.js';
import type { BodyAsker } from '../../../src/node/peers/request.js';
import { HEARTBEAT_MS } from '../../../src/node/peers/settings.js';
import { replyBody } from '../../../src/node/replies.js';
import { TRANSFER_CLOSE, TRANSFER_CLOSE_REPLY } from '../../../src/wire/kinds.js';
import { addressOf, PeerCluster, type PeerNode, ringOf } from './cluster.js';

const ANSWER = new Uint8Array(100_000);

interface Pair {
  readonly cluster: PeerCluster;
  readonly one: PeerNode;
  readonly two: PeerNode;
  readonly bulk: BulkLink;
  /** How each question has ended, in that order. */
  readonly ends: string[];
  ask(timeoutMs?: number): boolean;
}

function pair(): Pair {
  const cluster = PeerCluster.connected(2, 1);
  const [one, two] = [cluster.node(1), cluster.node(2)];
  two.servesToo = (session, { kind, requestId, bodyBytes }) => {
    if (kind !== TRANSFER_CLOSE) return false;
    two.host.after(20, () => {
      replyBody(session, TRANSFER_CLOSE_REPLY, requestId, ANSWER);
      session.finish(bodyBytes);
    });
    return true;
  };
  const bulk = one.links.bulk(2);
  if (bulk === undefined) throw new Error('No way to the other');
  const ends: string[] = [];
  const asker: BodyAsker = {
    onAnswered: (_from, _tag, _bytes, start, end) => ends.push(end - start === ANSWER.length ? 'answered' : 'cut'),
    onRefused: (_from, _tag, { text }) => ends.push(text),
    onUnanswered: (_from, _tag, why) => ends.push(why),
  };
  const ask = (timeoutMs = 60_000): boolean => bulk.ask(TRANSFER_CLOSE, new Uint8Array(10), timeoutMs, asker);
  return { cluster, one, two, bulk, ends, ask };
}

const times = (count: number, end: string): readonly string[] => Array.from({ length: count }, () => end);

test('it is dialed by the first question, carries those that follow, and goes when none does', (t) => {
  const { cluster, two, bulk, ends, ask } = pair();
  const before = two.node.sessions;
  for (let i = 0; i < 5; i++) t.true(ask());
  t.false(bulk.isOpen);
  cluster.time.runFor(200);
  t.true(bulk.isOpen);
  t.deepEqual(ends, times(5, 'answered'));
  t.is(two.node.sessions, before + 1);
  for (let second = 0; second < 20; second++) {
    t.true(ask());
    cluster.time.runFor(HEARTBEAT_MS);
  }
  t.is(two.node.sessions, before + 1);
  cluster.time.runFor(10 * HEARTBEAT_MS);
  t.false(bulk.isOpen);
  t.is(two.node.sessions, before);
  t.true(ask());
  cluster.time.runFor(200);
  t.true(bulk.isOpen);
  t.deepEqual(ends, times(26, 'answered'));
});

test('when it ends, what was asked is lost, and the next question dials again', (t) => {
  const { cluster, bulk, ends, ask } = pair();
  ask();
  cluster.time.runFor(200);
  for (let i = 0; i < 3; i++) ask();
  cluster.time.runFor(5);
  cluster.network.cut(addressOf(1), addressOf(2));
  cluster.time.runFor(1);
  t.deepEqual(ends, ['answered', ...times(3, 'lost')]);
  t.false(bulk.isOpen);
  const { dials } = cluster.network;
  cluster.time.runFor(3_000);
  t.true(cluster.network.dials - dials <= 2, 'it is not dialed before it is asked; the first link is');
  ask();
  cluster.time.runFor(200);
  t.is(ends.at(-1), 'answered');
});

test('a peer that has gone without a word holds a question for some seconds, not for its whole time', (t) => {
  const { cluster, two, bulk, ends, ask } = pair();
  ask();
  cluster.time.runFor(200);
  two.host.stop();
  for (let i = 0; i < 3; i++) ask();
  cluster.time.runFor(15_000);
  t.deepEqual(ends, ['answered', ...times(3, 'lost')]);
  t.false(bulk.isOpen);
  ask();
  cluster.time.runFor(5_000);
  t.is(ends.at(-1), 'lost', 'the handshake has its own time');
  two.host.resume();
  cluster.time.runFor(3_000);
  ask();
  cluster.time.runFor(500);
  t.is(ends.at(-1), 'answered');
});

test('a peer that cannot be reached, is being stopped, or is no member any more', (t) => {
  const { cluster, one, two, bulk, ends, ask } = pair();
  cluster.network.unreachable.add(addressOf(2));
  t.true(ask());
  cluster.time.runFor(5_000);
  t.deepEqual(ends, ['lost']);
  cluster.network.unreachable.clear();

  t.true(ask());
  cluster.time.runFor(5_000);
  t.deepEqual(ends, ['lost', 'answered']);
  ask();
  cluster.time.runFor(10);
  two.node.drain('a test', 10_000, () => undefined);
  cluster.time.runFor(200);
  t.deepEqual(ends, ['lost', 'answered', 'answered'], 'what was under way is answered');
  t.false(bulk.isOpen);

  const asked = ask();
  one.links.setRing(ringOf(1));
  t.is(ends.length, asked ? 4 : 3);
  t.false(ask());
  t.is(one.links.bulk(2), undefined);
  cluster.time.runFor(10_000);
  t.is(ends.length, asked ? 4 : 3);
});
