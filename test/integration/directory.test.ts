/* Starting on all kinds of directories and configurations, and stopping: what partitad says, and its exit code. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Daemon } from '../support/daemon.js';
import { newPutId, RawClient } from '../support/raw-client.js';
import { folderFor } from '../support/temporary.js';

const EXIT_USAGE = 2;
const EXIT_REFUSED = 3;
const NO_CONTEXT = new Uint8Array(0);

test.serial('A second daemon on the same directory is refused, says why, and the first goes on', async (t) => {
  const first = await Daemon.startFor(t);
  const second = Daemon.prepare({ dataDir: first.dataDir });
  t.teardown(() => second.dispose());
  second.spawn();
  const { code } = await second.exited;
  t.is(code, EXIT_REFUSED, second.transcript());
  t.regex(second.transcript(), /in use by process/);
  t.regex(second.transcript(), new RegExp(first.dataDir));
  const client = await RawClient.connect(first.ready.client);
  await client.ping();
  client.close();
});

test.serial('The directory of a killed daemon is not in use', async (t) => {
  const daemon = await Daemon.startFor(t);
  await daemon.kill();
  await t.notThrowsAsync(daemon.start());
});

test.serial(
  'An empty directory without --init waits and says what to do; it never becomes a cluster of one',
  async (t) => {
    const dataDir = join(folderFor(t, 'empty'), 'data');
    const daemon = Daemon.prepare({ dataDir, init: false });
    t.teardown(() => daemon.dispose());
    daemon.spawn();
    const waiting = await daemon.waitFor('waiting');
    t.regex(String(waiting['text']), /--init/);
    t.false(existsSync(join(dataDir, 'ring')) && readdirSync(join(dataDir, 'ring')).length > 0, 'no ring was made');
    t.is((await daemon.stop()).code, 0, daemon.transcript());
  },
);

test.serial('--init on a directory that has a ring changes nothing', async (t) => {
  const daemon = await Daemon.startFor(t, { init: true });
  const client = await RawClient.connect(daemon.ready.client);
  await client.write({ key: 'k', value: Buffer.from('v'), context: NO_CONTEXT, putId: newPutId() });
  client.close();
  const { nodeId } = daemon.ready;
  await daemon.restart();
  t.is(daemon.ready.nodeId, nodeId);
  const reader = await RawClient.connect(daemon.ready.client);
  t.is((await reader.get('k')).values.length, 1);
  reader.close();
});

for (const [what, flags, text] of [
  ['a durability that does not exist', ['--durability', 'sometimes'], /durability.*always/i],
  ['a size that is none', ['--memory-max', 'much'], /memoryMax/],
  ['too little memory', ['--memory-max', '1MiB'], /memoryMax.*128MiB/],
  ['a flag that does not exist', ['--no-such-flag'], /no-such-flag/],
  ['an address that is none', ['--client-listen', 'nowhere'], /client\.listen/],
] as const) {
  test.serial(`Configuration: ${what} is refused before anything is touched`, async (t) => {
    const dataDir = join(folderFor(t, 'config'), 'data');
    const daemon = Daemon.prepare({ dataDir, flags });
    t.teardown(() => daemon.dispose());
    daemon.spawn();
    t.is((await daemon.exited).code, EXIT_USAGE, daemon.transcript());
    t.regex(daemon.transcript(), text);
    t.false(existsSync(dataDir), 'no directory was made');
  });
}

test.serial('Listening beyond loopback without a word about it is refused', async (t) => {
  const daemon = Daemon.prepare({ flags: ['--client-listen', '0.0.0.0:0'] });
  t.teardown(() => daemon.dispose());
  daemon.spawn();
  const { code } = await daemon.exited;
  t.true(code === EXIT_USAGE || code === EXIT_REFUSED, daemon.transcript());
  t.regex(daemon.transcript(), /insecure/i);
});

test.serial('A port that is taken is refused with its name', async (t) => {
  const first = await Daemon.startFor(t);
  const second = Daemon.prepare({ flags: ['--client-listen', first.ready.client] });
  t.teardown(() => second.dispose());
  second.spawn();
  const { code } = await second.exited;
  t.not(code, 0);
  t.regex(second.transcript(), new RegExp(first.ready.client.replace('.', '\\.')));
});

test.serial('A ring that is damaged in both slots is refused: no new cluster grows over old data', async (t) => {
  const daemon = await Daemon.startFor(t);
  await daemon.stop();
  const folder = join(daemon.dataDir, 'ring');
  for (const name of readdirSync(folder)) writeFileSync(join(folder, name), 'scribbled over');
  daemon.spawn();
  const { code } = await daemon.exited;
  t.is(code, EXIT_REFUSED, daemon.transcript());
  t.regex(daemon.transcript(), /ring/);
});
