/*
 * `partita bench`: autocannon's flags with its letters, tables and progress, for a key-value store. stdout has the result
 * and nothing else; the exit code is 1 on a wrong value, on too many errors, and on a regression.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { Command } from 'commander';
import { compare, medianRun, parseBench } from './compare.js';
import type { ContextMemory } from './contexts.js';
import { hgrmOf } from './hgrm.js';
import { extrasOf, planOf } from './options.js';
import type { BenchExtras, BenchFlags } from './options.js';
import { PLAN_DEFAULTS } from './plan.js';
import type { Plan } from './plan.js';
import { progressView } from './progress.js';
import type { Bench, RunResult } from './result.js';
import { runPlan } from './run.js';
import { header, report, runsTable } from './tables.js';
import { UsageError } from './units.js';

const EXIT_USAGE = 2;

/** Adds flags and action to a command that the command line made. */
export function registerBench(command: Command): void {
  command
    .description('Measure get and put: closed loop, or open loop at a fixed rate with -R')
    .option('--server <address>', 'host:port of a node', PLAN_DEFAULTS.server)
    .option(
      '--routing <how>',
      'any: all nodes in turn; ring: an owner of each key (default: the server alone; with --sdk ring)',
    )
    .option('-c, --connections <n>', 'connections in all', '10')
    .option('-p, --pipelining <n>', 'requests in flight a connection (default 1; with -R 128)')
    .option('-d, --duration <time>', 'how long, in seconds or with a unit', '10')
    .option('-a, --amount <n>', 'so many operations instead of a duration')
    .option('-w, --workers <n>', 'load threads', '1')
    .option('-W, --warmup <time>', 'the same load before, not measured')
    .option('-t, --timeout <time>', 'give up a request after so long', '10')
    .option('-T, --title <text>', 'shown with the result')
    .option('-B, --bailout <n>', 'stop after so many errors')
    .option('-R, --overall-rate <n>', 'operations a second in all, at fixed times (open loop)')
    .option('-n, --no-progress', 'no progress')
    .option('-l, --latency', 'all percentiles')
    .option('-j, --json', 'the result as one line of JSON')
    .option('-L, --sample-int <ms>', 'a progress line each so many ms, without a terminal', '1000')
    .option('--workload <name>', 'YCSB a, b, c, d or f')
    .option('--mix <shares>', 'shares of get, put, delete, insert, rmw (default get=80,put=20)')
    .option('--keys <n>', 'how many keys', '100k')
    .option('--key-dist <name>', "uniform, zipfian[:0.99], latest, sequential (default uniform, or the workload's)")
    .option('--size <sizes>', 'of values: 1KiB, or 100:50,1KiB:50', '1KiB')
    .option('--seed <n>', 'the same seed asks for the same things', '42')
    .option('--preload', 'put every key once before')
    .option('--verify', 'values tell who wrote them; check each one to the last byte')
    .option('--durable', 'ask for acks after the sync, whatever the node does by default')
    .option('--sdk', 'through the client library instead of raw frames')
    .option('--runs <n>', 'repeat; best, median and worst are shown', '1')
    .option('--out <file>', 'write the result as JSON')
    .option('--hgrm <file>', 'write the latency distribution for HdrHistogram plotters')
    .option('--compare <file>', 'an earlier --out; exit 1 on a regression')
    .option('--tolerance <share>', 'how much worse is a regression', '10%')
    .option('--max-errors <share>', 'share of failed operations that is still a success', '0')
    .action(async (flags: BenchFlags) => {
      try {
        process.exitCode = await bench(flags);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        process.stderr.write(`error: ${error.message}\n`);
        process.exitCode = error instanceof UsageError ? EXIT_USAGE : 1;
      }
    });
}

async function bench(flags: BenchFlags): Promise<number> {
  const plan = planOf(flags);
  const extras = extrasOf(flags);
  const earlier =
    flags.compare === undefined ? undefined : parseBench(readFileSync(flags.compare, 'utf8'), flags.compare);
  const json = flags.json === true;
  const colour = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;
  if (!json) console.log(header(plan));
  const result = await runAll(plan, extras, flags, (run) => {
    if (!json) console.log(report(plan, run, { colour, all: flags.latency === true }));
  });
  if (!json && result.runs.length > 1) console.log(runsTable(result, colour));
  if (json) console.log(JSON.stringify(result));
  if (flags.out !== undefined) writeFileSync(flags.out, `${JSON.stringify(result, null, 1)}\n`);
  const faults = faultsOf(result, extras);
  if (earlier !== undefined) faults.push(...regressionsOf(earlier, result, extras, json));
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  return faults.length === 0 ? 0 : 1;
}

async function runAll(
  plan: Plan,
  extras: BenchExtras,
  flags: BenchFlags,
  each: (run: RunResult) => void,
): Promise<Bench> {
  const runs: RunResult[] = [];
  const abort = new AbortController();
  const memory: ContextMemory = new Map();
  const interrupt = (): void => {
    abort.abort();
  };
  process.once('SIGINT', interrupt);
  const startedAt = new Date().toISOString();
  try {
    for (let i = 0; i < extras.runs && !abort.signal.aborted; i++) {
      const view = progressView(
        plan,
        flags.progress && !(flags.json === true && process.stderr.isTTY),
        extras.sampleMs,
      );
      const { result, response } = await runPlan(
        { ...plan, preload: plan.preload && i === 0 },
        {
          signal: abort.signal,
          memory,
          onProgress: (progress) => {
            view.update(progress);
          },
        },
      ).finally(() => {
        view.end();
      });
      runs.push(result);
      each(result);
      if (flags.hgrm !== undefined) writeFileSync(flags.hgrm, hgrmOf(response));
    }
  } finally {
    process.off('SIGINT', interrupt);
  }
  return { format: 1, startedAt, node: process.version, cpu: cpus()[0]?.model ?? 'unknown', plan, runs };
}

function faultsOf(result: Bench, extras: BenchExtras): string[] {
  const faults: string[] = [];
  for (const run of result.runs) {
    if (run.mismatches > 0)
      faults.push(`${run.mismatches} mismatches: a value was read that was not put under its key`);
    if (run.errorRate > extras.maxErrors) {
      faults.push(
        `${(run.errorRate * 100).toFixed(3)} % of the operations failed; --max-errors allows ${extras.maxErrors * 100} %`,
      );
    }
    if (run.count === 0) faults.push('No operation was answered');
  }
  return faults;
}

function regressionsOf(earlier: Bench, now: Bench, extras: BenchExtras, json: boolean): string[] {
  const differences = compare(earlier, now, extras.tolerance);
  if (!json) {
    console.log(`Compared with ${earlier.startedAt} (${Math.round(medianRun(earlier.runs).throughput)}/s):`);
    for (const { what, before, now: fresh, ratio, regression } of differences) {
      const change = `${ratio > 1 ? 'worse' : 'better'} by ${Math.abs((ratio - 1) * 100).toFixed(1)} %`;
      console.log(
        `  ${what.padEnd(14)} ${before.padStart(10)} → ${fresh.padStart(10)}  ${change}${regression ? '  REGRESSION' : ''}`,
      );
    }
  }
  return differences
    .filter(({ regression }) => regression)
    .map(({ what, before, now: fresh }) => `Regression: ${what} was ${before}, is ${fresh}`);
}
