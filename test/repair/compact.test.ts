/* What is left out of a record that lives on, and what must stay. */
import test from 'ava';
import { compacted, leftOver } from '../../src/repair/compact.js';
import { filterReaped } from '../../src/repair/reap-filter.js';
import { MergePlan } from '../../src/versioning/merge.js';
import { checkRecord, contextCount, siblingCount } from '../../src/versioning/record.js';
import { HASH } from '../sim/tools.js';
import { contextOf, gone, KEY, recordOf, recordWith, value } from './records.js';

const at = (bytes: Uint8Array): { readonly bytes: Uint8Array; readonly start: number } => ({ bytes, start: 0 });
const isSound = (record: Uint8Array): boolean => checkRecord(record, 0, record.length, HASH, KEY) === null;

test('deletes beside living values are over, and actors without a version; nothing else is', (t) => {
  t.is(leftOver(recordOf(value(1, 'a'), value(2, 'b')), 0), null);
  t.is(leftOver(recordOf(gone(1, 5), gone(2, 6)), 0), null, 'all of it is over: it is reaped, not compacted');
  t.is(leftOver(recordWith([7], gone(1, 5)), 0), null);
  t.like(leftOver(recordWith([7, 8], value(1, 'a')), 0), { deletes: 0, actors: 2, deletesMs: 0 });
  const mixed = recordWith([7], gone(1, 9_000, 20), value(2, 'b'), gone(3, 7_000));
  t.like(leftOver(mixed, 0), { deletes: 2, actors: 3, deletesMs: 21_000, newestMs: 21_000 });
});

test('what is left is a record of the living versions, and names what was left out', (t) => {
  const whole = recordWith([7, 9], value(1, 'apple'), gone(2, 5), value(3, 'pear'));
  const { record, context } = compacted(at(whole), HASH);
  t.true(isSound(whole) && isSound(record));
  t.deepEqual(record, recordOf(value(1, 'apple'), value(3, 'pear')));
  t.deepEqual(context, contextOf(2, 7, 9));
  t.is(leftOver(record, 0), null);
});

test('an actor with a living version keeps its entry, whatever else of it was deleted', (t) => {
  const { record, context } = compacted(at(recordWith([], value(1, 'a'), gone(2, 5))), HASH);
  t.deepEqual([contextCount(record, 0), siblingCount(record, 0), context.length], [1, 1, 14]);
});

test('an owner that has missed it brings nothing back but what passes the log', (t) => {
  const missed = recordWith([7], value(1, 'a'), gone(2, 5));
  const { record, context } = compacted(at(missed), HASH);
  const offered = filterReaped(at(missed), [context], at(record), HASH);
  if (offered.kind !== 'less') return t.fail(offered.kind);
  t.is(siblingCount(offered.record, 0), 1);
  const merge = new MergePlan();
  t.is(merge.plan(record, 0, offered.record, 0), 'same-as-b', 'its context stays whole until the next round');
  // A value that had been overwritten, in a file of an earlier day: the context knows it no more, the log does.
  const old = recordWith([], value(7, 'old'));
  t.is(filterReaped(at(old), [context], at(record), HASH).kind, 'nothing-left');
  t.is(filterReaped(at(old), [], at(record), HASH).kind, 'as-it-is');
});
