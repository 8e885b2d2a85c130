/* What a real daemon says that it holds, by `partita keys`. */
import type { Daemon } from './daemon.js';
import { runCli } from './run-cli.js';

const KEYS_MAX = 1_000_000;

export interface ListedKey {
  readonly key: string;
  readonly state: string;
  readonly recordBytes: number;
}

/** Deleted ones included. */
export async function listedKeys({ ready }: Daemon, keysMax: number = KEYS_MAX): Promise<readonly ListedKey[]> {
  const words = ['keys', '--all', '--limit', String(keysMax), '--admin', ready.admin, '-o', 'json'];
  const { code, out, err } = await runCli(words);
  if (code !== 0) throw new Error(`partita keys: ${err}`);
  return (JSON.parse(out) as { readonly keys: readonly ListedKey[] }).keys;
}

/** Over all of them. */
export async function tombstonesOf(daemons: readonly Daemon[]): Promise<number> {
  let count = 0;
  for (const daemon of daemons) count += (await listedKeys(daemon)).filter(({ state }) => state === 'deleted').length;
  return count;
}
