/* Draining: what is under way when SIGTERM comes is answered, and a second signal waits for nobody. */
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import test from 'ava';
import { Daemon } from '../support/daemon.js';
import { IoShim } from '../support/faults/io-shim.js';
import { ConnectionLostError, newPutId, RawClient, RefusedError } from '../support/raw-client.js';
import { folderFor, type TeardownContext } from '../support/temporary.js';

const NO_CONTEXT = new Uint8Array(0);
const put = (client: RawClient, key: string): Promise<unknown> =>
  client.write({ key, value: Buffer.from(key), context: NO_CONTEXT, putId: newPutId() });

test.serial(
  'Whatever was acknowledged while it drained is there afterwards, and every request has an answer or a closed connection',
  async (t) => {
    const daemon = await Daemon.startFor(t);
    const client = await RawClient.connect(daemon.ready.client);
    const keys = Array.from({ length: 500 }, (_, i) => `k-${i}`);
    const outcomes = keys.map((key) =>
      put(client, key).then(
        () => 'acked',
        (error: unknown) => error,
      ),
    );
    await outcomes[0];
    const exit = await daemon.stop();
    t.is(exit.code, 0, daemon.transcript());
    const settled = await Promise.all(outcomes);
    t.true(client.goneAway, 'a GO_AWAY was sent');
    for (const outcome of settled) {
      t.true(
        outcome === 'acked' || outcome instanceof RefusedError || outcome instanceof ConnectionLostError,
        String(outcome),
      );
    }

    await daemon.start();
    const reader = await RawClient.connect(daemon.ready.client);
    for (const [i, key] of keys.entries()) {
      const { values } = await reader.get(key);
      if (settled[i] === 'acked') t.is(values.length, 1, key);
      if (settled[i] instanceof RefusedError) t.is(values.length, 0, `${key} was refused`);
    }
    reader.close();
  },
);

/** A daemon whose log takes 1.5 s a write, from `arm` on: requests that are under way for long. */
async function slowDaemon(t: TeardownContext): Promise<{ readonly daemon: Daemon; readonly shim: IoShim }> {
  const folder = folderFor(t, 'slow');
  const dataDir = join(folder, 'data');
  const shim = new IoShim(folder, `${dataDir}/log/`, '.seg');
  return { daemon: await Daemon.startFor(t, { dataDir, env: shim.env }), shim };
}

test.serial('A put that waits for the disk when SIGTERM comes is answered before the end', async (t) => {
  const { daemon, shim } = await slowDaemon(t);
  const client = await RawClient.connect(daemon.ready.client);
  shim.arm({ mode: 'slow', k: 1, ms: 1_500 });
  const answer = put(client, 'slow');
  for (const endMs = performance.now() + 5_000; shim.fired === null && performance.now() < endMs;) await rest(20);
  t.truthy(shim.fired, 'the write of the log is held up');
  const exit = daemon.stop();
  await t.notThrowsAsync(answer);
  t.is((await exit).code, 0, daemon.transcript());
});

test.serial('A second SIGTERM stops at once, and the next start has everything acknowledged', async (t) => {
  const { daemon, shim } = await slowDaemon(t);
  const client = await RawClient.connect(daemon.ready.client);
  await put(client, 'before');
  shim.arm({ mode: 'slow', k: 1, ms: 1_500 });
  const answer = put(client, 'under way').catch((error: unknown) => error);
  await new Promise((resolve) => setTimeout(resolve, 200));
  daemon.signal('SIGTERM');
  await daemon.waitFor('draining');
  const since = performance.now();
  daemon.signal('SIGTERM');
  const { code } = await daemon.exited;
  t.is(code, 1, daemon.transcript());
  t.true(performance.now() - since < 1_700, 'it did not wait longer than for the call in the kernel');
  await answer;

  await daemon.start();
  const reader = await RawClient.connect(daemon.ready.client);
  t.is((await reader.get('before')).values.length, 1);
  reader.close();
});

test.serial('Signals during a start are obeyed too', async (t) => {
  const daemon = await Daemon.startFor(t);
  await daemon.kill();
  daemon.spawn();
  await new Promise((resolve) => setTimeout(resolve, 150));
  const { code, signal } = await daemon.stop();
  t.true(code === 0 || signal === 'SIGTERM', daemon.transcript());
  await t.notThrowsAsync(daemon.start());
});
