import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { LatencyWindow } from '../../src/lib/latency-window.js';

/** The p99 as one would count it by hand: of fewer than a hundred the slowest. */
function exactP99(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length - 1 - Math.floor(sorted.length / 100)] as number;
}

testProp(
  'within a bucket of what counting by hand gives',
  [fc.array(fc.double({ min: 0.06, max: 10_000, noNaN: true }), { minLength: 1, maxLength: 400 })],
  (t, values) => {
    const window = new LatencyWindow(0);
    for (const value of values) window.record(value, 1_000);
    const exact = exactP99(values);
    for (const answer of [window.minuteMs(1_000), window.lookMs()])
      t.true(answer >= exact / 1.19 && answer <= exact * 1.19, `${answer} for ${exact}`);
  },
);

test('remembers a minute, and since the last look', (t) => {
  const window = new LatencyWindow(0);
  t.is(window.minuteMs(0), 0);
  t.is(window.lookMs(), 0);
  window.record(80, 1_000);
  for (let ms = 2_000; ms <= 55_000; ms += 1_000) window.record(2, ms);
  t.true(window.minuteMs(55_000) > 60, 'of 55 the slowest, 54 s ago');
  t.true(window.lookMs() > 60);
  window.record(2, 56_000);
  t.true(window.lookMs() < 3, 'what was slow was before the last look');
  t.true(window.minuteMs(62_000) < 3, 'and is forgotten after a minute');
  t.is(window.minuteMs(1_000_000), 0);
  window.record(5, 2_000_000);
  t.true(window.minuteMs(2_000_000) > 4, 'time may leap');
});

test('of the last seconds it says something only if there were enough', (t) => {
  const window = new LatencyWindow(0);
  for (let i = 0; i < 99; i++) window.record(80, 1_000);
  t.is(window.latelyMs(1_000), 0);
  window.record(80, 1_000);
  t.true(window.latelyMs(9_999) > 60);
  t.is(window.latelyMs(10_000), 0);
});

test('what is out of bounds is in the first bucket or in the last', (t) => {
  const window = new LatencyWindow(0);
  for (const value of [0, -1, Number.NaN]) window.record(value, 0);
  t.true(window.minuteMs(0) < 0.051, `${window.minuteMs(0)}`);
  window.record(1e9, 0);
  t.true(window.minuteMs(0) > 9_000, `${window.minuteMs(0)}`);
});
