import test from 'ava';
import { Prng } from '../../src/lib/prng.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { SimulatedTime } from '../support/simulated-time.js';
import { bodyOf, LogWorld, recover } from '../support/log-world.js';

function world(options = {}): LogWorld {
  const time = new SimulatedTime();
  const disk = new SimulatedDisk({ timers: time, random: new Prng(1) });
  disk.restore('log/.keep', new Uint8Array(0));
  return new LogWorld(time, disk, options);
}

test('the appends of one turn leave in one write', (t) => {
  const w = world();
  w.time.runFor(1_000);
  const before = w.disk.counts.get('write') ?? 0;
  for (let i = 1; i <= 10; i++) t.is(w.append(bodyOf(i, 100)), i);
  w.time.runUntil(() => w.durableLsn === 10);
  t.is((w.disk.counts.get('write') ?? 0) - before, 1);
  t.is(w.close(), null);
});

test('interval: acknowledged when written, durable after the timer or on demand', (t) => {
  const w = world({ durability: { kind: 'interval', ms: 50 } });
  w.time.runFor(1_000);
  const began = w.time.monotonicMs();
  w.append(bodyOf(1, 100));
  w.time.runUntil(() => w.writtenLsn === 1);
  t.true(w.time.monotonicMs() - began < 10);
  t.is(w.durableLsn, 0);
  w.time.runUntil(() => w.durableLsn === 1);
  t.true(w.time.monotonicMs() - began >= 50);
  w.append(bodyOf(2, 100));
  w.log.demandSync();
  const demanded = w.time.monotonicMs();
  w.time.runUntil(() => w.durableLsn === 2);
  t.true(w.time.monotonicMs() - demanded < 10);
  t.is(w.close(), null);
});

test('closing waits for no timer: a stopping process has none, and nothing may be left half-done', (t) => {
  for (const durability of [{ kind: 'always' }, { kind: 'interval', ms: 50 }] as const) {
    for (let steps = 0; steps < 150; steps += 7) {
      const w = world({ durability, segmentBytes: 1_052_672 });
      for (let i = 0; i < steps; i++) {
        if (i % 10 === 0) w.append(bodyOf(w.log.lastLsn + 1, 100));
        w.time.step();
      }
      let answer: Error | null | undefined;
      w.log.close((error) => {
        answer = error;
      });
      w.scope.end();
      w.time.runUntil(() => answer !== undefined);
      t.is(answer, null);
      if (w.durableLsn !== w.log.lastLsn)
        t.fail(`after ${steps} steps: ${w.durableLsn} of ${w.log.lastLsn} are durable`);
      if (w.disk.paths().some((path) => path.endsWith('.tmp'))) t.fail(`after ${steps} steps: half a segment is left`);
    }
  }
});

test('a full disk stops nothing while a segment is ready, and passes by itself', (t) => {
  const time = new SimulatedTime();
  const disk = new SimulatedDisk({ timers: time, random: new Prng(1), capacityBytes: 5 * 16_384 });
  disk.restore('log/.keep', new Uint8Array(0));
  const w = new LogWorld(time, disk);
  let sent = 0;
  for (;;) {
    if (w.log.stalled && w.log.diskFull) break;
    w.append(bodyOf(w.log.lastLsn + 1, 900));
    sent += 1;
    time.runFor(10);
    if (sent > 200) t.fail('the disk never got full');
  }
  t.deepEqual([w.full, w.failures], [[true], []]);
  t.true(w.log.diskFull && w.durableLsn > 40 && w.log.lastLsn > w.durableLsn);
  const before = w.durableLsn;
  time.runFor(5_000);
  t.true(w.durableLsn === before);
  t.true(disk.usedBytes() <= 5 * 16_384);
  disk.grow(4 * 16_384);
  time.runUntil(() => w.durableLsn === w.log.lastLsn);
  t.deepEqual([w.full, w.failures, w.log.stalled], [[true, false], [], false]);
  t.is(w.close(), null);
});

test('closing while nothing can be written says so, and calls nothing safe', (t) => {
  const time = new SimulatedTime();
  const disk = new SimulatedDisk({ timers: time, random: new Prng(1), capacityBytes: 1_000 });
  disk.restore('log/.keep', new Uint8Array(0));
  const w = new LogWorld(time, disk);
  w.append(bodyOf(1, 100));
  time.runFor(3_000);
  t.true(w.log.stalled && w.log.diskFull);
  t.regex(String(w.close()), /No room for 1 entries that nobody was told are safe/);
  t.is(w.durableLsn, 0);
});

test('an idle log says on the disk what is durable, once', (t) => {
  for (const durability of [{ kind: 'always' }, { kind: 'interval', ms: 20 }] as const) {
    const w = world({ durability });
    w.time.runFor(1_000);
    w.append(bodyOf(1, 100));
    w.time.runUntil(() => w.durableLsn === 1);
    const before = w.disk.counts.get('write') ?? 0;
    w.time.runFor(90);
    t.is(w.disk.counts.get('write'), before, 'not at once');
    w.time.runFor(200);
    t.is(w.disk.counts.get('write'), before + 1);
    const calls = w.disk.calls;
    w.time.runFor(60_000);
    t.is(w.disk.calls, calls, 'and then there is silence');
    const found: number = recover(w.time, w.disk.crash({ survives: () => false }), { readOnly: true }).durableLsn;
    t.is(found, 1);
  }
});
