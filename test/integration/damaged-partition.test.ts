/*
 * Three real partitads, and the disk of one of them is not what it was: a flipped bit, a partition file that is gone, one
 * that kills whoever reads it. Reads are right all the while, through whichever node they come.
 */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import type { Client } from '../../src/client/index.js';
import type { Daemon } from '../support/daemon.js';
import { makeLethal } from '../support/lethal-page.js';
import { RealCluster } from '../support/real-cluster.js';
import { runCli } from '../support/run-cli.js';

const KEYS = Array.from({ length: 48 }, (_, i) => `key-${i}`);
const PARTITIONS = 4;
const valueOf = (key: string): string => `the sound value of ${key}, and nothing else`;
const PATIENCE_MS = 20_000;

async function until(t: ExecutionContext, what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) return t.fail(`Not within ${PATIENCE_MS} ms: ${what}`);
    await rest(100);
  }
}

const filesOf = ({ dataDir }: Daemon): readonly string[] =>
  readdirSync(join(dataDir, 'partitions'))
    .filter((name) => name.endsWith('.mdb'))
    .map((name) => join(dataDir, 'partitions', name));

/** Every key is in the files of n1, not only in its log. */
async function filled(t: ExecutionContext): Promise<RealCluster> {
  const cluster = await RealCluster.startFor(t, { partitions: PARTITIONS });
  await cluster.connected();
  await using db = await cluster.connect();
  for (const key of KEYS) await db.put(key, valueOf(key), { w: 3 });
  await until(t, 'n1 has flushed', () => {
    const texts = filesOf(cluster.node(1)).map((path) => readFileSync(path));
    return KEYS.every((key) => texts.some((text) => text.includes(valueOf(key))));
  });
  return cluster;
}

async function scrubStatus(
  daemon: Daemon,
  ...words: readonly string[]
): Promise<Readonly<Record<string, number | null>>> {
  const { code, out, err } = await runCli(['scrub', ...words, '--admin', daemon.ready.admin, '-o', 'json']);
  if (code !== 0) throw new Error(`partita scrub failed: ${err}`);
  return JSON.parse(out) as Readonly<Record<string, number | null>>;
}

async function allRight(
  t: ExecutionContext,
  db: Client<string>,
  options: { r?: number; strict?: boolean },
): Promise<void> {
  for (const key of KEYS) {
    const got = await db.get(key, options);
    t.deepEqual(got.found ? got.siblings.map(({ value }) => value) : [], [valueOf(key)], key);
  }
}

/** One answer, of the node that is asked if it can give one. */
const FROM_HERE = { r: 1, strict: true };

test.serial('a flipped bit is never served, and the scrub has the record repaired', async (t) => {
  const cluster = await filled(t);
  const [n1, n2, n3] = [cluster.node(1), cluster.node(2), cluster.node(3)];
  await n1.stop();
  const damaged = KEYS.slice(0, 5);
  for (const path of filesOf(n1)) {
    const bytes = readFileSync(path);
    for (const key of damaged)
      for (let at = bytes.indexOf(valueOf(key)); at >= 0; at = bytes.indexOf(valueOf(key), at + 1))
        bytes.writeUInt8(bytes.readUInt8(at + 4) ^ 0x20, at + 4);
    writeFileSync(path, bytes);
  }
  await n1.start();
  await cluster.connected();
  const status = await scrubStatus(n1, 'start');
  t.true((status['waiting'] ?? 0) > 0 || status['partition'] !== null);
  await until(t, 'all is repaired', async () => {
    const { damaged: found, repaired } = await scrubStatus(n1, 'status');
    return (found ?? 0) >= damaged.length && (repaired ?? 0) === damaged.length;
  });
  await Promise.all([n2.stop(), n3.stop()]);
  await using db = await cluster.connect({ seeds: [cluster.member(1).client], routing: 'any' });
  await allRight(t, db, FROM_HERE);
  t.deepEqual(
    n1.log.filter(({ event }) => event === 'stored_leaves_wrong' || event === 'live_leaves_wrong'),
    [],
  );
});

test.serial('with a flipped bit and no scrub, reads through that node are right from the first one on', async (t) => {
  const cluster = await filled(t);
  const n1 = cluster.node(1);
  await n1.stop();
  for (const path of filesOf(n1)) {
    const bytes = readFileSync(path);
    for (const key of KEYS)
      for (let at = bytes.indexOf(valueOf(key)); at >= 0; at = bytes.indexOf(valueOf(key), at + 1))
        bytes.writeUInt8(bytes.readUInt8(at + 4) ^ 0x20, at + 4);
    writeFileSync(path, bytes);
  }
  await n1.start();
  await cluster.connected();
  await using db = await cluster.connect({ seeds: [cluster.member(1).client], routing: 'any' });
  await allRight(t, db, FROM_HERE);
});

test.serial('a partition file that is gone: the node goes on, and reads are answered by the others', async (t) => {
  const cluster = await filled(t);
  const n1 = cluster.node(1);
  await n1.stop();
  for (const path of filesOf(n1).slice(0, 2)) rmSync(path);
  await n1.start();
  await cluster.connected();
  const { partitions } = await n1.waitFor('suspect');
  t.is((partitions as readonly number[]).length, 2);
  await using db = await cluster.connect({ seeds: [cluster.member(1).client], routing: 'any' });
  await allRight(t, db, FROM_HERE);
  await allRight(t, db, {});
  for (const key of KEYS) await db.put(key, valueOf(key), { context: (await db.get(key)).context });
  await allRight(t, db, {});
});

test.serial(
  'a file that kills its reader: after two deaths it is set aside, and the node goes on without it',
  async (t) => {
    const cluster = await filled(t);
    const n1 = cluster.node(1);
    await n1.stop();
    const [lethal = ''] = filesOf(n1);
    t.true(makeLethal(lethal) > 0);
    await using others = await cluster.connect({ seeds: [2, 3].map((n) => cluster.member(n).client) });
    // The scrub meets it, or a read: either ends the process, and systemd starts it again.
    for (let deaths = 0; deaths < 2; deaths++) {
      await n1.start().catch(() => undefined); // after an unclean stop it may be dead before it is ready
      await scrubStatus(n1, 'start').catch(() => undefined);
      const { signal } = await n1.exited; // of a read behind the end of the file, or of a copy of 2 GiB
      t.true(signal === 'SIGBUS' || signal === 'SIGABRT', String(signal));
      await allRight(t, others, {});
    }
    await n1.start();
    await cluster.connected();
    t.is(readdirSync(join(n1.dataDir, 'quarantine')).filter((name) => name.includes('.mdb')).length > 0, true);
    t.is(((await n1.waitFor('suspect'))['partitions'] as readonly number[]).length, 1);
    await using db = await cluster.connect({ seeds: [cluster.member(1).client], routing: 'any' });
    await allRight(t, db, FROM_HERE);
  },
);
