/*
 * Traces that lost data, showed it twice or split replicas for ever: under earlier rules of ours, or in systems before us.
 * Each is played against the rules that we have; where it can be said in a line, the broken rule is played as well, so that
 * the trace is known to bite.
 */
import test from 'ava';
import { toHex } from '../../src/lib/bytes.js';
import { MergePlan } from '../../src/versioning/merge.js';
import type { PutOutcome } from '../../src/versioning/put.js';
import { recordHeaderEnd } from '../../src/versioning/record.js';
import { decodePlain, dotOf, encodePlain, id, mergeBytes, NOW_MS, Replica, show } from './support.js';

const NOW_S = NOW_MS / 1_000;
let puts = 0;

/** A put id of its own. */
function nextId(): string {
  puts += 1;
  return id(NOW_S, puts);
}

function put(at: Replica, value: string, token?: Uint8Array): void {
  const outcome = at.put({ value, id: nextId(), ...(token !== undefined && { token }) });
  if (outcome !== 'write') throw new Error(`Not written: ${outcome}`);
}

function remove(at: Replica, token: Uint8Array): void {
  at.put({ value: undefined, id: nextId(), token });
}

function merged(...replicas: readonly Replica[]): Replica {
  const all = new Replica(99, 99);
  for (const replica of replicas) all.receive(replica.record);
  return all;
}

/** Every dot with the value that it names, over several records: one dot, one value. */
function dotsAreUnique(...replicas: readonly Replica[]): boolean {
  const values = new Map<string, string>();
  for (const { record } of replicas) {
    for (const sibling of decodePlain(record).siblings) {
      const known = values.get(dotOf(sibling));
      if (known !== undefined && known !== sibling.value) return false;
      values.set(dotOf(sibling), sibling.value);
    }
  }
  return true;
}

/** The mark that the record's own entries seem to prove: the rule that loses data. */
function believeOwnEntry(replica: Replica, hi: number, lo: number): void {
  const actor = hi.toString(16).padStart(8, '0') + lo.toString(16).padStart(8, '0');
  replica.hasMark = true;
  replica.markActorHi = hi;
  replica.markActorLo = lo;
  replica.markCounter = decodePlain(replica.record).context[actor] ?? 0;
}

test('Two puts with one context through one coordinator: both stay (plain vector clocks lose the first)', (t) => {
  const a = new Replica(1, 1);
  put(a, 'v1');
  const { token } = a.read();
  put(a, 'v2', token);
  put(a, 'v3', token);
  t.deepEqual(a.read().values, ['v2', 'v3']);
});

test('F1: a put’s reply carries no context when the record has versions that its client has not read', (t) => {
  const a = new Replica(1, 1);
  put(a, 'v1');
  t.true(a.plan.soleSibling);
  put(a, 'v2');
  t.false(a.plan.soleSibling);
  const everything = a.read().token;
  // The client has no context to put v3 with, and v1, which nobody has read, survives.
  const rightly = new Replica(1, 2);
  rightly.receive(a.record);
  put(rightly, 'v3');
  t.true(rightly.read().values.includes('v1'));
  // With the record's context in the reply it would be gone.
  put(a, 'v3', everything);
  t.deepEqual(a.read().values, ['v3']);
});

test('F1: with the context of a sole version a client goes on without reading', (t) => {
  const a = new Replica(1, 1);
  put(a, 'v1');
  t.true(a.plan.soleSibling);
  put(a, 'v2', show(a.record).token);
  t.deepEqual(a.read().values, ['v2']);
});

/** A replica that minted a:1..n of a key, every version replacing the one before; answers each record on the way. */
function minted(a: Replica, n: number): Uint8Array[] {
  const history: Uint8Array[] = [];
  for (let i = 1; i <= n; i++) {
    put(a, `v${i}`, i === 1 ? undefined : a.read().token);
    history.push(a.record);
  }
  return history;
}

