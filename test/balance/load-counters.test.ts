/* Requests and bytes by partition and half hour, against lists of what was counted. */
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { LoadCounters, mergeKeys, WINDOW_MS, WINDOWS_MAX, windowOf } from '../../src/balance/load-counters.js';

const PARTITIONS = 4;
const KEY = Buffer.from('key');
const START_MS = 1_000_000 * WINDOW_MS;

interface Step {
  readonly kind: 'request' | 'read' | 'write';
  readonly partition: number;
  readonly bytes: number;
  /** Before it. */
  readonly passMs: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('request', 'read', 'write'),
  partition: fc.nat(PARTITIONS - 1),
  bytes: fc.nat(2_000_000),
  passMs: fc.oneof({ weight: 4, arbitrary: fc.nat(WINDOW_MS / 10) }, { weight: 1, arbitrary: fc.nat(5 * WINDOW_MS) }),
});

testProp(
  'windows and partitions add up to what was counted in them',
  [fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: WINDOWS_MAX })],
  (t, steps, windows) => {
    const counters = new LoadCounters(PARTITIONS, START_MS);
    let nowMs = START_MS;
    const log: (Step & { readonly atMs: number })[] = [];
    for (const one of steps) {
      nowMs += one.passMs;
      counters.roll(nowMs);
      if (one.kind === 'request') counters.requested(one.partition, 1, 2, KEY);
      else if (one.kind === 'read') counters.read(one.partition, one.bytes);
      else counters.wrote(one.partition, one.bytes);
      log.push({ ...one, atMs: nowMs });
    }
    const report = counters.report(windows, nowMs);
    const now = windowOf(nowMs);
    const sumOf = (all: readonly Step[]): object => ({
      requests: all.filter(({ kind }) => kind === 'request').length,
      reads: all.filter(({ kind }) => kind === 'read').length,
      writes: all.filter(({ kind }) => kind === 'write').length,
      bytesRead: all.reduce((sum, { kind, bytes }) => sum + (kind === 'read' ? bytes : 0), 0),
      bytesWritten: all.reduce((sum, { kind, bytes }) => sum + (kind === 'write' ? bytes : 0), 0),
    });
    for (const { fromMs, toMs, ...counts } of report.windows) {
      t.deepEqual(counts, sumOf(log.filter(({ atMs }) => windowOf(atMs) === windowOf(fromMs))));
      t.true(fromMs <= toMs && toMs <= (windowOf(fromMs) + 1) * WINDOW_MS);
      t.true(windowOf(fromMs) > now - WINDOWS_MAX);
    }
    for (const { partition, bytesRead, bytesWritten, ...counts } of report.partitions) {
      const meant = log.filter((one) => windowOf(one.atMs) > now - windows && one.partition === partition);
      const exact = sumOf(meant) as { bytesRead: number; bytesWritten: number };
      t.deepEqual({ ...counts, bytesRead: exact.bytesRead, bytesWritten: exact.bytesWritten }, exact);
      // A window that has ended keeps 24 bits of each number.
      t.true(Math.abs(bytesRead - exact.bytesRead) <= exact.bytesRead * 2 ** -23 + 1);
      t.true(Math.abs(bytesWritten - exact.bytesWritten) <= exact.bytesWritten * 2 ** -23 + 1);
    }
    t.is(report.windows.at(-1)?.toMs, nowMs);
  },
);

test('one request in eight is sampled, whatever the order of the keys', (t) => {
  const counters = new LoadCounters(1, START_MS);
  const keys = Array.from({ length: 8 }, (_, i) => Buffer.from(`key ${i}`));
  for (let i = 0; i < 80_000; i++) counters.requested(0, 0, i % 8, keys[i % 8] as Buffer);
  const report = counters.report(1, START_MS);
  t.is(report.sampling, 8);
  t.is(report.keys.length, 8);
  for (const { samples } of report.keys) t.true(Math.abs(samples - 1_250) < 150, `${samples} of 10,000`);
});

test('a clock that is put back lengthens a window, one that is put ahead ends it', (t) => {
  const counters = new LoadCounters(1, START_MS + 5);
  counters.read(0, 1);
  counters.roll(START_MS - 10 * WINDOW_MS);
  counters.read(0, 1);
  t.deepEqual(
    counters.report(1, START_MS - WINDOW_MS).windows.map(({ reads }) => reads),
    [2],
  );
  counters.roll(START_MS + 3 * WINDOW_MS + 1);
  t.deepEqual(
    counters.report(1, START_MS + 3 * WINDOW_MS + 1).windows.map(({ fromMs, toMs, reads }) => [fromMs, toMs, reads]),
    [
      [START_MS + 5, START_MS + WINDOW_MS, 2],
      [START_MS + 3 * WINDOW_MS, START_MS + 3 * WINDOW_MS + 1, 0],
    ],
  );
});

test('a day is remembered, and keys of the windows asked for', (t) => {
  const counters = new LoadCounters(1, START_MS);
  for (let i = 0; i < 60; i++) {
    const nowMs = START_MS + i * WINDOW_MS;
    counters.roll(nowMs);
    for (let n = 0; n < 100; n++) counters.requested(0, 7, i, Buffer.from(`hot in ${i}`));
  }
  const report = counters.report(2, START_MS + 59 * WINDOW_MS + 1);
  t.is(report.windows.length, WINDOWS_MAX);
  t.deepEqual(report.keys.map(({ key }) => Buffer.from(key).toString()).sort(), ['hot in 58', 'hot in 59']);
  t.is(report.partitions[0]?.requests, 200);
});

test('one key of several lists is added up', (t) => {
  const key = { key: KEY, keyBytes: 3, hashHi: 1, hashLo: 2, samples: 10, overcount: 4 };
  const other = { ...key, hashLo: 3, samples: 9, overcount: 0 };
  t.deepEqual(mergeKeys([[key], [other], [{ ...key, samples: 5, overcount: 1 }]]), [
    { ...key, samples: 15, overcount: 5 },
    other,
  ]);
});
