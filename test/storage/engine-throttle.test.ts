import test from 'ava';
import { failure } from '../../src/model/errors.js';
import { HELD_MS_MAX, SLOW_FROM_FILL, Throttle } from '../../src/storage/engine-throttle.js';
import { SimulatedTime } from '../support/simulated-time.js';
import { TestWrite } from './engine-requests.js';

/** A buffer of `bytesMax` that a flusher empties at `rate` bytes a ms; what is let in is there at once. */
class Basin {
  readonly time: SimulatedTime = new SimulatedTime();
  readonly throttle: Throttle;
  readonly bytesMax: number;
  rate: number;
  bytes = 0;
  letIn = 0;
  memoryFill = 0;

  constructor(bytesMax: number, rate: number) {
    this.bytesMax = bytesMax;
    this.rate = rate;
    this.throttle = new Throttle(
      this.time,
      this.time,
      () => this.bytes / this.bytesMax,
      () => this.memoryFill,
      (request) => {
        this.#enter(request as TestWrite);
      },
    );
  }

  #enter(write: TestWrite): void {
    this.bytes += write.bytesHint;
    this.letIn += 1;
    write.state = 'placed';
  }

  put(bytes: number): TestWrite {
    const write = new TestWrite('k', 'v'.repeat(bytes - 1), 1, 1, false, () => undefined);
    if (this.throttle.admit(write) === 'now') this.#enter(write);
    return write;
  }

  /** One ms of flushing. */
  flush(): void {
    const bytes = Math.min(this.bytes, this.rate);
    this.bytes -= bytes;
    if (bytes > 0) this.throttle.noteFlush(Math.ceil(bytes / 2_048), bytes, 1);
    this.time.runFor(1);
  }
}

test('a flood settles between slow and full: nobody is refused, and what goes in is what is flushed', (t) => {
  const basin = new Basin(10_000_000, 10_000);
  let underWay: TestWrite[] = [];
  const each = 2_048;
  for (let ms = 0; ms < 20_000; ms++) {
    underWay = underWay.filter((write) => write.state === 'waiting');
    while (underWay.length < 256) underWay.push(basin.put(each));
    t.true(underWay.every((write) => write.state !== 'refused'));
    if (ms === 10_000) basin.letIn = 0;
    basin.flush();
    t.true(basin.bytes < basin.bytesMax, 'the buffer never fills');
  }
  const inBytes = (basin.letIn * each) / 10_000;
  t.true(inBytes > 9_000 && inBytes < 11_000, `${inBytes} bytes a ms in, 10,000 out`);
  t.true(basin.bytes > SLOW_FROM_FILL * basin.bytesMax);
});

test('a small put does not pay for large ones that it does not write', (t) => {
  const basin = new Basin(30_000_000, 20_000);
  basin.bytes = 0.84 * basin.bytesMax;
  for (let i = 0; i < 200; i++) basin.throttle.noteFlush(1, 900_000, 45);
  let refused = 0;
  let answered = 0;
  let slowest = 0;
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 4; i++) basin.put(900_000);
    const small = basin.put(100);
    const since = basin.time.monotonicMs();
    while (small.state === 'waiting') basin.flush();
    slowest = Math.max(slowest, basin.time.monotonicMs() - since);
    if (small.state === 'refused') refused += 1;
    else answered += 1;
    for (let ms = 0; ms < 100; ms++) basin.flush();
  }
  t.true(slowest <= 1.5 * HELD_MS_MAX + 20, `answered within ${slowest} ms`);
  t.true(answered > 0 && refused < 50);
});

test('what is held goes on as soon as there is room, whatever the rate was when it came', (t) => {
  const basin = new Basin(1_000_000, 0);
  for (let i = 0; i < 200; i++) basin.throttle.noteFlush(1, 1_000, 20); // a tenth of a byte a µs: slow
  basin.bytes = 970_000;
  const puts = Array.from({ length: 3 }, () => basin.put(2_000));
  basin.time.runFor(20);
  t.true(puts.some((put) => put.state === 'waiting'));
  basin.bytes = 0;
  for (let i = 0; i < 200; i++) basin.throttle.noteFlush(64, 100_000, 2);
  basin.time.runFor(20);
  t.true(puts.every((put) => put.state === 'placed'));
  t.is(basin.throttle.held, 0);
  t.is(basin.put(10).state, 'placed');
});

test('a wait that would be too long is refused at once, one that becomes too long is refused in the end', (t) => {
  const basin = new Basin(1_000_000, 0);
  for (let i = 0; i < 500; i++) basin.throttle.noteFlush(1, 0, 10);
  basin.bytes = 940_000;
  const puts = Array.from({ length: 100 }, () => basin.put(1));
  const atOnce = puts.filter((put) => put.state === 'refused');
  t.true(atOnce.length > 0 && atOnce.length < 100);
  t.true(atOnce.every((put) => put.failure?.code === 'OVERLOADED' && put.failure.retryAfterMs !== undefined));
  for (let i = 0; i < 500; i++) basin.throttle.noteFlush(1, 0, 100_000);
  basin.time.runFor(2 * HELD_MS_MAX);
  t.true(puts.every((put) => put.state !== 'waiting'));
  t.is(basin.throttle.held, 0);
});

test('a full buffer refuses, memory counts only when it is scarce, and closing refuses what is held', (t) => {
  const basin = new Basin(1_000_000, 0);
  basin.memoryFill = 0.89;
  t.is(basin.put(10).state, 'placed');
  basin.memoryFill = 0.95;
  const held = [basin.put(1_000), basin.put(1_000)];
  t.deepEqual(
    held.map((put) => put.state),
    ['waiting', 'waiting'],
  );
  basin.throttle.refuse(failure('DRAINING', 'The node is stopping'));
  t.true(held.every((put) => put.state === 'refused' && put.failure?.code === 'DRAINING'));
  basin.time.runFor(1_000);
  basin.memoryFill = 1;
  t.is(basin.put(10).failure?.code, 'OVERLOADED');
});

test('a buffer that was far beyond full after a long rest leaves no debt behind', (t) => {
  const basin = new Basin(1_000_000, 0);
  basin.time.runFor(3_600_000);
  basin.bytes = 1_500_000;
  t.is(basin.put(1_000).failure?.code, 'OVERLOADED');
  basin.time.runFor(60_000);
  t.is(basin.put(1_000).failure?.code, 'OVERLOADED');
  basin.bytes = 800_000;
  const put = basin.put(1_000);
  basin.time.runFor(20);
  t.is(put.state, 'placed');
});
