import test from 'ava';
import { testProp, fc } from '@fast-check/ava';
import { RecordCache } from '../../src/storage/cache.js';

testProp(
  'what it has is what was put last and not taken out, and the youngest is always there',
  [
    fc.array(
      fc.record({
        key: fc.integer({ min: 0, max: 20 }),
        size: fc.integer({ min: 1, max: 3_000 }),
        what: fc.constantFrom('put', 'get', 'delete'),
      }),
      { maxLength: 300 },
    ),
  ],
  (t, steps) => {
    const cache = new RecordCache(1_000_000);
    const twin = new Map<string, string>();
    for (const [i, { key, size, what }] of steps.entries()) {
      const name = `k${key}`;
      if (what === 'put') {
        const value = `${i}/`.padEnd(size, '.');
        cache.put(name, Buffer.from(value));
        twin.set(name, value);
        t.not(cache.get(name), undefined);
      } else if (what === 'delete') {
        cache.delete(name);
        twin.delete(name);
      }
      const found = cache.get(name);
      const value =
        found === undefined ? undefined : Buffer.from(found.bytes.subarray(found.start, found.end)).toString();
      if (value !== undefined && value !== twin.get(name)) t.fail(`${name} is not what was put`);
    }
    t.true(cache.size <= twin.size);
  },
);

test('it is bounded, keeps what is asked for, and forgets the rest', (t) => {
  const cache = new RecordCache(1_000_000);
  for (let i = 0; i < 20_000; i++) {
    cache.put(`k${i}`, Buffer.alloc(500));
    if (i > 10) t.not(cache.get('k10'), undefined);
  }
  t.true(cache.size <= 1_000_000 / 660);
  t.true(cache.size >= 500);
  t.is(cache.get('k11'), undefined);
});

test('of no bytes it keeps nothing, and a value that is too large is not kept', (t) => {
  const none = new RecordCache(0);
  none.put('a', Buffer.alloc(1));
  t.is(none.size, 0);
  const small = new RecordCache(80_000);
  small.put('a', Buffer.alloc(20_000));
  t.is(small.size, 0);
});
