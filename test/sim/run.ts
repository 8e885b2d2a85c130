/*
 * Runs seeds.
 *
 *   npm run sim -- --seed N          one seed, every event told
 *   npm run sim -- --seeds A..B      all of them, on every core
 *   npm run sim -- --seconds S       as many as fit, from 1 on (or --from N)
 *   … --workers N                    on so many cores at most
 *
 * With --hard every seed has five nodes and every kind of fault, about three a second.
 *
 * Exits 1 if a checker found anything, and says which seed to replay. One seed in twenty runs twice: if the two runs are
 * not the same to the last event, something in the program asks a clock or a random number that is not the simulation's.
 */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { FAULT_KINDS, optionsText, RING_FAULT_KINDS, type SimOptions } from './options.js';
import { short } from './client.js';
import { SIM_FLAGS } from './flags.js';
import { runSeed, type SeedResult } from './scenario.js';
import type { Violation } from './violation.js';
import type { SeedSettings } from './world.js';

const TWICE_EVERY = 20;
const HARD: Partial<SimOptions> = { nodes: 5, faults: [...FAULT_KINDS, ...RING_FAULT_KINDS], faultEveryMs: 300 };
const isHard = process.argv.includes('--hard');
const settingsOf = (seed: number): SeedSettings => (isHard ? { seed, given: HARD } : { seed });
const SHOWN_MAX = 10;

/** What a worker answers for a seed. */
interface Answer {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly events: number;
  readonly operations: number;
  readonly acknowledged: number;
  readonly simulatedMs: number;
  /** CPU time of the worker on it. */
  readonly cpuMs: number;
  readonly isRing: boolean;
  /** Of TOLD. */
  readonly counts: readonly number[];
}

/** What nodes do for each other, and how a report calls it. */
const TOLD: readonly (readonly [string, string])[] = [
  ['partita_peer_requests_total store ok', 'copies stored for others'],
  ['partita_peer_requests_total read ok', 'read for others'],
  ['partita_forwarded_total', 'puts forwarded'],
  ['partita_read_repairs_total young', 'repairs of what was just put'],
  ['partita_read_repairs_total settled', 'of what was put before'],
  ['partita_hints_delivered_total', 'hints delivered'],
  ['partita_exchange_records_total in exchange', 'records pulled'],
  ['partita_exchange_records_total out exchange', 'pushed by owners that met'],
  ['partita_exchange_records_total in restore', 'restored'],
  ['partita_partitions_healed_total owners', 'partitions healed'],
  ['partita_damaged_records_healed_total', 'damaged records healed'],
  ['partita_scrub_damaged_records_total', 'rotten records found by scrubs'],
  ['partita_reaped_total', 'deletes reaped, node by node'],
  ['partita_compacted_total', 'records compacted'],
  ['partita_behind_fence_total', 'records refused below a reap fence'],
  ['partita_reaped_arrived_total', 'reaped records that arrived'],
  ['partita_caught_up_total', 'stores caught up with reaps'],
];

function answerOf(seed: number): Answer {
  const before = process.cpuUsage();
  const results = [safely(seed)];
  if (seed % TWICE_EVERY === 0) results.push(safely(seed));
  const { user, system } = process.cpuUsage(before);
  const violations = [...new Set(results.flatMap(({ violations }) => violations))];
  const [first, second] = results as [Ran, Ran | undefined];
  if (second !== undefined && second.traceHash !== first.traceHash) {
    violations.push(`determinism: two runs of the seed differ (${first.traceHash}, ${second.traceHash})`);
  }
  const sum = (of: (ran: Ran) => number): number => results.reduce((total, ran) => total + of(ran), 0);
  return {
    seed,
    violations,
    events: sum(({ events }) => events),
    operations: sum(({ operations }) => operations),
    acknowledged: sum(({ acknowledged }) => acknowledged),
    simulatedMs: sum(({ simulatedMs }) => simulatedMs),
    cpuMs: (user + system) / 1_000,
    isRing: first.isRing,
    counts: TOLD.map(([name]) => first.counts.get(name) ?? 0),
  };
}

type Ran = Pick<SeedResult, 'traceHash' | 'events' | 'operations' | 'acknowledged' | 'simulatedMs' | 'counts'> & {
  readonly violations: readonly string[];
  readonly isRing: boolean;
};
const told = ({ checker, key, text }: Violation): string => `${checker} ${short(key)}: ${text}`;

/** A simulation that throws is a finding like any other. */
function safely(seed: number): Ran {
  try {
    const result = runSeed(settingsOf(seed));
    const isRing = result.options.cluster.kind === 'ring';
    return { ...result, isRing, violations: result.violations.map(told) };
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const nothing = { traceHash: '', events: 0, operations: 0, acknowledged: 0, simulatedMs: 0, isRing: false };
    return { violations: [text], ...nothing, counts: new Map() };
  }
}

