/* Gets and puts over several nodes: who stores, who answers, who stands in, and what comes home. */
import test from 'ava';
import { failure } from '../../../src/model/errors.js';
import {
  decodeMultiGetReply,
  decodeMultiPutReply,
  encodeMultiGet,
  encodeMultiPut,
} from '../../../src/wire/codec-multi.js';
import { frameOf } from '../../../src/wire/frame.js';
import { MULTI_GET, MULTI_PUT } from '../../../src/wire/kinds.js';
import type { ReadRequest } from '../../../src/storage/storage.js';
import { isFault } from '../../../src/wire/plain.js';
import { text } from '../../support/test-client.js';
import { SETTLE_MS } from '../../../src/node/cluster/owner-meeting.js';
import { ClusterBench } from './bench.js';
import { TestStorage } from './test-storage.js';

const NONE = new Uint8Array(0);

test('a put is stored by all owners and by nobody else, and the answer names those of the W', (t) => {
  const bench = new ClusterBench(5);
  const key = bench.keyOf(2);
  t.deepEqual(bench.preferenceList(key).slice(0, 3), [2, 3, 4]);
  const { origin } = bench.node(3).put(key, 'apple');
  t.is(origin.nodeId, '3'.padStart(32, '0'));
  t.true(origin.durable);
  t.false(origin.sloppy);
  t.is(origin.acked, 2);
  t.true(origin.owners.includes(3));
  t.deepEqual(origin.fallbacks, []);
  bench.time.runFor(100);
  t.deepEqual(
    bench.members.filter((member) => member.holds(key)).map(({ ordinal }) => ordinal),
    [2, 3, 4],
  );
  t.deepEqual(bench.node(2).storage.record(text(key)), bench.node(4).storage.record(text(key)), 'the very same bytes');
  for (const member of bench.members) t.deepEqual(member.values(key), ['apple']);
});

test('a node that owns no copy hands a put on to one that does', (t) => {
  const bench = new ClusterBench(5);
  const key = bench.keyOf(2);
  const { origin } = bench.node(5).put(key, 'apple');
  t.true([2, 3, 4].includes(Number.parseInt(origin.nodeId, 16)), 'an owner coordinates');
  bench.time.runFor(100);
  t.deepEqual(
    bench.members.map((member) => member.holds(key)),
    [false, true, true, true, false],
  );
  t.is(bench.members.map((member) => member.hints()).join(''), '');
});

test('an error of the owner that coordinates comes back to the client as it is', (t) => {
  const bench = new ClusterBench(5);
  const key = bench.keyOf(2);
  const error = bench.node(5).putError(key, 'apple', { context: Buffer.from('no context at all') });
  t.is(error.code, 'INVALID_CONTEXT');
});

test('while an owner is away a stand-in keeps its copy with a hint; it goes home, and the copy is dropped', (t) => {
  const bench = new ClusterBench(5);
  const key = bench.keyOf(2);
  bench.isolate(3);
  bench.time.runFor(4_000); // its silence is noticed
  const { origin } = bench.node(2).put(key, 'apple', { w: 3 });
  t.deepEqual([...origin.owners].sort(), [2, 4]);
  const standIn = bench.preferenceList(key)[3] as number;
  t.deepEqual(origin.fallbacks, [standIn]);
  t.true(origin.sloppy);
  t.is(bench.node(standIn).hints(), '3:1');
  t.true(bench.node(standIn).holds(key));
  t.false(bench.node(3).holds(key));
  bench.rejoin(3);
  bench.time.runFor(10_000);
  t.true(bench.node(3).holds(key));
  t.is(bench.node(standIn).hints(), '');
  t.is(bench.node(standIn).storage.hints.kept.size, 0);
  t.false(bench.node(standIn).holds(key));
});

test('a put right after an owner was lost waits for it in vain, and then for nobody', (t) => {
  const bench = new ClusterBench(5);
  const key = bench.keyOf(2);
  bench.network.unreachable.add(bench.node(3).host.address);
  bench.node(3).host.stop();
  const sinceMs = bench.time.monotonicMs();
  const { origin } = bench.node(2).put(key, 'apple', { w: 3 });
  t.is(origin.acked, 3);
  t.true(origin.sloppy);
  const tookMs = bench.time.monotonicMs() - sinceMs;
  t.true(tookMs < 300, `the patience with a silent owner: ${tookMs} ms`);
});

