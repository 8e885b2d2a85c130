/* A node that began as a cluster of its own is joined by another one. */
import test from 'ava';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { Client, codecs } from '../../src/client/index.js';
import type { PlanFacts } from '../../src/model/cluster-facts.js';
import { freePorts } from '../../src/net/free-ports.js';
import { Daemon } from '../support/daemon.js';
import { statusOf } from '../support/growing-cluster.js';
import { runCli } from '../support/run-cli.js';
import { temporaryFolder } from '../support/temporary.js';

const KEYS = Array.from({ length: 40 }, (_, i) => `key ${i}`);
const MOVED_WITHIN_MS = 60_000;

async function told<T>(node: Daemon, ...words: readonly string[]): Promise<T> {
  const { code, out, err } = await runCli(['cluster', ...words, '--admin', node.ready.admin, '-o', 'json']);
  if (code !== 0) throw new Error(`partita cluster ${words.join(' ')}: ${err}`);
  return JSON.parse(out) as T;
}

async function moved(node: Daemon): Promise<void> {
  for (const deadline = performance.now() + MOVED_WITHIN_MS; performance.now() < deadline; await rest(100)) {
    const { moves, troubles } = await statusOf(node);
    if (moves.length === 0 && troubles.length === 0) return;
  }
  throw new Error(`It has not become well: ${node.transcript(12)}`);
}

test('a cluster of one grows: it is given a secret and an address, and what it holds moves', async (t) => {
  const { path: folder, remove } = temporaryFolder('alone');
  t.teardown(remove);
  const [a, ap, b, bp] = (await freePorts(4)).map((port) => `127.0.0.1:${port}`) as [string, string, string, string];
  const secret = join(folder, 'cluster.secret');
  writeFileSync(secret, 'sixteen bytes at the least');
  const flags = ['--partitions', '16', '--client-listen', a, '--peer-listen', ap];
  const dataDir = join(folder, 'n1');
  const alone = Daemon.prepare({ dataDir, flags });
  t.teardown(() => alone.dispose());
  await alone.start();
  const client = await Client.connect<string>({ seeds: [a], codec: codecs.utf8, timeoutMs: 5_000 });
  for (const key of KEYS) await client.put(key, `value of ${key}`);
  const refused = await runCli(['cluster', 'join', `n2=${b},peer=${bp}`, '--admin', alone.ready.admin]);
  t.regex(refused.err, /start it again with --peer-secret-file .* stays 1 with more nodes/s);
  await alone.stop();

  const one = Daemon.prepare({ dataDir, init: false, flags: [...flags, '--peer-secret-file', secret] });
  t.teardown(() => one.dispose());
  await one.start();
  const early = await runCli(['cluster', 'join', `n2=${b},peer=${bp}`, '--admin', one.ready.admin]);
  t.regex(early.err, /member 1 has no peer address.*partita cluster set 1 --peer-address/s);
  await told(one, 'set', '1', '--peer-address', ap);
  await told(one, 'join', `n2=${b},peer=${bp}`);
  const plan = await told<PlanFacts>(one, 'plan');
  t.is(plan.replicasMoved, 8);
  t.true(plan.warnings.some((text) => text.includes('fixed when a cluster is made')));
  const ring = join(folder, 'ring-2.json');
  await told(one, 'commit', '--version', String(plan.version), '--plan', plan.hash, '--out', ring);
  const joining = ['--init-from', ring, '--node', 'n2', '--peer-secret-file', secret];
  const two = Daemon.prepare({
    ...{ dataDir: join(folder, 'n2'), init: false },
    flags: [...joining, '--client-listen', b, '--peer-listen', bp],
  });
  t.teardown(() => two.dispose());
  await two.start();
  await moved(one);
  await client.close();

  const other = await Client.connect<string>({ seeds: [b], codec: codecs.utf8, timeoutMs: 5_000 });
  for (const key of KEYS) {
    const found = await other.get(key);
    t.is(found.found && !found.conflict ? found.value : '', `value of ${key}`);
  }
  const { members } = await statusOf(two);
  t.deepEqual(
    members.map(({ state, replicas }) => `${state} ${replicas}`),
    ['up 8', 'this node 8'],
  );
  await other.close();
});