test('F2 (a): after damage read repair brings back an older copy, and no dot is minted twice', (t) => {
  const a = new Replica(1, 1);
  const b = new Replica(2, 2);
  const history = minted(a, 5);
  const { markActorHi, markActorLo } = a;
  b.receive(history[4] as Uint8Array);
  const older = history[2] as Uint8Array;
  a.forget();
  a.receive(older);
  put(a, 'v6', a.read().token);
  t.true(dotsAreUnique(a, b));
  t.deepEqual(merged(a, b).read().values.toSorted(), ['v5', 'v6']);

  const broken = new Replica(1, 1);
  broken.receive(older);
  believeOwnEntry(broken, markActorHi, markActorLo);
  put(broken, 'v6', broken.read().token);
  const peer = new Replica(3, 3);
  peer.receive(history[3] as Uint8Array);
  t.false(dotsAreUnique(broken, peer)); // a:4 names both v4 and v6
});

test('F2 (b): a client with an old context after a reap does not bring the old actor back to life', (t) => {
  const a = new Replica(1, 1);
  const history = minted(a, 7);
  const old = show(history[4] as Uint8Array).token;
  const { markActorHi, markActorLo } = a;
  remove(a, a.read().token);
  a.forget(); // reaped
  put(a, 'new', old);
  t.notDeepEqual([a.markActorHi, a.markActorLo], [markActorHi, markActorLo]);
  put(a, 'newer', a.read().token);
  t.deepEqual([a.markActorHi === markActorHi, a.markCounter], [false, 2]);
  const before = history.map((record) => decodePlain(record).siblings.map(dotOf)).flat();
  t.false(decodePlain(a.record).siblings.some((s) => before.includes(dotOf(s))));
});

test('F2 (c): a fallback whose hints were delivered one by one does not mint the same dot again', (t) => {
  const f = new Replica(9, 9);
  put(f, 'v1');
  const first = f.record;
  put(f, 'v2', f.read().token);
  const owner = new Replica(1, 1);
  owner.receive(f.record);
  f.forget();
  f.receive(first); // the other hint, with f:1, becomes the local record
  put(f, 'v3', f.read().token);
  t.true(dotsAreUnique(f, owner));
  t.deepEqual(merged(f, owner).read().values.toSorted(), ['v2', 'v3']);
});

test('A fallback that forgot and heard of the key again mints under a fresh actor', (t) => {
  const a = new Replica(1, 1);
  const b = new Replica(2, 2);
  const f = new Replica(9, 9);
  put(f, 'v1');
  b.receive(f.record); // B gets f:1 = v1
  put(f, 'v2', f.read().token); // W = 1, the message to B is lost
  const { markActorHi, markActorLo } = f;
  a.receive(f.record);
  f.forget(); // A is back, F delivers and forgets
  put(b, 'v1 by b', b.read().token);
  f.receive(b.record); // A is down again, F keeps B's record as a hint: it names f:1

  const broken = new Replica(9, 9);
  broken.receive(f.record);
  believeOwnEntry(broken, markActorHi, markActorLo);
  put(broken, 'v3', broken.read().token);
  t.false(dotsAreUnique(broken, a)); // f:2 names both v2 and v3
  t.false(merged(broken, a).read().values.includes('v3') && merged(broken, a).read().values.includes('v2'));

  put(f, 'v3', f.read().token);
  t.true(dotsAreUnique(f, a));
  t.deepEqual(merged(f, a).read().values.toSorted(), ['v2', 'v3']);
});

test('F3 (a): a clean restart voids the mark, and a forgotten key never gets its old actor back', (t) => {
  const a = new Replica(1, 1);
  put(a, 'v1');
  const before = [a.markActorHi, a.markActorLo];
  a.reopen();
  put(a, 'v2', a.read().token);
  t.notDeepEqual([a.markActorHi, a.markActorLo], before);
  t.is(a.markCounter, 1);
  a.forget();
  put(a, 'v3');
  t.notDeepEqual([a.markActorHi, a.markActorLo], before);
});

test('F3 (b): a disk that was rolled back mints nothing twice', (t) => {
  const a = new Replica(1, 1);
  const peer = new Replica(2, 2);
  put(a, 'v1');
  const snapshot = a.record;
  a.reopen();
  put(a, 'v2', a.read().token);
  peer.receive(a.record);
  a.forget(); // the disk goes back to the snapshot; the kernel's random bits do not
  a.receive(snapshot);
  put(a, 'v3', a.read().token);
  t.true(dotsAreUnique(a, peer));
  t.deepEqual(merged(a, peer).read().values.toSorted(), ['v2', 'v3']);
});

