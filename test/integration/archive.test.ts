/* Archives of a real cluster, by the commands that an operator uses: made while it serves, verified, damaged, made again. */
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { RealCluster } from '../support/real-cluster.js';
import { runCli } from '../support/run-cli.js';
import { temporaryFolder } from '../support/temporary.js';

async function done(t: ExecutionContext, words: readonly string[]): Promise<string[][]> {
  const { code, out, err } = await runCli(words);
  t.is(code, 0, `${words.join(' ')}: ${err}`);
  return out
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));
}

test.serial('An archive is made while the cluster serves, verified, and one flipped bit is found', async (t) => {
  const cluster = await RealCluster.startFor(t, { partitions: 4 });
  await cluster.connected();
  const { path: target, remove } = temporaryFolder('archives');
  t.teardown(remove);
  const keys = Array.from({ length: 40 }, (_, i) => `key:${i}`);
  await using db = await cluster.connect();
  for (const key of keys) await db.put(key, `value of ${key}`);
  const admin = ['--admin', cluster.node(1).ready.admin];
  const [made] = await done(t, ['archive', 'create', target, ...admin]);
  const [name = '', state, partitions, referred, records] = made ?? [];
  t.deepEqual([state, partitions, referred, records], ['complete', '4', '0', '40']);
  t.deepEqual(await done(t, ['archive', 'verify', target]), [[name, 'sound', '4', '40']]);
  const files = readdirSync(join(target, name)).filter((file) => file.endsWith('.mdb'));
  for (const file of files) t.is(statSync(join(target, name, file)).mode & 0o777, 0o600, file);

  await db.put('key:7', 'another value');
  const [again] = await done(t, ['archive', 'create', target, '--since', 'latest', ...admin]);
  t.deepEqual(again?.slice(1, 5), ['complete', '4', '3', '40'], 'three partitions are as they were');

  const broken = files[0] ?? '';
  const bytes = readFileSync(join(target, name, broken));
  bytes.writeUInt8(bytes.readUInt8(9_000) ^ 4, 9_000);
  writeFileSync(join(target, name, broken), bytes);
  const verified = await runCli(['archive', 'verify', target, '--archive', name]);
  t.is(verified.code, 1);
  t.true(
    verified.out.includes(`${name}/${broken}\tIt is damaged: not as it was written are bytes 0 to `),
    verified.out,
  );
  t.is(verified.out.trimEnd().split('\n').length, 2, 'nothing else is');
  const refused = await runCli(['restore', target, '--archive', name, ...admin]);
  t.is(refused.code, 2);
  t.regex(refused.err, /is damaged, and nothing was restored: partition/);
  bytes.writeUInt8(bytes.readUInt8(9_000) ^ 4, 9_000);
  writeFileSync(join(target, name, broken), bytes);

  // What stands in the place of a file is not read, whatever it holds.
  const path = join(target, name, broken);
  const aside = join(target, 'aside.mdb');
  for (const [put, text] of [
    [
      () => {
        symlinkSync(aside, path);
      },
      'It is no plain file',
    ],
    [
      () => {
        linkSync(aside, path);
      },
      'It has 2 names',
    ],
    [
      () => {
        mkdirSync(path);
      },
      'It is no plain file',
    ],
    [
      () => {
        writeFileSync(path, Buffer.concat([bytes, bytes]));
      },
      `It has ${2 * bytes.length} bytes instead of ${bytes.length}`,
    ],
    [
      () => {
        writeFileSync(path, bytes.subarray(0, -1));
      },
      `It has ${bytes.length - 1} bytes instead of ${bytes.length}`,
    ],
    [() => undefined, 'It is missing'],
  ] as const) {
    renameSync(path, aside);
    put();
    const { code, out } = await runCli(['archive', 'verify', target, '--archive', name]);
    t.is(code, 1);
    t.true(out.includes(`${name}/${broken}\t${text}`), out);
    rmSync(path, { recursive: true, force: true });
    renameSync(aside, path);
  }
  writeFileSync(join(target, name, 'stray.mdb'), bytes);
  const strange = await runCli(['archive', 'verify', target, '--archive', name]);
  t.true(strange.out.includes(`${name}/stray.mdb\tIt is none of this archive’s files`), strange.out);
  rmSync(join(target, name, 'stray.mdb'));

  // The second refers to three files of the first: that one stays.
  t.deepEqual(await done(t, ['archive', 'prune', target, '--keep', '1']), [['needed', name, again?.[0] ?? '']]);
  const [full] = await done(t, ['archive', 'create', target, ...admin]);
  const pruned = await done(t, ['archive', 'prune', target, '--keep', '1']);
  t.deepEqual(pruned, [
    ['removed', again?.[0] ?? ''],
    ['removed', name],
  ]);
  t.deepEqual(await done(t, ['archive', 'verify', target]), [[full?.[0] ?? '', 'sound', '4', '40']]);
});

test.serial(
  'Owners that are away are named; without a majority a partition is not complete, until it is gone on with',
  async (t) => {
    const cluster = await RealCluster.startFor(t, { partitions: 2 });
    await cluster.connected();
    const { path: target, remove } = temporaryFolder('archives');
    t.teardown(remove);
    await using db = await cluster.connect();
    await db.put('key', 'value', { w: 3 });
    const admin = ['--admin', cluster.node(1).ready.admin];
    await cluster.node(3).stop();
    const two = await runCli(['archive', 'create', target, ...admin]);
    t.is(two.code, 0, two.err);
    t.regex(two.err, /warning: not met: node 3/);
    await cluster.node(2).stop();
    const one = await runCli(['archive', 'create', target, ...admin]);
    t.is(one.code, 4, one.out);
    t.regex(one.err, /error: partition 0: Node 1 has met 0 of 2 other owners only/);
    t.is((await runCli(['archive', 'verify', target])).code, 1);
    t.regex(
      (await runCli(['restore', target, '--archive', one.out.split('\t')[0] ?? '', ...admin])).err,
      /is not complete/,
    );
    await Promise.all([cluster.node(2).start(), cluster.node(3).start()]);
    await cluster.connected();
    const resumed = await runCli(['archive', 'create', target, '--resume', ...admin]);
    t.is(resumed.code, 0, resumed.err);
    t.is((await runCli(['archive', 'verify', target])).code, 0);
    t.is((await runCli(['archive', 'create', target, '--resume', ...admin])).code, 2, 'nothing is left to go on with');
  },
);

test.serial('Pieces that come far more slowly than answers do make an archive all the same', async (t) => {
  // Three of a MiB are asked for at once, and one of them is given in a second.
  const flags = ['--background-bytes-per-second-min', '1MiB', '--background-bytes-per-second-max', '1MiB'];
  const cluster = await RealCluster.startFor(t, { partitions: 4, flags });
  await cluster.connected();
  const { path: target, remove } = temporaryFolder('archives');
  t.teardown(remove);
  await using db = await cluster.connect();
  for (let i = 0; i < 10; i++) await db.put(`key:${i}`, String(i).repeat(700_000));
  const words = ['archive', 'create', target, '--timeout', '1s', '--admin', cluster.node(1).ready.admin];
  const [[, state, partitions] = []] = await done(t, words);
  t.deepEqual([state, partitions], ['complete', '4']);
});
