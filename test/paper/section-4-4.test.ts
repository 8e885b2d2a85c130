/*
 * Section 4.4 of the Dynamo paper, "Data Versioning", a sentence a test, in our words. Where the paper has a vector clock
 * we have a dotted version vector set: the same clocks, and a dot for each version.
 */
import test from 'ava';
import { toHex } from '../../src/lib/bytes.js';
import { decodePlain, id, mergeBytes, NOW_MS, Replica } from '../versioning/support.js';

const NOW_S = NOW_MS / 1_000;
let puts = 0;

function put(at: Replica, value: string, token?: Uint8Array): void {
  puts += 1;
  const outcome = at.put({ value, id: id(NOW_S, puts), ...(token !== undefined && { token }) });
  if (outcome !== 'write') throw new Error(`Not written: ${outcome}`);
}

/** Counter for each of these replicas, in whose words the paper writes a clock; 0: it has none. */
function clock(record: Uint8Array, ...replicas: readonly Replica[]): number[] {
  const { context } = decodePlain(record);
  return replicas.map((replica) => {
    const hi = replica.markActorHi.toString(16).padStart(8, '0');
    return context[hi + replica.markActorLo.toString(16).padStart(8, '0')] ?? 0;
  });
}

test('A put may be answered before all replicas have it, so a get elsewhere may return an older version', (t) => {
  const [x, y] = [new Replica(1, 1), new Replica(2, 2)];
  put(x, 'old');
  y.receive(x.record);
  put(x, 'new', x.read().token);
  t.deepEqual(y.read().values, ['old']);
  y.receive(x.record);
  t.deepEqual(y.read().values, ['new']);
});

test('An add to a cart is taken even where the latest version is missing, and both versions are kept for later', (t) => {
  const [x, y] = [new Replica(1, 1), new Replica(2, 2)];
  put(x, 'book');
  y.receive(x.record);
  const { token } = x.read();
  put(x, 'book, pen', token);
  put(y, 'book, cup', token);
  x.receive(y.record);
  t.deepEqual(x.read().values.toSorted(), ['book, cup', 'book, pen']);
});

test('Every change makes a new version; the old one is never touched', (t) => {
  const x = new Replica(1, 1);
  put(x, 'D1');
  const first = x.record;
  const bytes = toHex(first);
  put(x, 'D2', x.read().token);
  t.is(toHex(first), bytes);
  t.not(toHex(x.record), bytes);
});

test('Mostly a new version subsumes the one before, and the system finds out by itself which one counts', (t) => {
  const [x, y] = [new Replica(1, 1), new Replica(2, 2)];
  put(x, 'D1');
  y.receive(x.record);
  put(y, 'D2', y.read().token);
  t.deepEqual(decodePlain(mergeBytes(x.record, y.record)), decodePlain(y.record));
  t.deepEqual(decodePlain(mergeBytes(y.record, x.record)), decodePlain(y.record));
});

test('With failures and concurrent updates versions branch, and a client has to collapse the branches into one', (t) => {
  const [x, y] = [new Replica(1, 1), new Replica(2, 2)];
  put(x, 'one branch');
  put(y, 'the other');
  x.receive(y.record);
  t.is(x.read().values.length, 2);
  put(x, 'both', x.read().token);
  t.deepEqual(x.read().values, ['both']);
});

test('An added item is never lost by merging carts, but a deleted one can come back', (t) => {
  const [x, y] = [new Replica(1, 1), new Replica(2, 2)];
  put(x, 'book pen');
  y.receive(x.record);
  const { token } = x.read();
  put(x, 'book', token); // the pen is taken out
  put(y, 'book pen cup', token); // meanwhile a cup goes in
  x.receive(y.record);
  const cart = new Set(x.read().values.flatMap((value) => value.split(' ')));
  t.deepEqual([...cart].toSorted(), ['book', 'cup', 'pen']);
});

test('If all counters of one clock are at most those of another, the first is an ancestor and can be forgotten', (t) => {
  const x = new Replica(1, 1);
  put(x, 'ancestor');
  const ancestor = x.record;
  put(x, 'descendant', x.read().token);
  x.receive(ancestor);
  t.deepEqual(x.read().values, ['descendant']);
});

