/* A full disk: writes are refused in time and by name, reads go on, and room made is room used. Needs root, for a mount. */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Daemon } from '../support/daemon.js';
import { loopFault, LoopFileSystem } from '../support/faults/loop-file-system.js';
import { newPutId, RawClient, RefusedError } from '../support/raw-client.js';
import { Scope } from '../support/scope.js';

const fault = loopFault('ext4');
const withMount = fault === null ? test.serial : test.serial.skip;
const DISK_FULL = 11;
const FLAGS = [
  '--memory-max',
  '128MiB',
  '--value-bytes-max',
  '64KiB',
  '--storage-segment-bytes',
  '1MiB',
  '--storage-log-bytes-max',
  '32MiB',
];

withMount('Disk full: puts are refused, gets are answered, and it recovers by itself', async (t) => {
  const scope = new Scope();
  t.teardown(() => {
    scope.close();
  });
  const disk = new LoopFileSystem(scope, 'ext4', 512);
  const daemon = Daemon.prepare({ dataDir: join(disk.path, 'data'), flags: FLAGS });
  t.teardown(() => daemon.dispose());
  await daemon.start();
  const client = await RawClient.connect(daemon.ready.client);
  let last = 0;
  const put = (): Promise<unknown> => {
    last += 1;
    return client.write({
      key: `k-${last}`,
      value: Buffer.alloc(1_000, last),
      context: new Uint8Array(0),
      putId: newPutId(),
    });
  };
  await put();

  const ballast = join(disk.path, 'ballast');
  execFileSync('fallocate', ['-l', '400MiB', ballast]);
  const refused = await eventually(t, 'a refusal', () =>
    put().then(
      () => null,
      (error: unknown) => error,
    ),
  );
  t.true(refused instanceof RefusedError && refused.code === DISK_FULL, String(refused));
  t.regex(String((refused as RefusedError).message), /disk|space|full/i);
  t.true((refused as RefusedError).retryable);
  t.is((await client.get('k-1')).values.length, 1, 'reads go on');

  rmSync(ballast);
  await eventually(t, 'a put that is taken again', () =>
    put().then(
      () => true,
      () => null,
    ),
  );
  t.is((await daemon.stop()).code, 0, daemon.transcript());

  await daemon.start();
  const reader = await RawClient.connect(daemon.ready.client);
  t.is((await reader.get('k-1')).values.length, 1);
  reader.close();
});

/** The first answer that is not null, asked for every 100 ms for at most 10 s. */
async function eventually<T>(
  t: { fail(text: string): unknown },
  what: string,
  ask: () => Promise<T | null>,
): Promise<T | null> {
  for (let i = 0; i < 100; i++) {
    const answer = await ask();
    if (answer !== null) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  t.fail(`No ${what} within 10 s`);
  return null;
}
