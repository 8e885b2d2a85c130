import test from 'ava';
import { watchServedWell } from '../../src/daemon/served-well.js';
import { FakeTimers } from '../support/fake-timers.js';

function bench(): { timers: FakeTimers; updates: unknown[]; meta: Parameters<typeof watchServedWell>[1] } {
  const updates: unknown[] = [];
  return {
    timers: new FakeTimers(),
    updates,
    meta: {
      update: (change, done) => {
        updates.push(change);
        done(null);
      },
    },
  };
}

test('after a minute the unclean starts are forgotten, once', (t) => {
  const { timers, updates, meta } = bench();
  watchServedWell(
    timers,
    meta,
    () => false,
    () => t.fail('nothing failed'),
  );
  timers.advance(59_000);
  t.deepEqual(updates, []);
  timers.advance(600_000);
  t.deepEqual(updates, [{ uncleanStarts: 0 }]);
});

test('not before the files have been read again, however long that takes, and never after a stop', (t) => {
  const { timers, updates, meta } = bench();
  let isVerifying = true;
  watchServedWell(
    timers,
    meta,
    () => isVerifying,
    () => t.fail('nothing failed'),
  );
  timers.advance(3_600_000);
  t.deepEqual(updates, []);
  isVerifying = false;
  timers.advance(60_000);
  t.deepEqual(updates, [{ uncleanStarts: 0 }]);

  const stopped = bench();
  watchServedWell(
    stopped.timers,
    stopped.meta,
    () => false,
    () => t.fail('nothing failed'),
  ).cancel();
  stopped.timers.advance(600_000);
  t.deepEqual(stopped.updates, []);
});

test('what cannot be written is fatal', (t) => {
  const { timers, meta } = bench();
  const failed: string[] = [];
  const failing = {
    ...meta,
    update: (_change: unknown, done: (error: Error | null) => void): void => {
      done(new Error('EIO'));
    },
  };
  watchServedWell(
    timers,
    failing,
    () => false,
    (error) => failed.push(error.message),
  );
  timers.advance(60_000);
  t.deepEqual(failed, ['EIO']);
});
