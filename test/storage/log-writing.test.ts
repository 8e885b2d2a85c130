import test from 'ava';
import { Prng } from '../../src/lib/prng.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { SimulatedTime } from '../support/simulated-time.js';
import { bodyOf, LogWorld } from '../support/log-world.js';

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
