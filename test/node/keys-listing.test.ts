/* Listing the keys of a node: every key once, whatever the pages; and what is refused. */
import test from 'ava';
import fc from 'fast-check';
import type { Failure } from '../../src/model/errors.js';
import { nodeId } from '../../src/model/ids.js';
import type { KeysReply, KeysRequest } from '../../src/model/messages.js';
import { listKeys } from '../../src/node/keys-listing.js';
import type { RingDocument } from '../../src/ring/document.js';
import { decodeKeysReply, encodeKeys } from '../../src/wire/codec-keys.js';
import { KEYS, KEYS_REPLY } from '../../src/wire/kinds.js';
import { isFault } from '../../src/wire/plain.js';
import { errorOf, NodeBench } from '../support/node-bench.js';
import { TestClient, text, textOf } from '../support/test-client.js';

const NOTHING = new Uint8Array(0);
const REQUEST: KeysRequest = {
  budgetMs: 1_000,
  prefix: NOTHING,
  partition: null,
  firstOwner: false,
  all: false,
  cursor: NOTHING,
  limit: 1_000,
};

/** Four nodes, N = 2: ordinal o owns partitions o-1 and o-2 modulo 4, and is the first owner of the former. */
function ringOf(bench: NodeBench): RingDocument {
  const members = [1, 2, 3, 4].map((ordinal) => ({
    nodeId: nodeId(String(ordinal).repeat(32)),
    ordinal,
    address: `10.0.0.${ordinal}:7700`,
    peerAddress: `10.0.0.${ordinal}:7701`,
    zone: '',
    capacity: 1,
    leaving: false,
  }));
  const { partitionCount } = bench.ring;
  const owners = Array.from({ length: partitionCount }, (_, p) => [(p % 4) + 1, ((p + 1) % 4) + 1]).flat();
  return { ...bench.ring, version: 9, replicaCount: 2, members, owners };
}

function ask(bench: NodeBench, ordinal: number, more: Partial<KeysRequest> = {}): Promise<KeysReply> {
  const source = {
    storage: bench.storage,
    ring: ringOf(bench),
    nodeId: String(ordinal).repeat(32),
    ordinal,
    viewMs: () => bench.wallMs,
  };
  return new Promise((resolve, reject) => {
    const settle = (reply: KeysReply | Failure): void => {
      if ('code' in reply) reject(new Error(`${reply.code}: ${reply.text}`));
      else resolve(reply);
    };
    const refusal = listKeys(source, { ...REQUEST, ...more }, settle);
    if (refusal !== null) settle(refusal);
  });
}

/** All pages; the names in the order in which they came. */
async function all(bench: NodeBench, ordinal: number, more: Partial<KeysRequest> = {}): Promise<readonly string[]> {
  const names: string[] = [];
  let cursor: Uint8Array = NOTHING;
  do {
    const page: KeysReply = await ask(bench, ordinal, { ...more, cursor });
    names.push(...page.keys.map(({ key }) => textOf(key)));
    if (page.cursor.length === 0 && page.done !== page.selected) throw new Error('The end, and not all are done');
    ({ cursor } = page);
  } while (cursor.length > 0);
  return names;
}

test('whatever the pages, each key of the partitions that a node owns comes once; as first owner, once a cluster', async (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  const names = Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? `user:${i}` : `cart:${i}`));
  for (const name of names) client.put(name, `value of ${name}`);
  const each = await Promise.all([1, 2, 3, 4].map((ordinal) => all(bench, ordinal)));
  t.deepEqual(each.flat().sort(), [...names, ...names].sort(), 'N = 2: every key on two nodes');
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 40 }), fc.constantFrom('', 'user:', 'none:'), async (limit, prefix) => {
      const more = { limit, prefix: text(prefix), firstOwner: true };
      const listed = await Promise.all([1, 2, 3, 4].map((ordinal) => all(bench, ordinal, more)));
      t.deepEqual(listed.flat().sort(), names.filter((name) => name.startsWith(prefix)).sort());
    }),
    { numRuns: 20 },
  );
});

