import test from 'ava';
import { World } from './engine-world.js';

test('a put is read back from the buffer, then from the file, then after a restart', (t) => {
  const world = new World({ seed: 1 });
  t.is(world.start(), null);
  t.is(world.get('a').state, 'absent');
  const put = world.put('a', 'one');
  t.is(put.state, 'acked');
  t.true(put.ackedDurable);
  t.like(world.get('a'), { state: 'ok', value: 'one', from: 'active' });
  world.flush();
  t.like(world.get('a'), { state: 'ok', value: 'one', from: 'file' });
  world.put('a', 'two', 2);
  t.like(world.get('a'), { state: 'ok', value: 'two', from: 'active' });
  t.is(world.stop(), null);

  t.is(world.start(), null);
  t.like(world.get('a'), { state: 'ok', value: 'two' });
  world.flush();
  t.like(world.get('a'), { state: 'ok', value: 'two', from: 'file' });
  t.is(world.up().status().suspectPartitions.length, 0);
});

test('a mark counts in the opening that made it, and in no other', (t) => {
  const world = new World({ seed: 2 });
  world.start();
  world.put('a', 'one', 7);
  t.like(world.get('a'), { hasMark: true, markCounter: 7 });
  world.flush();
  t.like(world.get('a'), { from: 'file', hasMark: true, markCounter: 7 });
  world.stop();
  world.start();
  t.like(world.get('a'), { state: 'ok', from: 'file', hasMark: false });
  world.put('b', 'one', 3);
  world.stop();
  world.start();
  t.like(world.get('b'), { state: 'ok', hasMark: false });
  t.not(world.get('b').from, 'file');
});

test('several writes to one key in one turn each see the one before', (t) => {
  const world = new World({ seed: 3 });
  world.start();
  const seen: string[] = [];
  for (let i = 1; i <= 4; i++) {
    world.write('k', `v${i}`, i, false, (stored) =>
      seen.push(stored.state === 'ok' ? `mark ${stored.markCounter}` : stored.state),
    );
  }
  t.deepEqual(seen, ['absent', 'mark 1', 'mark 2', 'mark 3']);
  t.is(world.get('k').value, 'v4');
});

test('keys of every length are told apart, up to the longest, also behind one digest', (t) => {
  const world = new World({ seed: 4, partitionCount: 1 });
  world.start();
  const names = [1, 2, 501, 502, 503, 504, 2_047, 2_048].map((length) => 'x'.repeat(length));
  for (const name of names) world.put(name, `of ${name.length}`);
  world.flush();
  for (const name of names) t.like(world.get(name), { state: 'ok', from: 'file', value: `of ${name.length}` });
});

test('a buffer is flushed by itself, a little after it was filled', (t) => {
  const world = new World({ seed: 5 });
  world.start();
  for (let i = 0; i < 40; i++) world.put(`k${i}`, `v${i}`);
  world.time.runFor(3_000);
  for (let i = 0; i < 40; i++) t.like(world.get(`k${i}`), { state: 'ok', from: 'file', value: `v${i}` });
});

test('with durability interval a put is acknowledged before the sync, a durable one after it', (t) => {
  const world = new World({ seed: 6, durability: { kind: 'interval', ms: 5_000 } });
  world.start();
  const quick = world.put('a', 'one');
  t.false(quick.ackedDurable);
  const safe = world.write('b', 'two', 1, true, () => undefined);
  world.time.runUntil(() => safe.state === 'acked');
  t.true(safe.ackedDurable);
  t.true(world.up().status().durableLsn >= world.up().status().lastLsn);
});

test('nothing reaches a file before it is durable in the log', (t) => {
  const world = new World({ seed: 7, durability: { kind: 'interval', ms: 3_600_000 } });
  world.start();
  world.put('a', 'one');
  world.flush(); // asks the log for a sync, and waits for it
  t.is(world.get('a').from, 'file');
  t.true(world.up().status().durableLsn >= 1);
});

test('closing refuses what comes later, answers what was asked, and leaves a clean store', (t) => {
  const world = new World({ seed: 8 });
  world.start();
  const write = world.write('a', 'one', 1, false, () => undefined);
  t.is(world.stop(), null);
  t.is(write.state, 'acked');
  t.true(world.clean);
  t.is(world.start(), null);
  t.is(world.get('a').value, 'one');
});

test('writes are slowed from 70 % on and refused at 100 %, and all is well again when the buffer is flushed', (t) => {
  const world = new World({
    seed: 9,
    bufferBytesMax: 6 * 1_048_576,
    logBytesMax: 2 ** 30,
    partitionCount: 4,
    batchOperationsMax: 2,
  });
  world.start();
  world.medium.batchMsMax = 100_000; // a disk that hardly moves
  const value = 'x'.repeat(60_000);
  const writes = Array.from({ length: 300 }, (_, i) => world.write(`k${i}`, value, 1, false, () => undefined));
  const heldAtOnce = writes.filter((write) => write.state === 'waiting').length;
  t.true(heldAtOnce > 150);
  world.time.runUntil(() => writes.every((write) => write.state === 'acked' || write.state === 'refused'), 5_000);
  const refused = writes.filter((write) => write.state === 'refused');
  t.true(refused.length > 100);
  t.true(refused.every((write) => write.failure?.code === 'OVERLOADED'));
  t.true(world.up().status().bufferBytes < 8 * 1_048_576);
  world.medium.batchMsMax = 3;
  world.time.runFor(600_000);
  t.is(world.put('later', 'fine').failure, null);
  for (const [i, write] of writes.entries()) t.is(world.get(`k${i}`).state, write.state === 'acked' ? 'ok' : 'absent');
});

test('the log is given back segment by segment as files catch up', (t) => {
  const world = new World({ seed: 10 });
  world.start();
  for (let i = 0; i < 300; i++) world.put(`k${i % 20}`, 'x'.repeat(2_000), i + 1);
  t.true(world.up().status().logSegments >= 2);
  world.time.runFor(20_000);
  t.true(world.up().status().logSegments <= 2);
});
