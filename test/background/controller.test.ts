import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { Controller, type ControllerParts } from '../../src/background/controller.js';
import { FairQueue } from '../../src/background/fair-queue.js';
import type { Foreground } from '../../src/background/rate-law.js';
import { TASK_KINDS, type TaskKind } from '../../src/background/slices.js';
import { FakeTimers } from '../support/fake-timers.js';
import { silentMeter } from '../support/silent.js';

const NONE = { minuteMs: 0, latelyMs: 0, secondMs: 0 };
const QUIET: Foreground = { gets: NONE, puts: NONE, loopDelayMs: 0, syncMs: 0 };
const MIB = 1_048_576;

function bench(more: Partial<ControllerParts> = {}): { timers: FakeTimers; controller: Controller } {
  const timers = new FakeTimers();
  const controller = new Controller({
    clock: timers,
    timers,
    meter: silentMeter,
    targets: { requestMs: 50, loopDelayMs: 20, syncMs: 20 },
    bounds: { min: MIB, max: 8 * MIB },
    foreground: () => QUIET,
    ...more,
  });
  return { timers, controller };
}

/** Asks again whenever it was served; answers what it had so far. */
function greedy(controller: Controller, task: TaskKind, bytes: number): () => number {
  let had = 0;
  const go = (): void => {
    had += bytes;
    controller.ask(task, bytes, go);
  };
  controller.ask(task, bytes, go);
  return () => had;
}

test('a slice comes at the end of the turn while there is room, never inside the call', (t) => {
  const { timers, controller } = bench();
  timers.advance(1_000);
  let went = 0;
  controller.ask('hints', 100, () => (went += 1));
  t.is(went, 0);
  timers.settle();
  t.is(went, 1);
  t.is(timers.pending, 0, 'and no timer is left behind');
});

test('bytes a second are kept to, also with batches larger than a second of them', (t) => {
  for (const bytes of [1_000, 65_536, 3 * MIB]) {
    const { timers, controller } = bench({ bounds: { min: 2 * MIB, max: 2 * MIB } });
    const had = greedy(controller, 'exchange', bytes);
    timers.advance(60_000);
    const perSecond = (had() / 60) * (Math.max(bytes, 4_096) / bytes);
    t.true(perSecond > 1.9 * MIB && perSecond < 2.1 * MIB, `${bytes}: ${perSecond / MIB} MiB/s`);
  }
});

test('all of them want all there is: each has twice as much as the next, and the last has something', (t) => {
  const { timers, controller } = bench();
  const had = TASK_KINDS.map((task) => greedy(controller, task, 32_768));
  timers.advance(60_000);
  const shares = had.map((of) => of());
  for (let i = 1; i < shares.length; i++) {
    const ratio = (shares[i - 1] as number) / (shares[i] as number);
    t.true(ratio > 1.9 && ratio < 2.1, `${TASK_KINDS[i - 1]} to ${TASK_KINDS[i]}: ${ratio}`);
  }
  t.deepEqual(
    controller.status().tasks.map(({ bytes }) => bytes),
    shares,
  );
});

test('whoever is alone has all of it, and the first wait of another is short', (t) => {
  const { timers, controller } = bench({ bounds: { min: MIB, max: MIB } });
  const scrub = greedy(controller, 'scrub', 65_536);
  timers.advance(30_000);
  t.true(scrub() > 29 * MIB);
  const from = timers.monotonicMs();
  let waitedMs = -1;
  controller.ask('hints', 65_536, () => (waitedMs = timers.monotonicMs() - from));
  timers.advance(1_000);
  t.true(waitedMs >= 0 && waitedMs <= 150, `${waitedMs} ms`);
});

test('under strain everybody goes on at the least rate, and has all again afterwards', (t) => {
  let seen: Foreground = { ...QUIET, syncMs: 500 };
  const { timers, controller } = bench({ foreground: () => seen, bounds: { min: MIB / 4, max: 8 * MIB } });
  const hints = greedy(controller, 'hints', 65_536);
  timers.advance(30_000);
  t.is(controller.status().bytesPerSecond, MIB / 4);
  t.is(controller.status().cause, 'log');
  const before = hints();
  timers.advance(10_000);
  const perSecond = (hints() - before) / 10;
  t.true(perSecond > 0.2 * MIB && perSecond < 0.3 * MIB, `${perSecond}`);
  seen = QUIET;
  timers.advance(40_000);
  t.is(controller.status().bytesPerSecond, 8 * MIB);
});

test('one slice a turn, so that others come in between', (t) => {
  const { timers, controller } = bench();
  timers.advance(1_000);
  const order: string[] = [];
  for (const name of ['a', 'b']) controller.ask('reap', 1, () => order.push(name));
  timers.endOfTurn(() => order.push('foreground'));
  timers.settle();
  t.deepEqual(order, ['a', 'foreground', 'b']);
});

test('after a stop nothing is handed out, also not what was promised in this turn', (t) => {
  const { timers, controller } = bench();
  timers.advance(1_000);
  controller.ask('hints', 1, () => {
    controller.stop();
    controller.ask('hints', 1, () => t.fail('asked after the stop'));
  });
  controller.ask('hints', 1, () => t.fail('asked before the stop'));
  timers.advance(10_000);
  t.is(timers.pending, 0);
});

testProp(
  'nobody waits for ever: whoever asks is served before the others have had more than their weights allow',
  [
    fc.array(fc.tuple(fc.constantFrom(...TASK_KINDS), fc.integer({ min: 1, max: 100_000 })), {
      minLength: 1,
      maxLength: 200,
    }),
  ],
  (t, asks) => {
    const queue = new FairQueue();
    const served: number[] = [];
    for (const [i, [task, bytes]] of asks.entries()) queue.push(task, bytes, () => served.push(i));
    const had = new Map<TaskKind, number>();
    for (let one = queue.take(); one !== null; one = queue.take()) {
      one.go();
      had.set(one.task, (had.get(one.task) ?? 0) + one.bytes);
      for (const [ahead, bytes] of had) {
        for (const [behind, task] of TASK_KINDS.entries()) {
          if (queue.waiting(task) === 0) continue;
          // In virtual time nobody is ahead of one who waits by more than one batch of each.
          const at = (kind: TaskKind, sum: number): number =>
            sum / 2 ** (TASK_KINDS.length - 1 - TASK_KINDS.indexOf(kind));
          t.true(at(ahead, bytes - 100_000) <= at(task, (had.get(task) ?? 0) + 100_000), `${ahead} ${behind}`);
        }
      }
    }
    t.is(queue.length, 0);
    t.is(served.length, asks.length);
    for (const task of TASK_KINDS) {
      const own = served.filter((i) => asks[i]?.[0] === task);
      t.deepEqual(
        own,
        [...own].sort((a, b) => a - b),
        'within a kind: in the order of asking',
      );
    }
  },
);
