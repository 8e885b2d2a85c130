/* Owners that free a record of what is over in it, and the log that remembers. */
import test from 'ava';
import { contextCount } from '../../../src/versioning/record.js';
import { text } from '../../support/test-client.js';
import { raiseLevel } from '../../../src/ring/change.js';
import { ringOf } from '../peers/cluster.js';
import { ClusterBench } from './bench.js';

const LOOK_MS = 60_000;
const SETTLE_MS = 4_000;

test('an actor without a living version is left out by all owners together, and the log knows it', async (t) => {
  const bench = new ClusterBench(4);
  const key = bench.keyOf(1);
  const partition = bench.partitionOf(key);
  const owners = bench.ownersOf(partition);
  const actors = (): readonly number[] =>
    owners.map((owner) => contextCount(bench.node(owner).storage.record(text(key)) as Uint8Array, 0));
  bench.node(owners[0] as number).put(key, 'first');
  bench.time.runFor(500);
  const { context } = bench.node(owners[1] as number).get(key);
  bench.node(owners[1] as number).put(key, 'second', { context });
  bench.time.runFor(500);
  t.deepEqual(actors(), [2, 2, 2]);
  const away = [1, 2, 3, 4].find((one) => !owners.includes(one)) as number;
  bench.isolate(away);
  bench.time.runFor(LOOK_MS);
  await bench.settle(SETTLE_MS);
  t.deepEqual(actors(), [2, 2, 2], 'a member that does not answer may keep a hint with what was overwritten');
  bench.rejoin(away);
  for (let i = 0; i < 5 && actors().includes(2); i++) {
    bench.time.runFor(LOOK_MS);
    await bench.settle(SETTLE_MS);
  }
  t.deepEqual(actors(), [1, 1, 1]);
  for (const owner of owners) {
    const { storage } = bench.node(owner);
    t.true(storage.reaps.reapedAt(partition) > 0);
    t.deepEqual(bench.node(owner).values(key), ['second']);
  }
  const again = bench.node(owners[0] as number).get(key);
  bench.node(owners[0] as number).put(key, 'third', { context: again.context });
  bench.time.runFor(500);
  t.deepEqual(bench.node(owners[2] as number).values(key), ['third']);
});

test('below its feature level nobody asks for it; when the level is raised, it is done', async (t) => {
  const old = ringOf(3, 3, 1, 1);
  const bench = new ClusterBench(3, 3, undefined, null, old);
  const key = bench.keyOf(1);
  bench.node(1).put(key, 'first');
  bench.time.runFor(500);
  const { context } = bench.node(2).get(key);
  bench.node(2).put(key, 'second', { context });
  bench.time.runFor(500);
  const actors = (): readonly number[] =>
    [1, 2, 3].map((owner) => contextCount(bench.node(owner).storage.record(text(key)) as Uint8Array, 0));
  // Two looks: later the other owners think it their turn, too, and in this world they all look in the same moment.
  for (let i = 0; i < 2; i++) {
    bench.time.runFor(LOOK_MS);
    await bench.settle(SETTLE_MS);
  }
  t.deepEqual(actors(), [2, 2, 2]);
  const raised = raiseLevel(old, 2, { change: 'feature level 2', changedAtMs: 1 });
  if ('fault' in raised) throw new Error(raised.fault);
  bench.install(raised);
  for (let i = 0; i < 5 && actors().includes(2); i++) {
    bench.time.runFor(LOOK_MS);
    await bench.settle(SETTLE_MS);
  }
  t.deepEqual(actors(), [1, 1, 1]);
});
