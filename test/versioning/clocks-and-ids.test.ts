import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { fromHex, toHex } from '../../src/lib/bytes.js';
import { Prng } from '../../src/lib/prng.js';
import { actorText, freshActorHi, ordinalOf } from '../../src/versioning/actor.js';
import { Hlc } from '../../src/versioning/hlc.js';
import { judgePutId, putIdFailure, putIdSeconds, writePutId } from '../../src/versioning/put-id.js';
import { RememberedIds } from '../../src/versioning/remembered.js';
import { id, normalForm, putIds } from './support.js';

const MINUTE_MS = 60_000;

function stamp(clock: Hlc): [number, number] {
  return [clock.wallMs, clock.logical];
}

function isAfter(a: [number, number], b: [number, number]): boolean {
  return a[0] > b[0] || (a[0] === b[0] && a[1] > b[1]);
}

const event = fc.record({
  nowMs: fc.integer({ min: 0, max: 200_000 }),
  remoteMs: fc.option(fc.integer({ min: 0, max: 300_000 })),
  logical: fc.constantFrom(0, 1, 0xffff),
});

testProp(
  'A hybrid clock never gives a stamp twice, and never goes back, whatever the wall clock does',
  [fc.array(event, { minLength: 1 })],
  (t, events) => {
    const clock = new Hlc(1_000, 5);
    for (const { nowMs, remoteMs, logical } of events) {
      const before = stamp(clock);
      if (remoteMs === null) {
        clock.tick(nowMs);
        t.true(isAfter(stamp(clock), before));
      } else {
        const verdict = clock.observe(remoteMs, logical, nowMs, 'peer');
        t.false(isAfter(before, stamp(clock)));
        t.is(verdict, remoteMs > nowMs + MINUTE_MS ? 'clamped' : 'ok');
        if (verdict === 'ok') t.false(isAfter([remoteMs, logical], stamp(clock)));
        t.true(clock.wallMs <= Math.max(before[0], nowMs + MINUTE_MS));
      }
      t.true(clock.logical <= 0xffff);
    }
  },
);

test('A hybrid clock follows the wall clock, and counts while it stands', (t) => {
  const clock = new Hlc(0, 0);
  clock.tick(10);
  t.deepEqual(stamp(clock), [10, 0]);
  clock.tick(10);
  clock.tick(3);
  t.deepEqual(stamp(clock), [10, 2]);
  clock.tick(11);
  t.deepEqual(stamp(clock), [11, 0]);
});

test('A full logical part carries over into the wall part', (t) => {
  const clock = new Hlc(10, 0xffff);
  clock.tick(10);
  t.deepEqual(stamp(clock), [11, 0]);
});

test('A restarted node goes on above the last stamp it kept', (t) => {
  const before = new Hlc(0, 0);
  before.tick(500);
  before.tick(500);
  const after = new Hlc(before.wallMs, before.logical);
  after.tick(20);
  t.deepEqual(stamp(after), [500, 2]);
});

test('A client’s stamp from more than a minute ahead is refused and changes nothing', (t) => {
  const clock = new Hlc(0, 0);
  clock.tick(1_000);
  t.is(clock.observe(1_000 + MINUTE_MS + 1, 0, 1_000, 'client'), 'refused');
  t.deepEqual(stamp(clock), [1_000, 0]);
  t.is(clock.observe(1_000 + MINUTE_MS, 3, 1_000, 'client'), 'ok');
  t.deepEqual(stamp(clock), [61_000, 3]);
});

test('A peer’s stamp from more than a minute ahead is followed for a minute, and counted', (t) => {
  const clock = new Hlc(0, 0);
  t.is(clock.observe(9_999_999, 0, 1_000, 'peer'), 'clamped');
  t.deepEqual(stamp(clock), [61_000, 0]);
  t.is(clock.clamped, 1);
});

