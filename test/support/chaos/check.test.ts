/* The checker on histories made up for it, good and bad. */
import test from 'ava';
import { catchesLoss, catchesReturn, checkRun } from './check.js';
import type { ViolationKind } from './check.js';
import { judgeOne, latenciesOf } from './figures.js';
import type { FinalState, Operation } from './operation.js';

const KEY = 'merge-1';

function operation(of: Pick<Operation, 'id' | 'kind'> & Partial<Operation>): Operation {
  const { id } = of;
  return {
    ...{
      stream: 'merge',
      key: KEY,
      startMs: id * 10,
      endMs: id * 10 + 5,
      outcome: 'ok',
      code: '',
      text: '',
      node: 'a',
    },
    ...{ attempts: 1, replaces: [], shown: [], strange: [] },
    ...of,
  };
}

const put = (id: number, more: Partial<Operation> = {}): Operation => operation({ id, kind: 'put', ...more });
const get = (id: number, shown: readonly number[]): Operation => operation({ id, kind: 'get', shown });
const remove = (id: number, more: Partial<Operation> = {}): Operation => operation({ id, kind: 'delete', ...more });
const left = (...shown: readonly number[]): readonly FinalState[] => [{ key: KEY, shown, strange: [] }];

function found(operations: readonly Operation[], final: readonly FinalState[]): readonly ViolationKind[] {
  return [...new Set(checkRun(operations, final).violations.map(({ kind }) => kind))];
}

test('what was acknowledged is there, or was read by whoever wrote over it', (t) => {
  t.deepEqual(found([put(1)], left(1)), []);
  t.deepEqual(found([put(1)], left()), ['lost']);
  t.deepEqual(found([put(1), put(2, { replaces: [1] })], left(2)), []);
  t.deepEqual(found([put(1), put(2, { replaces: [1] }), put(3, { replaces: [2] })], left(3)), []);
  t.deepEqual(found([put(1), put(2)], left(2)), ['lost'], 'nobody read put 1');
  t.deepEqual(found([put(1), remove(2, { replaces: [1] })], left()), []);
});

test('what replaced it must be accounted for itself', (t) => {
  const history = [put(1), put(2, { replaces: [1], outcome: 'unknown' })];
  t.deepEqual(found(history, left(2)), []);
  t.deepEqual(found(history, left(1)), []);
  t.deepEqual(found(history, left()), ['lost'], 'a put that did not happen replaced nothing');
  t.deepEqual(found([put(1), put(2, { replaces: [1], outcome: 'refused' })], left(2)), ['refused yet there', 'lost']);
  t.deepEqual(found([put(1), remove(2, { replaces: [1], outcome: 'unknown' })], left()), []);
});

test('what was replaced does not come back', (t) => {
  t.deepEqual(found([put(1), put(2, { replaces: [1] })], left(1)), ['lost', 'returned']);
  t.deepEqual(found([put(1), remove(2, { replaces: [1] })], left(1)), ['returned']);
  t.deepEqual(found([put(1), put(2, { replaces: [1] }), put(3, { replaces: [2] })], left(3, 1)), [
    'not concurrent',
    'returned',
  ]);
});

test('siblings are writes of which neither had seen the other', (t) => {
  t.deepEqual(found([put(1), put(2), get(3, [1, 2])], left(1, 2)), []);
  t.deepEqual(found([put(1), put(2, { replaces: [1] }), get(3, [1, 2])], left(2)), ['not concurrent']);
  t.deepEqual(found([put(1), get(2, [1, 1])], left(1)), ['duplicate']);
});

test('nothing is there that was not sent, not sent yet, or refused', (t) => {
  t.deepEqual(found([put(1)], left(1, 7)), ['invented']);
  t.deepEqual(found([get(1, [2]), put(2)], left(2)), ['invented']);
  t.deepEqual(found([put(1, { outcome: 'refused', code: 'OVERLOADED' })], left(1)), ['refused yet there']);
  t.deepEqual(found([put(1)], [{ key: KEY, shown: [1], strange: ['mangled'] }]), ['invented']);
});

test('a key that nobody could read, or did not', (t) => {
  t.deepEqual(found([put(1)], [{ key: KEY, shown: null, strange: ['TIMEOUT'] }]), ['unreadable']);
  t.deepEqual(found([put(1)], []), ['unreadable']);
  t.deepEqual(found([get(1, [])], []), [], 'it was never written');
});

test('the checker on trial: takes away what is there, and says when there is nothing to take', (t) => {
  const history = [put(1), put(2), put(3, { replaces: [1, 2] })];
  t.is(catchesLoss(history, left(3)), null);
  t.not(catchesLoss(history, left()), null);
  t.not(catchesLoss([put(1, { outcome: 'unknown' })], left(1)), null);
});

test('w = 1: what was refused with a node in reach, at a limit, or with none', (t) => {
  const one = (id: number, code: string): Operation =>
    put(id, { stream: 'one', key: `one-${id}`, code, outcome: code === '' ? 'ok' : 'refused' });
  const stage = { wasReachable: (fromMs: number): boolean => fromMs < 40 };
  const figures = judgeOne([one(1, ''), one(2, 'UNAVAILABLE'), one(3, 'OVERLOADED'), one(4, 'UNAVAILABLE')], stage);
  t.is(figures.puts, 4);
  t.is(figures.accepted, 1);
  t.deepEqual(
    figures.refused.map(({ id }) => id),
    [2],
  );
  t.deepEqual(
    figures.limited.map(({ id }) => id),
    [3],
  );
  t.is(figures.excused, 1);
});

test('percentiles', (t) => {
  const history = Array.from({ length: 200 }, (_, i) => put(i, { startMs: 0, endMs: i + 1 }));
  t.deepEqual(latenciesOf(history), { count: 200, p50Ms: 101, p99Ms: 199, p999Ms: 200, maxMs: 200 });
  t.is(latenciesOf([]).maxMs, 0);
});

test('the trial of what comes back needs a delete that was the last', (t) => {
  t.is(catchesReturn([put(1), remove(2, { replaces: [1] })], left()), null);
  t.regex(catchesReturn([put(1), remove(2, { replaces: [1], outcome: 'unknown' })], left()) ?? '', /no key is empty/);
  t.regex(catchesReturn([put(1)], left(1)) ?? '', /no key is empty/);
});
