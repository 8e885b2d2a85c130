import test from 'ava';
import { fc, testProp } from '@fast-check/ava';
import { Prng } from '../../src/lib/prng.js';
import { fullJitterMs } from '../../src/lib/backoff.js';
import { CallList } from '../../src/client/core/call-list.js';
import type { Call } from '../../src/client/core/call.js';
import { DeadlineWheel, TICK_MS } from '../../src/lib/deadline-wheel.js';
import type { Timed } from '../../src/lib/deadline-wheel.js';
import { RequestSlots } from '../../src/lib/request-slots.js';
import { RetryBudget } from '../../src/client/core/retry-budget.js';
import { LatencyHistogram } from '../../src/client/latency.js';
import { newPutId } from '../../src/client/put-id.js';
import { FakeTimers } from '../support/fake-timers.js';

class Entry implements Timed {
  wheelBucket: number = -1;
  wheelNext: Timed | null = null;
  wheelPrevious: Timed | null = null;
  expiredMs: number = -1;
  deadlineMs: number;
  readonly #timers: FakeTimers;
  constructor(deadlineMs: number, timers: FakeTimers) {
    this.deadlineMs = deadlineMs;
    this.#timers = timers;
  }
  expire(): void {
    this.expiredMs = this.#timers.monotonicMs();
  }
}

const step = fc.record({
  kind: fc.constantFrom('add', 'add', 'remove', 'wait'),
  n: fc.integer({ min: 0, max: 20_000 }),
});

testProp(
  'Deadlines pass once, never early, at most a tick late; removed ones never',
  [fc.array(step, { maxLength: 60 })],
  (t, steps) => {
    const timers = new FakeTimers();
    const wheel = new DeadlineWheel(timers, timers);
    const entries: Entry[] = [];
    const removed = new Set<Entry>();
    for (const { kind, n } of steps) {
      if (kind === 'add') {
        const entry = new Entry(timers.monotonicMs() + n, timers);
        entries.push(entry);
        wheel.add(entry);
      } else if (kind === 'remove') {
        const entry = entries[n % Math.max(1, entries.length)];
        if (entry !== undefined && entry.expiredMs < 0) {
          wheel.remove(entry);
          removed.add(entry);
        }
      } else timers.advance(n);
    }
    timers.advance(30_000);
    for (const entry of entries) {
      if (removed.has(entry)) t.is(entry.expiredMs, -1);
      else
        t.true(
          entry.deadlineMs <= entry.expiredMs && entry.expiredMs <= entry.deadlineMs + 2 * TICK_MS,
          `${entry.deadlineMs} at ${entry.expiredMs}`,
        );
    }
    t.is(wheel.size, 0);
  },
);

test('What expires together may put each other off, and is told again at the later time', (t) => {
  const timers = new FakeTimers();
  const wheel = new DeadlineWheel(timers, timers);
  const [fromMs, untilMs] = [timers.monotonicMs() + 100, timers.monotonicMs() + 300];
  const entries: Entry[] = [];
  const told: number[] = [];
  /** Whoever is told first puts all others off, and each puts itself off. */
  class Pusher extends Entry {
    override expire(): void {
      super.expire();
      told.push(entries.indexOf(this));
      if (timers.monotonicMs() >= untilMs) return;
      for (const entry of entries) {
        entry.deadlineMs = untilMs;
        wheel.add(entry);
      }
    }
  }
  for (let i = 0; i < 5; i++) {
    const entry = new Pusher(fromMs, timers);
    entries.push(entry);
    wheel.add(entry);
  }
  timers.advance(1_000);
  t.is(told.length, 10);
  for (const entry of entries) t.true(entry.expiredMs >= untilMs && entry.expiredMs <= untilMs + 2 * TICK_MS);
  t.is(wheel.size, 0);
});

test('A busy wheel keeps one timer, and an empty one none', (t) => {
  const timers = new FakeTimers();
  const wheel = new DeadlineWheel(timers, timers);
  for (let i = 0; i < 1_000; i++) {
    const entry = new Entry(timers.monotonicMs() + 1_000, timers);
    wheel.add(entry);
    wheel.remove(entry);
    timers.advance(1);
    t.true(timers.pending <= 1);
  }
  timers.advance(2_000);
  t.is(timers.pending, 0);
});

test('A slot is not given to another call while its reply is outstanding', (t) => {
  const slots = new RequestSlots<{ name: string }>(2);
  const a = slots.take({ name: 'a' });
  const b = slots.take({ name: 'b' });
  t.true(slots.full);
  slots.abandon(a);
  t.true(slots.full, 'an abandoned id stays reserved');
  t.is(slots.abandoned, 1);
  t.is(slots.settle(a), null, 'the late reply is nobody’s');
  const c = slots.take({ name: 'c' });
  t.not(c, a);
  t.is(slots.settle(a), undefined, 'a second late reply meets an id that nobody has');
  t.is(slots.settle(c)?.name, 'c');
  t.is(slots.settle(c), undefined);
  t.is(slots.settle(b)?.name, 'b');
  t.is(slots.taken, 0);
});

