/* The parts of the generator that need no server. */
import { createHistogram } from 'node:perf_hooks';
import test from 'ava';
import fc from 'fast-check';
import { compare } from '../../bench/load/compare.js';
import { CONTEXT_UNKNOWN, CONTEXT_UNSEEN, ContextStore } from '../../bench/load/contexts.js';
import { writeKey } from '../../bench/load/dialect.js';
import { RespDialect } from '../../bench/load/dialect-resp.js';
import { hgrmOf } from '../../bench/load/hgrm.js';
import { extrasOf, parseDistribution, parseMix, parseSizes, planOf } from '../../bench/load/options.js';
import type { BenchFlags } from '../../bench/load/options.js';
import { Schedule } from '../../bench/load/pacing.js';
import { NO_OPERATIONS, PLAN_DEFAULTS, shareOf } from '../../bench/load/plan.js';
import { Recorder } from '../../bench/load/recorder.js';
import { mergeShares } from '../../bench/load/result.js';
import type { Bench } from '../../bench/load/result.js';
import { GET, OperationSource } from '../../bench/load/source.js';
import { header, report } from '../../bench/load/tables.js';
import { parseCount, parseDurationMs, parseSize, showMicros } from '../../bench/load/units.js';
import { faultOfValue, writeValue } from '../../bench/load/value.js';
import { Zipfian, fnvBucket, keyChooser } from '../../bench/load/zipf.js';
import { Prng } from '../../src/lib/prng.js';

const FLAGS: BenchFlags = {
  server: '127.0.0.1:7700',
  connections: '10',
  duration: '10',
  workers: '1',
  timeout: '10',
  progress: true,
  sampleInt: '1000',
  keys: '100k',
  size: '1KiB',
  seed: '42',
  runs: '1',
  tolerance: '10%',
  maxErrors: '0',
};

test('shares of a whole are whole and add up', (t) => {
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.integer({ min: 1, max: 64 }), (total, parts) => {
      const shares = Array.from({ length: parts }, (_, part) => shareOf(total, part, parts));
      return shares.reduce((a, b) => a + b, 0) === total && Math.max(...shares) - Math.min(...shares) <= 1;
    }),
  );
  t.pass();
});

test('the hash of ranks is FNV-1a, as YCSB computes it', (t) => {
  const twin = (rank: number, count: number): number => {
    let hash = 0xcbf29ce484222325n;
    let rest = BigInt(rank);
    for (let i = 0; i < 8; i++) {
      hash = BigInt.asUintN(64, (hash ^ (rest & 0xffn)) * 0x100000001b3n);
      rest >>= 8n;
    }
    const signed = BigInt.asIntN(64, hash);
    return Number((signed < 0n ? -signed : signed) % BigInt(count));
  };
  fc.assert(
    fc.property(
      fc.nat(10_000_000_000),
      fc.integer({ min: 1, max: 90_000_000 }),
      (rank, count) => fnvBucket(rank, count) === twin(rank, count),
    ),
  );
  t.pass();
});

test('zipfian: frequencies follow the law', (t) => {
  const zipfian = new Zipfian(new Prng(1), 1_000);
  const counts = new Float64Array(1_000);
  const draws = 200_000;
  for (let i = 0; i < draws; i++) {
    const rank = zipfian.next(1_000);
    counts[rank] = (counts[rank] ?? 0) + 1;
  }
  let zeta = 0;
  for (let i = 1; i <= 1_000; i++) zeta += 1 / i ** 0.99;
  const share = (rank: number): number => (counts[rank] ?? 0) / counts.reduce((a, b) => a + b, 0);
  t.true(Math.abs(share(0) - 1 / zeta) < 0.02, String(share(0)));
  t.true(share(0) > share(1) && share(1) > share(10) && share(10) > share(200));
});

test('a zipfian that grew draws like one that began as large', (t) => {
  const grown = new Zipfian(new Prng(5), 100);
  grown.next(1_000);
  const large = new Zipfian(new Prng(5), 1_000);
  large.next(1_000);
  for (let i = 0; i < 1_000; i++) t.is(grown.next(1_000), large.next(1_000));
});