test('one partition alone, from an owner; others are refused with the names of the owners', async (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  const names = Array.from({ length: 600 }, (_, i) => `key ${i}`);
  for (const name of names) client.put(name, 'v');
  const page = await ask(bench, 2, { partition: 4 * 16 + 1 });
  t.true(page.keys.length > 0);
  t.true(page.keys.every(({ partition }) => partition === 65));
  t.like(page, { selected: 1, done: 1, partitionCount: 256, ringVersion: 9, nodeId: '2'.repeat(32) });
  t.deepEqual((await ask(bench, 3, { partition: 65 })).keys, page.keys);
  await t.throwsAsync(ask(bench, 4, { partition: 65 }), {
    message:
      'INVALID_ARGUMENT: Partition 65 is not kept by this node; its owners are 22222222 (10.0.0.2:7700), 33333333 (10.0.0.3:7700): ask one of them',
  });
  await t.throwsAsync(ask(bench, 4, { partition: 256 }), {
    message: 'INVALID_ARGUMENT: There is no partition 256: this cluster has 0 to 255',
  });
});

test('siblings are counted; what is deleted or expired is listed on request; damaged records always', async (t) => {
  const bench = new NodeBench();
  const client = new TestClient(bench);
  client.put('two', 'a');
  client.put('two', 'b');
  client.put('soon', 'x', { ttlMs: 500 });
  client.put('gone', 'x');
  client.put('gone', undefined, { context: client.get('gone').context });
  bench.pass(1_000);
  const facts = async (more: Partial<KeysRequest>): Promise<readonly unknown[]> =>
    (await Promise.all([1, 2, 3, 4].map((ordinal) => ask(bench, ordinal, { ...more, firstOwner: true })))).flatMap(
      ({ keys }) =>
        keys.map(({ key, siblings, tombstones, expired, damaged }) => [
          textOf(key),
          siblings,
          tombstones,
          expired,
          damaged,
        ]),
    );
  t.deepEqual(await facts({}), [['two', 2, 0, 0, false]]);
  t.deepEqual([...(await facts({ all: true }))].sort(), [
    ['gone', 0, 1, 0, false],
    ['soon', 0, 0, 1, false],
    ['two', 2, 0, 0, false],
  ]);
  bench.storage.unknownReason = 'damaged';
  t.is((await facts({})).length, 3);
});

test('over the admin socket alone, with limits and cursors looked at', async (t) => {
  const bench = new NodeBench();
  new TestClient(bench).put('k', 'v');
  const admin = bench.ready('admin');
  const asked = async (more: Partial<KeysRequest>): Promise<ReturnType<typeof errorOf> | KeysReply> => {
    admin.send(KEYS, 5, encodeKeys({ ...REQUEST, ...more }));
    for (let i = 0; i < 400; i++) await new Promise(setImmediate);
    const frame = admin.take()[0];
    if (frame?.kind !== KEYS_REPLY) return errorOf(frame);
    const reply = decodeKeysReply(frame.body, 0, frame.body.length);
    if (isFault(reply)) throw new Error(reply);
    return reply;
  };
  t.like(await asked({}), { keys: [{ key: new Uint8Array(text('k')), siblings: 1 }], selected: 256, done: 256 });
  t.like(await asked({ limit: 0 }), { text: 'A limit of 0 keys is not between 1 and 1000' });
  t.like(await asked({ limit: 1_001 }), { text: 'A limit of 1001 keys is not between 1 and 1000' });
  t.like(await asked({ cursor: text('nonsense') }), {
    text: 'That is no cursor of a listing of keys: begin without one',
  });
  t.like(await asked({ budgetMs: 0 }), { text: 'A time budget of 0 ms is not within 1..60000' });
  const client = bench.ready('client');
  client.send(KEYS, 6, encodeKeys(REQUEST));
  t.like(errorOf(client.take()[0]), { text: 'A KEYS frame is not served by the client listener' });
});
