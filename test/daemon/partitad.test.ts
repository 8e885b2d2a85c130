/* The program as it is started: its flags, what it prints, its exit codes. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { SETTING_LIST } from '../../src/daemon/config-schema.js';
import { PARTITAD } from '../support/daemon.js';
import { folderFor } from '../support/temporary.js';

function run(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
  program: string = PARTITAD,
): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...words], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  return { code: status, out: stdout, err: stderr };
}

test('--check prints every setting with its origin, and starts nothing', (t) => {
  const file = join(folderFor(t, 'check'), 'n1.toml');
  writeFileSync(file, 'cluster = "shop"\n');
  const { code, out, err } = run(['--check', '--config', file, '--memory-max', '1GiB'], { PARTITA_LOG_LEVEL: 'warn' });
  t.is(code, 0, err);
  for (const { path } of SETTING_LIST) t.regex(out, new RegExp(`^${path.replaceAll('.', '\\.')} `, 'm'));
  t.regex(out, /^cluster +shop +.*n1\.toml:1$/m);
  t.regex(out, /^memoryMax +1GiB +--memory-max$/m);
  t.regex(out, /^log\.level +warn +PARTITA_LOG_LEVEL$/m);
});

test('a wrong setting is exit 2, with the fault and what to try', (t) => {
  const { code, out, err } = run(['--check', '--durability', 'never']);
  t.is(code, 2);
  t.is(out, '');
  t.regex(err, /^error: --durability: durability: Expected "always"/);
  t.regex(err, /Try: partitad --check/);
});

test('an unknown flag is exit 2, with the one that was meant', (t) => {
  const { code, err } = run(['--memorymax', '1GiB']);
  t.is(code, 2);
  t.regex(err, /Did you mean --memory-max\?/);
});

test('--help names every setting', (t) => {
  const { code, out } = run(['--help']);
  t.is(code, 0);
  for (const { flag } of SETTING_LIST) t.true(out.includes(`--${flag}`), flag);
});

test('io_uring is refused: durability was not tested with it', (t) => {
  const { code, err } = run(['--check'], { UV_USE_IO_URING: '1' });
  t.is(code, 2);
  t.regex(err, /UV_USE_IO_URING is set/);
  t.is(run(['--check'], { UV_USE_IO_URING: '0' }).code, 0);
});

test('a tree that was not built says so', (t) => {
  const bin = join(folderFor(t, 'bin'), 'bin');
  mkdirSync(bin);
  const program = join(bin, 'partitad.cjs');
  copyFileSync(PARTITAD, program);
  const { code, err } = run([], {}, program);
  t.is(code, 2);
  t.regex(err, /has not been built.*npm ci && npm run build/);
});