function replay(seed: number): boolean {
  const result = runSeed({ ...settingsOf(seed), print: console.log });
  console.log(`options ${optionsText(result.options)}`);
  console.log(
    `seed ${seed}: ${result.events} events, ${result.operations} operations, ${result.acknowledged} writes acknowledged, trace ${result.traceHash}`,
  );
  for (const [name, text] of TOLD) console.log(`${result.counts.get(name) ?? 0} ${text}`);
  for (const violation of result.violations) console.log(`VIOLATION ${told(violation)}`);
  console.log(`${result.violations.length} violations`);
  return result.violations.length === 0;
}

interface Range {
  readonly from: number;
  readonly to: number;
  readonly seconds: number;
  readonly workersMax: number;
}

/** Deals seeds to workers until there are none left, or no time. */
async function runMany({ from, to, seconds, workersMax }: Range): Promise<boolean> {
  const startedMs = performance.now();
  const answers: Answer[] = [];
  let next = from;
  const deal = (): number | null => (next <= to && performance.now() - startedMs < seconds * 1_000 ? next++ : null);
  const workers = Math.min(workersMax, to - from + 1);
  await Promise.all(Array.from({ length: workers }, () => work(deal, answers)));
  return report(answers, (performance.now() - startedMs) / 1_000, workers);
}

function work(deal: () => number | null, answers: Answer[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), ['--worker', ...(isHard ? ['--hard'] : [])], {
      execArgv: [...SIM_FLAGS],
    });
    const send = (): void => {
      const seed = deal();
      if (seed === null) child.disconnect();
      else child.send(seed);
    };
    child.on('message', (message) => {
      const answer = message as Answer;
      answers.push(answer);
      if (answer.violations.length > 0 && answers.filter(failed).length <= SHOWN_MAX) show(answer);
      send();
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`A worker ended with ${code}`));
    });
    send();
  });
}

const failed = ({ violations }: Answer): boolean => violations.length > 0;

function show({ seed, violations }: Answer): void {
  console.log(`seed ${seed}: ${violations.length} violations`);
  for (const text of violations.slice(0, 3)) console.log(`  ${text}`);
  console.log(`  replay: npm run sim -- --seed ${seed}${isHard ? ' --hard' : ''}`);
}

function report(answers: readonly Answer[], seconds: number, workers: number): boolean {
  const sum = (of: (answer: Answer) => number): number => answers.reduce((total, answer) => total + of(answer), 0);
  const bad = answers.filter(failed);
  const cpuS = sum(({ cpuMs }) => cpuMs) / 1_000;
  const events = sum((answer) => answer.events);
  const simulatedS = sum(({ simulatedMs }) => simulatedMs) / 1_000;
  console.log(
    `${answers.length} seeds in ${seconds.toFixed(0)} s by ${workers} workers: ${sum(({ operations }) => operations)} operations, ` +
      `${sum(({ acknowledged }) => acknowledged)} writes acknowledged, ${events} events`,
  );
  const rings = answers.filter(({ isRing }) => isRing);
  const counts = TOLD.map(
    ([, text], index) => `${rings.reduce((total, one) => total + (one.counts[index] ?? 0), 0)} ${text}`,
  );
  console.log(`${rings.length} of the seeds are rings of several nodes: ${counts.join(', ')}`);
  console.log(
    `${Math.round(events / cpuS)} events and ${Math.round(simulatedS / cpuS)} simulated seconds a CPU second; ` +
      `${Math.round(events / seconds)} events a second in all`,
  );
  const seeds = bad.map(({ seed }) => seed).sort((a, b) => a - b);
  console.log(`${bad.length} seeds with violations${bad.length === 0 ? '' : `: ${seeds.slice(0, 50).join(' ')}`}`);
  return bad.length === 0;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      seconds: { type: 'string' },
      from: { type: 'string' },
      worker: { type: 'boolean' },
      hard: { type: 'boolean' },
      workers: { type: 'string' },
    },
  });
  if (values.worker === true) {
    process.on('message', (seed) => process.send?.(answerOf(seed as number)));
    return;
  }
  if (values.seed !== undefined) {
    process.exitCode = replay(numberOf('seed', values.seed)) ? 0 : 1;
    return;
  }
  const [first = '1', last] = (values.seeds ?? '').split('..');
  const from = numberOf('from', values.from ?? (first === '' ? '1' : first));
  const to = values.seeds === undefined ? Number.POSITIVE_INFINITY : numberOf('seeds', last ?? first);
  const seconds = values.seconds === undefined ? Number.POSITIVE_INFINITY : numberOf('seconds', values.seconds);
  if (to === Number.POSITIVE_INFINITY && seconds === Number.POSITIVE_INFINITY) {
    throw new Error('Say which seeds: --seed N, --seeds A..B or --seconds S');
  }
  const workersMax = values.workers === undefined ? availableParallelism() : numberOf('workers', values.workers);
  process.exitCode = (await runMany({ from, to, seconds, workersMax })) ? 0 : 1;
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
    throw new Error(`--${name} takes a whole number from 0 to 4294967295, not ${text}`);
  }
  return value;
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
