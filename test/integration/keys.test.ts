/* Keys by hand, in a real cluster: listed, taken out, put into another, resolved and repaired. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { RealCluster } from '../support/real-cluster.js';
import { runCli } from '../support/run-cli.js';
import type { Ran, Surroundings } from '../support/run-cli.js';

type Cli = (argv: readonly string[], more?: Surroundings) => Promise<Ran>;

const cliOf =
  (cluster: RealCluster): Cli =>
  (argv, more = {}) =>
    runCli(argv, { ...more, env: { PARTITA_SERVER: cluster.addresses.join(',') } });

/** Key and values of each line, sorted. */
const contentOf = (ndjson: string): readonly string[] =>
  ndjson
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text) as { key?: string; keyBase64?: string; siblings: { value: string }[] })
    .map(
      ({ key, keyBase64, siblings }) =>
        `${key ?? keyBase64}: ${siblings
          .map(({ value }) => value)
          .sort()
          .join(' | ')}`,
    )
    .sort();

test.serial('listed by every node, exported, imported twice, and the same in another cluster', async (t) => {
  const cluster = await RealCluster.startFor(t);
  await cluster.connected();
  const cli = cliOf(cluster);
  const adminOf = (n: number): readonly string[] => ['--admin', cluster.node(n).ready.admin];
  await using db = await cluster.connect();
  const names = Array.from({ length: 40 }, (_, i) => `user:${i}`);
  await Promise.all(names.map((name) => db.put(name, `value of ${name}`)));
  await db.put('cart', 'tea');
  await db.put('cart', 'milk');
  await db.put('gone', 'x');
  await db.delete('gone', { context: (await db.get('gone')).context });
  await db.put(Buffer.from([0xff, 0x00]), 'a key that is no text');
  await db.put('an hour', 'x', { ttlMs: 3_600_000 });

  const rowsOf = (ran: Ran): readonly string[] =>
    ran.out
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t')[0] ?? '');
  const listed = await cli(['keys', ...adminOf(1)]);
  t.deepEqual([...rowsOf(listed)].sort(), [...names, 'an hour', 'cart', 'hex:ff00'].sort());
  t.regex(listed.err, /^From node [0-9a-f]{8}, which owns 16 of 16 partitions\n$/);
  const primary = await Promise.all([1, 2, 3].map((n) => cli(['keys', '--first-owner', '--all', ...adminOf(n)])));
  t.deepEqual(primary.flatMap(rowsOf).sort(), [...names, 'an hour', 'cart', 'gone', 'hex:ff00'].sort());
  const json = JSON.parse((await cli(['keys', '--prefix', 'cart', '-o', 'json', ...adminOf(2)])).out) as {
    keys: readonly unknown[];
  };
  t.like(json.keys[0], { key: 'cart', state: 'conflict', siblings: 2 });

  // In pages, each going on where the one before ended.
  const paged: string[] = [];
  let cursor: readonly string[] = [];
  for (let pages = 0; pages < 20; pages++) {
    const page = await cli(['keys', '--limit', '7', ...cursor, ...adminOf(3)]);
    if (page.out !== '') paged.push(...rowsOf(page));
    const more = /--cursor (\S+)/.exec(page.err);
    if (more === null) break;
    cursor = ['--cursor', more[1] ?? ''];
  }
  t.deepEqual(paged.sort(), [...rowsOf(listed)].sort());

  const exported = await cli(['export', ...adminOf(1)]);
  t.is(exported.code, 0, exported.err);
  t.is(contentOf(exported.out).length, 43);
  const stdin = Buffer.from(exported.out);
  t.is((await cli(['import'], { stdin })).err, '43 lines: 0 keys stored with 0 versions, 43 were there already\n');

  const other = await RealCluster.startFor(t, { nodes: 1, replicas: 1 });
  const there = cliOf(other);
  t.is((await there(['import', '--dry-run'], { stdin })).err, '43 lines: 43 keys would be stored with 44 versions\n');
  t.is((await there(['import'], { stdin })).err, '43 lines: 43 keys stored with 44 versions\n');
  t.is((await there(['import'], { stdin })).err, '43 lines: 0 keys stored with 0 versions, 43 were there already\n');
  const again = await there(['export', '--admin', other.node(1).ready.admin]);
  t.deepEqual(contentOf(again.out), contentOf(exported.out));
  t.regex(again.out, /"an hour","siblings":\[\{"value":"x","writtenMs":\d+,"expiresMs":\d+\}\]/);

  // What has been replaced since stays replaced.
  t.is((await cli(['resolve', 'cart', '--pick', '2'])).code, 0);
  const late = await cli(['import'], { stdin });
  t.regex(late.err, /^43 lines: 0 keys stored with 0 versions, 42 were there already, 1 had been replaced/);
  t.is(
    (await db.get('cart')).found &&
      (await db.put('cart', 'x', { context: (await db.get('cart')).context })).siblingCount,
    1,
  );
  const bad = await cli(['import'], { stdin: Buffer.from('{"key":"new","siblings":[{"value":"v"}]}\n\n{oops}\n') });
  t.is(bad.code, 1);
  t.regex(bad.err, /^error: line 3: not JSON: .*\n2 lines: 1 key stored with 1 version\nerror: 1 line not understood/);
  t.is((await cli(['get', 'new'])).out, 'v');
});

test.serial('resolve replaces what was seen; repair tells a replica what it has lost', async (t) => {
  const cluster = await RealCluster.startFor(t);
  await cluster.connected();
  const cli = cliOf(cluster);
  await using db = await cluster.connect();
  for (const value of ['a', 'b', 'c']) await db.put('k', value);
  t.deepEqual((await cli(['resolve', 'nothing', '--pick', '1'])).code, 3);
  t.deepEqual(
    (await cli(['resolve', 'k', '--pick', '4'])).err,
    'error: --pick: there is no version 4, the key has 3\n',
  );
  t.is((await cli(['resolve', 'k', '--value', 'all three'])).code, 0);
  t.is((await cli(['get', 'k'])).out, 'all three');

  const whole = await cli(['repair', 'k']);
  t.is(whole.code, 0);
  t.deepEqual(
    whole.out
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t').slice(2)),
    Array(3).fill(['up to date', 'up to date']),
  );
  // One loses its files: it knows that it does not know, until the others have given it back what it had.
  t.is((await cluster.node(3).stop()).code, 0);
  for (const folder of ['partitions', 'log'].map((name) => join(cluster.node(3).dataDir, name))) {
    for (const name of readdirSync(folder).filter((file) => !file.startsWith('table'))) rmSync(join(folder, name));
  }
  const away = await cli(['repair', 'k']);
  t.is(away.code, 4);
  t.regex(away.out, /\tnot asked: CONNECTION\tnot asked: CONNECTION\n/);
  await cluster.node(3).start();
  await cluster.connected();
  const SOUND = 'up to date';
  const MENDED = 'unknown: suspect partition, this record up to date';
  for (const deadlineMs = Date.now() + 30_000; ;) {
    const repaired = await cli(['repair', 'k', '-o', 'json']);
    t.is(repaired.code, 0, repaired.err);
    const { owners } = JSON.parse(repaired.out) as { owners: readonly { before: string; after: string }[] };
    t.is(owners.length, 3);
    t.true(
      owners.every(({ after }) => after === SOUND || after === MENDED),
      repaired.out,
    );
    if (owners.every(({ before }) => before === SOUND)) break;
    t.true(Date.now() < deadlineMs, 'it is not believed again');
  }
});
