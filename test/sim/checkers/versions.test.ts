/* Checkers of dots, contexts, quorums and clocks, on evidence made up for them. */
import test from 'ava';
import { writeTokenFixed, tokenBytes } from '../../../src/versioning/token.js';
import { seal } from '../../../src/versioning/write.js';
import { encodePlain } from '../../versioning/support.js';
import { HASH } from '../tools.js';
import { checkClocks } from './clocks.js';
import { checkContextGiven } from './context-given.js';
import { forgotten } from './context-growth.js';
import { checkDots } from './dots.js';
import { KEY, MadeUp, putIdOf } from './made-up.js';
import { checkQuorum } from './quorum.js';

/** A context that covers the first `counter` dots of the one actor that MadeUp mints under. */
function contextUpTo(counter: number): Uint8Array {
  const key = Buffer.from(KEY);
  HASH.hash(key, 0, key.length);
  const bytes = new Uint8Array(tokenBytes(1, 0));
  writeTokenFixed(bytes, 0, 1, 0, { hi: HASH.hi, lo: HASH.lo });
  const view = Buffer.from(bytes.buffer);
  view.writeUInt16BE(1, 16);
  view.writeUInt16BE(counter, 16 + 12);
  seal(bytes, 0, bytes.length, HASH);
  return bytes;
}

test('dots: one dot names two puts; one put may have two dots', (t) => {
  t.is(checkDots(new MadeUp().mint(1, 1).mint(2, 1)).length, 1);
  t.is(checkDots(new MadeUp().mint(1, 1).mint(2, 2)).length, 0);
  t.is(checkDots(new MadeUp().mint(1, 1).mint(1, 2)).length, 0);
  t.is(checkDots(new MadeUp().mint(1, 1).mint(2, 1, { key: 'other' })).length, 0);
});

test('context given: it covers a put that was not shown with it', (t) => {
  const two = (): MadeUp => new MadeUp().put(1, 10).put(2, 20).mint(1, 1).mint(2, 2);
  t.is(checkContextGiven(two().get(30, [2], { context: contextUpTo(2) })).length, 1);
  t.is(checkContextGiven(two().get(30, [1, 2], { context: contextUpTo(2) })).length, 0);
  t.is(checkContextGiven(two().get(30, [1], { context: contextUpTo(1) })).length, 0);
  t.is(checkContextGiven(two().get(30, [2], { from: 'put', context: contextUpTo(2) })).length, 1);
});

test('context given: what somebody read and may have replaced need not be shown', (t) => {
  const replaced = new MadeUp().put(1, 10).put(2, 20, [1]).mint(1, 1).mint(2, 2);
  t.is(checkContextGiven(replaced.get(30, [2], { context: contextUpTo(2) })).length, 0);
});

test('context given: bytes that are no context', (t) => {
  t.is(checkContextGiven(new MadeUp().get(30, [], { context: Buffer.from('nonsense') })).length, 1);
});

test('context growth: an entry gone, an entry smaller, and neither', (t) => {
  const record = (context: Readonly<Record<string, number>>): Uint8Array =>
    encodePlain({ key: KEY, context, siblings: [], remembered: [], cut: 0 });
  const a = '0001000000000001';
  const b = '0002000000000001';
  t.is(forgotten(record({ [a]: 2, [b]: 1 }), 0, record({ [a]: 2, [b]: 3 }), 0), '');
  t.true(forgotten(record({ [a]: 2, [b]: 1 }), 0, record({ [a]: 2 }), 0).startsWith(b));
  t.true(forgotten(record({ [a]: 2 }), 0, record({ [a]: 1, [b]: 9 }), 0).startsWith(a));
});

test('quorum: acknowledged before as many nodes as are needed had it on their disks', (t) => {
  const evidence = new MadeUp().put(1, 10, [], { acked: 2, w: 2 });
  t.is(checkQuorum(evidence).length, 1);
  evidence.durable.set(putIdOf(1), new Map([[0, 12]]));
  t.is(checkQuorum(evidence).length, 1, 'one of two');
  evidence.durable.get(putIdOf(1))?.set(1, 16);
  t.is(checkQuorum(evidence).length, 1, 'the second one too late');
  evidence.durable.get(putIdOf(1))?.set(2, 15);
  t.is(checkQuorum(evidence).length, 0);
});

test('quorum: a strict put counts owners only', (t) => {
  const evidence = new MadeUp().put(1, 10, [], { acked: 2, w: 2, strict: true });
  evidence.durable.set(
    putIdOf(1),
    new Map([
      [0, 12],
      [3, 12],
    ]),
  );
  evidence.view = { ...evidence.view, owners: () => [0, 1, 2] };
  t.is(checkQuorum(evidence).length, 1);
  evidence.durable.get(putIdOf(1))?.set(2, 12);
  t.is(checkQuorum(evidence).length, 0);
});

test('quorum: an answer that names fewer nodes than were needed', (t) => {
  const evidence = new MadeUp().put(1, 10, [], { acked: 0 });
  evidence.durable.set(putIdOf(1), new Map([[0, 12]]));
  t.is(checkQuorum(evidence).length, 1);
});

test('clocks: a stamp below an earlier one of the same process', (t) => {
  const early = { atMs: 10, wallMs: 500, durableMs: Number.POSITIVE_INFINITY };
  const late = { atMs: 20, wallMs: 499 };
  t.is(checkClocks(new MadeUp().mint(1, 1, early).mint(2, 2, late)).length, 1);
  t.is(checkClocks(new MadeUp().mint(1, 1, early).mint(2, 2, { ...late, wallMs: 500, logical: 1 })).length, 0);
});

test('clocks: a stamp below one that the disk had kept over a restart', (t) => {
  const kept = { atMs: 10, wallMs: 500, durableMs: 12 };
  const after = { atMs: 20, wallMs: 499, incarnation: 2 };
  t.is(checkClocks(new MadeUp().mint(1, 1, kept).mint(2, 2, after)).length, 1);
  t.is(checkClocks(new MadeUp().mint(1, 1, { ...kept, durableMs: 25 }).mint(2, 2, after)).length, 0, 'it was lost');
  t.is(checkClocks(new MadeUp().mint(1, 1, kept).mint(2, 2, { ...after, life: 2 })).length, 0, 'another disk');
});