test('with all owners away and W = 1, any node takes the put, and all owners get it', (t) => {
  const bench = new ClusterBench(5);
  const key = bench.keyOf(2);
  for (const owner of [2, 3, 4]) bench.isolate(owner);
  bench.time.runFor(4_000);
  const { origin } = bench.node(5).put(key, 'apple', { w: 1 });
  t.true(origin.sloppy);
  t.true(origin.durable, 'a hint counts when it is durable');
  t.deepEqual(bench.node(5).values(key, { r: 1 }), ['apple']);
  for (const owner of [2, 3, 4]) bench.rejoin(owner);
  bench.time.runFor(12_000);
  for (const owner of [2, 3, 4]) t.true(bench.node(owner).holds(key), `owner ${owner}`);
  for (const other of [1, 5]) {
    t.is(bench.node(other).hints(), '');
    t.false(bench.node(other).holds(key));
  }
});

test('too few for W or R: the answer says how many, who, and whether it may have happened', (t) => {
  const bench = new ClusterBench(3);
  const key = bench.keyOf(1);
  bench.isolate(2);
  bench.isolate(3);
  bench.time.runFor(4_000);
  const put = bench.node(1).putError(key, 'apple', { w: 2, budgetMs: 500 });
  t.is(put.code, 'QUORUM_UNAVAILABLE');
  t.true(put.outcomeUnknown);
  t.regex(put.text, /^1 of 2 replicas stored it, the write may have happened \(node 1 \(10\.0\.0\.1:7702\): stored; /);
  const get = bench.node(1).getError(key, { r: 2, budgetMs: 500 });
  t.is(get.code, 'QUORUM_UNAVAILABLE');
  t.regex(get.text, /^1 of 2 replicas answered/);
  bench.rejoin(2);
  bench.rejoin(3);
  bench.time.runFor(10_000);
  t.true(bench.node(2).holds(key) && bench.node(3).holds(key), 'what was not rolled back comes home');
});

test('a read repairs an owner that has missed a put', (t) => {
  const bench = new ClusterBench(3);
  const key = bench.keyOf(1);
  const first = bench.node(1).put(key, 'old', { w: 3 });
  const old = bench.node(2).storage.record(text(key)) as Uint8Array;
  bench.node(1).put(key, 'new', { w: 3, context: first.context });
  bench.node(2).storage.replace(text(key), old);
  t.deepEqual(bench.node(3).values(key, { r: 3 }), ['new']);
  bench.time.runFor(100);
  t.deepEqual(bench.node(2).storage.record(text(key)), bench.node(1).storage.record(text(key)));
});

test('a read repair of what was just put counts apart from one of what should long be everywhere', (t) => {
  const bench = new ClusterBench(3);
  const key = bench.keyOf(1);
  const readRepairs = (): unknown => bench.node(3).node.clusterStatus()?.readRepairs;
  let { context } = bench.node(1).put(key, 'old', { w: 3 });
  const missAPut = (value: string): void => {
    const old = bench.node(2).storage.record(text(key)) as Uint8Array;
    ({ context } = bench.node(1).put(key, value, { w: 3, context }));
    bench.node(2).storage.replace(text(key), old);
  };
  missAPut('new');
  t.deepEqual(bench.node(3).values(key, { r: 3 }), ['new']);
  t.deepEqual(readRepairs(), { young: 1, settled: 0, dropped: 0 });
  bench.time.runFor(100);
  missAPut('newer');
  bench.time.runFor(SETTLE_MS + 1);
  t.deepEqual(bench.node(3).values(key, { r: 3 }), ['newer']);
  t.deepEqual(readRepairs(), { young: 1, settled: 1, dropped: 0 });
});

test('siblings of two coordinators are shown together, wherever they are read, and a merge of them is one', (t) => {
  const bench = new ClusterBench(3);
  const key = bench.keyOf(1);
  const { context } = bench.node(1).put(key, 'tea', { w: 3 });
  bench.node(1).askPut(key, 'milk', { context });
  bench.node(2).askPut(key, 'bread', { context });
  bench.time.runFor(100);
  for (const member of bench.members) member.client.take();
  for (const member of bench.members) t.deepEqual(member.values(key, { r: 3 }), ['bread', 'milk']);
  const read = bench.node(3).get(key);
  bench.node(3).put(key, 'all', { context: read.context });
  for (const member of bench.members) t.deepEqual(member.values(key), ['all']);
});

test('a retry through another node is the same put', (t) => {
  const bench = new ClusterBench(3);
  const key = bench.keyOf(1);
  const putId = bench.putId();
  bench.node(1).put(key, 'apple', { putId, w: 3 });
  bench.node(2).put(key, 'apple', { putId, retry: true });
  t.deepEqual(bench.node(3).values(key, { r: 3 }), ['apple']);
  const apart = bench.keyOf(1, 'apart');
  const again = bench.putId();
  bench.isolate(3);
  bench.node(3).askPut(apart, 'pear', { putId: again, w: 1 });
  bench.time.runFor(1_000);
  bench.node(2).put(apart, 'pear', { putId: again, retry: true });
  bench.rejoin(3);
  bench.time.runFor(10_000);
  t.deepEqual(bench.node(1).values(apart, { r: 3 }), ['pear'], 'two dots, one put: shown once');
});

test('a node whose disk is full hands its own keys on as well', (t) => {
  const bench = new ClusterBench(3);
  const key = bench.keyOf(1);
  bench.node(1).storage.refusal = failure('DISK_FULL', 'Disk full');
  const { origin } = bench.node(1).put(key, 'apple');
  t.not(origin.nodeId, '1'.padStart(32, '0'));
  t.deepEqual(bench.node(1).values(key), ['apple']);
  bench.node(1).storage.refusal = null;
  bench.time.runFor(10_000);
  t.true(bench.node(1).holds(key), 'the hint for it has come home');
});

test('with nobody left to hand it on to, what the store said is the answer', (t) => {
  const bench = new ClusterBench(3);
  bench.isolate(2);
  bench.isolate(3);
  bench.time.runFor(4_000);
  bench.node(1).storage.refusal = failure('DISK_FULL', 'Disk full');
  const error = bench.node(1).putError(bench.keyOf(1), 'apple', { w: 1 });
  t.is(error.code, 'DISK_FULL');
  t.is(error.text, 'Disk full');
});

for (const [who, away, silent] of [
  ['this node refuses', [], [2, 3, 4]],
  ['another node refuses', [3, 4], [2]],
] as const) {
  test(`a put that a silent owner may have done, and that ${who} afterwards, may have happened`, (t) => {
    const bench = new ClusterBench(5);
    for (const owner of away) bench.isolate(owner);
    bench.time.runFor(4_000);
    for (const owner of silent) bench.node(owner).host.stop();
    for (const full of [1, 5]) bench.node(full).storage.refusal = failure('DISK_FULL', 'Disk full');
    const error = bench.node(5).putError(bench.keyOf(2), 'apple', { w: 1, budgetMs: 5_000 });
    t.is(error.code, 'DISK_FULL');
    t.true(error.outcomeUnknown);
  });
}

test('an owner that does not know is not counted, and is repaired', (t) => {
  const bench = new ClusterBench(3);
  const key = bench.keyOf(1);
  bench.node(1).put(key, 'apple', { w: 3 });
  bench.node(1).storage.unknownReason = 'The stored record is damaged';
  const { origin } = bench.node(1).get(key);
  t.deepEqual([...origin.owners].sort(), [2, 3]);
  t.not(origin.fastest, 1);
  const error = bench.node(1).getError(key, { r: 3 });
  t.is(error.code, 'UNKNOWN_STATE');
});

test('cold stores and slow syncs: the frame is gone, and every byte is still right', (t) => {
  const bench = new ClusterBench(3);
  const key = bench.keyOf(1);
  for (const { storage } of bench.members) {
    storage.cold = true;
    storage.holdAcks = true;
  }
  bench.node(1).askPut(key, 'apple', { w: 3 });
  for (let i = 0; i < 20; i++) {
    bench.time.runFor(10);
    for (const { storage } of bench.members) {
      storage.serve();
      storage.sync();
    }
  }
  bench.node(1).answer();
  bench.node(2).askGet(key, { r: 3 });
  for (let i = 0; i < 20; i++) {
    bench.time.runFor(10);
    for (const { storage } of bench.members) storage.serve();
  }
  t.is(bench.node(2).client.take().length, 1);
  for (const { storage } of bench.members) storage.cold = false;
  for (const member of bench.members) t.deepEqual(member.values(key, { r: 3 }), ['apple']);
});

test('large values travel whole, and siblings of them too', (t) => {
  const bench = new ClusterBench(3);
  const key = bench.keyOf(1);
  const large = 'x'.repeat(300_000);
  bench.node(1).put(key, large, { w: 3 });
  bench.node(2).put(key, `${large}y`, { w: 3 });
  t.deepEqual(bench.node(3).values(key, { r: 3 }), [large, `${large}y`]);
});

test('many keys at once: each its own outcome, whoever owns it', (t) => {
  const bench = new ClusterBench(5);
  const keys = [1, 2, 3, 4, 5].map((owner) => bench.keyOf(owner, 'many'));
  const puts = keys.map((key) => ({
    key: text(key),
    value: text(`of ${key}`),
    context: NONE,
    putId: bench.putId(),
    retry: false,
    budgetMs: 2_000,
    namespace: '',
    ringVersion: 1,
    w: 0,
    strict: false,
    durable: false,
    ttlMs: 0,
    returnSiblings: false,
  }));
  const head = { budgetMs: 2_000, namespace: '', ringVersion: 1 };
  const member = bench.node(1);
  member.send(Buffer.from(frameOf(MULTI_PUT, 50, encodeMultiPut({ ...head, puts }))));
  const { body } = member.answer();
  const stored = decodeMultiPutReply(body, 0, body.length);
  t.false(isFault(stored));
  t.is((stored as readonly object[]).filter((item) => 'origin' in item).length, 5);
  const gets = keys.map((key) => ({ ...head, key: text(key), r: 0, strict: false }));
  member.send(Buffer.from(frameOf(MULTI_GET, 51, encodeMultiGet({ ...head, gets }))));
  const answer = member.answer();
  const found = decodeMultiGetReply(answer.body, 0, answer.body.length);
  if (isFault(found)) throw new Error(found);
  t.deepEqual(
    found.map((item) => ('siblings' in item ? Buffer.from(item.siblings[0]?.value ?? NONE).toString() : 'failed')),
    keys.map((key) => `of ${key}`),
  );
});

test('hints of an earlier opening are delivered', (t) => {
  const storages = [1, 2, 3, 4, 5].map(() => new TestStorage());
  const before = new ClusterBench(5, 3, (ordinal) => storages[ordinal - 1] as TestStorage);
  const key = before.keyOf(2);
  before.isolate(3);
  before.time.runFor(4_000);
  before.node(2).put(key, 'apple', { w: 3 });
  const standIn = before.preferenceList(key)[3] as number;
  const kept = storages[standIn - 1] as TestStorage;
  kept.hints.restorable = [...kept.hints.kept.values()];
  t.is(kept.hints.restorable.length, 1);
  for (const storage of storages) storage.opening = 2;
  const after = new ClusterBench(5, 3, (ordinal) => storages[ordinal - 1] as TestStorage);
  after.time.runFor(5_000);
  t.true(after.node(3).holds(key));
  t.is(after.node(standIn).hints(), '');
  t.false(after.node(standIn).holds(key));
});

/** Its reads are answered later, as those of a cold file. */
class ColdStorage extends TestStorage {
  later: ((fire: () => void) => void) | null = null;
  readonly keysRead: string[] = [];

  override read(request: ReadRequest): void {
    this.later?.(() => {
      this.keysRead.push(Buffer.from(request.key).toString());
      super.read(request);
    });
  }
}

test('a get that has failed at once still knows its key when the cold store is ready to read it', (t) => {
  const cold = new ColdStorage();
  const bench = new ClusterBench(3, 3, (ordinal) => (ordinal === 1 ? cold : new TestStorage()));
  cold.later = (fire) => {
    bench.time.after(30, fire);
  };
  const key = bench.keyOf(1);
  bench.isolate(2);
  bench.isolate(3);
  bench.time.runFor(8_000); // the connections are gone: nobody can even be asked
  t.is(bench.node(1).getError(key, { r: 3 }).code, 'QUORUM_UNAVAILABLE');
  bench.time.runFor(100);
  t.deepEqual(cold.keysRead, [key]);
});

test('a copy that nobody needs any more is dropped as soon as the store takes writes', (t) => {
  const bench = new ClusterBench(5);
  const key = bench.keyOf(2);
  bench.isolate(3);
  bench.time.runFor(4_000);
  bench.node(2).put(key, 'apple', { w: 3 });
  const standIn = bench.node(bench.preferenceList(key)[3] as number);
  t.true(standIn.holds(key));
  standIn.storage.refusal = failure('DISK_FULL', 'Disk full');
  bench.rejoin(3);
  bench.time.runFor(10_000);
  t.is(standIn.hints(), '', 'the hint has gone home all the same');
  t.true(standIn.holds(key));
  standIn.storage.refusal = null;
  bench.time.runFor(1_000);
  t.false(standIn.holds(key));
});
