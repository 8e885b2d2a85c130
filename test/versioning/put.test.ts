import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import type { Random } from '../../src/env/random.js';
import { fromHex, toHex } from '../../src/lib/bytes.js';
import { PutPlan, type LocalRecord, type PutCommand } from '../../src/versioning/put.js';
import { ContextToken } from '../../src/versioning/token.js';
import {
  ACTORS,
  decodePlain,
  dotOf,
  encodePlain,
  hash,
  id,
  KEY,
  KEY_HASH,
  normalForm,
  NOW_MS,
  records,
  Replica,
  show,
  versionOf,
  type PlainRecord,
} from './support.js';

const NOW_S = NOW_MS / 1_000;
const RUNS = { numRuns: 250 };

/** Bits that are known: what it is told, then counting up. */
class Script implements Random {
  readonly #next: number[];
  #count = 0;
  constructor(...next: number[]) {
    this.#next = next;
  }
  u32(): number {
    return this.#next.shift() ?? (this.#count += 1);
  }
  fill(bytes: Uint8Array): void {
    bytes.fill(0);
  }
}

function local(record: Uint8Array, mark?: { readonly actor: string; readonly counter: number }): LocalRecord {
  return {
    bytes: record,
    start: 0,
    end: record.length,
    hasMark: mark !== undefined,
    markActorHi: mark === undefined ? 0 : Number.parseInt(mark.actor.slice(0, 8), 16),
    markActorLo: mark === undefined ? 0 : Number.parseInt(mark.actor.slice(8), 16),
    markCounter: mark?.counter ?? 0,
  };
}

function command(more: Partial<PutCommand> = {}): PutCommand {
  const value = Buffer.from('new');
  return {
    key: KEY,
    value,
    putId: fromHex(id(NOW_S, 0xbeef)),
    retry: false,
    token: null,
    wallMs: NOW_MS,
    logical: 3,
    expiresMs: 0,
    ...more,
  };
}

function tokenOf(bytes: Uint8Array): ContextToken {
  const token = new ContextToken();
  if (token.decode(bytes, 0, bytes.length, hash, KEY_HASH) !== '') throw new Error('Not a token');
  return token;
}

function encode(plan: PutPlan): Uint8Array {
  const bytes = new Uint8Array(plan.size);
  plan.encode(bytes, 0, hash);
  return bytes;
}

const mark = fc.option(fc.record({ actor: fc.constantFrom(...ACTORS), counter: fc.integer({ min: 1, max: 4 }) }), {
  nil: undefined,
});
const stored = fc.option(records(), { nil: undefined });

