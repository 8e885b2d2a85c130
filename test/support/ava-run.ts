/*
 * Runs chosen tests of the suite from inside a proof, and says which ran: a proof that names a test which does not exist
 * any more falls short.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ROOT } from './daemon.js';

export interface AvaResult {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  /** Patterns that matched no test. */
  readonly missing: readonly string[];
  readonly output: readonly string[];
}

/** `titles`: parts of test titles, compared without case. `files`: globs under dist/test. */
export function runTests(
  files: readonly string[],
  titles: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<AvaResult> {
  const matches = titles.flatMap((title) => ['--match', `*${title}*`]);
  const globs = files.map((file) => `dist/test/${file}`);
  const command = [
    join(ROOT, 'node_modules', 'ava', 'entrypoints', 'cli.mjs'),
    '--tap',
    '--serial',
    ...matches,
    ...globs,
  ];
  const child = spawn(process.execPath, command, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      output.push(line);
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      const passed = output.flatMap((line) => /^ok \d+ - (.*?)( # .*)?$/.exec(line)?.[1] ?? []);
      const failed = output.flatMap((line) => /^not ok \d+ - (.*)$/.exec(line)?.[1] ?? []);
      const ran = [...passed, ...failed].map((title) => title.toLowerCase());
      const missing = titles.filter((title) => !ran.some((one) => one.includes(title.toLowerCase())));
      if (code !== 0 && failed.length === 0)
        failed.push(`ava ended with code ${code}: ${output.slice(-5).join(' | ')}`);
      resolve({ passed, failed, missing, output });
    });
  });
}

/** Prints a line a test; whether all ran and passed. */
export async function proveTests(
  files: readonly string[],
  titles: readonly string[],
  print: (line: string) => void,
  env: Readonly<Record<string, string>> = {},
): Promise<boolean> {
  const result = await runTests(files, titles, env);
  for (const title of result.passed) print(`passed: ${title}`);
  for (const title of result.failed) print(`FAILED: ${title}`);
  for (const title of result.missing) print(`MISSING: no test is named like "${title}"`);
  if (result.failed.length > 0) for (const line of result.output.slice(-60)) print(`| ${line}`);
  return result.failed.length === 0 && result.missing.length === 0;
}
