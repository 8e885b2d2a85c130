/* Limits and expiry where several nodes mint, merge and show: what one refuses the others must not be left with. */
import test from 'ava';
import { text } from '../../support/test-client.js';
import { ClusterBench } from './bench.js';

test('at a hundred siblings only a put that adds one is refused: one that covers any is not, nor what replicas merge', (t) => {
  const bench = new ClusterBench(3);
  const key = bench.keyOf(1);
  for (let i = 0; i < 99; i++) bench.members[i % 3]?.put(key, `v${i}`, { w: 3 });
  // Two coordinators who do not know of each other's put: each has room for one more.
  bench.node(1).askPut(key, 'one');
  bench.node(2).askPut(key, 'two');
  bench.time.runFor(100);
  for (const member of bench.members) member.client.take();
  for (const member of bench.members) t.is(member.values(key, { r: 3 }).length, 101);
  const records = bench.members.map(({ storage }) => Buffer.from(storage.record(text(key)) ?? []).toString('hex'));
  for (const member of bench.members) {
    const refused = member.putError(key, 'one too many');
    t.is(refused.code, 'SIBLINGS_LIMIT');
    t.false(refused.outcomeUnknown || refused.retryable);
    t.regex(refused.text, /^The key has 100 conflicting versions: get it, merge them, and put with the context/);
  }
  bench.time.runFor(3_000);
  t.deepEqual(
    bench.members.map(({ storage }) => Buffer.from(storage.record(text(key)) ?? []).toString('hex')),
    records,
    'a refusal leaves nothing anywhere',
  );
  t.is(bench.node(2).put(key, 'merged', { context: bench.node(2).get(key, { r: 3 }).context, w: 3 }).siblingCount, 1);
  for (const member of bench.members) t.deepEqual(member.values(key, { r: 3 }), ['merged']);
});

test('what expires does so for all at the same moment of its stamp, and changes no record', (t) => {
  const bench = new ClusterBench(5);
  const key = bench.keyOf(1);
  const keptBy = bench.members.filter((_, i) => i < 3);
  bench.node(5).put(key, 'short-lived', { ttlMs: 5_000, w: 3 }); // handed on to an owner
  const ends = bench.members.map((member) => member.get(key, { r: 3 }).siblings.map(({ expiresMs }) => expiresMs));
  t.is(new Set(ends.flat()).size, 1);
  t.is(ends.flat().length, 5);
  const records = (): readonly string[] =>
    keptBy.map(({ storage }) => Buffer.from(storage.record(text(key)) ?? []).toString('hex'));
  const before = records();
  t.is(new Set(before).size, 1);
  bench.time.runFor(5_000);
  for (const member of bench.members) t.deepEqual(member.values(key, { r: 3 }), []);
  bench.time.runFor(3_000);
  t.deepEqual(records(), before, 'expiry is a view: there is nothing to repair');
  // The context that came with nothing covers what has expired.
  bench.node(4).put(key, 'next', { context: bench.node(4).get(key).context, w: 3 });
  for (const member of bench.members) t.deepEqual(member.values(key, { r: 3 }), ['next']);
});
