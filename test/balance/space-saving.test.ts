/* The sketch against a count of everything: what it says of a key is never too low, and how far too high it knows. */
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { SpaceSaving } from '../../src/balance/space-saving.js';

interface Drawn {
  readonly hi: number;
  readonly lo: number;
}

/** Few low halves, neighbours among them: the table is to be full of collisions. */
const drawn: fc.Arbitrary<Drawn> = fc.record({ hi: fc.nat(3), lo: fc.nat(12) });
const skewed = fc.oneof({ weight: 3, arbitrary: drawn }, { weight: 1, arbitrary: fc.constant({ hi: 0, lo: 0 }) });
const requests = fc.array(skewed, { maxLength: 400 });

const nameOf = ({ hi, lo }: Drawn): string => `${hi}/${lo}`;
const keyOf = (one: Drawn): Uint8Array => Buffer.from(nameOf(one));

function counted(all: readonly Drawn[], capacity: number): { sketch: SpaceSaving; truth: Map<string, number> } {
  const sketch = new SpaceSaving(capacity, 16);
  const truth = new Map<string, number>();
  for (const one of all) {
    sketch.note(one.hi, one.lo, keyOf(one));
    truth.set(nameOf(one), (truth.get(nameOf(one)) ?? 0) + 1);
  }
  return { sketch, truth };
}

testProp(
  'the truth lies between a count and what of it is certain',
  [requests, fc.integer({ min: 1, max: 60 })],
  (t, all, capacity) => {
    const { sketch, truth } = counted(all, capacity);
    const top = sketch.top(capacity);
    for (const { key, count, overcount, hashHi, hashLo } of top) {
      const name = Buffer.from(key).toString();
      t.is(name, `${hashHi}/${hashLo}`);
      const real = truth.get(name) ?? 0;
      t.true(real <= count, `${name}: ${real} of ${count}`);
      t.true(count - overcount <= real, `${name}: ${count} − ${overcount} above ${real}`);
      t.true(overcount <= all.length / capacity);
    }
    t.is(
      top.reduce((sum, { count }) => sum + count, 0),
      all.length,
    );
  },
);

testProp(
  'whatever is more frequent than total ÷ capacity is found',
  [requests, fc.integer({ min: 1, max: 60 })],
  (t, all, capacity) => {
    const { sketch, truth } = counted(all, capacity);
    const found = new Set(sketch.top(capacity).map(({ key }) => Buffer.from(key).toString()));
    t.is(sketch.total, all.length);
    t.is(found.size, Math.min(truth.size, capacity));
    for (const [name, count] of truth) if (count > all.length / capacity) t.true(found.has(name), name);
  },
);

testProp('with room for all it is exact', [requests], (t, all) => {
  const { sketch, truth } = counted(all, 52);
  const seen = sketch.top(52).map(({ key, count, overcount }) => [Buffer.from(key).toString(), count, overcount]);
  t.deepEqual(seen.sort(), [...truth].map(([name, count]) => [name, count, 0]).sort());
});

testProp(
  'cleared, it is a new one',
  [requests, requests, fc.integer({ min: 1, max: 20 })],
  (t, before, after, capacity) => {
    const { sketch } = counted(before, capacity);
    sketch.clear();
    for (const one of after) sketch.note(one.hi, one.lo, keyOf(one));
    t.deepEqual(sketch.top(capacity), counted(after, capacity).sketch.top(capacity));
  },
);

test('a long key is named by its beginning', (t) => {
  const sketch = new SpaceSaving(1, 4);
  sketch.note(1, 2, Buffer.from('abcdefgh'));
  t.deepEqual(sketch.top(9), [
    { key: Uint8Array.from(Buffer.from('abcd')), keyBytes: 8, hashHi: 1, hashLo: 2, count: 1, overcount: 0 },
  ]);
});
