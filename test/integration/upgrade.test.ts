/*
 * Directories that earlier releases have left (test/fixtures), by this build: a cluster that was killed in the middle of its
 * work is started, has all that was in it, and is finalized. And what happens to a node that is too old for its cluster.
 */
import { setTimeout as rest } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import xxhash from 'xxhash-wasm';
import { Client } from '../../src/client/index.js';
import { checkDirectory } from '../../src/daemon/check.js';
import { promised } from '../../src/daemon/flows.js';
import { RealDisk } from '../../src/disk/real-disk.js';
import { BUILD } from '../../src/model/build.js';
import type { ClusterStatusFacts } from '../../src/model/cluster-facts.js';
import { hash64From } from '../../src/model/hash.js';
import { RingSlots } from '../../src/storage/ring-slots.js';
import type { Daemon } from '../support/daemon.js';
import { statusOf } from '../support/growing-cluster.js';
import { hex, type Kept, keptNodes, unpack, valuesOf } from '../support/kept-cluster.js';
import { RealCluster } from '../support/real-cluster.js';
import { runCli } from '../support/run-cli.js';
import { folderFor } from '../support/temporary.js';

const RELEASES = ['release-0'];
const WELL_WITHIN_MS = 40_000;
const POLL_MS = 200;

/** Each of them, when it says what is asked for; throws with what it says instead. */
async function eachSays(daemons: readonly Daemon[], isSo: (facts: ClusterStatusFacts) => boolean): Promise<void> {
  for (const deadline = performance.now() + WELL_WITHIN_MS; ;) {
    const each = await Promise.all(daemons.map((daemon) => statusOf(daemon)));
    if (each.every(isSo)) return;
    if (performance.now() > deadline)
      throw new Error(`${JSON.stringify(each.map(({ level, troubles }) => ({ level, troubles })))}`);
    await rest(POLL_MS);
  }
}

async function hasAll(t: ExecutionContext, { keys }: Kept, daemons: readonly Daemon[]): Promise<void> {
  for (const { ready } of daemons) {
    const db = await Client.connect({ seeds: [ready.client], routing: 'any', timeoutMs: 5_000 });
    for (const [key, values] of Object.entries(keys))
      t.deepEqual(await valuesOf(db, Buffer.from(key, 'hex')), values, key);
    db.destroy();
  }
}

const finalize = (daemon: Daemon): ReturnType<typeof runCli> =>
  runCli(['cluster', 'finalize', '--admin', daemon.ready.admin, '-o', 'table']);

for (const release of RELEASES) {
  test.serial(`a cluster that ${release} has left is read whole, serves, and is finalized`, async (t) => {
    t.timeout(120_000);
    const folder = folderFor(t, 'kept');
    const kept = unpack(release, folder);
    const daemons = await keptNodes(kept, folder);
    t.teardown(async () => {
      await Promise.all(daemons.map((daemon) => daemon.dispose()));
    });
    for (const { dataDir } of daemons) {
      const { findings } = await checkDirectory(dataDir);
      t.deepEqual(
        findings.filter(({ severity }) => severity === 'damage'),
        [],
      );
    }
    await Promise.all(daemons.map((daemon) => daemon.start()));
    const [first, , , last] = daemons as [Daemon, Daemon, Daemon, Daemon];
    await eachSays(daemons, ({ troubles }) => troubles.length === 0); // nothing is suspect, and hints have gone home
    await hasAll(t, kept, daemons);
    t.deepEqual((await statusOf(first)).finalize, {
      level: BUILD.levelMax,
      isReady: true,
      text: `all 4 members understand feature level ${BUILD.levelMax}; run partita cluster finalize`,
    });

    await last.stop();
    await eachSays([first], ({ finalize }) => finalize?.isReady === false);
    const refused = await finalize(first);
    t.is(refused.code, 1);
    t.regex(refused.err, /^error: cluster finalize: The level is not raised: .* node 4 cannot be reached/);
    t.is((await statusOf(first)).level, 1);
    await last.start();
    await eachSays([first], ({ finalize }) => finalize?.isReady === true);

    const done = await finalize(first);
    t.deepEqual([done.code, done.err], [0, '']);
    t.regex(done.out, /^Ring version \d+ is in force\. The cluster is at feature level 2; releases that do not/);
    await eachSays(daemons, ({ level, troubles }) => level === BUILD.levelMax && troubles.length === 0);
    t.regex((await finalize(first)).err, /there is nothing to finalize/);
    await hasAll(t, kept, [last]);
    const db = await Client.connect({ seeds: [first.ready.client] });
    const { context } = await db.get(Buffer.from('siblings'));
    t.is((await db.put(Buffer.from('siblings'), Buffer.from('merged'), { context })).siblingCount, 1);
    t.deepEqual(await valuesOf(db, Buffer.from('siblings')), [hex(Buffer.from('merged'))]);
    db.destroy();
    for (const daemon of daemons) t.is((await daemon.stop()).code, 0, daemon.transcript());
    for (const { dataDir } of daemons) t.deepEqual((await checkDirectory(dataDir)).findings, []);
  });
}

test.serial(
  'a node whose ring is at a level that it does not understand does not start, and says what it needs',
  async (t) => {
    const cluster = await RealCluster.startFor(t, { nodes: 2, replicas: 2, partitions: 8 });
    await cluster.connected();
    const { level, finalize: facts } = await statusOf(cluster.node(1));
    t.deepEqual([level, facts], [BUILD.levelMax, null], 'a new cluster begins at the newest');
    const daemon = cluster.node(2);
    await daemon.stop();
    const slots = await promised(RingSlots.open(new RealDisk(daemon.dataDir), hash64From(await xxhash())));
    if (slots === null) throw new Error('There is no ring');
    const ring = JSON.parse(Buffer.from(slots.document).toString()) as object;
    const newer = Buffer.from(JSON.stringify({ ...ring, level: BUILD.levelMax + 1, release: '9.8.0' }));
    await new Promise<unknown>((done) => {
      slots.save(newer, done);
    });
    await promised(slots.close());
    daemon.spawn();
    t.is((await daemon.exited).code, 3);
    t.regex(
      daemon.transcript(),
      /the ring is at feature level 3, and this is release .*: install Partita 9\.8\.0 or later/,
    );
  },
);
