/* The C programs of this folder, compiled once a process and version into the system's temporary directory. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** From dist/test/support/faults to the sources, which tsc does not copy. */
const SOURCES = fileURLToPath(new URL('../../../../test/support/faults/', import.meta.url));

function compile(source: string, flags: readonly string[]): string {
  const text = readFileSync(join(SOURCES, source));
  const digest = createHash('sha256').update(text).update(flags.join(' ')).digest('hex').slice(0, 12);
  const folder = join(tmpdir(), `partita-faults-${process.getuid?.() ?? 0}`);
  const target = join(folder, `${source.replace('.c', '')}-${digest}`);
  if (existsSync(target)) return target;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const unfinished = `${target}.${process.pid}`;
  try {
    execFileSync(
      'gcc',
      ['-O1', '-Wall', '-Wextra', '-Werror', ...flags, '-o', unfinished, join(SOURCES, source), '-ldl'],
      { stdio: 'pipe' },
    );
  } catch (error) {
    throw new Error(`Could not compile ${source}; a C compiler is needed (apt install gcc libc6-dev)`, {
      cause: error,
    });
  }
  renameSync(unfinished, target);
  return target;
}

/** `power-off MOUNTPOINT`: the file system forgets what was not synced. */
export const powerOffProgram = (): string => compile('power-off.c', []);

/** To be preloaded: fails chosen calls on chosen files. */
export const ioShimLibrary = (): string => compile('io-shim.c', ['-shared', '-fPIC', '-pthread']);
