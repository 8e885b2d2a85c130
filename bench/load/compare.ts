/*
 * This run beside an older one's file. Throughput that fell, or a median or 99th percentile that rose, by more than the
 * tolerance is a regression. The two must have asked for the same things, or the comparison says nothing.
 */
import type { Plan } from './plan.js';
import type { Bench, RunResult } from './result.js';
import { UsageError, showCount, showMicros } from './units.js';

export interface Difference {
  readonly what: string;
  readonly before: string;
  readonly now: string;
  /** Above 1: worse. */
  readonly ratio: number;
  readonly regression: boolean;
}

/** What must be equal for two results to be of the same test. */
const COMPARED = [
  'connections',
  'inFlight',
  'rate',
  'mix',
  'keys',
  'distribution',
  'sizes',
  'sender',
  'dialect',
] as const;
const JUDGED = ['p50', 'p99'] as const;

export function medianRun(runs: readonly RunResult[]): RunResult {
  const sorted = [...runs].sort((a, b) => a.throughput - b.throughput);
  const median = sorted[Math.floor((sorted.length - 1) / 2)];
  if (median === undefined) throw new UsageError('A result without runs');
  return median;
}

export function parseBench(text: string, file: string): Bench {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const bench = value as Partial<Bench> | null | undefined;
  if (typeof bench !== 'object' || bench === null || bench.format !== 1 || !Array.isArray(bench.runs)) {
    throw new UsageError(`${file} is not a result of partita bench: make one with --out FILE`);
  }
  return bench as Bench;
}

function checkSamePlan(before: Plan, now: Plan): void {
  for (const field of COMPARED) {
    const was = JSON.stringify(before[field]);
    const is = JSON.stringify(now[field]);
    if (was !== is)
      throw new UsageError(`The two runs differ in ${field}: ${was} then, ${is} now. Compare runs of one plan`);
  }
}

export function compare(before: Bench, now: Bench, tolerance: number): readonly Difference[] {
  checkSamePlan(before.plan, now.plan);
  const old = medianRun(before.runs);
  const fresh = medianRun(now.runs);
  const differences: Difference[] = [];
  const add = (
    what: string,
    was: number,
    is: number,
    higherIsBetter: boolean,
    show: (value: number) => string,
  ): void => {
    const ratio = higherIsBetter ? was / is : is / was;
    differences.push({ what, before: show(was), now: show(is), ratio, regression: !(ratio <= 1 + tolerance) });
  };
  add('throughput', old.throughput, fresh.throughput, true, (value) => `${showCount(Math.round(value))}/s`);
  for (const { operation, response } of fresh.operations) {
    const earlier = old.operations.find((candidate) => candidate.operation === operation);
    if (earlier === undefined) continue;
    for (const p of JUDGED) {
      add(`${operation} ${p}`, earlier.response.percentiles[p] ?? 0, response.percentiles[p] ?? 0, false, showMicros);
    }
  }
  return differences;
}
