/* What an archive holds, brought into other clusters and back into its own, by the commands that an operator uses. */
import test, { type ExecutionContext } from 'ava';
import { type Client, codecs } from '../../src/client/index.js';
import { RealCluster } from '../support/real-cluster.js';
import { runCli } from '../support/run-cli.js';
import { temporaryFolder } from '../support/temporary.js';

const KEYS = Array.from({ length: 60 }, (_, i) => `${i % 2 === 0 ? 'even' : 'odd'}:${i}`);
const LONG = `long:${'x'.repeat(1_500)}`;

async function done(t: ExecutionContext, words: readonly string[], code = 0): Promise<Record<string, string>> {
  const ran = await runCli(words);
  t.is(ran.code, code, `${words.slice(0, 3).join(' ')}: ${ran.out}${ran.err}`);
  return Object.fromEntries(
    ran.out
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t') as [string, string]),
  );
}

async function valuesOf(db: Client<string>, key: string): Promise<readonly string[]> {
  const got = await db.get(key);
  return got.found ? got.siblings.map(({ value }) => value).sort() : [];
}

test.serial('An archive goes to a cluster of another Q and to one of the same, and back to its own', async (t) => {
  const cluster = await RealCluster.startFor(t, { partitions: 4 });
  await cluster.connected();
  const { path: target, remove } = temporaryFolder('archives');
  t.teardown(remove);
  await using db = await cluster.connect();
  for (const key of [...KEYS, LONG]) await db.put(key, `value of ${key}`);
  await db.put('both', 'one');
  await db.put('both', 'two');
  await db.put('gone', 'soon');
  await db.delete('gone', { context: (await db.get('gone')).context });
  const admin = ['--admin', cluster.node(1).ready.admin];
  const made = await runCli(['archive', 'create', target, ...admin]);
  t.is(made.code, 0, made.err);

  // What is deleted, and written, after the archive.
  await db.delete('even:0', { context: (await db.get('even:0')).context });
  await db.put('even:2', 'newer', { context: (await db.get('even:2')).context });
  const back = await done(t, ['restore', target, '--prefix', 'even:', ...admin]);
  t.deepEqual([back['records'], back['merged'], back['missing']], ['30', '0', '0'], 'nothing was lacking');
  t.deepEqual(await valuesOf(db, 'even:0'), []);
  t.deepEqual(await valuesOf(db, 'even:2'), ['newer']);
  const server = ['--server', cluster.addresses[0] ?? ''];
  await done(t, ['restore', target, '--key', 'even:0', '--undelete', ...server]);
  t.deepEqual(await valuesOf(db, 'even:0'), ['value of even:0']);
  await done(t, ['restore', target, '--key', 'even:0', '--undelete', ...server], 2);

  for (const partitions of [4, 16]) {
    const other = await RealCluster.startFor(t, { partitions, nodes: partitions === 4 ? 3 : 4 });
    await other.connected();
    const there = ['--admin', other.node(2).ready.admin];
    const facts = await done(t, ['restore', target, ...there]);
    t.deepEqual([facts['records'], facts['missing']], ['63', '0']);
    t.true(Number(facts['merged']) > 31, 'the owners, which compare, may have been faster with some'); // never with most
    t.is(facts['rootsEqual'], facts['rootsCompared']);
    t.is(facts['rootsCompared'], partitions === 4 ? '12' : '0');
    if (partitions === 4) t.is(facts['files'], String(3 * Number(facts['partitions'])), 'to owners that have nothing');
    else t.is(facts['files'], '0');
    await using read = await other.connect({ codec: codecs.utf8 });
    for (const key of [...KEYS, LONG]) t.deepEqual(await valuesOf(read, key), [`value of ${key}`]);
    t.deepEqual(await valuesOf(read, 'both'), ['one', 'two']);
    t.deepEqual(await valuesOf(read, 'gone'), []);
    t.is((await done(t, ['restore', target, ...there]))['merged'], '0', 'twice is once');
    await other.stop();
  }
});