test('choosers stay inside the keys, and do what their names say', (t) => {
  for (const name of ['uniform', 'zipfian', 'zipfian:0.7', 'latest', 'sequential']) {
    const chooser = keyChooser(parseDistribution(name), new Prng(3), 500, 7);
    const drawn = Array.from({ length: 2_000 }, () => chooser.next(500));
    t.true(
      drawn.every((key) => Number.isInteger(key) && key >= 0 && key < 500),
      name,
    );
    if (name === 'sequential') t.deepEqual(drawn.slice(0, 3), [7, 8, 9]);
    if (name === 'latest') t.true(drawn.filter((key) => key === 499).length > 200);
    if (name === 'uniform') t.true(new Set(drawn).size > 450);
  }
});

test('a value tells where it comes from, down to the last bit', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 28, max: 300 }),
      fc.nat(),
      fc.nat(1_000_000),
      fc.nat(),
      (length, seed, key, noise) => {
        const value = Buffer.alloc(length);
        writeValue(value, 0, length, seed, key, 1, noise >>> 0);
        if (faultOfValue(value, seed, key) !== '') return false;
        if (faultOfValue(value, seed, key + 1) === '' || faultOfValue(value, seed ^ 1, key) === '') return false;
        const at = noise % length;
        value[at] = (value[at] as number) ^ (1 << (noise % 8));
        return faultOfValue(value, seed, key) !== '';
      },
    ),
  );
  t.is(faultOfValue(Buffer.alloc(40), 1, 1), '40 bytes that no bench wrote');
});

test('keys are sixteen bytes', (t) => {
  const bytes = Buffer.alloc(16);
  writeKey(bytes, 0, 89_999_999);
  t.is(bytes.toString(), 'user000089999999');
});

test('contexts are what was set last, also long ones', (t) => {
  const store = new ContextStore(2);
  const bytes = Buffer.from(Array.from({ length: 400 }, (_, i) => i));
  store.set(5, bytes, 10, 60);
  store.set(4_001, bytes, 0, 300);
  const target = Buffer.alloc(300);
  const sent = Buffer.from(Uint8Array.from(bytes));
  bytes.fill(0); // what they came in is read into again
  t.is(store.lengthOf(5), 50);
  store.copyTo(target, 0, 5);
  t.deepEqual(target.subarray(0, 50), sent.subarray(10, 60));
  store.copyTo(target, 0, 4_001);
  t.deepEqual(target, sent.subarray(0, 300));
  store.forget(5);
  t.is(store.lengthOf(5), CONTEXT_UNKNOWN);
  t.is(store.lengthOf(7), CONTEXT_UNSEEN);
});

test('a thread writes only its own keys, and none twice at once; any it reads', (t) => {
  const plan = { ...PLAN_DEFAULTS, keys: 101, mix: { ...NO_OPERATIONS, get: 1, put: 1 } };
  const source = new OperationSource(plan, 1, 3);
  const writing: number[] = [];
  const readClasses = new Set<number>();
  for (let i = 0; i < 3_000; i++) {
    source.next();
    if (source.operation === GET) readClasses.add(source.key % 3);
    else {
      t.is(source.key % 3, 1);
      t.true(source.key < 101);
      t.false(writing.includes(source.key));
      writing.push(source.key);
      if (writing.length === 20) source.writeEnded(writing.shift() as number);
    }
  }
  t.is(readClasses.size, 3);
  t.is(
    [0, 1, 2].reduce((sum, thread) => sum + new OperationSource(plan, thread, 3).preloadCount, 0),
    101,
  );
});

test('preloading goes on where an earlier one ended', (t) => {
  const keys: number[] = [];
  for (const thread of [0, 1, 2]) {
    const source = new OperationSource({ ...PLAN_DEFAULTS, keys: 40, preloadFrom: 17 }, thread, 3);
    while (source.nextPreload()) keys.push(source.key);
  }
  t.deepEqual(
    keys.sort((a, b) => a - b),
    Array.from({ length: 23 }, (_, i) => 17 + i),
  );
});

