/* Real daemons of which one loses its disk, or single records: what comes back, and who says so. */
import test from 'ava';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { runCli } from '../support/run-cli.js';
import { RealCluster } from '../support/real-cluster.js';

const KEYS = 400;
/** So long it has had n1 to itself. */
const MET_ONE_MS = 4_000;

test.serial('a node whose directory was emptied gets everything back, and says nothing before', async (t) => {
  const cluster = await RealCluster.startFor(t);
  await cluster.connected();
  await using db = await cluster.connect();
  const keys = Array.from({ length: KEYS }, (_, i) => `key-${i}`);
  for (const key of keys) await db.put(key, `value of ${key}`);

  await cluster.node(2).kill();
  rmSync(join(cluster.folder, 'n2'), { recursive: true });
  // One of the others is away: what n2 had may be there alone, so it must not count yet.
  await cluster.node(3).kill();
  await cluster.node(2).start();
  await cluster.node(2).waitFor('store-new');
  await rest(MET_ONE_MS);
  const early = await cluster.status(2);
  t.is(early['suspect'], 16, 'it has everything that n1 has, and n3 may have more');
  t.true((early['repair'] as { readonly received: number }).received > 0);

  await cluster.node(3).start();
  await cluster.connected();
  const admin = join(cluster.folder, 'n2', 'admin.sock');
  const status = await runCli(['repair', 'start', '--wait', '--admin', admin, '-o', 'json']);
  const said = JSON.parse(status.out) as Record<string, number>;
  t.deepEqual(said['suspect'], [] as unknown);
  t.is(said['healed'], 16);
  t.is(said['received'], KEYS, 'each record once, whoever had it first');

  await cluster.node(1).stop();
  await cluster.node(3).stop();
  await using alone = await cluster.connect({ seeds: [cluster.member(2).client] });
  for (const key of keys) {
    const got = await alone.get(key, { r: 1, strict: true });
    t.deepEqual(got.found ? got.siblings.map(({ value }) => value) : [], [`value of ${key}`]);
  }
});
