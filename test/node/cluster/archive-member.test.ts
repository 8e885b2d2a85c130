/* Records of an archive at an owner: merged as anything else is, and never brought back from among what was deleted. */
import test, { type ExecutionContext } from 'ava';
import xxhash from 'xxhash-wasm';
import type { Slices } from '../../../src/background/slices.js';
import type { ArchiveRecordsReply } from '../../../src/model/archive-messages.js';
import type { Failure } from '../../../src/model/errors.js';
import { hash64From } from '../../../src/model/hash.js';
import { ArchiveMember, type ArchiveWorld } from '../../../src/node/cluster/archive-member.js';
import type { ClusterParts } from '../../../src/node/cluster/parts.js';
import type { BodyAsker } from '../../../src/node/peers/request.js';
import { CONTEXT_ENTRY_BYTES, contextCount, contextStart, siblingCount } from '../../../src/versioning/record.js';
import {
  decodeArchiveRecordsReply,
  decodeArchiveStateReply,
  encodeArchiveRecords,
  encodeArchiveState,
} from '../../../src/wire/codec-archive.js';
import { ARCHIVE_RECORDS, ARCHIVE_STATE } from '../../../src/wire/kinds.js';
import { text } from '../../support/test-client.js';
import { ClusterBench } from './bench.js';

const HASH = hash64From(await xxhash());
interface Stand {
  readonly suspect?: readonly number[];
  readonly isBehind?: boolean;
  readonly isSettled?: boolean;
  readonly reapedAt?: number;
}

const FENCE = 1_700_000_000_000;

/** What `owner` answers; a refusal: its text. */
async function ask<T extends object>(
  bench: ClusterBench,
  owner: number,
  kind: number,
  body: Uint8Array,
  read: (bytes: Uint8Array, start: number, end: number) => T | string,
): Promise<T | string> {
  let answer: T | string = 'no answer';
  const asker: BodyAsker = {
    onAnswered: (_from, _tag, bytes, start, end) => {
      answer = read(bytes, start, end);
    },
    onRefused: (_from, _tag, refusal) => {
      answer = refusal.text;
    },
    onUnanswered: () => undefined,
  };
  const links = bench.playing(owner === 1 ? 2 : 1);
  bench.time.runFor(100);
  links.get(owner)?.ask(kind, body, 5_000, asker, 0);
  await bench.settle(300);
  links.stop();
  return answer;
}

function send(
  bench: ClusterBench,
  owner: number,
  key: string,
  record: Uint8Array,
  compares: boolean = false,
  fence: number = 0,
): Promise<ArchiveRecordsReply | string> {
  const body = encodeArchiveRecords({
    partition: bench.partitionOf(key),
    budgetMs: 5_000,
    compares,
    fence,
    records: [record],
  });
  return ask(bench, owner, ARCHIVE_RECORDS, body, decodeArchiveRecordsReply);
}

function found(t: ExecutionContext, reply: ArchiveRecordsReply | string, what: keyof ArchiveRecordsReply): void {
  t.deepEqual(reply, { known: 0, absent: 0, different: 0, reaped: 0, unknown: 0, [what]: 1 });
}

function recordAt(bench: ClusterBench, owner: number, key: string): Uint8Array {
  return new Uint8Array(bench.node(owner).storage.record(text(key)) as Uint8Array);
}

/** The owner has reaped all that `record` knows of. */
function reap(bench: ClusterBench, owner: number, key: string, record: Uint8Array): void {
  const from = contextStart(record, 0);
  const context = record.slice(from, from + CONTEXT_ENTRY_BYTES * contextCount(record, 0));
  const bytes = text(key);
  HASH.hash(bytes, 0, bytes.length);
  const { hi: hashHi, lo: hashLo } = HASH;
  bench.node(owner).storage.reaps.learn(bench.partitionOf(key), { hashHi, hashLo, fence: FENCE, atMs: 5, context });
}

test('what is not there is stored with its version, and a second time it is known', async (t) => {
  const before = new ClusterBench(3);
  const key = before.keyOf(1);
  before.node(1).put(key, 'apple', { w: 3 });
  const record = recordAt(before, 1, key);
  const bench = new ClusterBench(3);
  found(t, await send(bench, 2, key, record, true), 'absent');
  t.false(bench.node(2).holds(key), 'to look writes nothing');
  found(t, await send(bench, 2, key, record), 'absent');
  t.deepEqual(recordAt(bench, 2, key), record);
  found(t, await send(bench, 2, key, record), 'known');
});

