/*
 * The law on simulated measurements: a foreground whose p99 follows from the rate, seen through the same windows as a
 * node's, with all of their delay.
 */
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { type Foreground, RateLaw } from '../../src/background/rate-law.js';
import { LatencyWindow } from '../../src/lib/latency-window.js';
import { Prng } from '../../src/lib/prng.js';

const TARGETS = { requestMs: 50, loopDelayMs: 20, syncMs: 20 };
const BOUNDS = { min: 262_144, max: 67_108_864 };
const MIB = 1_048_576;
const NONE = { minuteMs: 0, latelyMs: 0, secondMs: 0 };
const QUIET: Foreground = { gets: NONE, puts: NONE, loopDelayMs: 0, syncMs: 0 };

/** Answers the rates, one a second. `p99At`: what the slow hundredth of requests takes at a rate, at a time. */
function play(seconds: number, p99At: (rate: number, second: number) => number, seed = 1): readonly number[] {
  const law = new RateLaw(TARGETS, BOUNDS);
  const gets = new LatencyWindow(0);
  const random = new Prng(seed);
  const rates: number[] = [];
  for (let second = 0; second < seconds; second++) {
    const p99 = p99At(law.rate, second);
    for (let i = 0; i < 200; i++) {
      const slow = random.chance(0.02) ? p99 * (0.9 + 0.2 * random.float()) : p99 * (0.05 + 0.1 * random.float());
      gets.record(slow, 1_000 * second + 5 * i);
    }
    const nowMs = 1_000 * (second + 1);
    law.step(
      { ...QUIET, gets: { minuteMs: gets.minuteMs(nowMs), latelyMs: gets.latelyMs(nowMs), secondMs: gets.lookMs() } },
      true,
      nowMs,
    );
    rates.push(law.rate);
  }
  return rates;
}

test('with room it has all after half a minute, and never more', (t) => {
  const rates = play(60, () => 5);
  t.true(rates.findIndex((rate) => rate === BOUNDS.max) <= 32);
  t.is(Math.max(...rates), BOUNDS.max);
});

test('without any room it is down in seconds, and keeps the least', (t) => {
  const rates = play(120, () => 400);
  t.is(rates.at(-1), BOUNDS.min);
  t.true(rates.findIndex((rate) => rate <= BOUNDS.max / 64) <= 12, String(rates.slice(0, 15)));
  t.is(Math.min(...rates), BOUNDS.min);
});

test('it finds the rate that the foreground bears, and stays near it', (t) => {
  for (const seed of [1, 2, 3]) {
    const borne = 20 * MIB;
    const rates = play(900, (rate) => 10 + 40 * (rate / borne), seed).slice(300);
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    t.true(mean > 0.5 * borne && mean < 1.05 * borne, `seed ${seed}: ${mean / MIB} MiB/s`);
    t.true(Math.max(...rates) < 1.35 * borne, `seed ${seed}: up to ${Math.max(...rates) / MIB}`);
    t.true(Math.min(...rates) > 0.25 * borne, `seed ${seed}: down to ${Math.min(...rates) / MIB}`);
    const turns = rates.filter((rate, i) => i > 0 && rate < (rates[i - 1] as number)).length;
    t.true(turns < rates.length / 10, `seed ${seed}: ${turns} decreases in ${rates.length} s`);
  }
});

test('a foreground that gets busy takes its room back, and gives it back later', (t) => {
  const isBusy = (second: number): boolean => second >= 100 && second < 160;
  const rates = play(300, (rate, second) => (isBusy(second) ? 120 : 5) + rate / MIB / 4);
  t.is(rates[99], BOUNDS.max);
  t.true((rates[115] as number) < BOUNDS.max / 8, `within a quarter of a minute: ${rates.slice(99, 118)}`);
  t.is(rates[159], BOUNDS.min);
  const back = rates.findIndex((rate, i) => i >= 160 && rate === BOUNDS.max);
  t.true(back > 160 && back <= 160 + 60 + 35, `at ${back}: a minute to be believed, half of one to grow`);
});

