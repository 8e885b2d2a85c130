/*
 * Runs chosen tests of the suite from inside a proof, and says which ran: a proof that names a test which does not exist
 * any more falls short.
 */
import { join } from 'node:path';
import { ROOT } from './daemon.js';
import { runNode } from './own-program.js';

export interface AvaResult {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  /** Patterns that matched no test. */
  readonly missing: readonly string[];
  readonly output: readonly string[];
}

/** `titles`: parts of test titles, compared without case. `files`: globs under dist/test. */
export async function runTests(
  files: readonly string[],
  titles: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<AvaResult> {
  const matches = titles.flatMap((title) => ['--match', `*${title}*`]);
  const globs = files.map((file) => `dist/test/${file}`);
  const ava = join(ROOT, 'node_modules', 'ava', 'entrypoints', 'cli.mjs');
  const words = [ava, '--tap', '--serial', ...matches, ...globs];
  const { code, lines: output } = await runNode(words, undefined, env);
  const passed = output.flatMap((line) => /^ok \d+ - (.*?)( # .*)?$/.exec(line)?.[1] ?? []);
  const failed = output.flatMap((line) => /^not ok \d+ - (.*)$/.exec(line)?.[1] ?? []);
  const ran = [...passed, ...failed].map((title) => title.toLowerCase());
  const missing = titles.filter((title) => !ran.some((one) => one.includes(title.toLowerCase())));
  if (code !== 0 && failed.length === 0) failed.push(`ava ended with code ${code}: ${output.slice(-5).join(' | ')}`);
  return { passed, failed, missing, output };
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