testProp(
  'A reply reaches the call that asked, or nobody',
  [fc.array(fc.nat(1_000_000), { maxLength: 400 }), fc.integer({ min: 1, max: 8 })],
  (t, moves, capacity) => {
    const slots = new RequestSlots<{ id: number }>(capacity);
    const live = new Map<number, 'waiting' | 'abandoned'>();
    const seen: number[] = [];
    for (const move of moves) {
      const ids = [...live.keys()];
      const id = ids[move % Math.max(1, ids.length)];
      if (move % 3 === 0 && !slots.full) {
        const call = { id: 0 };
        call.id = slots.take(call);
        t.false(live.has(call.id));
        live.set(call.id, 'waiting');
        seen.push(call.id);
      } else if (move % 3 === 1 && id !== undefined && live.get(id) === 'waiting') {
        slots.abandon(id);
        live.set(id, 'abandoned');
      } else if (id !== undefined && move % 2 === 0) {
        const who = slots.settle(id);
        t.is(who === null ? 'abandoned' : who?.id === id ? 'waiting' : 'wrong', live.get(id) as string);
        live.delete(id);
      } else {
        const stale = seen[move % Math.max(1, seen.length)] ?? move;
        if (!live.has(stale)) t.is(slots.settle(stale), undefined);
      }
      t.is(slots.taken, live.size);
    }
    t.true(slots.taken <= capacity);
  },
);

test('Ids that were never given out are known as such', (t) => {
  const slots = new RequestSlots<object>(4);
  for (const id of [0, 1, 3, 4, 0x1_0000, 0xffff_ffff]) t.is(slots.settle(id), undefined);
});

test('Retries are at most a fifth of many calls', (t) => {
  const timers = new FakeTimers();
  const budget = new RetryBudget(timers, { ratio: 0.2, minPerSecond: 10 });
  let retries = 0;
  for (let second = 0; second < 100; second++) {
    for (let call = 0; call < 1_000; call++) {
      budget.earn();
      if (budget.take()) retries += 1;
      timers.advance(1);
    }
  }
  t.true(retries <= 0.2 * 100_000 + 10, `${retries}`);
  t.true(retries >= 0.19 * 100_000, `${retries}`);
});

test('Few calls may retry ten times a second', (t) => {
  const timers = new FakeTimers();
  const budget = new RetryBudget(timers, { ratio: 0.2, minPerSecond: 10 });
  let retries = 0;
  for (let ms = 0; ms < 10_000; ms += 10) {
    if (budget.take()) retries += 1;
    timers.advance(10);
  }
  t.true(retries >= 100 && retries <= 110, `${retries}`);
});

testProp(
  'Full jitter stays below its ceiling, and reaches all of it',
  [fc.integer(), fc.integer({ min: 1, max: 40 })],
  (t, seed, attempt) => {
    const random = new Prng(seed);
    const ceiling = Math.min(1_000, 25 * 2 ** (attempt - 1));
    const waits = Array.from({ length: 200 }, () => fullJitterMs(random, 25, 1_000, attempt));
    t.true(waits.every((ms) => 0 <= ms && ms < ceiling));
    t.true(Math.min(...waits) < ceiling * 0.2 && Math.max(...waits) > ceiling * 0.8);
  },
);

testProp(
  'Percentiles are within 4 % of the exact ones',
  [fc.array(fc.double({ min: 0.001, max: 100_000, noNaN: true }), { minLength: 1, maxLength: 300 })],
  (t, values) => {
    const histogram = new LatencyHistogram();
    for (const ms of values) histogram.record(ms);
    const sorted = values.toSorted((a, b) => a - b);
    for (const share of [0.5, 0.99, 1]) {
      const exact = sorted[Math.ceil(sorted.length * share) - 1] as number;
      const told = histogram.percentile(share);
      t.true(told >= exact * 0.999 - 0.001 && told <= exact * 1.04 + 0.002, `${share}: ${told} for ${exact}`);
    }
    t.is(histogram.max, Math.max(...values));
  },
);

test('A put id is the time in seconds and 64 random bits', (t) => {
  const timers = new FakeTimers();
  const random = new Prng(7);
  const ids = Array.from({ length: 100 }, () => Buffer.from(newPutId(timers, random)));
  t.true(ids.every((id) => id.length === 12 && id.readUInt32BE(0) === 1_700_000_001));
  t.is(new Set(ids.map((id) => id.toString('hex'))).size, 100);
});

testProp(
  'The list of calls holds what was added and not taken out',
  [fc.array(fc.tuple(fc.boolean(), fc.nat(20)), { minLength: 1, maxLength: 100 })],
  (t, moves) => {
    const list = new CallList();
    const twin = new Set<Call>();
    const calls = Array.from({ length: 21 }, () => ({ position: -1 }) as Call);
    for (const [add, n] of moves) {
      const call = calls[n] as Call;
      if (!add) {
        list.delete(call);
        twin.delete(call);
      } else if (!twin.has(call)) {
        list.add(call);
        twin.add(call);
      }
      t.is(list.size, twin.size);
    }
    t.true(list.all().every((call) => twin.has(call)) && new Set(list.all()).size === twin.size);
  },
);