test('one slow request in a second is no reason, and nor is what was slow half a minute ago', (t) => {
  const law = new RateLaw(TARGETS, BOUNDS);
  const before = law.rate;
  t.false(law.step({ ...QUIET, puts: { minuteMs: 8, latelyMs: 0, secondMs: 900 } }, true, 1_000));
  t.true(law.rate > before);
  const grown = law.rate;
  t.false(law.step({ ...QUIET, puts: { minuteMs: 900, latelyMs: 8, secondMs: 8 } }, true, 2_000));
  t.is(law.rate, grown, 'it waits until the minute has passed');
  t.is(law.cause, 'near');
  t.true(
    law.step({ ...QUIET, puts: { minuteMs: 8, latelyMs: 900, secondMs: 900 } }, true, 3_000),
    'of a few seconds it is',
  );
});

test('each of what is measured can take it down, and is named', (t) => {
  const slow = { minuteMs: 100, latelyMs: 100, secondMs: 100 };
  for (const [seen, cause] of [
    [{ gets: slow }, 'requests'],
    [{ puts: slow }, 'requests'],
    [{ loopDelayMs: 40 }, 'loop'],
    [{ syncMs: 40 }, 'log'],
  ] as const) {
    const law = new RateLaw(TARGETS, BOUNDS);
    const before = law.rate;
    t.true(law.step({ ...QUIET, ...seen }, true, 1_000));
    t.is(law.rate, before / 2, 'twice the target: half the rate');
    t.is(law.cause, cause);
  }
});

test('a decrease is given time to show, unless things become worse', (t) => {
  const law = new RateLaw(TARGETS, BOUNDS);
  const strained = (syncMs: number): Foreground => ({ ...QUIET, syncMs });
  t.true(law.step(strained(30), true, 1_000));
  t.false(law.step(strained(31), true, 2_000));
  t.true(law.step(strained(60), true, 3_000));
  t.false(law.step(strained(60), true, 4_000));
  t.true(law.step(strained(60), true, 6_000));
});

test('who does not use what there is gets no more', (t) => {
  const law = new RateLaw(TARGETS, BOUNDS);
  const before = law.rate;
  for (let second = 0; second < 100; second++) law.step(QUIET, false, 1_000 * second);
  t.is(law.rate, before);
  t.is(law.cause, 'unused');
});

const latency = fc.record({
  minuteMs: fc.double({ min: 0, max: 1e4, noNaN: true }),
  latelyMs: fc.double({ min: 0, max: 1e4, noNaN: true }),
  secondMs: fc.double({ min: 0, max: 1e4, noNaN: true }),
});
testProp(
  'whatever is measured, the rate keeps its bounds, falls only when something strains and grows by a step at most',
  [
    fc.array(
      fc.record({
        gets: latency,
        puts: latency,
        loopDelayMs: fc.double({ min: 0, max: 200, noNaN: true }),
        syncMs: fc.double({ min: 0, max: 200, noNaN: true }),
        wanted: fc.boolean(),
      }),
      { minLength: 1, maxLength: 60 },
    ),
  ],
  (t, seconds) => {
    const law = new RateLaw(TARGETS, BOUNDS);
    for (const [i, { wanted, ...seen }] of seconds.entries()) {
      const before = law.rate;
      const fell = law.step(seen, wanted, 1_000 * i);
      t.true(law.rate >= BOUNDS.min && law.rate <= BOUNDS.max);
      t.is(fell, law.rate < before);
      const strains =
        Math.max(seen.gets.secondMs, seen.puts.secondMs) > TARGETS.requestMs ||
        seen.loopDelayMs > TARGETS.loopDelayMs ||
        seen.syncMs > TARGETS.syncMs;
      if (fell) t.true(strains);
      if (seen.loopDelayMs > TARGETS.loopDelayMs || seen.syncMs > TARGETS.syncMs) t.true(law.rate <= before);
      t.true(law.rate <= before + BOUNDS.max / 32);
      t.true(law.rate >= before / 4 - 1e-6 || law.rate === BOUNDS.min);
    }
  },
);
