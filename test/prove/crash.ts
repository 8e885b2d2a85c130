/*
 * kill -9 at random moments under load, and a restart on the same directory: with `durability = always` no acknowledged
 * write may be gone, nothing may be there that nobody wrote, and no put may be there twice. One restart in four is itself
 * killed while it recovers.
 *
 * Segments and buffer are small, so that segments are reused and partition files flushed all the time. The moments that
 * chance does not find are tried one by one on the injected disk by tests of the suite, which run first.
 */
import { Prng } from '../../src/lib/prng.js';
import { proveTests } from '../support/ava-run.js';
import { Daemon } from '../support/daemon.js';
import { countByKind, faultRounds, showViolations, type Target } from '../support/fault-rounds.js';
import { inScope, scopedFolder } from '../support/scope.js';
import type { Proof } from './proof.js';

/** On the injected disk: reuse of segments, torn batches, crashes between flushes and in recovery, an older file. */
const SUB_CASES = [
  'segments that are freed and used again',
  'every subset of its sectors survived',
  'a crash between any two batches of a flush',
  'recovery is interrupted at every call',
  'a partition file swapped for an older one',
];

export const SMALL_STORE: readonly string[] = [
  ...['--durability', 'always', '--memory-max', '128MiB', '--value-bytes-max', '64KiB'],
  ...['--storage-segment-bytes', '1MiB', '--storage-log-bytes-max', '32MiB'],
];

/** One restart in so many is killed itself, before it is ready. */
const RECOVERY_KILLED_EVERY = 4;

class KilledDaemon implements Target {
  readonly daemon: Daemon;
  readonly #prng: Prng;
  kills = 0;
  killsInRecovery = 0;

  constructor(dataDir: string, prng: Prng) {
    this.daemon = Daemon.prepare({ dataDir, flags: SMALL_STORE, readyTimeoutMs: 60_000 });
    this.#prng = prng;
  }

  async start(): Promise<string> {
    if (this.kills > 0 && this.kills % RECOVERY_KILLED_EVERY === 0) {
      this.daemon.spawn();
      // Half of it is Node's own start; what comes then is recovery.
      await new Promise((resolve) => setTimeout(resolve, 100 + this.#prng.int(500)));
      await this.daemon.kill();
      this.killsInRecovery += 1;
    }
    return (await this.daemon.start()).client;
  }

  async strike(): Promise<void> {
    await this.daemon.kill();
    this.kills += 1;
  }

  async stop(): Promise<void> {
    const { code } = await this.daemon.stop();
    if (code !== 0)
      throw new Error(`The last daemon did not stop in peace (code ${code})\n${this.daemon.transcript()}`);
  }
}

export const prove: Proof = {
  name: 'crash',
  question: 'Does kill -9 at any moment lose an acknowledged write?',
  run: ({ full, print }) =>
    inScope(async (scope) => {
      const subCasesHold = await proveTests(
        ['storage/**/*.test.js', 'disk/**/*.test.js'],
        SUB_CASES,
        print,
        full ? { PARTITA_TEST_TORN_SECTORS: '12' } : {},
      );
      const seed = Date.now() >>> 0;
      const rounds = full ? 200 : 15;
      print(`seed ${seed}, ${rounds} kills, partitad ${SMALL_STORE.join(' ')}`);
      const prng = new Prng(seed);
      const target = new KilledDaemon(scopedFolder(scope, 'crash'), prng.fork());
      scope.defer('end the daemon', () => target.daemon.signal('SIGKILL'));
      try {
        const result = await faultRounds(target, {
          rounds,
          prng,
          load: { seed, keys: 2_000, connections: 4, depth: 8, valueBytesMax: 4_096 },
          loadMs: [50, 2_000],
          onRound: (round, { counts }, found) => {
            showViolations(found, print);
            if (round % 10 === 0 || found.length > 0)
              print(`${round} kills: ${counts.acked} acked, ${counts.unknown} unknown, ${found.length} violations`);
          },
        });
        const { counts } = result.load;
        print(
          `reads ${counts.reads}, retried ${counts.retried}, refused ${counts.refused}, slowest start ${Math.round(result.startMsMax)} ms`,
        );
        for (const [text, count] of result.load.refusals) print(`refused ${count} times: ${text}`);
        const lost = result.violations.filter((violation) => violation.kind === 'lost').length;
        return {
          held: subCasesHold && result.violations.length === 0 && counts.acked > rounds,
          summary:
            `${target.kills} kills and ${target.killsInRecovery} more during recovery, ${counts.acked} writes acked, ${lost} lost; ` +
            `violations: ${countByKind(result.violations)}; sub-cases ${subCasesHold ? 'passed' : 'did not pass'}`,
        };
      } catch (error) {
        for (const line of target.daemon.transcript(15).split('\n')) print(`| ${line.slice(0, 500)}`);
        throw error;
      } finally {
        await target.daemon.dispose();
      }
    }),
};
