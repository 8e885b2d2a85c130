import test from 'ava';
import { fc } from '@fast-check/ava';
import { Prng } from '../../src/lib/prng.js';
import type { KeyHash } from '../../src/model/hash.js';
import { areLeaves, areNodes, LEAVES_PER_ASK, LISTED_MAX } from '../../src/repair/exchange.js';
import { LISTED_BYTES } from '../../src/repair/listing.js';
import { meet, TwinStore } from './twins.js';

const LEAVES = 4_096;
/** Of partition 0 of 256: the first eight bits are zero. */
const placeOf = (random: Prng): KeyHash => ({ hi: random.u32() >>> 8, lo: random.u32() });

function twins(count: number, leafCount = LEAVES, seed = 1): { a: TwinStore; b: TwinStore; places: KeyHash[] } {
  const random = new Prng(seed);
  const a = new TwinStore(leafCount);
  const b = new TwinStore(leafCount);
  const places: KeyHash[] = [];
  for (let i = 0; i < count; i++) {
    const place = placeOf(random);
    places.push(place);
    for (const store of [a, b]) store.merge(place, `key ${i}`, ['first'], 1_000);
  }
  return { a, b, places };
}

test('equal owners ask one question, and the answer is 12 bytes', (t) => {
  const { a, b } = twins(500);
  const { outcome, messages, bytes } = meet(a, b);
  t.deepEqual(outcome, { failure: null, pulled: 0, pushed: 0, young: 0 });
  t.is(messages, 1);
  t.is(bytes, 12);
});

test('what differs is moved in both directions, and nothing else is', (t) => {
  const { a, b, places } = twins(500);
  a.merge(places[3] as KeyHash, 'key 3', ['of a'], 2_000);
  b.merge(places[3] as KeyHash, 'key 3', ['of b'], 2_000);
  a.merge(places[40] as KeyHash, 'key 40', ['of a'], 2_000);
  b.merge({ hi: 77, lo: 1 }, 'only b has it', ['new'], 2_000);
  a.merge({ hi: 78, lo: 1 }, 'only a has it', ['new'], 2_000);
  const { outcome } = meet(a, b);
  t.is(a.contents(), b.contents());
  t.deepEqual(outcome, { failure: null, pulled: 3, pushed: 3, young: 0 });
  t.is(meet(a, b).messages, 1, 'and now they are equal');
});

test('whatever two owners hold, after one meeting both hold the merge of it', (t) => {
  const fact = fc.record({
    hi: fc.integer({ min: 0, max: 40 }).map((n) => n * 25_000),
    lo: fc.integer({ min: 0, max: 1 }),
    key: fc.integer({ min: 0, max: 1 }),
    fact: fc.constantFrom('x', 'y', 'z'),
    at: fc.constantFrom('a', 'b'),
  });
  fc.assert(
    fc.property(
      fc.array(fact, { maxLength: 80 }),
      fc.constantFrom(256, 512, 4_096),
      fc.boolean(),
      fc.integer({ min: 1, max: 5 }),
      (facts, leafCount, whole, recordsMax) => {
        const a = new TwinStore(leafCount);
        const b = new TwinStore(leafCount);
        const all = new TwinStore(leafCount);
        for (const { hi, lo, key, fact: text, at } of facts) {
          const name = `${hi}/${lo}/${key}`;
          (at === 'a' ? a : b).merge({ hi, lo }, name, [text], 1);
          all.merge({ hi, lo }, name, [text], 1);
        }
        const { outcome } = meet(a, b, { whole, recordsMax });
        t.is(outcome.failure, null);
        t.is(a.contents(), all.contents());
        t.is(b.contents(), all.contents());
      },
    ),
    { numRuns: 300 },
  );
});

test('the cost goes with the differences, not with the keys', (t) => {
  for (const [keys, differ] of [
    [2_000, 10],
    [8_000, 10],
  ] as const) {
    const { a, b, places } = twins(keys);
    for (let i = 0; i < differ; i++) a.merge(places[i * 7] as KeyHash, `key ${i * 7}`, ['more'], 2_000);
    const { outcome, messages, bytes } = meet(a, b);
    t.is(outcome.pulled, differ, 'a cannot tell whose is newer, so it asks for theirs first');
    t.is(outcome.pushed, differ);
    t.true(messages <= 8, `${messages} messages`);
    t.true(bytes < 12_000, `${bytes} bytes`);
  }
});