test('nothing is merged where deletes have been forgotten since it was read, whatever was found before', async (t) => {
  const before = new ClusterBench(3);
  const key = before.keyOf(1);
  before.node(1).put(key, 'apple', { w: 3 });
  const record = recordAt(before, 1, key);
  const bench = new ClusterBench(3);
  reap(bench, 2, key, record);
  found(t, await send(bench, 2, key, record), 'reaped');
  const { reaps } = bench.node(2).storage;
  reaps.trim(bench.partitionOf(key), 6);
  t.is(reaps.trimmedAt(bench.partitionOf(key)), FENCE);
  const refused = await send(bench, 2, key, record);
  t.regex(typeof refused === 'string' ? refused : '', /were forgotten for good meanwhile/);
  t.false(bench.node(2).holds(key));
  found(t, await send(bench, 2, key, record, true), 'absent');
  found(t, await send(bench, 2, key, record, false, FENCE), 'absent');
  t.true(bench.node(2).holds(key), 'it was read after them');
});

test('siblings of both sides stay', async (t) => {
  const before = new ClusterBench(3);
  const key = before.keyOf(1);
  before.node(1).put(key, 'archived', { w: 3 });
  const record = recordAt(before, 1, key);
  const bench = new ClusterBench(4);
  bench.node(1).put('another', 'so that no two puts have one id');
  bench.node(1).put(key, 'present', { w: 3 });
  for (const owner of bench.ownersOf(bench.partitionOf(key)))
    found(t, await send(bench, owner, key, record), 'different');
  t.deepEqual(bench.node(1).values(key, { r: 3 }), ['archived', 'present']);
});

test('what was deleted since stays so while the tombstone is there', async (t) => {
  const bench = new ClusterBench(3);
  const key = bench.keyOf(1);
  bench.node(1).put(key, 'apple', { w: 3 });
  const record = recordAt(bench, 1, key);
  bench.node(1).put(key, undefined, { context: bench.node(1).get(key).context, w: 3 });
  for (const owner of [1, 2, 3]) found(t, await send(bench, owner, key, record), 'known');
  t.deepEqual(bench.node(1).values(key, { r: 3 }), []);
});

test('and when it is forgotten, by the reap log', async (t) => {
  const before = new ClusterBench(3);
  const key = before.keyOf(1);
  before.node(1).put(key, 'apple', { w: 3 });
  const record = recordAt(before, 1, key);
  const bench = new ClusterBench(3);
  reap(bench, 1, key, record);
  found(t, await send(bench, 1, key, record), 'reaped');
  t.false(bench.node(1).holds(key));
  found(t, await send(bench, 1, key, record, true), 'reaped');
});

test('of several versions only those go that were deleted', async (t) => {
  const before = new ClusterBench(3);
  const key = before.keyOf(1);
  before.node(1).put(key, 'deleted later', { w: 3 });
  const first = recordAt(before, 1, key);
  before.node(1).put(key, 'never seen by the delete', { w: 3 });
  const both = recordAt(before, 1, key);
  const bench = new ClusterBench(3);
  for (const owner of [1, 2, 3]) {
    reap(bench, owner, key, first);
    found(t, await send(bench, owner, key, both), 'absent');
  }
  for (const owner of [1, 2, 3]) t.is(siblingCount(recordAt(bench, owner, key), 0), 1);
  found(t, await send(bench, 1, key, both, true), 'known');
  t.true(Buffer.from(recordAt(bench, 1, key)).includes('never seen by the delete'));
});

test('a fence is no hindrance: the log is what an archive passes', async (t) => {
  const before = new ClusterBench(3);
  const key = before.keyOf(1);
  before.node(1).put(key, 'apple', { w: 3 });
  const record = recordAt(before, 1, key);
  const bench = new ClusterBench(3);
  bench.node(1).storage.reaps.refuseBelow(bench.partitionOf(key), FENCE);
  found(t, await send(bench, 1, key, record), 'absent');
  t.true(bench.node(1).holds(key));
});

