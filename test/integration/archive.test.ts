/* Archives of a real cluster, by the commands that an operator uses: made while it serves, verified, damaged, made again. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
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
});
