/* What a real daemon says that it holds, by `partita keys`. */
import type { Daemon } from './daemon.js';
import { runCli } from './run-cli.js';

/** Of one answer. */
const PAGE_KEYS = 100_000;

export interface ListedKey {
  readonly key: string;
  readonly state: string;
  readonly recordBytes: number;
}

interface Page {
  readonly keys: readonly ListedKey[];
  readonly cursor: string | null;
}

/** Deleted ones included; the first so many, or all. */
export async function listedKeys(
  { ready }: Daemon,
  keysMax: number = Number.POSITIVE_INFINITY,
): Promise<readonly ListedKey[]> {
  const found: ListedKey[] = [];
  for (let cursor: string | null = null; ;) {
    const limit = String(Math.min(PAGE_KEYS, keysMax - found.length));
    const from: readonly string[] = cursor === null ? [] : ['--cursor', cursor];
    const words = ['keys', '--all', '--limit', limit, ...from, '--admin', ready.admin, '-o', 'json'];
    const { code, out, err } = await runCli(words);
    if (code !== 0) throw new Error(`partita keys: ${err}`);
    const page = JSON.parse(out) as Page;
    for (const key of page.keys) found.push(key);
    if (page.cursor === null || found.length >= keysMax) return found;
    cursor = page.cursor;
  }
}

/** Over all of them. */
export async function tombstonesOf(daemons: readonly Daemon[]): Promise<number> {
  let count = 0;
  for (const daemon of daemons) count += (await listedKeys(daemon)).filter(({ state }) => state === 'deleted').length;
  return count;
}
