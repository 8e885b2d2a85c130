/*
 * What README promises to somebody who has just cloned: npm ci, npm test and npm start work in a fresh clone of the
 * committed tree, with nothing lying around that only this directory has. In full, .ci/run too.
 */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ROOT } from '../support/daemon.js';
import { temporaryFolder } from '../support/temporary.js';
import type { Print, Proof } from './proof.js';

const DEMO_READY = 'Ctrl-C stops';
const DEMO_TIMEOUT_MS = 120_000;

export const prove: Proof = {
  name: 'clean-clone',
  question: 'Do npm ci, npm start, npm test and .ci/run work in a clean clone, as README says?',
  async run({ full, print }) {
    const folder = temporaryFolder('clone');
    try {
      const tree = join(folder.path, 'partita');
      const commit = git(['rev-parse', 'HEAD']);
      git(['clone', '--quiet', '--no-hardlinks', ROOT, tree]);
      print(`commit ${commit}`);
      if (git(['status', '--porcelain']) !== '')
        print('note: the working tree has changes that the clone does not have');
      const faults = [
        ...step(print, tree, 'npm ci', ['npm', 'ci', '--no-audit', '--no-fund']),
        ...(await startAndStop(print, tree)),
        ...step(print, tree, 'npm test', ['npm', 'test']),
        ...(full ? step(print, tree, 'bash .ci/run', ['bash', '.ci/run']) : []),
        ...untracked(tree),
      ];
      for (const fault of faults) print(`NOT AS IT SHOULD BE: ${fault}`);
      return {
        held: faults.length === 0,
        summary: `${full ? 4 : 3} commands in a clone of ${commit.slice(0, 9)}, ${faults.length} faults`,
      };
    } finally {
      folder.remove();
    }
  },
};

function git(words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('git', ['-C', ROOT, ...words], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`git ${words.join(' ')}: ${stderr.trim()}`);
  return stdout.trim();
}

function step(print: Print, cwd: string, name: string, [program = '', ...words]: readonly string[]): readonly string[] {
  const startedMs = performance.now();
  const { status, stdout, stderr } = spawnSync(program, words, { cwd, encoding: 'utf8', maxBuffer: 64 * 1_048_576 });
  const lines = `${stdout}${stderr}`.trimEnd().split('\n');
  print(
    `${name}: exit ${status} after ${Math.round((performance.now() - startedMs) / 1_000)} s: ${lines.at(-1)?.trim() ?? ''}`,
  );
  if (status === 0) return [];
  for (const line of lines.slice(-30)) print(`  ${line}`);
  return [`${name} ended with ${status}`];
}

async function startAndStop(print: Print, cwd: string): Promise<readonly string[]> {
  const child = spawn('npm', ['start'], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const ready = new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => {
      resolve(false);
    }, DEMO_TIMEOUT_MS);
    void closed.then(() => {
      resolve(false);
    });
    const keep = (line: string): void => {
      lines.push(line);
      if (!line.includes(DEMO_READY)) return;
      clearTimeout(timer);
      resolve(true);
    };
    createInterface({ input: child.stdout }).on('line', keep);
    createInterface({ input: child.stderr }).on('line', keep);
  });
  const cameUp = await ready;
  child.kill('SIGTERM');
  const hard = setTimeout(() => child.kill('SIGKILL'), 20_000);
  const code = await closed;
  clearTimeout(hard);
  const stopped = lines.some((line) => line.startsWith('Stopped.'));
  print(
    `npm start: ${cameUp ? 'came up' : 'did not come up'}, ${stopped ? 'stopped cleanly' : 'did not stop cleanly'} (exit ${code})`,
  );
  if (cameUp && stopped) return [];
  for (const line of lines.slice(-30)) print(`  ${line}`);
  return ['npm start'];
}

/** Whatever a clone makes must be ignored by git, and nothing that is tracked may change. */
function untracked(tree: string): readonly string[] {
  const { stdout } = spawnSync('git', ['-C', tree, 'status', '--porcelain'], { encoding: 'utf8' });
  return stdout.trim() === '' ? [] : [`the commands left changes that .gitignore does not cover: ${stdout.trim()}`];
}