test('F3 (c): a node that lost its disk and kept its ordinal mints nothing twice', (t) => {
  const before = new Replica(1, 1);
  put(before, 'v1');
  const peer = new Replica(2, 2);
  peer.receive(before.record);
  const after = new Replica(1, 77);
  put(after, 'v2');
  t.true(dotsAreUnique(after, peer));
  t.deepEqual(merged(after, peer).read().values.toSorted(), ['v1', 'v2']);
});

test('A client that knows more of our actor than we do proves that we went back: the mark is refused', (t) => {
  const a = new Replica(1, 1);
  const history = minted(a, 3);
  const ahead = show(history[2] as Uint8Array).token;
  a.record = history[0] as Uint8Array;
  a.markCounter = 1; // record and mark went back together, within one opening
  put(a, 'v4', ahead);
  t.is(a.markCounter, 1);
  t.is(Object.keys(decodePlain(a.record).context).length, 2);
});

/** P is stored as x at A and, retried, as y at B; a reader of x overwrote it at C, which held neither. */
function retriedAndOverwritten(): { x: Replica; y: Replica; z: Replica } {
  const [x, y, z] = [new Replica(1, 1), new Replica(2, 2), new Replica(3, 3)];
  const p = nextId();
  x.put({ value: 'v', id: p });
  y.put({ value: 'v', id: p, retry: true });
  put(z, 'c', x.read().token);
  return { x, y, z };
}

test('F9: a retried put, its original, and an overwrite at a replica that held neither: merged in any order, one record', (t) => {
  const { x, y, z } = retriedAndOverwritten();
  const left = mergeBytes(mergeBytes(x.record, y.record), z.record);
  const right = mergeBytes(x.record, mergeBytes(y.record, z.record));
  t.is(toHex(left), toHex(right));
  t.is(toHex(mergeBytes(mergeBytes(z.record, y.record), x.record)), toHex(left));
  t.deepEqual(show(left).values, ['c']);
});

test('F9: a version that merge keeps and the view hides goes with the next put', (t) => {
  const { x, y, z } = retriedAndOverwritten();
  const all = merged(x, y, z);
  t.is(decodePlain(all.record).siblings.length, 2);
  put(all, 'd', all.read().token);
  t.is(decodePlain(all.record).siblings.length, 1);
});

test('F9: a put stored under two dots is shown once, and the next put removes both', (t) => {
  const [x, y] = [new Replica(1, 1), new Replica(2, 2)];
  const p = nextId();
  x.put({ value: 'v', id: p });
  y.put({ value: 'v', id: p, retry: true });
  const both = merged(x, y);
  t.deepEqual(both.read().values, ['v']);
  put(both, 'w', both.read().token);
  t.is(decodePlain(both.record).siblings.length, 1);
});

test('F10: a retry that arrives where its put was never held is known from the reader’s context', (t) => {
  const [a, b] = [new Replica(1, 1), new Replica(2, 2)];
  const p = nextId();
  b.put({ value: 'y', id: p });
  put(a, 'x', b.read().token); // A never held y
  t.is(a.put({ value: 'y', id: p, retry: true }), 'known');
  t.deepEqual(merged(a, b).read().values, ['x']);
});

/** One store. A is put, B replaces it, C replaces B; then the power fails, and none of the three had reached the disk. */
function afterPowerLoss(): { store: Replica; retryA(): PutOutcome; retryB(): PutOutcome; retryC(): PutOutcome } {
  const before = new Replica(1, 1);
  const [a, b, c] = [id(NOW_S, 1), id(NOW_S, 2), id(NOW_S, 3)];
  before.put({ value: 'A', id: a });
  const readA = before.read().token;
  before.put({ value: 'B', id: b, token: readA });
  const readB = before.read().token;
  const store = new Replica(1, 2);
  return {
    store,
    retryA: () => store.put({ value: 'A', id: a, retry: true }),
    retryB: () => store.put({ value: 'B', id: b, token: readA, retry: true }),
    retryC: () => store.put({ value: 'C', id: c, token: readB, retry: true }),
  };
}

test('A put that is known only because somebody has read it still replaces what it has replaced: retried before that', (t) => {
  const { store, retryA, retryB, retryC } = afterPowerLoss();
  t.is(retryC(), 'write');
  t.is(retryB(), 'known-in-part');
  t.is(retryB(), 'known');
  t.is(retryA(), 'known');
  t.deepEqual(store.read().values, ['C']);
});

