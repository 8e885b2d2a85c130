import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ROOT } from './daemon.js';

export interface Ended {
  readonly code: number | null;
  /** Of both its outputs, as they came. */
  readonly lines: readonly string[];
}

/** Runs node in the root of the project to its end, its lines handed on as they come. */
export function runNode(
  words: readonly string[],
  onLine: (line: string) => void = () => undefined,
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const child = spawn(process.execPath, words, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      onLine(line);
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code, lines });
    });
  });
}

/** The same for a compiled program of the tests. */
export function runOwnProgram(path: string, words: readonly string[], onLine: (line: string) => void): Promise<Ended> {
  return runNode(['--enable-source-maps', join(ROOT, 'dist', 'test', path), ...words], onLine);
}
