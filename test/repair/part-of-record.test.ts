/* What stays of a record is a record, with the remembered put ids and the right values. */
import test from 'ava';
import { writeU16, writeU32 } from '../../src/lib/bytes.js';
import { entriesAt, partOf } from '../../src/repair/part-of-record.js';
import { checkRecord, rememberedCount, rememberedStart } from '../../src/versioning/record.js';
import { seal } from '../../src/versioning/write.js';
import { HASH } from '../sim/tools.js';
import { contextOf, gone, KEY, recordOf, recordWith, value } from './records.js';

const IDS = [Buffer.from('000000031111111111111111', 'hex'), Buffer.from('000000042222222222222222', 'hex')];
const START = 5;

/** It remembers two more puts. */
function remembering(record: Uint8Array): Uint8Array {
  const at = rememberedStart(record, 0);
  const whole = new Uint8Array(Buffer.concat([record.subarray(0, at), ...IDS, record.subarray(at)]));
  writeU32(whole, 4, whole.length);
  writeU16(whole, 12, IDS.length);
  seal(whole, 0, whole.length, HASH);
  return whole;
}

/** As in a page, or a frame. */
const among = (record: Uint8Array): { readonly bytes: Uint8Array; readonly start: number } => ({
  bytes: Buffer.concat([Buffer.alloc(START, 0xee), record, Buffer.alloc(9, 0xdd)]),
  start: START,
});

const MIXED = remembering(recordWith([7], value(1, 'apple'), gone(2, 5), value(3, 'pear')));

test('all of it is the record itself', (t) => {
  t.is(checkRecord(MIXED, 0, MIXED.length, HASH, KEY), null);
  t.deepEqual(partOf(among(MIXED), { entries: null, siblings: [0, 1, 2] }, HASH), MIXED);
  t.deepEqual(partOf(among(MIXED), { entries: [0, 1, 2, 3], siblings: [0, 1, 2] }, HASH), MIXED);
});

test('without some versions the context stays, unless it says otherwise, and the ids in any case', (t) => {
  const last = partOf(among(MIXED), { entries: [2], siblings: [2] }, HASH);
  t.deepEqual(last, remembering(recordOf(value(3, 'pear'))));
  const whole = partOf(among(MIXED), { entries: null, siblings: [0] }, HASH);
  t.is(checkRecord(whole, 0, whole.length, HASH, KEY), null);
  t.is(rememberedCount(whole, 0), 2);
  t.true(Buffer.from(whole).includes('apple') && !Buffer.from(whole).includes('pear'));
  t.deepEqual(entriesAt({ bytes: whole, start: 0 }, [0, 1, 2, 3]), contextOf(1, 2, 3, 7));
  t.deepEqual(entriesAt(among(MIXED), [1, 3]), contextOf(2, 7));
});
