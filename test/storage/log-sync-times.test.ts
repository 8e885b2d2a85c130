import test from 'ava';
import { Prng } from '../../src/lib/prng.js';
import { SyncTimes } from '../../src/storage/log-sync-times.js';

test('p99 of the last ten seconds or so, a fifth off at most', (t) => {
  const random = new Prng(1);
  const times = new SyncTimes(0);
  t.is(times.p99(0), 0);
  const took: number[] = [];
  for (let i = 0; i < 4_000; i++) {
    const ms = 0.05 + 5 * random.float() ** 4;
    took.push(ms);
    times.record(ms, i);
  }
  took.sort((a, b) => a - b);
  const exact = took[Math.floor(took.length * 0.99)] as number;
  t.true(times.p99(4_000) >= exact * 0.99 && times.p99(4_000) <= exact * 1.2, `${times.p99(4_000)} for ${exact}`);
  times.record(100, 6_000);
  t.true(times.p99(6_000) < 10, 'one slow sync of thousands is no p99');
  t.true(times.p99(11_000) > 90, 'the old ones are forgotten');
  t.is(times.p99(30_000), 0);
});