test('Put ids are judged against the retry window on one side and the skew on the other', (t) => {
  const nowS = 1_700_000_000;
  const judged = (seconds: number): string => judgePutId(fromHex(id(seconds, 1)), nowS);
  t.is(judged(nowS - 61), 'too-old');
  t.is(judged(nowS - 60), 'ok');
  t.is(judged(nowS + 60), 'ok');
  t.is(judged(nowS + 61), 'future');
});

test('A refused put id says how far off it is and what to do', (t) => {
  const late = putIdFailure('too-old', fromHex(id(100, 1)), 175);
  t.like(late, { code: 'RETRY_TOO_LATE', retryable: false, outcomeUnknown: true });
  t.regex(late.text, /75 s old.*60 s.*read the key/);
  const early = putIdFailure('future', fromHex(id(200, 1)), 100);
  t.like(early, { code: 'INVALID_ARGUMENT', outcomeUnknown: false });
  t.regex(early.text, /100 s ahead.*60 s/);
});

test('A put id carries its time first', (t) => {
  const bytes = new Uint8Array(14);
  writePutId(bytes, 1, 0xfedcba98, new Prng(1));
  t.is(putIdSeconds(bytes, 1), 0xfedcba98);
  t.is(bytes[0], 0);
  t.is(bytes[13], 0);
});

test('An actor has the node’s ordinal on top and 48 random bits', (t) => {
  const random = new Prng(3);
  const his = Array.from({ length: 1_000 }, () => freshActorHi(0xfffe, random));
  t.true(his.every((hi) => ordinalOf(hi) === 0xfffe && hi >= 0 && hi <= 0xffff_ffff));
  t.true(new Set(his).size > 900);
  t.is(actorText(0x0001_0002, 0xa), '000100020000000a');
});

const someIds = fc.array(putIds, { maxLength: 40 });

/** Joins lists of ids one after the other, each brought to normal form first, as records do. */
function joined(lists: readonly (readonly string[])[]): string {
  const result = new RememberedIds();
  for (const list of lists) {
    const one = new RememberedIds();
    for (const text of list) one.add(fromHex(text), 0);
    one.normalise();
    const bytes = new Uint8Array(12 * one.count);
    one.write(bytes, 0);
    result.addAll(bytes, 0, one.count);
    result.joinCut(one.cut);
    result.normalise();
  }
  const bytes = new Uint8Array(12 * result.count);
  result.write(bytes, 0);
  return `${toHex(bytes)} cut ${result.cut}`;
}

testProp(
  'Remembered ids end the same whatever the order and the grouping, and as the dumb twin has it',
  [fc.tuple(someIds, someIds, someIds, someIds)],
  (t, [a, b, c, d]) => {
    const wanted = joined([a, b, c, d]);
    t.is(joined([d, c, b, a]), wanted);
    t.is(joined([[...c, ...a], b, d]), wanted);
    t.is(joined([a, b, b, a, c, d, c]), wanted);
    t.is(joined([[...a, ...b, ...c, ...d]]), wanted);
    const twin = normalForm([...a, ...b, ...c, ...d], 0);
    t.is(wanted, `${twin.remembered.join('')} cut ${twin.cut}`);
  },
  { numRuns: 400 },
);

test('The 17th id pushes out the oldest, and the cut remembers when that was', (t) => {
  const ids = Array.from({ length: 17 }, (_, n) => id(1_000 + n, 0));
  const remembered = new RememberedIds();
  for (const text of ids.toReversed()) remembered.add(fromHex(text), 0);
  remembered.normalise();
  t.is(remembered.count, 16);
  t.is(remembered.cut, 1_000);
});

test('What is a window older than the newest is forgotten, a cut as well', (t) => {
  t.is(joined([[id(100, 0)], [id(160, 0)]]), `${id(100, 0)}${id(160, 0)} cut 0`);
  t.is(joined([[id(100, 0)], [id(161, 0)]]), `${id(161, 0)} cut 0`);
  const many = Array.from({ length: 17 }, (_, n) => id(100, n));
  t.regex(joined([many]), /cut 100$/);
  t.regex(joined([many, [id(160, 0)]]), /cut 100$/);
  t.is(joined([many, [id(161, 0)]]), `${id(161, 0)} cut 0`);
});
