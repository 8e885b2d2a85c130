/*
 * Arbitrary and mutated frames in every state of a connection, on all three listeners, from a process full of bad clients
 * (frame-attacks.ts). Meanwhile a watchdog on a connection of its own must always be answered within a second, and the
 * daemon's anonymous memory must stay below 300 MiB. In the end the daemon is told to drain under fire, must do so, and
 * must come up again with everything that the watchdog stored.
 */
import { fileURLToPath } from 'node:url';
import { Child, eventLine } from '../support/child.js';
import { Daemon } from '../support/daemon.js';
import { RawClient } from '../support/raw-client.js';
import { inScope, scopedFolder, type Scope } from '../support/scope.js';
import { Watchdog, type WatchdogReport } from '../support/watchdog.js';
import type { Proof } from './proof.js';

const ATTACKER = fileURLToPath(new URL('../support/frame-attacks.js', import.meta.url));
const RSS_ANON_MAX_MIB = 300;
const ANSWER_MS_MAX = 1_000;
const CONCURRENCY = 32;
const FLAGS = ['--durability', 'always', '--memory-max', '128MiB'];

type Counts = Readonly<Record<string, number>>;

async function attack(
  scope: Scope,
  daemon: Daemon,
  seed: number,
  seconds: number,
): Promise<{ readonly made: Counts; readonly seen: Counts }> {
  const { client, peer, admin } = daemon.ready;
  const words = [ATTACKER, client, peer, admin, String(seed), String(seconds), String(CONCURRENCY)];
  const child = new Child(scope, process.execPath, words);
  const done = await child.line('end of the attacks', (line) => eventLine(line, 'done'), 1_000 * seconds + 60_000);
  return { made: done['made'] as Counts, seen: done['seen'] as Counts };
}

/** SIGTERM while the attacks go on: exit code 0, and how long it took. */
async function drainUnderFire(scope: Scope, daemon: Daemon, seed: number): Promise<string | null> {
  const attacks = attack(scope, daemon, seed + 1, 3);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const since = performance.now();
  const { code, signal } = await daemon.stop(20_000);
  const ms = Math.round(performance.now() - since);
  await attacks;
  return code === 0 ? null : `told to drain under fire it ended with code ${code}, signal ${signal} after ${ms} ms`;
}

async function keptTheValue(daemon: Daemon): Promise<string | null> {
  const client = await RawClient.connect((await daemon.start()).client);
  const { values } = await client.get('watchdog');
  client.close();
  await daemon.stop();
  return values.length > 0 ? null : 'after a restart the value of the watchdog is gone';
}

function printCounts(title: string, counts: Counts, print: (line: string) => void): number {
  const rows = Object.entries(counts).sort(([, a], [, b]) => b - a);
  print(`${title}: ${rows.map(([name, count]) => `${name} ${count}`).join(', ')}`);
  return rows.reduce((sum, [, count]) => sum + count, 0);
}

function printTrouble(daemon: Daemon, print: (line: string) => void): void {
  const events = new Map<string, number>();
  for (const { event, level } of daemon.log) {
    if (level === 'info' || level === 30 || level === 'debug' || level === 20) continue;
    events.set(event, (events.get(event) ?? 0) + 1);
  }
  if (events.size > 0)
    print(`its log has warnings and errors: ${[...events].map(([event, count]) => `${event} ${count}`).join(', ')}`);
}

export const prove: Proof = {
  name: 'frames',
  question: 'Can bad frames crash, hang or bloat the daemon?',
  run: ({ full, print }) =>
    inScope(async (scope) => {
      const seed = Date.now() >>> 0;
      const seconds = full ? 300 : 30;
      print(`seed ${seed}, ${seconds} s, ${CONCURRENCY} attackers at a time, partitad ${FLAGS.join(' ')}`);
      const daemon = Daemon.prepare({ dataDir: scopedFolder(scope, 'frames'), flags: FLAGS });
      scope.defer('end the daemon', () => daemon.signal('SIGKILL'));
      try {
        const { client, pid } = await daemon.start();
        const watchdog = new Watchdog(client, pid, ANSWER_MS_MAX);
        await watchdog.start();
        const { made, seen } = await attack(scope, daemon, seed, seconds);
        const report: WatchdogReport = await watchdog.stop();
        const attacks = printCounts('attacks', made, print);
        printCounts('answers', seen, print);
        printTrouble(daemon, print);
        const faults = [...report.faults];
        if (!daemon.running) faults.push('the daemon is gone');
        else
          faults.push(
            ...[await drainUnderFire(scope, daemon, seed), await keptTheValue(daemon)].filter(
              (fault) => fault !== null,
            ),
          );
        const rssMiB = report.rssAnonMaxKiB / 1_024;
        if (rssMiB >= RSS_ANON_MAX_MIB) faults.push(`RssAnon reached ${rssMiB.toFixed(1)} MiB`);
        for (const fault of faults) print(`FAULT: ${fault}`);
        if (faults.length > 0) for (const line of daemon.transcript(15).split('\n')) print(`| ${line.slice(0, 500)}`);
        return {
          held: faults.length === 0 && report.rounds > seconds,
          summary:
            `${attacks} attacks in ${seconds} s; watchdog: ${report.rounds} rounds, slowest answer ${Math.round(report.slowestMs)} ms, ` +
            `${report.refused} puts refused as overloaded; RssAnon at most ${rssMiB.toFixed(1)} MiB of ${RSS_ANON_MAX_MIB}; ${faults.length} faults`,
        };
      } finally {
        await daemon.dispose();
      }
    }),
};
