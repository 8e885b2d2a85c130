import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { DirectoryLockedError, lockDirectory } from '../../src/disk/directory-lock.js';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'directory-lock-')));
test.after.always(() => {
  rmSync(root, { recursive: true, force: true });
});

function directory(name: string): string {
  const path = join(root, name);
  mkdirSync(path);
  return path;
}

/** Another process that takes the lock and keeps it. */
async function holder(path: string, flockCommand: string): Promise<ChildProcess> {
  const entry = new URL('../../src/disk/directory-lock.js', import.meta.url).href;
  const script = `import(${JSON.stringify(entry)}).then((m) => { console.log(m.lockDirectory(${JSON.stringify(path)}, ${JSON.stringify(flockCommand)}).kind); setInterval(() => {}, 1000); })`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

for (const [kind, flockCommand] of [
  ['kernel', 'flock'],
  ['process', 'there-is-no-such-command'],
] as const) {
  test(`${kind}: refused while another process has it, also by another path; free after kill -9`, async (t) => {
    const path = directory(kind);
    symlinkSync(path, join(root, `${kind}-link`));
    const child = await holder(path, flockCommand);
    for (const name of [path, join(root, `${kind}-link`)]) {
      const error = t.throws(() => lockDirectory(name, flockCommand), { instanceOf: DirectoryLockedError });
      t.is(error.ownerPid, child.pid ?? null);
      t.regex(error.message, new RegExp(`is in use by process ${child.pid}: one data directory serves one partitad`));
    }
    child.kill('SIGKILL');
    await once(child, 'exit');
    const lock = lockDirectory(path, flockCommand);
    t.is(lock.kind, kind);
    lock.release();
    lockDirectory(path, flockCommand).release();
  });
}

test('kernel: refused within one process too', (t) => {
  const path = directory('same');
  const lock = lockDirectory(path);
  const error = t.throws(() => lockDirectory(path), { instanceOf: DirectoryLockedError });
  t.is(error.ownerPid, process.pid);
  lock.release();
});

test('process: a pid that somebody else has now, another boot, and half a text hold nothing', (t) => {
  const path = directory('stale');
  for (const text of [
    JSON.stringify({ pid: process.pid, startTime: '1', bootId: 'x' }),
    JSON.stringify({ pid: 1, startTime: '0', bootId: '' }),
    '{"pid": 1, "start',
    'null',
    '',
  ]) {
    writeFileSync(join(path, 'lock'), text);
    lockDirectory(path, 'there-is-no-such-command').release();
  }
  t.pass();
});
