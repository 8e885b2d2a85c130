/*
 * Question: is a get or a put still as fast as it was, whatever this machine is like today?
 *
 * A daemon and the echo floor are measured in turn, by the same generator at the same concurrency; the percentiles of get
 * and put are divided by the echo's. Those ratios move far less than times do, and have to stay within budgets.json;
 * in absolute terms 99.9 % of all requests take less than 300 ms (§2.2 of the paper).
 *
 * The floor is measured before and after: where the two differ by more than 20 %, somebody else was using the machine,
 * and the round is void. After five void rounds there is no result: "fell short: disturbed", and exit code 2 instead of 1.
 *
 *     npm run bench:budgets [-- --small] [--prove-it-bites]
 *
 * --prove-it-bites plants a delay of 5 ms into the daemon and succeeds only if the budgets then fail.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import type { Mix, Plan } from './load/plan.js';
import { NO_OPERATIONS } from './load/plan.js';
import type { RunResult } from './load/result.js';
import { showMicros } from './load/units.js';
import { GeneratorProcess, median, remove, startDaemon, startFloor, temporaryFolder } from './processes.js';
import type { ServerProcess } from './processes.js';

const PERCENTILES = ['p50', 'p99', 'p99.9'] as const;
type Percentile = (typeof PERCENTILES)[number];
type Measured = 'get' | 'put';

interface Budgets {
  readonly connections: number;
  readonly inFlight: number;
  readonly valueBytes: number;
  readonly ratiosToEcho: Readonly<Record<Measured, Readonly<Record<Percentile, number>>>>;
  readonly 'p99.9Ms': number;
}

const BUDGETS_FILE = fileURLToPath(new URL('../../bench/budgets.json', import.meta.url));
const VOID_ROUNDS_MAX = 5;
const EXIT_DISTURBED = 2;
const FLOOR_DRIFT_MAX = 0.2;
const PLANTED_DELAY_MS = '5';

interface Size {
  readonly rounds: number;
  readonly runMs: number;
  readonly keys: number;
}
const SMALL: Size = { rounds: 3, runMs: 1_200, keys: 2_000 };
const FULL: Size = { rounds: 5, runMs: 3_000, keys: 20_000 };

type Times = Readonly<Record<Percentile, number>>;
interface Round {
  readonly echo: Times;
  readonly get: Times;
  readonly put: Times;
}

function timesOf(result: RunResult): Times {
  if (result.errors > 0 || result.mismatches > 0) throw new Error(`Requests failed: ${JSON.stringify(result.codes)}`);
  const [operation] = result.operations;
  const at = (p: Percentile): number => operation?.service.percentiles[p] ?? Number.NaN;
  return { p50: at('p50'), p99: at('p99'), 'p99.9': at('p99.9') };
}

function meanTimes(a: Times, b: Times): Times {
  return { p50: (a.p50 + b.p50) / 2, p99: (a.p99 + b.p99) / 2, 'p99.9': (a['p99.9'] + b['p99.9']) / 2 };
}

class Measurement {
  readonly #generator: GeneratorProcess;
  readonly #base: Partial<Plan>;
  readonly #daemon: ServerProcess;
  readonly #echo: ServerProcess;
  #voidRounds: number = 0;

  constructor(generator: GeneratorProcess, base: Partial<Plan>, daemon: ServerProcess, echo: ServerProcess) {
    this.#generator = generator;
    this.#base = base;
    this.#daemon = daemon;
    this.#echo = echo;
  }

  async warmUp(): Promise<void> {
    await this.#run({ get: 1 }, { preload: true, durationMs: 500 });
    await this.#run({ put: 1 }, { durationMs: 500 });
    await this.#floor({ durationMs: 500 });
  }

  /** Undefined: disturbed too often. */
  async rounds(count: number): Promise<readonly Round[] | undefined> {
    const rounds: Round[] = [];
    while (rounds.length < count) {
      const before = await this.#floor();
      const get = await this.#run({ get: 1 });
      const put = await this.#run({ put: 1 });
      const after = await this.#floor();
      const drift = Math.abs(before.throughput - after.throughput) / Math.max(before.throughput, after.throughput);
      if (drift > FLOOR_DRIFT_MAX) {
        console.log(`round void: the echo moved by ${Math.round(drift * 100)} % while it went on`);
        if (++this.#voidRounds >= VOID_ROUNDS_MAX) return undefined;
        continue;
      }
      rounds.push({ echo: meanTimes(timesOf(before), timesOf(after)), get: timesOf(get), put: timesOf(put) });
    }
    return rounds;
  }

  #floor(more: Partial<Plan> = {}): Promise<RunResult> {
    return this.#generator.run({ ...this.#base, server: this.#echo.address, dialect: 'echo', ...more });
  }

  #run(mix: Partial<Mix>, more: Partial<Plan> = {}): Promise<RunResult> {
    return this.#generator.run({
      ...this.#base,
      server: this.#daemon.address,
      mix: { ...NO_OPERATIONS, ...mix },
      ...more,
    });
  }
}