test('Otherwise the two are in conflict and need reconciling', (t) => {
  const [x, y] = [new Replica(1, 1), new Replica(2, 2)];
  put(x, 'here');
  put(y, 'there');
  x.receive(y.record);
  t.deepEqual(clock(x.record, x, y), [1, 1]);
  t.deepEqual(x.read().values, ['here', 'there']);
});

test('A client that updates says which version it updates, by passing on the context of its read', (t) => {
  const x = new Replica(1, 1);
  put(x, 'first');
  put(x, 'with context', x.read().token);
  t.deepEqual(x.read().values, ['with context']);
  put(x, 'without');
  t.deepEqual(x.read().values, ['with context', 'without']);
});

test('A get that finds branches which cannot be reconciled by their clocks returns all of them, with one context', (t) => {
  const replicas = [1, 2, 3].map((n) => new Replica(n, n));
  for (const [n, replica] of replicas.entries()) put(replica, `leaf ${n}`);
  const all = new Replica(9, 9);
  for (const { record } of replicas) all.receive(record);
  const { values, token } = all.read();
  t.is(values.length, 3);
  t.is(token.length, 16 + 3 * 14 + 3 * 12 + 8);
});

test('An update with that context counts as having reconciled the branches', (t) => {
  const replicas = [1, 2, 3].map((n) => new Replica(n, n));
  for (const [n, replica] of replicas.entries()) put(replica, `leaf ${n}`);
  const all = new Replica(9, 9);
  for (const { record } of replicas) all.receive(record);
  const elsewhere = new Replica(8, 8);
  put(elsewhere, 'reconciled', all.read().token);
  for (const { record } of replicas) elsewhere.receive(record);
  t.deepEqual(elsewhere.read().values, ['reconciled']);
});

test('Figure 3: the versions D1 to D5 and their clocks', (t) => {
  const [sx, sy, sz] = [new Replica(1, 1), new Replica(2, 2), new Replica(3, 3)];
  put(sx, 'D1');
  t.deepEqual(clock(sx.record, sx, sy, sz), [1, 0, 0]);

  put(sx, 'D2', sx.read().token);
  t.deepEqual(clock(sx.record, sx, sy, sz), [2, 0, 0]);
  t.deepEqual(sx.read().values, ['D2'], 'D2 descends from D1 and overwrites it');

  const d2 = sx.read().token;
  sy.receive(sx.record);
  sz.receive(sx.record);
  put(sy, 'D3', d2);
  put(sz, 'D4', d2);
  t.deepEqual(clock(sy.record, sx, sy, sz), [2, 1, 0]);
  t.deepEqual(clock(sz.record, sx, sy, sz), [2, 0, 1]);

  const aware = new Replica(9, 9); // of D1 or D2, then told of D4: the others may go
  aware.receive(sx.record);
  aware.receive(sz.record);
  t.deepEqual(aware.read().values, ['D4']);

  sx.receive(sy.record);
  sx.receive(sz.record);
  t.deepEqual(sx.read().values, ['D3', 'D4'], 'neither D3 nor D4 subsumes the other');
  t.deepEqual(clock(sx.record, sx, sy, sz), [2, 1, 1], 'the context of the read sums up both clocks');

  put(sx, 'D5', sx.read().token);
  t.deepEqual(clock(sx.record, sx, sy, sz), [3, 1, 1]);
  for (const older of [sy, sz]) sx.receive(older.record);
  t.deepEqual(sx.read().values, ['D5']);
});

test('A clock grows when servers outside the preference list write; the paper truncates it at ten, we keep what is true', (t) => {
  const key = new Replica(1, 1);
  for (let n = 2; n <= 15; n++) {
    const server = new Replica(n, n);
    server.receive(key.record);
    put(server, `v${n}`, key.read().token);
    key.receive(server.record);
  }
  t.is(Object.keys(decodePlain(key.record).context).length, 14);
  t.deepEqual(key.read().values, ['v15']);
});
