import test from 'ava';
import { FreeSlices } from '../../src/background/slices.js';
import { ScrubCalendar } from '../../src/background/scrub-calendar.js';
import { Scrubber, type ScrubberParts } from '../../src/node/scrubber.js';
import type { Scrubbed, ScrubStorage } from '../../src/storage/scrub-storage.js';
import type { PartitionId } from '../../src/model/ids.js';
import { FakeTimers } from '../support/fake-timers.js';
import { silentLog, silentMeter } from '../support/silent.js';

const DAY = 86_400_000;

test('each partition has one slot a period, wherever one begins to ask, and after any restart', (t) => {
  const Q = 16;
  for (const ordinal of [1, 2, 3, 900]) {
    const seen: number[] = [];
    let calendar = new ScrubCalendar(14 * DAY, Q, ordinal);
    for (let hour = 0; hour < 14 * 24; hour++) {
      if (hour % 50 === 0) calendar = new ScrubCalendar(14 * DAY, Q, ordinal); // a restart: the present slot once more
      seen.push(...calendar.due(1_700_000_000_000 + hour * 3_600_000));
    }
    t.is(new Set(seen).size, Q, `ordinal ${ordinal}`);
    t.true(seen.length <= Q + 8, `${seen.length} for ${Q} partitions and 7 starts`);
  }
});

test('replicas of a partition are not read at the same time', (t) => {
  const now = [1, 2, 3].map((ordinal) => new ScrubCalendar(14 * DAY, 256, ordinal).due(1_700_000_000_000)[0]);
  t.is(new Set(now).size, 3);
});

test('whatever the clock does, a partition is told once at most in one answer', (t) => {
  const calendar = new ScrubCalendar(DAY, 8, 1);
  for (const ms of [5 * DAY, 9 * DAY + 1, 2 * DAY, 2 * DAY, 40 * DAY - 1]) {
    const due = calendar.due(ms);
    t.is(new Set(due).size, due.length);
    t.true(due.every((partition) => partition >= 0 && partition < 8));
  }
});

class FakeStore implements ScrubStorage {
  readonly partitionCount = 4;
  readonly leafCount = 256;
  readonly asked: (readonly [number, number])[] = [];
  readonly compared: number[] = [];
  answer: (partition: number, leaf: number) => Partial<Scrubbed> | Error = () => ({});

  scrub(partition: number, leaf: number, done: (error: Error | null, found?: Scrubbed) => void): void {
    this.asked.push([partition, leaf]);
    const found = this.answer(partition, leaf);
    if (found instanceof Error) done(found);
    else
      done(null, {
        nextLeaf: null,
        records: 10,
        bytes: 1_000,
        damaged: [],
        damagedCount: 0,
        wrongLeaves: 0,
        isBroken: false,
        ...found,
      });
  }

  compareLive(partition: number): number {
    this.compared.push(partition);
    return 0;
  }
}

function bench(more: Partial<ScrubberParts> = {}): { store: FakeStore; timers: FakeTimers; scrubber: Scrubber } {
  const timers = new FakeTimers();
  const store = new FakeStore();
  const scrubber = new Scrubber({
    store,
    slices: new FreeSlices(timers),
    clock: timers,
    timers,
    meter: silentMeter,
    log: silentLog,
    ordinal: 1,
    periodMs: 4 * DAY,
    bytesPerSecondMax: 1_000,
    verifySoon: false,
    repair: null,
    ...more,
  });
  return { store, timers, scrubber };
}

test('a partition is read from its first leaf to its last, no faster than allowed, and then its live leaves', (t) => {
  const { store, timers, scrubber } = bench();
  store.answer = (_partition, leaf) => ({ nextLeaf: leaf === 200 ? null : leaf + 100, bytes: 2_000 });
  scrubber.scrubOne(2);
  timers.advance(1_900);
  t.deepEqual(store.asked, [[2, 0]]);
  t.like(scrubber.status(), { partition: 2, leaf: 100, waiting: 0, records: 10 });
  timers.advance(10_000);
  t.deepEqual(store.asked, [
    [2, 0],
    [2, 100],
    [2, 200],
  ]);
  t.deepEqual(store.compared, [2]);
  t.like(scrubber.status(), { partition: -1, partitions: 1, records: 30, bytes: 6_000 });
});

test('all of them soon after an unclean stop, and each once a period otherwise', (t) => {
  const soon = bench({ verifySoon: true });
  t.false(soon.scrubber.status().isVerifying);
  soon.scrubber.start();
  t.true(soon.scrubber.status().isVerifying);
  const [first] = new ScrubCalendar(4 * DAY, 4, 1).due(soon.timers.wallMs());
  soon.timers.advance(1_000);
  t.is(soon.store.asked[0]?.[0], first, 'what was probably being read when the process died');
  soon.timers.advance(60_000);
  t.false(soon.scrubber.status().isVerifying);
  t.deepEqual([...new Set(soon.store.asked.map(([partition]) => partition))].sort(), [0, 1, 2, 3]);

  const calm = bench();
  calm.scrubber.start();
  calm.timers.advance(60_000);
  t.is(calm.store.asked.length, 1, 'whose slot it is');
  calm.timers.advance(4 * DAY);
  t.deepEqual([...new Set(calm.store.asked.map(([partition]) => partition))].sort(), [0, 1, 2, 3]);
  t.is(calm.store.asked.length, 5);
});

test('damage is looked at when it is found, a file that cannot be read does not stop the others', (t) => {
  let looks = 0;
  const damaged = { partition: 1 as PartitionId, key: Buffer.from('k'), hi: 1, lo: 2 };
  const repair = { look: () => (looks += 1), waiting: 1, repaired: 0, givenUp: 0 };
  const { store, timers, scrubber } = bench({ repair });
  store.answer = (partition) =>
    partition === 0
      ? new Error('EIO')
      : { damaged: [damaged], damagedCount: 1, wrongLeaves: 2, isBroken: partition === 3 };
  scrubber.scrubAll();
  timers.advance(60_000);
  t.is(looks, 3);
  t.like(scrubber.status(), { partitions: 4, damaged: 3, wrongLeaves: 6, broken: 2, repairsWaiting: 1 });
});

test('a node that is a cluster of its own says that there is no other copy', (t) => {
  const said: string[] = [];
  const { store, timers, scrubber } = bench({ log: { ...silentLog, error: (event) => said.push(event) } });
  store.answer = () => ({
    damaged: [{ partition: 0 as PartitionId, key: Buffer.from('k'), hi: 1, lo: 2 }],
    damagedCount: 1,
  });
  scrubber.scrubOne(0);
  timers.advance(1_000);
  t.deepEqual(said, ['record_lost']);
  t.is(scrubber.status().givenUp, 1);
});

test('after a stop it asks for nothing more', (t) => {
  const { store, timers, scrubber } = bench();
  store.answer = (_partition, leaf) => ({ nextLeaf: leaf + 1 });
  scrubber.start();
  timers.advance(5_000);
  const asked = store.asked.length;
  t.true(asked > 1);
  scrubber.stop();
  timers.advance(DAY);
  t.is(store.asked.length, asked);
  t.is(timers.pending, 0);
});
