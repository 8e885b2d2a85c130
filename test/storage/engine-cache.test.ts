import test from 'ava';
import { testProp, fc } from '@fast-check/ava';
import { Prng } from '../../src/lib/prng.js';
import { Doorkeeper } from '../../src/storage/doorkeeper.js';
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
        cache.offer(name, key, Buffer.from(value));
        if (!twin.has(name)) cache.offer(name, key, Buffer.from(value)); // the second question
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
    cache.offer(`k${i}`, i, Buffer.alloc(500));
    if (i === 10) t.is(cache.get('k10'), undefined, 'asked for once');
    cache.offer(`k${i}`, i, Buffer.alloc(500));
    if (i > 10) t.not(cache.get('k10'), undefined);
  }
  t.true(cache.size <= 1_000_000 / 660);
  t.true(cache.size >= 500);
  t.is(cache.get('k11'), undefined);
});

test('of no bytes it keeps nothing, and a value that is too large is not kept', (t) => {
  const none = new RecordCache(0);
  for (let i = 0; i < 3; i++) none.offer('a', 1, Buffer.alloc(1));
  t.is(none.size, 0);
  const small = new RecordCache(80_000);
  for (let i = 0; i < 3; i++) small.offer('a', 1, Buffer.alloc(20_000));
  t.is(small.size, 0);
});

test('of many keys asked for at random nearly none gets a place, of few all do', (t) => {
  const prng = new Prng(3);
  const placed = (keys: number, questions: number): number => {
    const cache = new RecordCache(1_000_000);
    for (let i = 0; i < questions; i++) {
      const key = prng.int(keys);
      if (cache.get(`k${key}`) === undefined) cache.offer(`k${key}`, Math.imul(key, 0x9e3779b1), Buffer.alloc(100));
    }
    return cache.size;
  };
  t.true(placed(1_000, 10_000) > 990);
  const before = placed(1_000_000, 20_000);
  t.true(before < 1_000, `${before} of 20,000`);
});

test('the doorkeeper remembers as many keys as it was told, and then forgets them all', (t) => {
  const doorkeeper = new Doorkeeper(100);
  t.false(doorkeeper.wasHere(7));
  t.true(doorkeeper.wasHere(7));
  for (let i = 1_000; i < 1_099; i++) doorkeeper.wasHere(i);
  t.true(doorkeeper.wasHere(7), 'a hundred keys are not too many');
  for (let i = 1_099; i < 1_300; i++) doorkeeper.wasHere(i);
  t.false(doorkeeper.wasHere(7));
});
