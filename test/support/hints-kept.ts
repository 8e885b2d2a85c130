import type { Daemon } from './daemon.js';
import { runCli } from './run-cli.js';

/** How many hints a running daemon keeps for others, as `partita hints` says. */
export async function hintsKept(daemon: Daemon): Promise<number> {
  const { code, out, err } = await runCli(['hints', '--admin', daemon.ready.admin, '-o', 'json']);
  if (code !== 0) throw new Error(`partita hints failed: ${err}`);
  const { count } = JSON.parse(out) as { readonly count?: unknown };
  if (typeof count !== 'number') throw new Error(`partita hints says no count: ${out}`);
  return count;
}