test('the same seed asks for the same things', (t) => {
  const plan = {
    ...PLAN_DEFAULTS,
    mix: { ...NO_OPERATIONS, get: 1, put: 1, insert: 1 },
    sizes: parseSizes('100:50,1KiB:50'),
  };
  const list = (): string[] => {
    const source = new OperationSource(plan, 0, 1);
    return Array.from({ length: 100 }, () => {
      source.next();
      return `${source.operation} ${source.key} ${source.valueBytes}`;
    });
  };
  t.deepEqual(list(), list());
});

test('a schedule is kept whatever happened before', (t) => {
  const schedule = new Schedule(1_000, 1_300, 500, 0.5);
  t.is(schedule.take(1_000.9), -1);
  t.is(schedule.take(1_001), 1_001);
  t.is(schedule.overdue(1_006), 2); // 1,003 and 1,005
  t.is(schedule.overdue(9_999), 149); // 1,003 to 1,299: nothing is due after the end
  for (let i = 0; i < 149; i++) t.true(schedule.take(9_999) > 0);
  t.is(schedule.take(9_999), -1);
});

test('numbers with units, and what is refused', (t) => {
  t.is(parseCount('100k', 'x'), 100_000);
  t.is(parseSize('1KiB', 'x'), 1_024);
  t.is(parseDurationMs('2m', 'x'), 120_000);
  t.is(parseDurationMs('10', 'x'), 10_000);
  t.throws(() => parseCount('ten', '--keys'), {
    message: '--keys is "ten": give a whole number, like 500, 100k or 2M',
  });
  t.throws(() => parseSize('1.5B', '--size'));
  t.throws(() => parseMix('get=80,scan=20'), { message: /^--mix has "scan=20"/ });
  t.throws(() => parseDistribution('zipfian:1.5'));
  t.is(showMicros(87.4), '87 µs');
});

test('routing is by any or by ring, or not at all', (t) => {
  t.is(planOf(FLAGS).routing, 'seed');
  t.is(planOf({ ...FLAGS, routing: 'ring' }).routing, 'ring');
  t.throws(() => planOf({ ...FLAGS, routing: 'best' }), {
    message: '--routing is "best": take any (all nodes in turn) or ring (an owner of each key)',
  });
});

test('workloads are those of YCSB, and e is refused in so many words', (t) => {
  t.deepEqual(planOf({ ...FLAGS, workload: 'd' }).mix, { ...NO_OPERATIONS, get: 95, insert: 5 });
  t.is(planOf({ ...FLAGS, workload: 'A' }).distribution.kind, 'zipfian');
  t.throws(() => planOf({ ...FLAGS, workload: 'e' }), { message: /no range reads/ });
  t.throws(() => planOf({ ...FLAGS, workload: 'a', mix: 'get=1' }), { message: /give one of them/ });
  t.throws(() => planOf({ ...FLAGS, verify: true, size: '10' }), { message: /at least 28 bytes/ });
  t.is(planOf({ ...FLAGS, overallRate: '20k' }).inFlight, 128);
  t.is(planOf(FLAGS).inFlight, 1);
  t.is(extrasOf({ ...FLAGS, maxErrors: '1%' }).maxErrors, 0.01);
});

function benchOf(serviceMs: number): Bench {
  const recorder = new Recorder(false);
  recorder.begin(0, 1_000);
  for (let i = 0; i < 100; i++) recorder.answered(GET, 'ok', i, i, i + serviceMs);
  const share = recorder.result({ elapsedMs: 1_000, unsent: 0, busy: 0.9, cpuUs: 500, stoppedBy: '' });
  const { result } = mergeShares(PLAN_DEFAULTS, [share, share]);
  return { format: 1, startedAt: 'then', node: 'v20', cpu: 'x', plan: PLAN_DEFAULTS, runs: [result] };
}

