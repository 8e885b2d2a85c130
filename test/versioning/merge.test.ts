import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { toHex } from '../../src/lib/bytes.js';
import { MergePlan } from '../../src/versioning/merge.js';
import { checkRecord } from '../../src/versioning/record.js';
import { decodePlain, encodePlain, hash, KEY, mergeBytes, mergePlain, records, versionOf } from './support.js';

const pair = [records(), records()] as [ReturnType<typeof records>, ReturnType<typeof records>];
const triple = [...pair, records()] as [...typeof pair, ReturnType<typeof records>];
const RUNS = { numRuns: 250 };

testProp(
  'Merge is commutative, to the byte',
  pair,
  (t, a, b) => {
    const [x, y] = [encodePlain(a), encodePlain(b)];
    t.is(toHex(mergeBytes(x, y)), toHex(mergeBytes(y, x)));
  },
  RUNS,
);

testProp(
  'Merge is associative, to the byte',
  triple,
  (t, a, b, c) => {
    const [x, y, z] = [encodePlain(a), encodePlain(b), encodePlain(c)];
    t.is(toHex(mergeBytes(mergeBytes(x, y), z)), toHex(mergeBytes(x, mergeBytes(y, z))));
  },
  RUNS,
);

testProp(
  'Merge is idempotent: what was merged before changes nothing',
  pair,
  (t, a, b) => {
    const [x, y] = [encodePlain(a), encodePlain(b)];
    const both = mergeBytes(x, y);
    const plan = new MergePlan();
    t.is(plan.plan(x, 0, x, 0), 'same-as-a');
    t.is(plan.plan(both, 0, x, 0), 'same-as-a');
    t.is(plan.plan(both, 0, y, 0), 'same-as-a');
    t.is(plan.plan(both, 0, new Uint8Array(both), 0), 'same-as-a');
    t.is(plan.collisions, 0);
  },
  RUNS,
);

testProp(
  'The laws hold even where one dot names two versions, and it is told',
  [records(2), records(2), records(2)],
  (t, a, b, c) => {
    const [x, y, z] = [encodePlain(a), encodePlain(b), encodePlain(c)];
    t.is(toHex(mergeBytes(x, y)), toHex(mergeBytes(y, x)));
    t.is(toHex(mergeBytes(mergeBytes(x, y), z)), toHex(mergeBytes(x, mergeBytes(y, z))));
    const collide = a.siblings.filter((s) =>
      b.siblings.some((o) => o.actor === s.actor && o.counter === s.counter && o.value !== s.value),
    );
    const plan = new MergePlan();
    plan.plan(x, 0, y, 0);
    t.is(plan.collisions, collide.length);
  },
  RUNS,
);

testProp(
  'Merge does what its dumb twin does',
  pair,
  (t, a, b) => {
    t.deepEqual(decodePlain(mergeBytes(encodePlain(a), encodePlain(b))), mergePlain(a, b));
  },
  RUNS,
);

testProp(
  'Merge says so exactly when the result is one of the two',
  pair,
  (t, a, b) => {
    const [x, y] = [encodePlain(a), encodePlain(b)];
    const wanted = toHex(encodePlain(mergePlain(a, b)));
    const plan = new MergePlan();
    const outcome = plan.plan(x, 0, y, 0);
    const expected = wanted === toHex(x) ? 'same-as-a' : wanted === toHex(y) ? 'same-as-b' : 'new';
    t.is(outcome, expected);
    if (outcome === 'new') t.is(plan.size, wanted.length / 2);
  },
  RUNS,
);

testProp(
  'A merged context knows what either knew, and no more',
  pair,
  (t, a, b) => {
    const merged = decodePlain(mergeBytes(encodePlain(a), encodePlain(b))).context;
    for (const from of [a.context, b.context]) {
      for (const [actor, counter] of Object.entries(from)) t.true((merged[actor] ?? 0) >= counter);
    }
    for (const [actor, counter] of Object.entries(merged)) {
      t.true(counter === a.context[actor] || counter === b.context[actor]);
    }
  },
  RUNS,
);

testProp(
  'Records are merged wherever they lie, and nothing around the result is touched',
  [...pair, fc.nat(9), fc.nat(9), fc.nat(9)],
  (t, a, b, aAt, bAt, at) => {
    const [x, y] = [encodePlain(a), encodePlain(b)];
    const padded = (bytes: Uint8Array, before: number): Buffer =>
      Buffer.concat([Buffer.alloc(before, 7), bytes, Buffer.alloc(5, 7)]);
    const plan = new MergePlan();
    const outcome = plan.plan(padded(x, aAt), aAt, padded(y, bAt), bAt);
    t.is(outcome, new MergePlan().plan(x, 0, y, 0));
    if (outcome !== 'new') return;
    const target = new Uint8Array(at + plan.size + 3).fill(0xa5);
    plan.encode(target, at, hash);
    t.is(checkRecord(target, at, at + plan.size, hash, KEY), null);
    t.is(toHex(target.subarray(at, at + plan.size)), toHex(mergeBytes(x, y)));
    t.true([...target.subarray(0, at), ...target.subarray(at + plan.size)].every((byte) => byte === 0xa5));
  },
  RUNS,
);

test('One plan serves many merges', (t) => {
  const plan = new MergePlan();
  for (const [a, b] of fc.sample(fc.tuple(...pair), { numRuns: 200, seed: 5 })) {
    const [x, y] = [encodePlain(a), encodePlain(b)];
    if (plan.plan(x, 0, y, 0) !== 'new') continue;
    const target = new Uint8Array(plan.size);
    plan.encode(target, 0, hash);
    t.is(toHex(target), toHex(mergeBytes(x, y)));
  }
});

test('Large values are compared and copied whole', (t) => {
  const version = { ...versionOf('0001000000000000', 1, 0), tombstone: false, value: 'x'.repeat(100_000) };
  const one = { key: KEY.toString(), context: { '0001000000000000': 1 }, siblings: [version], remembered: [], cut: 0 };
  const other = { ...one, siblings: [{ ...version, value: 'x'.repeat(99_999) + 'y' }] };
  const plan = new MergePlan();
  t.is(plan.plan(encodePlain(one), 0, encodePlain(other), 0), 'same-as-b');
  t.is(plan.collisions, 1);
  const elsewhere = {
    ...one,
    context: { '7fffffffffffffff': 1 },
    siblings: [{ ...version, actor: '7fffffffffffffff' }],
  };
  t.deepEqual(decodePlain(mergeBytes(encodePlain(one), encodePlain(elsewhere))), mergePlain(one, elsewhere));
});

test('Two records that together name more than 4,096 actors stay apart, and nothing is lost quietly', (t) => {
  const many = (from: number): Uint8Array => {
    const context: Record<string, number> = {};
    for (let i = from; i < from + 4_000; i++) context[i.toString(16).padStart(16, '0')] = 1;
    return encodePlain({ key: 'k', context, siblings: [], remembered: [], cut: 0 });
  };
  t.is(new MergePlan().plan(many(0), 0, many(96), 0), 'new');
  t.is(new MergePlan().plan(many(0), 0, many(97), 0), 'too-large');
});

test('Records of different keys are never merged', (t) => {
  const empty = { context: { '0001000000000000': 1 }, siblings: [], remembered: [], cut: 0 };
  const plan = new MergePlan();
  t.throws(() => plan.plan(encodePlain({ ...empty, key: 'a' }), 0, encodePlain({ ...empty, key: 'b' }), 0), {
    message: /one key/,
  });
});