/** The put rule, said with objects: all but the choice of the dot. */
function putPlain(
  before: PlainRecord,
  seen: PlainRecord | undefined,
  dot: { actor: string; counter: number },
): Omit<PlainRecord, 'key'> {
  const seenContext = seen?.context ?? {};
  const isSeen = (s: { actor: string; counter: number }): boolean => s.counter <= (seenContext[s.actor] ?? 0);
  const context: Record<string, number> = { ...before.context, [dot.actor]: dot.counter };
  for (const [actor, counter] of Object.entries(seenContext)) context[actor] = Math.max(counter, context[actor] ?? 0);
  const carried =
    seen === undefined ? [] : seen.siblings.map((s) => s.putId).filter((p) => !seen.remembered.includes(p));
  const replaced = before.siblings.filter(isSeen).map((s) => s.putId);
  const fresh = {
    ...dot,
    tombstone: false,
    wallMs: NOW_MS,
    logical: 3,
    expiresMs: 0,
    putId: id(NOW_S, 0xbeef),
    value: 'new',
  };
  const siblings = [...before.siblings.filter((s) => !isSeen(s)), fresh].sort((a, b) => (dotOf(a) < dotOf(b) ? -1 : 1));
  const sorted = Object.fromEntries(Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { context: sorted, siblings, ...normalForm([...before.remembered, ...carried, ...replaced], before.cut) };
}

testProp(
  'A put does what its dumb twin does',
  [stored, stored, mark],
  (t, before, seen, itsMark) => {
    const plan = new PutPlan(new Script(), 9, 1_000_000);
    const bytes = before === undefined ? new Uint8Array(0) : encodePlain(before);
    const token = seen === undefined ? null : tokenOf(show(encodePlain(seen)).token);
    t.is(plan.decide(local(bytes, itsMark), command({ token })), 'write');
    const after = decodePlain(encode(plan));
    const actor = plan.markActorHi.toString(16).padStart(8, '0') + plan.markActorLo.toString(16).padStart(8, '0');
    const none = { key: KEY.toString(), context: {}, siblings: [], remembered: [], cut: 0 };
    t.deepEqual(after, {
      key: KEY.toString(),
      ...putPlain(before ?? none, seen, { actor, counter: plan.markCounter }),
    });
    t.is(plan.siblings, after.siblings.length);
    t.is(plan.soleSibling, after.siblings.length === 1);
  },
  RUNS,
);

testProp(
  'A dot is minted under the mark’s actor only if the mark is what the record knows, and the client knows no more',
  [stored, stored, mark],
  (t, before, seen, itsMark) => {
    const plan = new PutPlan(new Script(), 9, 1_000_000);
    const token = seen === undefined ? null : tokenOf(show(encodePlain(seen)).token);
    plan.decide(local(before === undefined ? new Uint8Array(0) : encodePlain(before), itsMark), command({ token }));
    const actor = plan.markActorHi.toString(16).padStart(8, '0') + plan.markActorLo.toString(16).padStart(8, '0');
    const holds =
      itsMark !== undefined &&
      before?.context[itsMark.actor] === itsMark.counter &&
      (seen?.context[itsMark.actor] ?? 0) <= itsMark.counter;
    if (holds) t.deepEqual([actor, plan.markCounter], [itsMark.actor, itsMark.counter + 1]);
    else t.deepEqual([actor.slice(0, 4), plan.markCounter], ['0009', 1]);
    if (!holds) t.is(before?.context[actor] ?? seen?.context[actor], undefined);
  },
  RUNS,
);

testProp(
  'The new context knows the old one, the client’s, and the new dot; nothing shrinks',
  [stored, stored, mark],
  (t, before, seen, itsMark) => {
    const plan = new PutPlan(new Script(), 9, 1_000_000);
    const token = seen === undefined ? null : tokenOf(show(encodePlain(seen)).token);
    plan.decide(local(before === undefined ? new Uint8Array(0) : encodePlain(before), itsMark), command({ token }));
    const { context, siblings } = decodePlain(encode(plan));
    for (const known of [before?.context, seen?.context]) {
      for (const [actor, counter] of Object.entries(known ?? {})) t.true((context[actor] ?? 0) >= counter);
    }
    t.is(siblings.filter((s) => s.putId === id(NOW_S, 0xbeef)).length, 1);
  },
  RUNS,
);

test('One plan serves many puts', (t) => {
  const plan = new PutPlan(new Script(), 9, 1_000_000);
  for (const [before, seen, itsMark] of fc.sample(fc.tuple(records(), records(), mark), { numRuns: 300, seed: 4 })) {
    const token = tokenOf(show(encodePlain(seen)).token);
    const one = new PutPlan(new Script(7 << 16, 7), 9, 1_000_000);
    one.decide(local(encodePlain(before), itsMark), command({ token }));
    plan.decide(local(encodePlain(before), itsMark), command({ token }));
    t.is(one.size, plan.size);
    t.is(decodePlain(encode(plan)).siblings.length, decodePlain(encode(one)).siblings.length);
  }
});

test('A fresh actor that the record or the client knows is drawn again', (t) => {
  const taken = (actor: string): PlainRecord => ({
    key: KEY.toString(),
    context: { [actor]: 1 },
    siblings: [],
    remembered: [],
    cut: 0,
  });
  const random = new Script(0x0001_ffff, 1, 0x0002_ffff, 2, 0x0003_ffff, 3);
  const plan = new PutPlan(random, 9, 1_000_000);
  const token = tokenOf(show(encodePlain(taken('0009000100000001'))).token);
  plan.decide(local(encodePlain(taken('0009000200000002'))), command({ token }));
  t.deepEqual([plan.markActorHi, plan.markActorLo], [0x0009_0003, 3]);
});

test('An actor that has counted to the end is left for a fresh one', (t) => {
  const actor = '0009000000000001';
  const full: PlainRecord = {
    key: KEY.toString(),
    context: { [actor]: 0xffff_ffff_ffff },
    siblings: [],
    remembered: [],
    cut: 0,
  };
  const plan = new PutPlan(new Script(), 9, 1_000_000);
  t.is(plan.decide(local(encodePlain(full), { actor, counter: 0xffff_ffff_ffff }), command()), 'write');
  t.is(plan.markCounter, 1);
});

test('A put that is stored already is known, and nothing is written', (t) => {
  const replica = new Replica(1, 1);
  replica.put({ value: 'a', id: id(NOW_S, 1) });
  const before = toHex(replica.record);
  t.is(replica.put({ value: 'a', id: id(NOW_S, 1), retry: true }), 'known');
  t.true(replica.plan.soleSibling);
  replica.put({ value: 'b', id: id(NOW_S, 2) });
  t.is(replica.put({ value: 'a', id: id(NOW_S, 1), retry: true }), 'known');
  t.false(replica.plan.soleSibling);
  t.not(toHex(replica.record), before);
});

test('A put that was read and overwritten is known, and stays overwritten', (t) => {
  const replica = new Replica(1, 1);
  replica.put({ value: 'a', id: id(NOW_S, 1) });
  replica.put({ value: 'b', id: id(NOW_S, 2), token: replica.read().token });
  t.is(replica.put({ value: 'a', id: id(NOW_S, 1), retry: true }), 'known');
  t.false(replica.plan.soleSibling);
  t.deepEqual(replica.read().values, ['b']);
});

test('A retry that may have been forgotten is refused; a first attempt of the same second is not', (t) => {
  const remembered = Array.from({ length: 16 }, (_, n) => id(NOW_S, 100 + n));
  const record = encodePlain({
    key: KEY.toString(),
    context: { [ACTORS[0] as string]: 1 },
    siblings: [],
    remembered,
    cut: NOW_S - 10,
  });
  const plan = new PutPlan(new Script(), 9, 1_000_000);
  const putAt = (seconds: number, retry: boolean): string =>
    plan.decide(local(record), command({ putId: fromHex(id(seconds, 1)), retry }));
  t.is(putAt(NOW_S - 10, true), 'too-late');
  t.is(putAt(NOW_S - 11, true), 'too-late');
  t.is(putAt(NOW_S - 9, true), 'write');
  t.is(putAt(NOW_S - 10, false), 'write');
});

test('Seventeen overwrites within a window set the cut', (t) => {
  const replica = new Replica(1, 1);
  for (let n = 0; n <= 17; n++) replica.put({ value: `v${n}`, id: id(NOW_S + n, n), token: replica.read().token });
  const { remembered, cut } = decodePlain(replica.record);
  t.is(remembered.length, 16);
  t.is(cut, NOW_S);
  t.is(replica.put({ value: 'v0', id: id(NOW_S, 0), retry: true }), 'too-late');
  t.is(replica.put({ value: 'v1', id: id(NOW_S + 1, 1), retry: true }), 'known');
});

test('A client whose clock is ahead does not make an honest retry count twice', (t) => {
  const replica = new Replica(1, 1);
  replica.put({ value: 'honest', id: id(NOW_S, 1) });
  replica.put({ value: 'ahead', id: id(NOW_S + 61, 2), token: replica.read().token });
  replica.put({ value: 'last', id: id(NOW_S + 61, 3), token: replica.read().token });
  t.deepEqual(decodePlain(replica.record).remembered, [id(NOW_S + 61, 2)], 'the honest id has left the window');
  t.is(replica.put({ value: 'honest', id: id(NOW_S, 1), retry: true }), 'too-late');
  t.deepEqual(replica.read().values, ['last']);
  t.is(replica.put({ value: 'new', id: id(NOW_S, 4) }), 'write', 'a first attempt is no retry');
});

test('A delete is a version: a tombstone without value or expiry', (t) => {
  const replica = new Replica(1, 1);
  replica.put({ value: 'a', id: id(NOW_S, 1) });
  replica.put({ value: undefined, id: id(NOW_S, 2), token: replica.read().token });
  t.deepEqual(replica.read().values, []);
  t.like(decodePlain(replica.record).siblings[0], { tombstone: true, value: '', expiresMs: 0 });
  const plan = new PutPlan(new Script(), 9, 1_000_000);
  plan.decide(local(new Uint8Array(0)), command({ value: undefined, expiresMs: 77 }));
  t.is(decodePlain(encode(plan)).siblings[0]?.expiresMs, 0);
});

test('An empty value is a value', (t) => {
  const replica = new Replica(1, 1);
  replica.put({ value: '', id: id(NOW_S, 1) });
  t.deepEqual(replica.read().values, ['']);
});

test('Stamps and expiry are stored as given', (t) => {
  const plan = new PutPlan(new Script(), 9, 1_000_000);
  plan.decide(local(new Uint8Array(0)), command({ expiresMs: NOW_MS + 5 }));
  t.like(decodePlain(encode(plan)).siblings[0], { wallMs: NOW_MS, logical: 3, expiresMs: NOW_MS + 5 });
});

/** A replica that holds `count` versions that nobody has seen together. */
function crowded(count: number, recordBytesMax = 1_000_000): Replica {
  const replica = new Replica(1, 1, recordBytesMax);
  for (let n = 0; n < count; n++) replica.put({ value: `v${n}`, id: id(NOW_S, n) });
  return replica;
}

test('At 100 siblings a put that would add one is refused, one that covers any is not', (t) => {
  const replica = crowded(1);
  const { token } = replica.read();
  for (let n = 1; n < 100; n++) t.is(replica.put({ value: `v${n}`, id: id(NOW_S, n) }), 'write');
  t.is(replica.put({ value: 'one more', id: id(NOW_S, 100) }), 'siblings-limit');
  t.is(replica.read().values.length, 100);
  t.is(replica.put({ value: 'instead of the first', id: id(NOW_S, 101), token }), 'write');
  t.is(replica.read().values.length, 100);
  t.is(replica.put({ value: 'instead of all', id: id(NOW_S, 102), token: replica.read().token }), 'write');
  t.deepEqual(replica.read().values, ['instead of all']);
});

test('A put that is known is not refused for the number of siblings', (t) => {
  t.is(crowded(100).put({ value: 'v7', id: id(NOW_S, 7), retry: true }), 'known');
});

test('A put that would add a sibling to a record that is large already is refused, one that replaces is not', (t) => {
  const replica = crowded(1, 200);
  t.is(replica.put({ value: 'x'.repeat(100), id: id(NOW_S, 8) }), 'record-too-large');
  t.is(replica.put({ value: 'x'.repeat(300), id: id(NOW_S, 9), token: replica.read().token }), 'write');
});

test('A put to a record that has no siblings left adds none, and is never too large for it', (t) => {
  const record = encodePlain({
    key: KEY.toString(),
    context: { [ACTORS[0] as string]: 1 },
    siblings: [],
    remembered: [],
    cut: 0,
  });
  const plan = new PutPlan(new Script(), 9, 50);
  t.is(plan.decide(local(record), command()), 'write');
  t.true(plan.soleSibling);
});

test('The first version of a key is never too large for its record', (t) => {
  t.is(crowded(0, 200).put({ value: 'x'.repeat(300), id: id(NOW_S, 1) }), 'write');
});

test('A record that names 4,096 actors takes puts under its mark, and no further actor', (t) => {
  const context: Record<string, number> = {};
  for (let i = 0; i < 4_096; i++) context[i.toString(16).padStart(16, '0')] = 1;
  const actor = '0000000000000005';
  const full = encodePlain({ key: KEY.toString(), context, siblings: [], remembered: [], cut: 0 });
  const plan = new PutPlan(new Script(), 9, 1_000_000);
  t.is(plan.decide(local(full, { actor, counter: 1 }), command()), 'write');
  t.is(decodePlain(encode(plan)).context[actor], 2);
  t.is(plan.decide(local(full), command()), 'context-too-large');
});

test('A put never remembers itself, even if its client claims to have read it', (t) => {
  const elsewhere = new Replica(2, 2);
  elsewhere.put({ value: 'a', id: id(NOW_S, 1) });
  const here = new Replica(1, 1);
  t.is(here.put({ value: 'b', id: id(NOW_S, 1), token: elsewhere.read().token }), 'write');
  t.deepEqual(here.read().values, ['b']);
});

test('Nothing is encoded unless it was decided', (t) => {
  const replica = new Replica(1, 1);
  t.throws(() => replica.plan.encode(new Uint8Array(100), 0, hash), { message: /only a decision to write/ });
  replica.put({ value: 'a', id: id(NOW_S, 1) });
  replica.put({ value: 'a', id: id(NOW_S, 1) });
  t.throws(() => replica.plan.encode(new Uint8Array(100), 0, hash), { message: /only a decision to write/ });
});

test('Versions are put in the order of their dots, before and behind those that stay', (t) => {
  const kept = [versionOf(ACTORS[1] as string, 1, 0), versionOf(ACTORS[3] as string, 1, 0)];
  const context = Object.fromEntries(kept.map((s) => [s.actor, 1]));
  const record = encodePlain({ key: KEY.toString(), context, siblings: kept, remembered: [], cut: 0 });
  for (const [ordinal, place] of [
    [0, 0],
    [0x7fff, 1],
    [0xffff, 2],
  ] as const) {
    const plan = new PutPlan(new Script(), ordinal, 1_000_000);
    plan.decide(local(record), command());
    t.is(
      decodePlain(encode(plan)).siblings.findIndex((s) => s.value === 'new'),
      place,
    );
  }
});
