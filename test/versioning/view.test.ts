import { testProp } from '@fast-check/ava';
import test from 'ava';
import { describeRecord } from '../../src/versioning/describe.js';
import { RecordView } from '../../src/versioning/view.js';
import { encodePlain, id, KEY, NOW_MS, records, show, type PlainRecord, type PlainSibling } from './support.js';

const A = '0001000000000000';
const B = '0002000000000000';
const C = '0003000000000000';
const NOW_S = NOW_MS / 1_000;

function version(actor: string, n: number, more: Partial<PlainSibling> = {}): PlainSibling {
  return {
    actor,
    counter: 1,
    tombstone: false,
    wallMs: NOW_MS,
    logical: 7,
    expiresMs: 0,
    putId: id(NOW_S, n),
    value: `v${n}`,
    ...more,
  };
}

function recordOf(siblings: readonly PlainSibling[], remembered: readonly string[] = []): Uint8Array {
  const context = Object.fromEntries(siblings.map((s) => [s.actor, s.counter]));
  return encodePlain({ key: KEY.toString(), context, siblings, remembered, cut: 0 });
}

function whyHidden(record: Uint8Array, nowMs: number = NOW_MS): string[] {
  const view = new RecordView();
  view.show(record, 0, nowMs);
  return describeRecord(record, 0, nowMs).siblings.map((s, i) => {
    if (s.hidden !== view.whyHidden(i)) throw new Error('explain and view disagree');
    return s.hidden;
  });
}

/** The view, said with objects. */
function showPlain(record: PlainRecord, nowMs: number): string[] {
  const first = new Map<string, PlainSibling>();
  for (const s of record.siblings) if (!first.has(s.putId)) first.set(s.putId, s);
  return [...first.values()]
    .filter((s) => !record.remembered.includes(s.putId) && !s.tombstone && (s.expiresMs === 0 || s.expiresMs > nowMs))
    .map((s) => s.value);
}

testProp(
  'The view shows what its dumb twin shows, and explains the rest',
  [records()],
  (t, plain) => {
    const record = encodePlain(plain);
    for (const nowMs of [0, 1_700_000_000_000]) {
      const { values } = show(record, nowMs);
      t.deepEqual(values, showPlain(plain, nowMs));
      t.is(whyHidden(record, nowMs).filter((why) => why === '').length, values.length);
    }
  },
  { numRuns: 300 },
);

test('A tombstone is hidden, a value beside it is not', (t) => {
  const record = recordOf([version(A, 1, { tombstone: true, value: '' }), version(B, 2)]);
  t.deepEqual(show(record).values, ['v2']);
  t.deepEqual(whyHidden(record), ['tombstone', '']);
});

test('A version reads as deleted from its expiry on, and not a millisecond earlier', (t) => {
  const record = recordOf([version(A, 1, { expiresMs: NOW_MS })]);
  t.deepEqual(show(record, NOW_MS - 1).values, ['v1']);
  t.deepEqual(show(record, NOW_MS).values, []);
  t.deepEqual(whyHidden(record, NOW_MS), ['expired']);
});

test('A version whose put id is remembered is hidden, and its id is not carried again', (t) => {
  const record = recordOf([version(A, 1), version(B, 2)], [id(NOW_S, 1)]);
  t.deepEqual(show(record).values, ['v2']);
  t.deepEqual(whyHidden(record), ['overwritten (its put id is remembered)', '']);
  t.is(show(record).token.length, 16 + 2 * 14 + 12 + 8);
});

test('Of several versions of one put the lowest dot is shown', (t) => {
  const record = recordOf([version(A, 1), version(B, 1), version(C, 1)]);
  t.deepEqual(show(record).values, ['v1']);
  t.deepEqual(whyHidden(record), [
    '',
    'duplicate of a put shown under a lower dot',
    'duplicate of a put shown under a lower dot',
  ]);
  t.is(show(record).token.length, 16 + 3 * 14 + 12 + 8);
});

test('What is shown comes with its stamps', (t) => {
  const view = new RecordView();
  view.show(
    recordOf([version(A, 1, { tombstone: true, value: '' }), version(B, 2, { wallMs: 5, expiresMs: NOW_MS + 9 })]),
    0,
    NOW_MS,
  );
  t.is(view.shownCount, 1);
  t.deepEqual([view.writtenMs(0), view.logical(0), view.expiresMs(0), view.valueBytes(0)], [5, 7, NOW_MS + 9, 2]);
});

test('Deleted keys still have a context, with the tombstone’s put id', (t) => {
  const { values, token } = show(recordOf([version(A, 1, { tombstone: true, value: '' })]));
  t.deepEqual(values, []);
  t.is(token.length, 16 + 14 + 12 + 8);
});

test('More versions than usual are shown all the same', (t) => {
  const siblings = Array.from({ length: 300 }, (_, n) => version(n.toString(16).padStart(16, '0'), n));
  t.deepEqual(
    show(recordOf(siblings)).values,
    siblings.map((s) => s.value),
  );
});

test('A record is described for people', (t) => {
  const record = encodePlain({
    key: KEY.toString(),
    context: { [A]: 3, [B]: 1 },
    siblings: [version(A, 1, { counter: 2, expiresMs: NOW_MS })],
    remembered: [id(NOW_S, 8)],
    cut: NOW_S - 2,
  });
  t.deepEqual(describeRecord(record, 0, NOW_MS), {
    recordBytes: 24 + 7 + 28 + 48 + 12 + 2 + 8,
    context: [
      { actor: A, counter: 3 },
      { actor: B, counter: 1 },
    ],
    siblings: [
      {
        dot: `${A}:2`,
        tombstone: false,
        writtenMs: NOW_MS,
        logical: 7,
        expiresMs: NOW_MS,
        putId: id(NOW_S, 1),
        valueBytes: 2,
        hidden: 'expired',
      },
    ],
    rememberedPutIds: [id(NOW_S, 8)],
    cutSeconds: NOW_S - 2,
  });
});
