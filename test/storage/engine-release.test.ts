/* What of the log is given back, and when, where everything that could ask for it happens at a bad moment. */
import test from 'ava';
import { wait, type Flow } from '../../src/lib/flow.js';
import { LogRelease, type ReleaseParts } from '../../src/storage/engine-release.js';
import { Partition } from '../../src/storage/partition.js';
import { SimulatedTime } from '../support/simulated-time.js';

interface Bench {
  readonly time: SimulatedTime;
  readonly release: LogRelease;
  readonly partition: Partition;
  readonly released: number[];
  /** Answers the save of the table that is under way. */
  answer(error: Error | null): void;
}

function bench(): Bench {
  const time = new SimulatedTime();
  const partition = new Partition(0);
  const released: number[] = [];
  let saved: ((error: Error | null) => void) | null = null;
  const table = {
    *save(): Flow<void> {
      yield* wait((done) => {
        saved = done;
      });
    },
  };
  const log = { durableLsn: 10, release: (lsn: number) => released.push(lsn) };
  const parts = {
    table,
    partitions: [partition],
    hints: { oldestLsn: 0, hurry: () => undefined, file: { installation: 0, appliedLsn: 0 } },
    log,
    timers: time,
    isUrgent: () => true,
    isOpen: () => true,
    fail: (error: Error) => {
      throw error;
    },
  };
  return {
    time,
    release: new LogRelease(parts as unknown as ReleaseParts),
    partition,
    released,
    answer: (error) => {
      saved?.(error);
    },
  };
}

/** A flush that ends while the table is being written. */
function flushWhileSaving({ time, release, partition }: Bench): void {
  partition.buffer.activeFirstLsn = 5;
  release.start();
  time.runFor(1);
  partition.buffer.activeFirstLsn = 0;
  partition.appliedLsn = 10;
  release.onApplied(partition.appliedLsn);
}

test('a file that comes further while the table is written is released afterwards, though no other flush follows', (t) => {
  const b = bench();
  flushWhileSaving(b);
  b.answer(null);
  t.deepEqual(b.released, [4]);
  b.time.runFor(1_000);
  b.answer(null);
  t.deepEqual(b.released, [4, 10]);
  b.time.runFor(10_000);
  t.false(b.release.busy, 'there is nothing left to release, and nothing is written');
});

test('a table that found no space is written again', (t) => {
  const b = bench();
  flushWhileSaving(b);
  b.answer(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }));
  t.deepEqual(b.released, []);
  b.time.runFor(1_000);
  b.answer(null);
  t.deepEqual(b.released, [10]);
});