test('an empty owner gets everything, a bounded piece at a time', (t) => {
  const { b } = twins(5_000);
  for (const whole of [false, true]) {
    const empty = new TwinStore(LEAVES);
    const { outcome, listedMax } = meet(empty, b, { whole });
    t.is(empty.contents(), b.contents());
    t.deepEqual(outcome, { failure: null, pulled: 5_000, pushed: 0, young: 0 });
    t.true(listedMax <= LISTED_MAX);
  }
});

test('what is young is left alone, and is moved when it has grown old', (t) => {
  const { a, b, places } = twins(300);
  a.merge(places[1] as KeyHash, 'key 1', ['in flight'], 9_000);
  b.merge({ hi: 5, lo: 5 }, 'in flight to a', ['new'], 9_500);
  const early = meet(a, b, { settledMs: 8_999 });
  t.deepEqual(early.outcome, { failure: null, pulled: 0, pushed: 0, young: 2 });
  t.not(a.contents(), b.contents());
  const late = meet(a, b, { settledMs: 9_500 });
  t.deepEqual(late.outcome, { failure: null, pulled: 2, pushed: 1, young: 0 });
  t.is(a.contents(), b.contents());
});

test('a damaged copy is left to whoever asks all owners, unless everything is compared', (t) => {
  const { a, b } = twins(100);
  a.damage('key 4');
  b.damage('key 5');
  a.merge({ hi: 5, lo: 5 }, 'so that they differ', ['new'], 1);
  t.deepEqual(meet(a, b, { whole: false }).outcome.pulled, 0);
  t.true(a.contents().includes('key 4 first true'));
  const { outcome } = meet(a, b, { whole: true });
  t.is(outcome.pulled, 1, 'key 4');
  t.true(a.contents().includes('key 4 first false'));
  t.true(b.contents().includes('key 5 first true'), 'of theirs they are told nothing that would make them sure');
});

test('a meeting that breaks anywhere loses nothing, and the next one moves only what is left', (t) => {
  for (let breaksAt = 1; breaksAt < 40; breaksAt++) {
    const { a, b, places } = twins(400);
    for (let i = 0; i < 60; i++) b.merge(places[i] as KeyHash, `key ${i}`, ['more'], 2_000);
    const first = meet(a, b, { breaksAt, recordsMax: 10 });
    if (first.outcome.failure === null) break;
    t.is(first.outcome.failure, 'The connection was lost');
    const left = [...b.records.values()].filter(
      ({ key, facts }) => facts.has('more') && !a.records.get(key)?.facts.has('more'),
    );
    const second = meet(a, b, { recordsMax: 10 });
    t.is(a.contents(), b.contents());
    t.is(second.outcome.pulled, left.length);
  }
});

test('writes in between disturb nothing: what is there at the start is on both sides at the end', (t) => {
  fc.assert(
    fc.property(fc.integer(), fc.boolean(), (seed, whole) => {
      const { a, b, places } = twins(200, LEAVES, 3);
      const random = new Prng(seed);
      for (let i = 0; i < 30; i++) a.merge(places[i] as KeyHash, `key ${i}`, [`a ${i}`], 2_000);
      for (let i = 15; i < 45; i++) b.merge(places[i] as KeyHash, `key ${i}`, [`b ${i}`], 2_000);
      const { outcome } = meet(a, b, {
        whole,
        recordsMax: 16,
        meanwhile: () => {
          const i = random.int(200);
          (random.chance(0.5) ? a : b).merge(places[i] as KeyHash, `key ${i}`, [`later ${random.int(9)}`], 3_000);
        },
      });
      t.is(outcome.failure, null);
      for (const store of [a, b]) {
        for (let i = 0; i < 30; i++) t.true(store.records.get(`key ${i}`)?.facts.has(`a ${i}`));
        for (let i = 15; i < 45; i++) t.true(store.records.get(`key ${i}`)?.facts.has(`b ${i}`));
      }
    }),
    { numRuns: 40 },
  );
});

test('questions are judged: levels, parents and leaves that are not there', (t) => {
  t.true(areNodes(4_096, 3, []));
  t.false(areNodes(4_096, 2, []));
  t.true(areNodes(4_096, 0, [0, 255]));
  t.false(areNodes(4_096, 0, [256]));
  t.false(areNodes(4_096, 4, [0]));
  t.true(areLeaves(256, [0, 255]));
  t.false(areLeaves(256, [256]));
  t.false(areLeaves(256, [3, 3]));
  t.false(
    areLeaves(
      LEAVES,
      Array.from({ length: LEAVES_PER_ASK + 1 }, (_, i) => i),
    ),
  );
  t.is(LISTED_BYTES * LISTED_MAX, 24_576);
});