test('damaged records, and those of other partitions, are refused with nothing written', async (t) => {
  const before = new ClusterBench(3);
  const key = before.keyOf(1);
  before.node(1).put(key, 'apple', { w: 3 });
  const record = recordAt(before, 1, key);
  const bench = new ClusterBench(3);
  const damaged = record.slice();
  damaged[damaged.length - 9] = (damaged[damaged.length - 9] as number) ^ 1;
  t.regex((await send(bench, 1, key, damaged)) as string, /failed its check/);
  const stranger = bench.keyIn((bench.partitionOf(key) + 1) % 16);
  t.regex((await send(bench, 1, stranger, record)) as string, /another partition/);
  t.false(bench.node(1).holds(key));
});

test('who is no owner takes nothing: it has no log', async (t) => {
  const before = new ClusterBench(4);
  const key = before.keyOf(1);
  before.node(1).put(key, 'apple', { w: 3 });
  const record = recordAt(before, 1, key);
  const bench = new ClusterBench(4);
  const stranger = [1, 2, 3, 4].find((one) => !bench.ownersOf(bench.partitionOf(key)).includes(one)) as number;
  t.regex((await send(bench, stranger, key, record)) as string, /has no copy here, by ring 1/);
  t.false(bench.node(stranger).holds(key));
});

for (const [what, stand, text] of [
  ['that may lack what others have', { suspect: [3] }, /is being told here what others have/],
  ['that others have reaped without', { isBehind: true }, /is being told here what others have/],
  ['that has heard of no deletes, and not from all', { isSettled: false }, /is waiting here to hear/],
  ['that is settled', {}, null],
  ['that was started again with its log', { isSettled: false, reapedAt: 7 }, null],
] as const) {
  test(`an owner ${what} ${text === null ? 'takes' : 'takes no'} records of an archive`, (t) => {
    const { suspect = [], isBehind = false, isSettled = true, reapedAt = 0 } = stand as Stand;
    const parts = {
      services: {
        ring: { partitionCount: 16, version: 1 },
        storage: { status: () => ({ suspectPartitions: suspect }) },
      },
      preferences: { isOwner: () => true },
      fences: { isBehind: () => isBehind, isSettled: () => isSettled },
      reaps: { reapedAt: () => reapedAt },
    } as unknown as ClusterParts;
    const slices: Slices = {
      ask: (_task, _bytes, go) => {
        go();
      },
    };
    const member = new ArchiveMember({ parts, slices } as unknown as ArchiveWorld);
    let answer: ArchiveRecordsReply | Failure | null = null;
    member.records({ partition: 3, budgetMs: 1, compares: false, fence: 0, records: [] }, (reply) => {
      answer = reply;
    });
    if (text === null) t.deepEqual(answer, { known: 0, absent: 0, different: 0, reaped: 0, unknown: 0 });
    else t.regex((answer as Failure | null)?.text ?? '', text);
  });
}

test('a partition says what it holds, and whom it has met', async (t) => {
  const bench = new ClusterBench(4);
  const key = bench.keyOf(1);
  bench.node(1).put(key, 'apple', { w: 3 });
  const partition = bench.partitionOf(key);
  const owners = bench.ownersOf(partition);
  const owner = owners[0] as number;
  const look = async (
    begunMsAgo: number,
  ): Promise<{ readonly met: number; readonly unmet: number; readonly records: number }> => {
    const body = encodeArchiveState({ partition, budgetMs: 5_000, meets: true, begunMsAgo });
    const reply = await ask(bench, owner, ARCHIVE_STATE, body, decodeArchiveStateReply);
    if (typeof reply === 'string') throw new Error(reply);
    t.true(reply.isOwner);
    return { met: reply.met.length, unmet: reply.unmet.length, records: reply.records };
  };
  t.deepEqual(await look(1_000), { met: 0, unmet: 2, records: 1 }, 'what is young is not compared yet');
  await bench.settle(6_000);
  t.deepEqual(await look(6_000), { met: 0, unmet: 2, records: 1 });
  await bench.settle(1_000);
  t.deepEqual(await look(8_000), { met: 2, unmet: 0, records: 1 });
  bench.isolate(owners[1] as number);
  await bench.settle(3_000);
  const lost = await look(5_000);
  t.deepEqual([lost.met, lost.unmet], [0, 1], 'who cannot be reached is neither');
});