/** Prints the table; the lines that are over budget. */
function judge(rounds: readonly Round[], budgets: Budgets): readonly string[] {
  const table = new Table({
    head: ['', 'Echo', 'Here', 'Ratio', 'Budget', ''],
    style: { head: [], border: [] },
  });
  const over: string[] = [];
  for (const operation of ['get', 'put'] as const) {
    for (const p of PERCENTILES) {
      const ratio = median(rounds.map((round) => round[operation][p] / round.echo[p]));
      const here = median(rounds.map((round) => round[operation][p]));
      const echo = median(rounds.map((round) => round.echo[p]));
      const budget = budgets.ratiosToEcho[operation][p];
      const held = ratio <= budget;
      const name = `${operation} ${p}`;
      table.push([name, showMicros(echo), showMicros(here), ratio.toFixed(2), `≤ ${budget}`, held ? 'ok' : 'OVER']);
      if (!held) over.push(`${name} is ${ratio.toFixed(2)} times the echo's, the budget is ${budget}`);
    }
    const p999Ms = median(rounds.map((round) => round[operation]['p99.9'])) / 1000;
    const heldMs = p999Ms < budgets['p99.9Ms'];
    table.push([
      `${operation} p99.9`,
      '',
      `${p999Ms.toFixed(1)} ms`,
      '',
      `< ${budgets['p99.9Ms']} ms`,
      heldMs ? 'ok' : 'OVER',
    ]);
    if (!heldMs)
      over.push(`${operation} p99.9 is ${p999Ms.toFixed(1)} ms, the service level is ${budgets['p99.9Ms']} ms`);
  }
  console.log(table.toString());
  return over;
}

async function measure(size: Size, budgets: Budgets, planted: boolean): Promise<readonly string[] | undefined> {
  const severalCores = cpus().length > 1;
  const [serverCore, generatorCore] = severalCores ? [0, 1] : [undefined, undefined];
  const folder = temporaryFolder('budgets');
  const running: { stop(): Promise<void> }[] = [];
  try {
    const env = planted
      ? { NODE_ENV: 'test', PARTITA_TEST_DELAY_MS: PLANTED_DELAY_MS }
      : { PARTITA_TEST_DELAY_MS: '0' };
    const daemon = await startDaemon({ dataDir: join(folder, 'data'), core: serverCore, env });
    running.push(daemon.process);
    const echo = await startFloor('floor-echo', serverCore);
    running.push(echo.process);
    const generator = new GeneratorProcess(generatorCore);
    running.push(generator);
    const base: Partial<Plan> = {
      connections: budgets.connections,
      inFlight: budgets.inFlight,
      sizes: [{ bytes: budgets.valueBytes, share: 1 }],
      keys: size.keys,
      durationMs: size.runMs,
    };
    const measurement = new Measurement(generator, base, daemon, echo);
    await measurement.warmUp();
    const rounds = await measurement.rounds(size.rounds);
    return rounds === undefined ? undefined : judge(rounds, budgets);
  } finally {
    for (const each of running.reverse()) await each.stop();
    remove(folder);
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { small: { type: 'boolean' }, 'prove-it-bites': { type: 'boolean' } },
  });
  const budgets = JSON.parse(readFileSync(BUDGETS_FILE, 'utf8')) as Budgets;
  const bites = values['prove-it-bites'] === true;
  const over = await measure(values.small === true ? SMALL : FULL, budgets, bites);
  if (over === undefined) {
    console.log(`budgets: fell short: disturbed: the floor moved by more than 20 % in ${VOID_ROUNDS_MAX} rounds`);
    return EXIT_DISTURBED;
  }
  for (const line of over) console.log(line);
  if (bites) {
    const caught = over.some((line) => line.startsWith('get')) && over.some((line) => line.startsWith('put'));
    console.log(
      caught
        ? `budgets: held: a planted delay of ${PLANTED_DELAY_MS} ms is caught in get and in put`
        : `budgets: fell short: a planted delay of ${PLANTED_DELAY_MS} ms goes through`,
    );
    return caught ? 0 : 1;
  }
  console.log(over.length === 0 ? 'budgets: held' : `budgets: fell short: ${over.length} over budget`);
  return over.length === 0 ? 0 : 1;
}

process.exitCode = await main();
