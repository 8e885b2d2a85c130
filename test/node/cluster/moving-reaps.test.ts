/* Deletes while partitions move: none is forgotten then, and whoever takes a partition over knows of those that were. */
import test from 'ava';
import type { BodyAsker } from '../../../src/node/peers/request.js';
import { headOf } from '../../../src/repair/record-head.js';
import { verdictOf } from '../../../src/repair/reap-verdict.js';
import type { RingDocument } from '../../../src/ring/document.js';
import type { RingMove } from '../../../src/ring/moves.js';
import { decodeReapAskReply, encodeReapAsk } from '../../../src/wire/codec-reap.js';
import { REAP_ASK } from '../../../src/wire/kinds.js';
import { isFault } from '../../../src/wire/plain.js';
import { text } from '../../support/test-client.js';
import { ClusterBench } from './bench.js';
import { copied, leaving, removed, settled } from './moved-rings.js';

const LEAVER = 5;
const FENCE = 1_700_000_000_000;

/** What an owner says when it is asked to forget what it holds under this key. */
function verdictOn(bench: ClusterBench, owner: number, key: string, ring: RingDocument): string {
  const record = bench.node(owner).storage.record(text(key)) as Uint8Array;
  const heads = [headOf(record, 0, record.length)];
  const partition = bench.partitionOf(key);
  const ask = { partition, ringVersion: ring.version, budgetMs: 1_000, fence: 0, heads, compact: false };
  let verdict = 'no answer';
  const asker: BodyAsker = {
    onAnswered: (_from, _tag, bytes, start, end): void => {
      const reply = decodeReapAskReply(bytes, start, end);
      verdict = isFault(reply) ? reply : verdictOf(reply.verdicts[0] as number);
    },
    onRefused: (_from, _tag, { text: why }): void => {
      verdict = why;
    },
    onUnanswered: () => undefined,
  };
  const links = bench.playing(owner === 4 ? 3 : 4);
  bench.time.runFor(100);
  links.get(owner)?.ask(REAP_ASK, encodeReapAsk(ask), 1_000, asker, 0);
  bench.time.runFor(100);
  links.stop();
  return verdict;
}

test('nobody agrees to forget a delete of a partition that moves, and of the others they do as before', (t) => {
  const bench = new ClusterBench(5);
  const copying = leaving(bench.ring, LEAVER);
  const settling = copied(copying);
  const moving = copying.moves[0] as RingMove;
  const still = [...Array(16).keys()].find((id) => !copying.moves.some((move) => move.partition === id)) as number;
  const owner = bench.ownersOf(moving.partition).find((one) => one !== LEAVER) as number;
  const other = bench.ownersOf(still)[0] as number;
  const key = bench.keyIn(moving.partition);
  const stillKey = bench.keyIn(still);
  for (const [at, what] of [
    [owner, key],
    [other, stillKey],
  ] as const) {
    bench.node(at).put(what, 'apple', { w: 3 });
    const { context } = bench.node(at).get(what);
    bench.node(at).put(what, undefined, { context, w: 3 });
  }
  t.is(verdictOn(bench, owner, key, bench.ring), 'young');
  for (const ring of [copying, settling]) {
    bench.install(ring);
    t.is(verdictOn(bench, owner, key, ring), 'ring');
    t.is(verdictOn(bench, other, stillKey, ring), 'young');
  }
  const over = settled(settling);
  bench.install(over);
  t.is(verdictOn(bench, owner, key, over), 'young');
  t.is(verdictOn(bench, owner, key, settling), 'ring', 'by an older ring nothing is agreed on');
});

/** Owners of the partition have reaped at FENCE, and their logs say so. */
function reaped(bench: ClusterBench, partition: number, owners: readonly number[]): void {
  for (const owner of owners) {
    const { reaps } = bench.node(owner).storage;
    const state = { fence: FENCE, reapedAt: FENCE, trimmedAt: 0 };
    reaps.raise(partition, state, { durable: true, onWritten: () => undefined });
    reaps.learn(partition, { hashHi: 7, hashLo: 8, fence: FENCE, atMs: 5, context: new Uint8Array(0) });
  }
}

for (const [how, ringOf] of [
  ['that copies a partition', leaving],
  ['that takes it over from one that was lost', removed],
] as const) {
  test(`a node ${how} has the reap log of the owners, and their fence`, async (t) => {
    const bench = new ClusterBench(5);
    const next = ringOf(bench.ring, LEAVER);
    const { partition, to } = next.moves[0] as RingMove;
    reaped(bench, partition, bench.ownersOf(partition));
    const { reaps } = bench.node(to).storage;
    await bench.settle(1_000);
    t.is(reaps.stampOf(partition), 0);
    bench.install(next, [1, 2, 3, 4]);
    await bench.settle(3_000);
    t.is(reaps.entriesOf(partition, 7, 8)[0]?.fence, FENCE);
    t.is(reaps.reapedAt(partition), FENCE);
    t.is(reaps.stampOf(partition), FENCE, 'what it holds is as good as theirs');
    t.is(reaps.floorOf(partition), FENCE, 'and what comes is looked at as they do');
  });
}
