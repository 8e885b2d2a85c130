/* From a list of nodes to a node that serves: partita cluster init, partitad --init-from, the SDK. */
import test from 'ava';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../src/net/free-ports.js';
import { Client, codecs } from '../../src/client/index.js';
import { Daemon } from '../support/daemon.js';
import { runCli } from '../support/run-cli.js';
import { folderFor } from '../support/temporary.js';

const EXIT_USAGE = 2;
const EXIT_REFUSED = 3;

test.serial('A ring of one: made, initialised from, served; and the flags may stay', async (t) => {
  const file = join(folderFor(t, 'ring'), 'ring-1.json');
  const [client = '', peer = ''] = (await freePorts(2)).map((port) => `127.0.0.1:${port}`);
  const node = ['--replicas', '1', '--node', `one=${client},peer=${peer}`];
  t.is((await runCli(['cluster', 'init', '--cluster', 'shop', '--partitions', '16', ...node, '--out', file])).code, 0);

  const flags = ['--init-from', file, '--node', 'one', '--client-listen', client, '--peer-listen', peer];
  const daemon = await Daemon.startFor(t, { init: false, flags });
  t.is(daemon.ready.client, client);
  t.true(readFileSync(file, 'utf8').includes(daemon.ready.nodeId), 'it is the node that the file means');
  t.false(daemon.log.some(({ event }) => event === 'address'));
  const connect = (): Promise<Client<string>> => Client.connect({ seeds: [client], codec: codecs.utf8 });
  {
    await using db = await connect();
    t.like(db.ring(), { version: 1, partitionCount: 16, replicaCount: 1 });
    await db.put('greeting', 'hello');
  }
  const { nodeId } = daemon.ready;
  await daemon.restart();
  t.is(daemon.ready.nodeId, nodeId);
  await using db = await connect();
  const got = await db.get('greeting');
  t.deepEqual(got.found && got.siblings.map(({ value }) => value), ['hello']);
  const shown = await runCli(['ring', 'show', '-s', client]);
  t.is(shown.out, `\t1\t${nodeId.slice(0, 8)}\t${client}\t\t\t\t16\t16\t100.0 %\n`);
});

test.serial('A member of three without the secret of its cluster is refused before it is made one', async (t) => {
  const folder = folderFor(t, 'ring');
  const file = join(folder, 'ring-1.json');
  const nodes = [1, 2, 3].flatMap((i) => ['--node', `n${i}=127.0.0.1:${7_000 + 2 * i}`]);
  t.is((await runCli(['cluster', 'init', ...nodes, '--out', file])).code, 0);
  const dataDir = join(folder, 'n2');
  const seat = ['--init-from', file, '--node', 'n2'];
  for (const [flags, text] of [
    [seat, /belongs to cluster partita of 3 nodes, .*--peer-secret-file FILE/],
    [[...seat, '--peer-secret-file', join(folder, 'none')], /The secret file cannot be read: ENOENT/],
  ] as const) {
    const daemon = Daemon.prepare({ dataDir, init: false, flags });
    t.teardown(() => daemon.dispose());
    daemon.spawn();
    t.is((await daemon.exited).code, EXIT_REFUSED, daemon.transcript());
    t.regex(daemon.transcript(), text);
    t.false(existsSync(join(dataDir, 'node.meta')));
  }
});

for (const [what, flags, text] of [
  ['--init-from without --node', ['--init-from', 'f'], /--init-from needs --node NAME/],
  ['--node without --init-from', ['--node', 'a'], /--node says which member of the ring in --init-from/],
  ['--init and --init-from', ['--init', '--init-from', 'f', '--node', 'a'], /cannot be used with option '--init'/],
] as const) {
  test.serial(`${what} is a wrong command line`, async (t) => {
    const daemon = Daemon.prepare({ init: false, flags });
    t.teardown(() => daemon.dispose());
    daemon.spawn();
    t.is((await daemon.exited).code, EXIT_USAGE, daemon.transcript());
    t.regex(daemon.transcript(), text);
  });
}
