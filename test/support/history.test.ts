/* Hand-made histories, good and bad: a checker is only as good as what it has been seen to catch. */
import test from 'ava';
import { History, type KeyHistory, type Violation, type Write } from './history.js';
import { readStamp, stampedValue } from './stamp.js';

const SEED = 11;
const KEY = 'k';
const value = (id: number): Buffer => stampedValue(SEED, KEY, id, 64);
const kinds = (violations: readonly Violation[]): readonly string[] => violations.map((violation) => violation.kind);

function history(): {
  readonly put: (outcome: Write['outcome'], replaces?: readonly number[]) => number;
  readonly of: KeyHistory;
  readonly remove: (outcome: Write['outcome'], replaces: readonly number[]) => number;
} {
  const all = new History(SEED);
  const add = (kind: Write['kind'], outcome: Write['outcome'], replaces: readonly number[]): number => {
    const write = all.begin(KEY, kind, replaces);
    write.outcome = outcome;
    return write.id;
  };
  return {
    put: (outcome, replaces = []) => add('put', outcome, replaces),
    remove: (outcome, replaces) => add('delete', outcome, replaces),
    of: all.of(KEY),
  };
}

test('A value names its put, and nothing else passes for it', (t) => {
  t.deepEqual(readStamp(SEED, KEY, value(7)), { id: 7 });
  t.true('fault' in readStamp(SEED, 'other', value(7)), 'a value of another key');
  t.true('fault' in readStamp(SEED + 1, KEY, value(7)), 'a value of another run');
  t.true('fault' in readStamp(SEED, KEY, value(7).subarray(0, 63)), 'cut off');
  t.true('fault' in readStamp(SEED, KEY, new Uint8Array(0)), 'empty');
  for (let at = 0; at < 64; at++) {
    const mangled = value(7);
    mangled.writeUInt8(mangled.readUInt8(at) ^ 0x10, at);
    t.true('fault' in readStamp(SEED, KEY, mangled), `byte ${at} changed`);
  }
});

test('What clients really did passes', (t) => {
  const h = history();
  const first = h.put('acked');
  const second = h.put('acked', [first]);
  const blind = h.put('acked');
  h.put('refused');
  h.put('unknown');
  t.deepEqual(h.of.check([value(second), value(blind)]), []);
});

test('An acked put that is gone is lost', (t) => {
  const h = history();
  h.put('acked');
  const second = h.put('acked');
  t.deepEqual(kinds(h.of.check([value(second)])), ['lost']);
  t.deepEqual(kinds(h.of.check([])), ['lost', 'lost']);
});

test('A later put does not excuse the loss of what its writer never read, whatever the clocks say', (t) => {
  const h = history();
  const read = h.put('acked');
  h.put('acked'); // after a restart with counters at zero this one would drown in the context of `read`
  const later = h.put('acked', [read]);
  t.deepEqual(kinds(h.of.check([value(later)])), ['lost']);
});

test('A put of unknown outcome excuses what it replaced only if it happened', (t) => {
  const h = history();
  const first = h.put('acked');
  const maybe = h.put('unknown', [first]);
  t.deepEqual(h.of.check([value(first)]), [], 'it did not');
  t.deepEqual(h.of.check([value(maybe)]), [], 'it did');
  t.deepEqual(kinds(h.of.check([])), ['lost'], 'neither is there');
});

test('A chain of replacements ends in something that is there, or in a delete', (t) => {
  const h = history();
  const a = h.put('acked');
  const b = h.put('unknown', [a]);
  const c = h.put('acked', [b]);
  t.deepEqual(h.of.check([value(c)]), []);
  t.deepEqual(kinds(h.of.check([])), ['lost', 'lost'], 'a and c');
  h.remove('acked', [c]);
  t.deepEqual(h.of.check([]), []);
});

test('A replaced put that is back is resurrected', (t) => {
  const h = history();
  const first = h.put('acked');
  const second = h.put('acked', [first]);
  t.deepEqual(kinds(h.of.check([value(first), value(second)])), ['resurrected']);
});

test('A deleted put that is back is resurrected, and one whose delete has an unknown outcome is not', (t) => {
  const h = history();
  const first = h.put('acked');
  const second = h.put('acked');
  h.remove('acked', [first]);
  h.remove('unknown', [second]);
  t.deepEqual(h.of.check([value(second)]), []);
  t.deepEqual(h.of.check([]), []);
  t.deepEqual(kinds(h.of.check([value(first)])), ['resurrected']);
});

test('One put is not shown twice', (t) => {
  const h = history();
  const first = h.put('acked');
  t.deepEqual(kinds(h.of.check([value(first), value(first)])), ['duplicate']);
});

test('A refused put is never seen', (t) => {
  const h = history();
  const refused = h.put('refused');
  t.deepEqual(kinds(h.of.check([value(refused)])), ['refused-yet-applied']);
});

test('Bytes that no put of this key wrote are invented', (t) => {
  const h = history();
  const first = h.put('acked');
  t.deepEqual(kinds(h.of.check([value(first), value(99)])), ['invented'], 'an id that was never sent');
  t.deepEqual(
    kinds(h.of.check([value(first), stampedValue(SEED, 'other', first, 64)])),
    ['invented'],
    'of another key',
  );
  t.deepEqual(kinds(h.of.check([value(first), Buffer.from('text')])), ['invented']);
});

test('A store that cannot say what is there has not kept it', (t) => {
  t.deepEqual(kinds(history().of.check(null)), ['unreadable']);
});

test('After a check, what was seen must stay and what was not must stay away', (t) => {
  const h = history();
  const seen = h.put('unknown');
  const unseen = h.put('unknown');
  h.of.settle([value(seen)]);
  t.deepEqual(h.of.check([value(seen)]), []);
  t.deepEqual(kinds(h.of.check([])), ['lost']);
  t.deepEqual(kinds(h.of.check([value(seen), value(unseen)])), ['resurrected']);
});

test('What has been accounted for is forgotten, but not that it was there', (t) => {
  const h = history();
  const first = h.put('acked');
  const second = h.put('acked', [first]);
  h.of.settle([value(second)]);
  t.deepEqual([...h.of.writes.keys()], [second]);
  t.deepEqual(h.of.check([value(second)]), []);
  t.deepEqual(kinds(h.of.check([value(first), value(second)])), ['resurrected']);
});
