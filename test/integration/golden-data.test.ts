/*
 * A data directory as a released build left it, opened by this one: test/golden/data-directory-1.tar.gz. It was killed
 * (kill -9) with part of its data in the partition files and part in the log only, so both are read.
 *
 * Formats are promises. When this test fails, the format has changed: give it a new number and teach the code to read the
 * old one. PARTITA_GOLDEN=write makes the files anew, for a format that was never released.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import test from 'ava';
import { Client } from '../../src/client/index.js';
import { checkDirectory } from '../../src/daemon/check.js';
import { Daemon, ROOT } from '../support/daemon.js';
import { statusOf } from '../support/growing-cluster.js';
import { runCli } from '../support/run-cli.js';
import { temporaryFolder } from '../support/temporary.js';

const GOLDEN = join(ROOT, 'test', 'golden');
const ARCHIVE = join(GOLDEN, 'data-directory-1.tar.gz');
const EXPECTED = join(GOLDEN, 'data-directory-1.json');
const FLAGS = ['--partitions', '4', '--value-bytes-max', '4KiB', '--storage-segment-bytes', '1MiB'];

interface Expected {
  readonly nodeId: string;
  /** Key → its values, both hexadecimal, the values sorted; none: deleted. */
  readonly keys: Readonly<Record<string, readonly string[]>>;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

async function valuesOf(db: Client, key: Uint8Array): Promise<string[]> {
  const result = await db.get(key);
  return result.found ? result.siblings.map(({ value }) => hex(value)).sort() : [];
}

async function write(dataDir: string): Promise<Expected> {
  const daemon = await Daemon.startFor({ teardown: () => {} }, { dataDir, flags: FLAGS });
  const db = await Client.connect({ seeds: [daemon.ready.client] });
  const keys: Uint8Array[] = [];
  const put = async (
    key: Uint8Array,
    value: string,
    context?: Awaited<ReturnType<Client['get']>>['context'],
  ): Promise<void> => {
    keys.push(key);
    await db.put(key, Buffer.from(value), context === undefined ? {} : { context });
  };
  for (let i = 0; i < 40; i++) await put(Buffer.from(`flushed:${i}`), `value ${i} `.repeat(i + 1));
  await put(Buffer.alloc(2_048, 'long'), 'a key too long for LMDB');
  await put(Buffer.from([0, 255, 1, 254]), 'a key of any bytes');
  await put(Buffer.from('empty'), '');
  await rest(4_000); // flushed
  for (let i = 0; i < 3; i++) await put(Buffer.from('siblings'), `sibling ${i}`);
  await put(Buffer.from('overwritten'), 'first');
  await put(Buffer.from('overwritten'), 'second', (await db.get(Buffer.from('overwritten'))).context);
  await put(Buffer.from('deleted'), 'gone');
  await db.delete(Buffer.from('deleted'), { context: (await db.get(Buffer.from('deleted'))).context });
  for (let i = 0; i < 10; i++)
    await put(Buffer.from(`flushed:${i}`), `newer ${i}`, (await db.get(Buffer.from(`flushed:${i}`))).context);
  const found: Record<string, readonly string[]> = {};
  for (const key of keys) found[hex(key)] = await valuesOf(db, key);
  db.destroy();
  const { nodeId } = daemon.ready;
  await daemon.kill();
  return { nodeId, keys: found };
}

if (process.env['PARTITA_GOLDEN'] === 'write') {
  test.serial('The golden data directory is written anew', async (t) => {
    const { path, remove } = temporaryFolder('golden');
    const dataDir = join(path, 'data');
    const expected = await write(dataDir);
    for (const name of readdirSync(join(dataDir, 'partitions'))) {
      if (name.endsWith('-lock')) execFileSync('rm', [join(dataDir, 'partitions', name)]);
    }
    execFileSync('tar', [
      '--create',
      '--gzip',
      '--sparse',
      '--file',
      ARCHIVE,
      '--exclude',
      'admin.sock',
      '-C',
      path,
      'data',
    ]);
    writeFileSync(EXPECTED, `${JSON.stringify(expected, null, 1)}\n`);
    remove();
    t.pass();
  });
}

test.serial('A data directory of the first format is read whole, and goes on', async (t) => {
  const { path, remove } = temporaryFolder('golden');
  t.teardown(remove);
  mkdirSync(path, { recursive: true });
  execFileSync('tar', ['--extract', '--gzip', '--file', ARCHIVE, '-C', path]);
  const dataDir = join(path, 'data');
  const expected = JSON.parse(readFileSync(EXPECTED, 'utf8')) as Expected;

  const before = await checkDirectory(dataDir);
  t.deepEqual(
    before.findings.filter(({ severity }) => severity === 'damage'),
    [],
  );
  t.true(
    (before.counts['records in files'] ?? 0) > 0 && (before.counts['log entries'] ?? 0) > 0,
    'both are there to be read',
  );

  const daemon = await Daemon.startFor(t, { dataDir, flags: FLAGS, init: false });
  t.is(daemon.ready.nodeId, expected.nodeId);
  t.is((await statusOf(daemon)).level, 1);
  const { code, err } = await runCli(['cluster', 'finalize', '--admin', daemon.ready.admin]);
  t.is(code, 0, err);
  t.is((await statusOf(daemon)).level, 2);
  const db = await Client.connect({ seeds: [daemon.ready.client] });
  t.teardown(() => {
    db.destroy();
  });
  for (const [key, values] of Object.entries(expected.keys))
    t.deepEqual(await valuesOf(db, Buffer.from(key, 'hex')), values, key);

  const siblings = await db.get(Buffer.from('siblings'));
  t.is((await db.put(Buffer.from('siblings'), Buffer.from('merged'), { context: siblings.context })).siblingCount, 1);
  t.deepEqual(await valuesOf(db, Buffer.from('siblings')), [hex(Buffer.from('merged'))]);
  db.destroy();
  t.is((await daemon.stop()).code, 0, daemon.transcript());
  t.deepEqual((await checkDirectory(dataDir)).findings, []);
});
