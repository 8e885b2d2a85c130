import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { folderFor } from '../support/temporary.js';

const HOLLOW = fileURLToPath(new URL('../support/hollow-daemon.js', import.meta.url));

type Line = { readonly event: string; readonly level: string } & Readonly<Record<string, unknown>>;

class Hollow {
  readonly child: ChildProcess;
  readonly lines: Line[] = [];
  readonly ended: Promise<number | null>;
  #wake: () => void = () => {};

  constructor(t: ExecutionContext, how: string, file?: string) {
    const child = spawn(process.execPath, [HOLLOW, ...(file === undefined ? [] : [file])], {
      env: { ...process.env, HOLLOW: how },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.teardown(() => void child.kill('SIGKILL'));
    this.child = child;
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as Line);
      this.#wake();
    });
    this.ended = new Promise((resolve) =>
      child.once('close', (code) => {
        resolve(code);
        this.#wake();
      }),
    );
  }

  /** The n-th line of that event; the test's own time limit ends a wait in vain. */
  async line(event: string, n: number = 1): Promise<Line> {
    for (;;) {
      const line = this.lines.filter((one) => one.event === event)[n - 1];
      if (line !== undefined) return line;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

test('SIGTERM drains and ends with 0', async (t) => {
  const hollow = new Hollow(t, '');
  const ready = await hollow.line('ready');
  t.like(ready, { client: '127.0.0.1:1', peer: '127.0.0.1:2', admin: '/a', pid: hollow.child.pid });
  hollow.child.kill('SIGTERM');
  t.is(await hollow.ended, 0);
  t.deepEqual(
    hollow.lines.slice(-2).map((line) => line.event),
    ['draining', 'stopped'],
  );
});

test('a second signal ends a slow drain at once, with 1', async (t) => {
  const hollow = new Hollow(t, 'slow-drain');
  await hollow.line('ready');
  hollow.child.kill('SIGINT');
  await hollow.line('draining');
  hollow.child.kill('SIGTERM');
  t.is(await hollow.ended, 1);
  t.is(hollow.lines.at(-1)?.event, 'stopped-at-once');
});

test('a drain that fails is a failure', async (t) => {
  const hollow = new Hollow(t, 'bad-drain');
  await hollow.line('ready');
  hollow.child.kill('SIGTERM');
  t.is(await hollow.ended, 1);
  t.like(hollow.lines.at(-1), { event: 'failed', text: 'The last sync failed' });
});

test('a start that is refused ends with 3, one that breaks with 1, and so does a log that fails later', async (t) => {
  const [refused, failed, fatal] = [new Hollow(t, 'refuse'), new Hollow(t, 'fail'), new Hollow(t, 'fatal')];
  t.is(await refused.ended, 3);
  t.like(refused.lines.at(-1), { level: 'fatal', event: 'refused', text: 'The directory is in use' });
  t.is(await failed.ended, 1);
  t.like(failed.lines.at(-1), { level: 'fatal', event: 'failed', text: 'Something broke' });
  t.is(await fatal.ended, 1);
  t.like(fatal.lines.at(-1), { level: 'fatal', event: 'failed', text: 'The log failed' });
});

test('a node that waits to be told what it is says so instead of "ready"', async (t) => {
  const hollow = new Hollow(t, 'wait');
  t.regex(String((await hollow.line('waiting'))['text']), /--init/);
  hollow.child.kill('SIGTERM');
  t.is(await hollow.ended, 0);
  t.false(hollow.lines.some((line) => line.event === 'ready'));
});

test('SIGHUP changes the log level, names what needs a restart, and survives a broken file', async (t) => {
  const file = join(folderFor(t, 'reload'), 'n1.toml');
  writeFileSync(file, '[log]\nlevel = "info"\n');
  const hollow = new Hollow(t, '', file);
  await hollow.line('ready');
  t.false(hollow.lines.some((line) => line.event === 'tick'));
  writeFileSync(file, 'cluster = "other"\n[log]\nlevel = "debug"\n');
  hollow.child.kill('SIGHUP');
  await hollow.line('tick');
  t.deepEqual((await hollow.line('reload', 2))['settings'], ['cluster']);
  writeFileSync(file, '[log]\nlevl = "debug"\n');
  hollow.child.kill('SIGHUP');
  t.regex(String((await hollow.line('reload', 4))['faults']), /did you mean log\.level\?/);
  hollow.child.kill('SIGTERM');
  t.is(await hollow.ended, 0);
});

test('SIGUSR2 writes the loop delays since the last time', async (t) => {
  const hollow = new Hollow(t, '');
  await hollow.line('ready');
  await new Promise((resolve) => setTimeout(resolve, 50));
  hollow.child.kill('SIGUSR2');
  const delays = await hollow.line('loop-delay');
  for (const name of ['p50Ms', 'p99Ms', 'p999Ms', 'maxMs']) t.is(typeof delays[name], 'number', name);
  t.true(Number(delays['p50Ms']) <= Number(delays['maxMs']));
  t.like(await hollow.line('status'), { text: 'hollow', hollow: true });
});
