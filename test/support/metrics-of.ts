/* The metrics of real daemons that were started with test/support/metrics-on-signal. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Daemon } from './daemon.js';

const WITHIN_MS = 10_000;
const POLL_MS = 20;

/** For the environment of a daemon. */
export function metricsInto(folder: string): Readonly<Record<string, string>> {
  const hook = fileURLToPath(new URL('./metrics-on-signal.js', import.meta.url));
  return { NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import ${hook}`.trim(), METRICS_FOLDER: folder };
}

/** Series → value: `partita_requests_total{op="get",result="ok"}`. */
export async function metricsOf(daemon: Daemon, folder: string): Promise<ReadonlyMap<string, number>> {
  const file = join(folder, String(daemon.pid));
  rmSync(file, { force: true });
  daemon.signal('SIGWINCH');
  for (const deadline = performance.now() + WITHIN_MS; !existsSync(file); await rest(POLL_MS))
    if (performance.now() > deadline) throw new Error(`No metrics of process ${daemon.pid} within ${WITHIN_MS} ms`);
  const lines = readFileSync(file, 'utf8').split('\n');
  return new Map(
    lines
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const end = line.lastIndexOf(' ');
        return [line.slice(0, end), Number(line.slice(end + 1))] as const;
      }),
  );
}
