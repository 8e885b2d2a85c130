/* npm start, as it is run: the whole story, a second time in the same folder, and what is in its way. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { folderFor } from '../support/temporary.js';

const DEMO = fileURLToPath(new URL('../../src/cli/demo.js', import.meta.url));

/** For one step of it. */
const PATIENCE_MS = 30_000;

class Demo {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  readonly #closed: Promise<number | null>;
  #wake: () => void = () => {};

  constructor(t: ExecutionContext, folder: string) {
    this.child = spawn(process.execPath, [DEMO], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    t.teardown(async () => {
      this.child.kill('SIGTERM');
      await this.#closed;
    });
    this.#closed = new Promise((resolve) => {
      this.child.once('close', (code) => {
        resolve(code);
        this.#wake();
      });
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream === null) throw new Error('No pipe');
      createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        this.#wake();
      });
    }
  }

  /** The first such line after the one with index `from`; its index. */
  async line(expected: RegExp, from: number = -1): Promise<number> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake();
    }, PATIENCE_MS);
    for (;;) {
      const at = this.lines.findIndex((line, index) => index > from && expected.test(line));
      const ended = this.child.exitCode !== null;
      if (at >= 0 || ended || late) clearTimeout(timer);
      if (at >= 0) return at;
      if (ended || late)
        throw new Error(`${ended ? 'It ended' : `${PATIENCE_MS} ms`} without ${String(expected)}:\n${this.text}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  get text(): string {
    return this.lines.join('\n');
  }

  async stop(): Promise<number | null> {
    this.child.kill('SIGINT');
    return this.#closed;
  }
}

/** The lines of the tour, in the order of the story. */
const STORY = [
  /Three nodes: each key has N = 3 copies, W = 2 make a put, R = 2 a get/,
  /stored by n[123], answered when [23] nodes had it on disk/,
  /\{ tea \}, from n[123] when [23] nodes had answered/,
  /both accepted; 2 versions now/,
  /\{ tea, (milk|bread) \} {2}and {2}\{ tea, (milk|bread) \}/,
  /\{ bread, milk, tea \}/,
  /Kill n[123], the first owner of that key/,
  /40 of 40 puts accepted, 40 of 40 found again/,
  /\{ bread, milk, tea \}/,
  /n[123] keeps [1-9]\d* hints/,
  /serves again, pid \d+/,
  /n1 keeps 0 hints, n2 keeps 0 hints, n3 keeps 0 hints/,
  /All of them are home/,
  /node bin\/partita\.cjs get greeting --server 127\.0\.0\.1:\d+/,
  /Ctrl-C stops them all/,
];

async function tell(t: ExecutionContext, demo: Demo): Promise<void> {
  let at = -1;
  for (const expected of STORY) at = await demo.line(expected, at);
  t.true(at > 0);
}

const ringIn = (folder: string): string => readFileSync(join(folder, 'ring-1.json'), 'utf8');

test.serial(
  'The whole story, twice with the same nodes; a killed node comes back by itself; Ctrl-C stops all',
  async (t) => {
    const folder = folderFor(t, 'demo');
    const first = new Demo(t, folder);
    await tell(t, first);
    const ring = ringIn(join(folder, 'data/demo'));
    t.is(await first.stop(), 0, first.text);
    t.regex(first.text, /Stopped\. What you put is still there the next time\.$/);

    const second = new Demo(t, folder);
    await tell(t, second);
    t.is(ringIn(join(folder, 'data/demo')), ring);
    const [, pid] = /^n2 {2}pid (\d+)/.exec(second.lines[await second.line(/^n2 {2}pid \d+/)] ?? '') ?? [];
    process.kill(Number(pid), 'SIGKILL'); // named by the demo a moment ago, and its child
    const gone = await second.line(/^n2 has ended \(SIGKILL\)\. Go on: put, get\. It is started again in 10 s/);
    const back = await second.line(/^n2 is back \(pid \d+\)/, gone);
    await second.line(/All of them are home/, back);
    t.is(await second.stop(), 0, second.text);
    for (const name of ['n1', 'n2', 'n3'])
      t.true(existsSync(join(folder, 'data/demo', name, 'node.meta')), `${name} has its directory`);
  },
);

test.serial('A second one beside it makes a cluster of its own, which goes away with it', async (t) => {
  const folder = folderFor(t, 'demo');
  const first = new Demo(t, folder);
  await first.line(/Three nodes:/);
  const second = new Demo(t, folder);
  const at = await second.line(/The cluster in .*data\/demo is running already, or one of its ports is taken/);
  const [, other = ''] = /using (\S+) this time/.exec(second.lines[at] ?? '') ?? [];
  await second.line(/Three nodes:/);
  t.true(existsSync(join(other, 'ring-1.json')));
  t.is(await second.stop(), 0, second.text);
  t.regex(second.text, /gone with its temporary directory/);
  t.false(existsSync(other));
  t.is(await first.stop(), 0, first.text);
});

test.serial('A folder of a single node is left as it is', async (t) => {
  const folder = folderFor(t, 'demo');
  const old = join(folder, 'data/demo');
  mkdirSync(old, { recursive: true });
  writeFileSync(join(old, 'node.meta'), 'of an earlier release');
  const demo = new Demo(t, folder);
  await demo.line(/data\/demo holds a single node of an earlier npm start and is left as it is; using .*data\/demo-3$/);
  await demo.line(/Three nodes/);
  t.is(await demo.stop(), 0, demo.text);
  t.is(readFileSync(join(old, 'node.meta'), 'utf8'), 'of an earlier release');
  t.true(existsSync(join(folder, 'data/demo-3/ring-1.json')));
});

test.serial('A folder whose nodes have lost their secret is not made anew', async (t) => {
  const folder = folderFor(t, 'demo');
  mkdirSync(join(folder, 'data/demo/n2'), { recursive: true });
  writeFileSync(join(folder, 'data/demo/ring-1.json'), 'a ring');
  const demo = new Demo(t, folder);
  await demo.line(
    /data\/demo has nodes, and .*ring-1\.json or .*cluster\.secret is gone\. Remove the folder to begin anew/,
  );
  t.is(readFileSync(join(folder, 'data/demo/ring-1.json'), 'utf8'), 'a ring');
});
