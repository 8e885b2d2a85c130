/* The members of a real cluster change by its administrator's commands: one joins, two administrators collide, one leaves. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { freePorts } from '../../src/net/free-ports.js';
import { Daemon } from '../support/daemon.js';
import { RealCluster } from '../support/real-cluster.js';
import { runCli } from '../support/run-cli.js';

const EXIT_REFUSED = 3;
const KEYS = Array.from({ length: 60 }, (_, i) => `user:${i}`);

/** What a command that must succeed has printed, in fields. */
async function done(t: ExecutionContext, daemon: Daemon, words: readonly string[]): Promise<string[][]> {
  const { code, out, err } = await runCli(['cluster', ...words, '--admin', daemon.ready.admin]);
  t.is(code, 0, `${words.join(' ')}: ${err}`);
  return out
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));
}

/** The command that the plan prints, without its first two words and the socket. */
async function planned(t: ExecutionContext, daemon: Daemon): Promise<string[]> {
  const next = (await done(t, daemon, ['plan'])).find(([what]) => what === 'next')?.[1] ?? '';
  t.regex(next, /^partita cluster commit --version \d+ --plan [0-9a-f]{16} --admin unix:/);
  return next.split(' ').slice(2, -2);
}

async function allRead(t: ExecutionContext, cluster: RealCluster, seeds: readonly string[]): Promise<void> {
  for (const seed of seeds) {
    await using db = await cluster.connect({ seeds: [seed] });
    for (const key of KEYS) {
      const got = await db.get(key);
      t.deepEqual(got.found ? got.siblings.map(({ value }) => value) : [], [`value of ${key}`], `${key} by ${seed}`);
    }
  }
}

test.serial('A node joins a cluster that serves, another leaves it, and every key is there', async (t) => {
  const cluster = await RealCluster.startFor(t);
  await cluster.connected();
  {
    await using db = await cluster.connect();
    await Promise.all(KEYS.map((key) => db.put(key, `value of ${key}`)));
  }
  await done(t, cluster.node(1), ['status', '--wait']);

  const fourth = await joined(t, cluster);
  await collide(t, cluster);

  await done(t, cluster.node(3), ['leave', cluster.node(2).ready.nodeId.slice(0, 8)]);
  await done(t, cluster.node(3), await planned(t, cluster.node(3)));
  t.is((await cluster.node(2).exited).code, 0, cluster.node(2).transcript());
  t.regex(cluster.node(2).transcript(), /"event":"removed".*it has left/);
  cluster.node(2).spawn();
  t.is((await cluster.node(2).exited).code, EXIT_REFUSED, cluster.node(2).transcript());
  t.regex(cluster.node(2).transcript(), /is no member of ring version \d+ .*it has left, or was removed/);

  const rows = await done(t, cluster.node(1), ['status', '--wait']);
  t.deepEqual(
    rows.filter(([what]) => what === 'node').map(([, ordinal]) => ordinal),
    ['1', '3', '4'],
  );
  await allRead(t, cluster, [cluster.member(1).client, fourth]);
  const history = await done(t, cluster.node(3), ['history']);
  t.true(history.some(([, , change]) => change?.startsWith('node 2 (')));
  t.regex(history[0]?.[2] ?? '', /node 2 has left|voters were named/);
});

/** By the words that the commands print, and nothing else; answers its address. */
async function joined(t: ExecutionContext, cluster: RealCluster): Promise<string> {
  const [client = 0, peer = 0] = await freePorts(2);
  const one = cluster.node(1);
  const file = join(cluster.folder, 'ring-next.json');
  await done(t, one, ['join', `n4=127.0.0.1:${client},peer=127.0.0.1:${peer},zone=z4`]);
  const commit = await planned(t, one);
  const said = await done(t, one, [...commit, '--out', file, '--secret', cluster.secretFile]);
  const start = said.find(([what]) => what === 'start') ?? [];
  t.is(start[1], 'n4');
  t.true(readFileSync(file, 'utf8').includes('"name":"n4"'));
  const waiting = await done(t, one, ['status']);
  t.deepEqual(waiting.at(-1), ['verdict', 'not-yet']);
  t.true(waiting.some(([what, text]) => what === 'trouble' && text?.startsWith('node 4 cannot be reached')));

  const words = (start[2] ?? '').split(' ');
  const dataDir = words.indexOf('--data-dir');
  const flags = words.filter((_, at) => at > 0 && at !== dataDir && at !== dataDir + 1);
  const daemon = await Daemon.startFor(t, { init: false, dataDir: join(cluster.folder, 'n4'), flags });
  t.regex((await runCli(['transfers', '--admin', daemon.ready.admin, '-o', 'table'])).out, /node 4/i);
  const rows = await done(t, one, ['status', '--wait']);
  t.deepEqual(rows.at(-1), ['verdict', 'well']);
  const fourth = rows.find(([what, ordinal]) => what === 'node' && ordinal === '4') ?? [];
  t.deepEqual(fourth.slice(5, 8), ['z4', '1', 'up']);
  t.is(fourth[9], '12', 'its share of 16 × 3 replicas');
  await allRead(t, cluster, [daemon.ready.client]);
  return daemon.ready.client;
}

/** Both plan on the same ring; who commits second is told what came first. */
async function collide(t: ExecutionContext, cluster: RealCluster): Promise<void> {
  const [one, three] = [cluster.node(1), cluster.node(3)];
  await done(t, one, ['set', '1', '--zone', 'z1']);
  await done(t, three, ['set', '3', '--zone', 'z3']);
  const [first, second] = [await planned(t, one), await planned(t, three)];
  t.is(first[2], second[2], 'the same ring version');
  await done(t, one, first);
  const lost = await runCli(['cluster', ...second, '--admin', three.ready.admin]);
  t.is(lost.code, 1, lost.err);
  t.regex(lost.err, /^error: cluster commit: .*([Pp]lan again)/);
  await done(t, three, ['status', '--wait']);
  await done(t, three, await planned(t, three));
  await done(t, three, ['status', '--wait']);
}
