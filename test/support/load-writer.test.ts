/* The load and its checker against stores that keep their word and stores that do not: each fault must be found. */
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { Child, eventLine } from './child.js';
import { loopFault, LoopFileSystem } from './faults/loop-file-system.js';
import { freeze } from './faults/processes.js';
import type { Violation } from './history.js';
import { LoadWriter } from './load-writer.js';
import { inScope, scopedFolder, type Scope } from './scope.js';

const STAND_IN = fileURLToPath(new URL('./stand-in.js', import.meta.url));

async function start(
  scope: Scope,
  folder: string,
  mode: string,
): Promise<{ readonly child: Child; readonly address: string }> {
  const child = new Child(scope, process.execPath, [STAND_IN, folder, mode]);
  const ready = await child.line('ready', (line) => eventLine(line, 'ready'), 10_000);
  return { child, address: String(ready['client']) };
}

/** Some rounds of load, a fault, a restart and a check; how many acks, and what was found. */
async function rounds(
  scope: Scope,
  folder: string,
  mode: string,
  fault: (child: Child) => Promise<void>,
): Promise<{ readonly acked: number; readonly retried: number; readonly found: ReadonlySet<Violation['kind']> }> {
  const load = new LoadWriter({ seed: 3, keys: 100, connections: 3, depth: 4, valueBytesMax: 200 });
  const found = new Set<Violation['kind']>();
  let { child, address } = await start(scope, folder, mode);
  for (let round = 0; round < 3; round++) {
    await load.start(address);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await fault(child);
    await load.abandon();
    ({ child, address } = await start(scope, folder, mode));
    await load.retryUnknown(address);
    for (const violation of [...(await load.check(address)), ...load.violations]) found.add(violation.kind);
  }
  await child.kill('SIGTERM');
  return { acked: load.counts.acked, retried: load.counts.retried, found };
}

async function kill(child: Child): Promise<void> {
  await child.kill('SIGKILL');
}

function inFolder<T>(work: (scope: Scope, folder: string) => Promise<T>): Promise<T> {
  return inScope((scope) => work(scope, scopedFolder(scope, 'stand-in')));
}

test.serial('A store that keeps its word is not accused', async (t) => {
  const { acked, retried, found } = await inFolder((scope, folder) => rounds(scope, folder, 'honest', kill));
  t.true(acked > 100, `${acked} acked`);
  t.true(retried > 0);
  t.deepEqual([...found], []);
});

test.serial('A store that forgets one put in a hundred is found out', async (t) => {
  const { found } = await inFolder((scope, folder) => rounds(scope, folder, 'forgetful', kill));
  t.true(found.has('lost'), [...found].join());
});

test.serial('A store whose counters go back is found out', async (t) => {
  const { found } = await inFolder((scope, folder) => rounds(scope, folder, 'amnesiac', kill));
  t.true(found.has('lost') || found.has('resurrected'), [...found].join());
});

for (const type of ['ext4', 'xfs'] as const) {
  const fault = loopFault(type);
  const runs = fault === null ? test.serial : test.serial.skip;
  runs(
    `A power cut on ${type} spares what was synced, and takes what was not${fault === null ? '' : ` (${fault})`}`,
    async (t) => {
      for (const mode of ['honest', 'unsynced']) {
        const { acked, found } = await inScope((scope) => {
          const disk = new LoopFileSystem(scope, type, 320);
          return rounds(scope, disk.path, mode, async (child) => {
            await freeze(child.pid);
            disk.pullPlug();
            await child.kill('SIGKILL');
            disk.unmount();
            disk.mount();
          });
        });
        t.true(acked > 100, `${acked} acked`);
        t.is(found.has('lost'), mode === 'unsynced', `${mode}: ${[...found].join()}`);
        if (mode === 'honest') t.is(found.size, 0);
      }
    },
  );
}
