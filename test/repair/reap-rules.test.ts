/* What one record tells: whether all of it is over, since when, and what the reap log lets through. */
import test from 'ava';
import { filterReaped, isReaped } from '../../src/repair/reap-filter.js';
import { headOf, isHead, isHeadOf, keyOfHead } from '../../src/repair/record-head.js';
import { isOldEnough, newestMs } from '../../src/repair/reap-rules.js';
import { judgeHolding, type Holding, type ReapVerdict } from '../../src/repair/reap-verdict.js';
import { checkRecord, siblingCount } from '../../src/versioning/record.js';
import { HASH } from '../sim/tools.js';
import { contextOf, gone, KEY, recordOf, value } from './records.js';

test('the records of this test are records', (t) => {
  const record = recordOf(gone(1, 7), value(2, 'abc'));
  t.is(checkRecord(record, 0, record.length, HASH, KEY), null);
});

test('the newest of all that a record names counts: stamps, ids, expiries; a value that stays stays', (t) => {
  t.is(newestMs(recordOf(gone(1, 9_000, 3), gone(2, 8_000)), 0), 9_000);
  t.is(newestMs(recordOf(gone(1, 9_000, 20)), 0), 21_000);
  t.is(newestMs(recordOf(gone(1, 1_000), value(2, 'x', 60_000)), 0), 60_000);
  t.is(newestMs(recordOf(gone(1, 1_000), value(2, 'x')), 0), Number.POSITIVE_INFINITY);
});

test('old enough is old by the clock of whoever is asked, less the skew', (t) => {
  const rules = { retryWindowMs: 60_000, skewMs: 30_000, reapAfterMs: 90_000 };
  const expired = recordOf(value(1, 'x', 100_000));
  t.false(isOldEnough(expired, 0, 100_000, rules));
  t.false(isOldEnough(expired, 0, 189_999, rules));
  t.true(isOldEnough(expired, 0, 190_000, rules));
  t.false(isOldEnough(recordOf(value(1, 'x')), 0, 1e12, rules));
});

test('the log takes what it covers, unless it is held here, and leaves the rest whole', (t) => {
  const record = recordOf(gone(1, 7), value(2, 'abc'), value(3, 'de'));
  const at = { bytes: record, start: 0 };
  t.is(filterReaped(at, [], null, HASH).kind, 'as-it-is');
  t.is(filterReaped(at, [contextOf(9)], null, HASH).kind, 'as-it-is');
  t.is(filterReaped(at, [contextOf(1, 2), contextOf(3)], null, HASH).kind, 'nothing-left');
  const held = { bytes: recordOf(value(2, 'abc')), start: 0 };
  t.is(filterReaped({ bytes: recordOf(value(2, 'abc')), start: 0 }, [contextOf(2)], held, HASH).kind, 'as-it-is');
  const less = filterReaped(at, [contextOf(1, 2)], null, HASH);
  if (less.kind !== 'less') return t.fail(less.kind);
  t.is(checkRecord(less.record, 0, less.record.length, HASH, KEY), null);
  t.is(siblingCount(less.record, 0), 1);
  t.is(Buffer.from(less.record.subarray(less.record.length - 10, less.record.length - 8)).toString(), 'de');
});

test('something of a record was reaped, or nothing', (t) => {
  const at = { bytes: recordOf(gone(1, 7), gone(2, 8)), start: 0 };
  t.true(isReaped(at, contextOf(2)));
  t.true(isReaped(at, contextOf(1, 9)));
  t.false(isReaped(at, contextOf(3)));
  t.false(isReaped(at, new Uint8Array(0)));
});

test('a head names its record and no other, and bytes that are none are refused', (t) => {
  const record = recordOf(value(1, 'abcdef', 9_000));
  const head = headOf(record, 0, record.length);
  t.is(head.length, record.length - 6);
  t.true(isHead(head));
  t.deepEqual(Buffer.from(keyOfHead(head)), KEY);
  t.true(isHeadOf(head, record, 0, record.length));
  const other = recordOf(value(1, 'abcdeX', 9_000));
  t.false(isHeadOf(head, other, 0, other.length));
  for (let cut = 0; cut < head.length; cut++) t.false(isHead(head.subarray(0, cut)), String(cut));
});

test('who holds what says yes, and to what else', (t) => {
  const owner: Holding = {
    isOwner: true,
    state: 'ok',
    isSame: true,
    isHinted: false,
    isOldEnough: true,
    isReaped: false,
  };
  const cases: readonly (readonly [Partial<Holding>, ReapVerdict])[] = [
    [{}, 'yes'],
    [{ isSame: false }, 'differs'],
    [{ isHinted: true }, 'hint'],
    [{ isOldEnough: false }, 'young'],
    [{ state: 'unknown' }, 'unknown'],
    [{ state: 'absent', isSame: false }, 'absent'],
    [{ state: 'absent', isSame: false, isReaped: true }, 'reaped'],
    [{ isOwner: false }, 'copy'],
    [{ isOwner: false, state: 'absent', isSame: false }, 'yes'],
    [{ isOwner: false, state: 'absent', isSame: false, isHinted: true }, 'hint'],
    [{ isOwner: false, state: 'unknown', isSame: false }, 'unknown'],
  ];
  for (const [more, verdict] of cases) t.is(judgeHolding({ ...owner, ...more }), verdict, JSON.stringify(more));
});