test('shares are merged, and a busy generator says so', (t) => {
  const [run] = benchOf(2).runs;
  t.is(run?.count, 200);
  t.is(run?.throughput, 200);
  t.is(run?.operations[0]?.service.percentiles['p50'], 2_000);
  t.true(run?.generatorBusy);
  t.is(run?.generatorCpuUs, 5);
  const text = `${header(PLAN_DEFAULTS)}\n${report(PLAN_DEFAULTS, run ?? ({} as never), { colour: false, all: true })}`;
  t.regex(text, /closed loop/);
  t.regex(text, /│ get +│ 2000 µs │/);
  t.regex(text, /above 85 % of its core/);
});

test('a regression is one beyond the tolerance; other plans are not compared', (t) => {
  t.deepEqual(
    compare(benchOf(2), benchOf(2.1), 0.1).filter(({ regression }) => regression),
    [],
  );
  t.deepEqual(
    compare(benchOf(2), benchOf(3), 0.1)
      .filter(({ regression }) => regression)
      .map(({ what }) => what),
    ['get p50', 'get p99'],
  );
  t.throws(() => compare({ ...benchOf(2), plan: { ...PLAN_DEFAULTS, connections: 3 } }, benchOf(2), 0.1), {
    message: /differ in connections/,
  });
});

test('hgrm: ends at the maximum, with all counted', (t) => {
  const histogram = createHistogram();
  for (let i = 1; i <= 1_000; i++) histogram.record(i * 1_000);
  const lines = hgrmOf(histogram).split('\n');
  t.regex(lines.find((line) => line.includes(' 1.000000000000')) ?? '', /^ +\d{3,4}\.\d{3} 1\.000000000000 +1000$/);
  t.regex(hgrmOf(createHistogram()), /Total count +=\s+0/);
});

test('RESP replies: whole, cut off, and errors', (t) => {
  const dialect = new RespDialect({ ...PLAN_DEFAULTS, sizes: [{ bytes: 3, share: 1 }] });
  const bytes = Buffer.from('$3\r\nabc\r\n$-1\r\n-OOM no\r\n+OK\r\n');
  t.is(dialect.parse(bytes, 0, 8), 0);
  t.is(dialect.parse(bytes, 0, bytes.length), 9);
  t.is(dialect.judgeGet(), 'ok');
  t.is(dialect.parse(bytes, 9, bytes.length), 5);
  t.is(dialect.judgeGet(), 'not_found');
  t.is(dialect.parse(bytes, 14, bytes.length), 9);
  t.is(dialect.judgeWrite(), 'redis_oom');
  t.is(dialect.parse(bytes, 23, bytes.length), 5);
  t.is(dialect.judgeWrite(), 'ok');
});

test('a SET that waits for replicas is done when the second line is there, and not without enough of them', (t) => {
  const mix = { ...NO_OPERATIONS, put: 1 };
  const dialect = new RespDialect({ ...PLAN_DEFAULTS, mix, waitReplicas: 2, sizes: [{ bytes: 3, share: 1 }] });
  const target = Buffer.alloc(dialect.requestBytesMax);
  const end = dialect.writePut(target, 0, 0, 7, 3);
  t.regex(target.toString('latin1', 0, end), /SET[^]*user000000000007[^]*\*3\r\n\$4\r\nWAIT\r\n\$1\r\n2\r\n/);
  const bytes = Buffer.from('+PONG\r\n+OK\r\n:2\r\n+OK\r\n:1\r\n-OOM no\r\n:0\r\n');
  t.is(dialect.parse(bytes, 0, bytes.length), 7);
  t.is(dialect.parse(bytes, 7, 12), 0);
  t.is(dialect.parse(bytes, 7, bytes.length), 9);
  t.is(dialect.judgeWrite(), 'ok');
  t.is(dialect.parse(bytes, 16, bytes.length), 9);
  t.is(dialect.judgeWrite(), 'redis_wait');
  t.is(dialect.parse(bytes, 25, bytes.length), 13);
  t.is(dialect.judgeWrite(), 'redis_oom');
  t.throws(() => new RespDialect({ ...PLAN_DEFAULTS, waitReplicas: 1 }), { message: /puts alone/ });
});
