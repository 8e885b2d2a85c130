import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { Transit } from '../../src/lib/transit.js';

test('what lay in a queue is told by how much later it is than the others', (t) => {
  const transit = new Transit();
  t.is(transit.delayMs(5_000_000, 1), 0, 'of the first nothing is known');
  t.is(transit.delayMs(5_000_120, 100), 0, 'within what clocks may drift');
  const delayMs = transit.delayMs(5_030_000, 200);
  t.true(delayMs > 29_000 && delayMs < 29_900, `${delayMs} ms`);
  t.is(transit.delayMs(5_030_000, 29_990), 0, 'sent when the way was free again');
});

test('a first message that was held is nothing to measure by, once another was not', (t) => {
  const transit = new Transit();
  t.is(transit.delayMs(30_000, 1), 0);
  t.is(transit.delayMs(30_010, 30_000), 0);
  t.true(transit.delayMs(60_000, 30_100) > 29_000);
});

const WAY = fc.record({ gapMs: fc.integer({ min: 0, max: 200_000 }), wayMs: fc.integer({ min: 0, max: 20 }) });

testProp(
  'an undisturbed way is no delay, however far apart clocks are and though they drift',
  [
    fc.array(WAY, { minLength: 1, maxLength: 200 }),
    fc.integer({ min: -1e9, max: 1e9 }),
    fc.integer({ min: -200, max: 200 }),
  ],
  (t, ways, apartMs, driftPpm) => {
    const transit = new Transit();
    let sentMs = 1;
    for (const { gapMs, wayMs } of ways) {
      sentMs += gapMs;
      const arrivedMs = 2e9 + apartMs + sentMs * (1 + driftPpm / 1e6) + wayMs;
      const delayMs = transit.delayMs(arrivedMs, sentMs);
      t.true(delayMs <= 20, `${delayMs} ms`);
    }
  },
);

testProp(
  'what is held for seconds is seen, whatever came before it within two minutes',
  [fc.array(WAY, { minLength: 1, maxLength: 50 }), fc.integer({ min: 1_000, max: 60_000 })],
  (t, ways, heldMs) => {
    const transit = new Transit();
    let sentMs = 1;
    for (const { gapMs, wayMs } of ways) {
      sentMs += gapMs % 5_000;
      transit.delayMs(7e6 + sentMs + wayMs, sentMs);
    }
    const delayMs = transit.delayMs(7e6 + sentMs + 20 + heldMs, sentMs);
    t.true(delayMs >= 0.9 * heldMs - 200, `${delayMs} of ${heldMs} ms`);
  },
);