test('A put that is known only because somebody has read it still replaces what it has replaced: retried after that', (t) => {
  const { store, retryA, retryB, retryC } = afterPowerLoss();
  t.is(retryC(), 'write');
  t.is(retryA(), 'write');
  t.deepEqual(store.read().values.toSorted(), ['A', 'C']);
  t.is(retryB(), 'known-in-part');
  t.deepEqual(store.read().values, ['C']);
  t.true(store.hasMark);
});

test('F10: a retry minted elsewhere before the overwrite was heard of does not come back', (t) => {
  const [a, b, c] = [new Replica(1, 1), new Replica(2, 2), new Replica(3, 3)];
  const p = nextId();
  b.put({ value: 'y', id: p });
  put(a, 'x', b.read().token);
  t.is(c.put({ value: 'y', id: p, retry: true }), 'write');
  t.deepEqual(merged(a, b, c).read().values, ['x']);
});

test('F10: a merge remembers nothing by itself: a version that the other side holds under another dot is not overwritten', (t) => {
  const [x, y] = [new Replica(1, 1), new Replica(2, 2)];
  const p = nextId();
  x.put({ value: 'v', id: p });
  y.put({ value: 'v', id: p, retry: true });
  const both = merged(x, y);
  t.deepEqual(decodePlain(both.record).remembered, []);
  t.deepEqual(both.read().values, ['v']);
});

test('F10: with more overwrites than are remembered a late retry is refused, not minted', (t) => {
  const a = new Replica(1, 1);
  const p = id(NOW_S, 0);
  a.put({ value: 'first', id: p });
  for (let n = 1; n <= 17; n++) a.put({ value: `v${n}`, id: id(NOW_S + 1, n), token: a.read().token });
  t.is(a.put({ value: 'first', id: p, retry: true }), 'too-late');
  t.deepEqual(a.read().values, ['v17']);
});

test('Remembered ids may differ under equal contexts; that shows in the bytes before the values, so trees see it', (t) => {
  const { x, y, z } = retriedAndOverwritten();
  const all = merged(x, y, z);
  const forgetful = encodePlain({ ...decodePlain(all.record), remembered: [] });
  const header = (record: Uint8Array): string => toHex(record.subarray(0, recordHeaderEnd(record, 0)));
  t.not(header(forgetful), header(all.record));
  t.is(show(forgetful).values.length, 2);
  const plan = new MergePlan();
  t.is(plan.plan(forgetful, 0, all.record, 0), 'same-as-b');
});

test('Sibling explosion: two clients that write in turn, each with its last context, never hold more than two versions', (t) => {
  const a = new Replica(1, 1);
  const contexts: (Uint8Array | undefined)[] = [undefined, undefined];
  for (let n = 0; n < 60; n++) {
    const writer = n % 2;
    put(a, `v${n}`, contexts[writer]);
    contexts[1 - writer] = a.read().token; // the other one reads now, and writes after the next put
    t.true(decodePlain(a.record).siblings.length <= 2);
    t.is(Object.keys(decodePlain(a.record).context).length, 1);
  }
});

test('Sibling explosion: writers that never read are told apart, and stopped at the limit', (t) => {
  const a = new Replica(1, 1);
  for (let n = 0; n < 100; n++) put(a, `v${n}`);
  t.is(a.put({ value: 'more', id: nextId() }), 'siblings-limit');
  put(a, 'all in one', a.read().token);
  t.deepEqual(a.read().values, ['all in one']);
});

test('A delete that races a put leaves the put alive', (t) => {
  const [a, b] = [new Replica(1, 1), new Replica(2, 2)];
  put(a, 'v1');
  b.receive(a.record);
  const { token } = a.read();
  remove(a, token);
  put(b, 'v2', token);
  t.deepEqual(merged(a, b).read().values, ['v2']);
});

test('A message that arrives again long after brings nothing back', (t) => {
  const a = new Replica(1, 1);
  const history = minted(a, 4);
  remove(a, a.read().token);
  const before = toHex(a.record);
  for (const old of history) a.receive(old);
  t.is(toHex(a.record), before);
  t.deepEqual(a.read().values, []);
});
