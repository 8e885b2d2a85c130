/*
 * Every I/O call fails once. Those on log, node.meta, ring and tables are failed one by one on the injected disk, by tests
 * of the suite that run first. LMDB does its own, so here a real daemon runs with a library preloaded that fails the k-th
 * call on its partition files, once or from then on, with EIO or ENOSPC, for k = 1, 2, 3 … until a run in which the
 * workload is through and nothing was failed.
 *
 * The workload makes the file and fills it in at least three batches. In each run: what is read afterwards, if the daemon
 * still serves, is what was written; the log names the fault; and after a restart without the library no acknowledged
 * write is missing.
 */
import { cpSync, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { proveTests } from '../support/ava-run.js';
import { Daemon } from '../support/daemon.js';
import { IoShim } from '../support/faults/io-shim.js';
import { countByKind, showViolations } from '../support/fault-rounds.js';
import type { Violation } from '../support/history.js';
import { dumpFile, isRecordEntry, lmdbToolsFault } from '../support/lmdb-dump.js';
import { LoadWriter } from '../support/load-writer.js';
import { ConnectionLostError } from '../support/raw-client.js';
import { inScope, scopedFolder, type Scope } from '../support/scope.js';
import { SMALL_STORE } from './crash.js';
import type { Proof } from './proof.js';

const SUB_CASES = ['k-th'];
const FLAGS = [...SMALL_STORE, '--partitions', '1'];
/** Three batches of at most 64 operations, leaves included. */
const KEYS = 220;
const CALLS_MAX = 500;
const WORKLOAD_MS = 300;
/** The flusher lets an entry rest for a second, and tries again a second after it found no space. */
const FLUSH_TIMEOUT_MS = 10_000;
const AFTER_FAULT_MS = 2_500;
const FAULT_WORDS = /EIO|ENOSPC|input\/output error|no space left/i;

interface Plan {
  readonly k: number;
  readonly mode: 'once' | 'ever';
  readonly error: 'EIO' | 'ENOSPC';
}

interface Outcome {
  readonly fired: string | null;
  /** How the daemon took it: `ended, code 1`, `went on`. */
  readonly end: string;
  readonly acked: number;
  readonly violations: readonly Violation[];
  /** What else was not as it should be. */
  readonly faults: readonly string[];
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

class Run {
  readonly #plan: Plan;
  readonly #dataDir: string;
  readonly #shim: IoShim;
  readonly #load: LoadWriter;
  readonly daemon: Daemon;

  constructor(scope: Scope, base: string, plan: Plan) {
    const folder = scopedFolder(scope, 'kth-io');
    this.#plan = plan;
    this.#dataDir = join(folder, 'data');
    this.#shim = new IoShim(folder, `${this.#dataDir}/partitions/`, '.mdb');
    cpSync(base, this.#dataDir, { recursive: true });
    this.#load = new LoadWriter({ seed: plan.k, keys: KEYS, connections: 2, depth: 8, valueBytesMax: 500 });
    this.daemon = Daemon.prepare({ dataDir: this.#dataDir, flags: FLAGS, env: this.#shim.env });
    scope.defer('end the daemon', () => this.daemon.signal('SIGKILL'));
  }

  #allFlushed(): boolean {
    const file = join(this.#dataDir, 'partitions', '0000.mdb');
    if (!existsSync(file) || statSync(file).size === 0) return false;
    try {
      return dumpFile(file).filter(isRecordEntry).length >= this.#load.history.keys.size;
    } catch {
      return false; // what the failed call left behind is not for the tools to read
    }
  }

  async run(): Promise<Outcome> {
    const { client } = await this.daemon.start();
    const { error } = this.#plan;
    this.#shim.arm(this.#plan);
    const violations: Violation[] = [];
    const faults: string[] = [];
    try {
      await this.#load.start(client);
      await sleep(WORKLOAD_MS);
      await this.#load.stop();
      await this.#waitForFlush();
      if (this.daemon.running) violations.push(...(await this.#load.check(client)));
    } catch (thrown) {
      if (!(thrown instanceof ConnectionLostError)) throw thrown; // the daemon may end at any of these steps
    }
    const fired = this.#shim.fired;
    const end = await this.#end();
    if (fired !== null && !this.#faultIsLogged()) faults.push('no line of its log names the fault');
    if (fired !== null && error === 'EIO' && end === 'went on') faults.push('it went on after EIO');
    violations.push(...this.#load.violations, ...(await this.#restartAndCheck()));
    return { fired, end, acked: this.#load.counts.acked, violations, faults };
  }

  /** Until the workload is in the file, the daemon is gone, or the fault has had time to show what it does. */
  async #waitForFlush(): Promise<void> {
    let firedMs: number | null = null;
    for (const since = Date.now(); this.daemon.running && Date.now() - since < FLUSH_TIMEOUT_MS; await sleep(50)) {
      if (this.#shim.fired !== null) firedMs ??= Date.now();
      if (firedMs !== null && Date.now() - firedMs > AFTER_FAULT_MS) return;
      if (this.#allFlushed()) return;
    }
  }

  async #end(): Promise<string> {
    // It may be about to end by itself: the answer to EIO is to stop.
    if (this.#shim.fired !== null && this.#plan.error === 'EIO') await Promise.race([this.daemon.exited, sleep(3_000)]);
    if (this.daemon.running) {
      await this.daemon.kill();
      return 'went on';
    }
    const { code, signal } = await this.daemon.exited;
    return `ended, ${signal ?? `code ${code}`}`;
  }

  #faultIsLogged(): boolean {
    return this.daemon.log.some((line) => FAULT_WORDS.test(JSON.stringify(line)));
  }

  async #restartAndCheck(): Promise<readonly Violation[]> {
    const healthy = Daemon.prepare({ dataDir: this.#dataDir, flags: FLAGS });
    try {
      const { client } = await healthy.start();
      await this.#load.retryUnknown(client);
      return await this.#load.check(client);
    } finally {
      await healthy.dispose();
    }
  }
}

/** An empty store, initialised without faults. */
async function makeBase(scope: Scope): Promise<string> {
  const dataDir = join(scopedFolder(scope, 'kth-io-base'), 'data');
  const daemon = await Daemon.start({ dataDir, flags: FLAGS });
  await daemon.stop();
  return dataDir;
}

function plansOf(k: number, full: boolean): readonly Plan[] {
  const all = (['EIO', 'ENOSPC'] as const).flatMap((error) =>
    (['once', 'ever'] as const).map((mode) => ({ k, mode, error })),
  );
  return full ? all : [all[k % all.length] ?? { k, mode: 'once', error: 'EIO' }];
}

export const prove: Proof = {
  name: 'kth-io',
  question: 'Is anything acknowledged lost, or anything bad served, when any one I/O call fails?',
  run: ({ full, print }) =>
    inScope(async (scope) => {
      const missing = lmdbToolsFault();
      if (missing !== null) return { held: false, summary: `skipped: ${missing}` };
      const subCasesHold = await proveTests(['storage/**/*.test.js', 'disk/**/*.test.js'], SUB_CASES, print);
      const base = await makeBase(scope);
      // The short form skips along; the full one tries every call with both errors, once and for ever.
      const stride = full ? 1 : 3;
      let runs = 0;
      let acked = 0;
      let bad = 0;
      let k = 1;
      const ends = new Map<string, number>();
      for (let through = false; !through && k <= CALLS_MAX; k += stride) {
        for (const plan of plansOf(k, full)) {
          const outcome = await inScope(async (inner) => {
            const one = new Run(inner, base, plan);
            try {
              const result = await one.run();
              if (result.violations.length + result.faults.length > 0) {
                for (const line of one.daemon.transcript(8).split('\n')) print(`| ${line.slice(0, 300)}`);
              }
              return result;
            } finally {
              await one.daemon.dispose();
            }
          });
          runs += 1;
          acked += outcome.acked;
          bad += outcome.violations.length + outcome.faults.length;
          const end = `${plan.error} ${plan.mode}: ${outcome.end}`;
          if (outcome.fired === null) through = true;
          else ends.set(end, (ends.get(end) ?? 0) + 1);
          const what = outcome.fired?.replace(/ \/.*\//, ' ') ?? 'nothing failed';
          if (
            outcome.violations.length + outcome.faults.length > 0 ||
            (full && plan.mode === 'once' && plan.error === 'EIO')
          ) {
            print(
              `k ${k} ${plan.mode} ${plan.error} (${what}): ${outcome.end}, ${outcome.acked} acked, found ${countByKind(outcome.violations)} ${outcome.faults.join(', ')}`,
            );
          }
          showViolations(outcome.violations, print);
        }
      }
      for (const [end, count] of ends) print(`${end}, ${count} times`);
      return {
        held: subCasesHold && bad === 0 && k <= CALLS_MAX && ends.size > 0,
        summary: `${runs} runs, k up to ${k - stride}, ${acked} writes acked, ${bad} faults; sub-cases ${subCasesHold ? 'passed' : 'did not pass'}`,
      };
    }),
};
