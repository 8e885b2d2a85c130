/* What a user gets from one node: the SDK against a real partitad, on real sockets and a real disk. */
import test from 'ava';
import { Client, codecs, PartitaError } from '../../src/client/index.js';
import type { GetResult } from '../../src/client/index.js';
import { Daemon } from '../support/daemon.js';

const texts = <T>(result: GetResult<T>): readonly string[] =>
  result.found ? result.siblings.map((sibling) => String(sibling.value)).sort() : [];

const connect = (daemon: Daemon): Promise<Client<string>> =>
  Client.connect({ seeds: [daemon.ready.client], codec: codecs.utf8, timeoutMs: 10_000 });

test.serial('Put, get, replace, delete', async (t) => {
  const daemon = await Daemon.startFor(t);
  await using db = await connect(daemon);
  t.false((await db.get('k')).found);

  const first = await db.put('k', 'one');
  t.true(first.meta.durable, 'the default is to answer after the sync');
  t.is(first.meta.nodeId, daemon.ready.nodeId);
  t.is(first.siblingCount, 1);
  const got = await db.get('k');
  t.deepEqual(texts(got), ['one']);

  await db.put('k', 'two', { context: got.context });
  const again = await db.get('k');
  t.deepEqual(texts(again), ['two']);

  await db.delete('k', { context: again.context });
  t.false((await db.get('k')).found);
});

test.serial('Two writers who have read the same both succeed, and the next reader gets both', async (t) => {
  const daemon = await Daemon.startFor(t);
  await using anna = await connect(daemon);
  await using ben = await connect(daemon);
  await anna.put('cart', 'tea');
  const { context } = await anna.get('cart');
  await Promise.all([anna.put('cart', 'tea and milk', { context }), ben.put('cart', 'tea and bread', { context })]);
  const both = await anna.get('cart');
  t.deepEqual(texts(both), ['tea and bread', 'tea and milk']);

  const merged = await ben.put('cart', 'all', { context: both.context });
  t.is(merged.siblingCount, 1);
  t.deepEqual(texts(await anna.get('cart')), ['all']);
});

test.serial('A put without a context replaces nothing', async (t) => {
  const daemon = await Daemon.startFor(t);
  await using db = await connect(daemon);
  await db.put('k', 'a');
  const second = await db.put('k', 'b');
  t.is(second.siblingCount, 2);
  t.is(second.context, undefined, 'no context without the sibling that it would cover');
  t.deepEqual(texts(await db.get('k')), ['a', 'b']);
});

test.serial('update() loses nothing of what racing writers add', async (t) => {
  const daemon = await Daemon.startFor(t);
  const clients = await Promise.all([connect(daemon), connect(daemon)]);
  t.teardown(() => Promise.all(clients.map((client) => client.close())).then(() => undefined));
  const union = (siblings: readonly { readonly value: string }[], more: string): string =>
    [...new Set([...siblings.flatMap(({ value }) => value.split(' ')), more])].sort().join(' ');
  await Promise.all(
    clients.map(async (db, who) => {
      for (let i = 0; i < 10; i++) {
        await db.update('set', (_current, siblings) => union(siblings, `${who}-${i}`), { roundsMax: 50 });
      }
    }),
  );
  const result = await clients[0].get('set');
  const items = new Set(texts(result).flatMap((text) => text.split(' ')));
  t.is(items.size, 20, [...items].join(' '));
});

test.serial('Many keys at once, answered one by one', async (t) => {
  const daemon = await Daemon.startFor(t);
  await using db = await connect(daemon);
  const entries = Array.from({ length: 300 }, (_, i) => [`many-${i}`, `value ${i}`] as const);
  const puts = await db.putMany(entries);
  t.is([...puts.values()].filter((one) => one instanceof PartitaError).length, 0);
  const gets = await db.getMany([...entries.map(([key]) => key), 'absent']);
  for (const [key, value] of entries) {
    const got = gets.get(key);
    t.true(got !== undefined && !(got instanceof PartitaError) && got.found && texts(got)[0] === value, key);
  }
  const absent = gets.get('absent');
  t.true(absent !== undefined && !(absent instanceof PartitaError) && !absent.found);
});

test.serial('Keys and values are bytes, up to their limits and not beyond', async (t) => {
  const daemon = await Daemon.startFor(t);
  await using db = await Client.connect({ seeds: [daemon.ready.client], timeoutMs: 10_000 });
  const every = Uint8Array.from({ length: 256 }, (_, i) => i);
  const large = new Uint8Array(1_048_576).fill(7);
  for (const [key, value] of [
    [every, every],
    [new Uint8Array(2_048).fill(1), new Uint8Array(0)],
    [new Uint8Array([0]), large],
    ['__proto__', every],
  ] as const) {
    await db.put(key, value);
    const got = await db.get(key);
    t.true(got.found && Buffer.from(value).equals(got.siblings[0].value));
  }
  const tooLarge = await t.throwsAsync(db.put('k', new Uint8Array(1_048_577)), { instanceOf: PartitaError });
  t.is(tooLarge.code, 'TOO_LARGE');
  t.regex(tooLarge.message, /1048577.*1048576/);
});

test.serial('A value with a time to live reads as deleted afterwards', async (t) => {
  const daemon = await Daemon.startFor(t);
  await using db = await connect(daemon);
  await db.put('short', 'lived', { ttlMs: 1_500 });
  t.true((await db.get('short')).found);
  await new Promise((resolve) => setTimeout(resolve, 1_600));
  t.false((await db.get('short')).found);
});

for (const [how, end] of [
  ['SIGTERM', (daemon: Daemon) => daemon.stop()],
  ['kill -9', (daemon: Daemon) => daemon.kill()],
] as const) {
  test.serial(`Everything acknowledged is there after ${how} and a restart, siblings and contexts too`, async (t) => {
    const daemon = await Daemon.startFor(t);
    const before = await connect(daemon);
    await before.put('one', 'value');
    await before.put('two', 'a');
    await before.put('two', 'b');
    const deleted = await before.put('gone', 'x');
    await before.delete('gone', { context: deleted.context });
    const { context } = await before.get('two');
    const exit = await end(daemon);
    if (how === 'SIGTERM') t.is(exit.code, 0, daemon.transcript());
    await before.close();

    await daemon.start();
    await using after = await connect(daemon);
    t.deepEqual(texts(await after.get('one')), ['value']);
    t.deepEqual(texts(await after.get('two')), ['a', 'b']);
    t.false((await after.get('gone')).found);
    t.is(
      (await after.put('two', 'merged', { context })).siblingCount,
      1,
      'a context of before still replaces what it saw',
    );
    t.deepEqual(texts(await after.get('two')), ['merged']);
    await after.put('two', 'later', { context });
    t.deepEqual(texts(await after.get('two')), ['later', 'merged'], 'and nothing that came afterwards');
  });
}

test.serial('With an interval a put says that it is only buffered, unless it asks for more', async (t) => {
  const daemon = await Daemon.startFor(t, { flags: ['--durability', 'interval:100ms'] });
  await using db = await connect(daemon);
  const buffered = await db.put('k', 'v');
  t.false(buffered.meta.durable);
  const synced = await db.put('k2', 'v', { durable: true });
  t.true(synced.meta.durable);
});
