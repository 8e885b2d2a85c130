/* What a run found, all threads merged: what the tables show and what `--json` and `--out` write. Times in µs. */
import { createHistogram } from 'node:perf_hooks';
import type { RecordableHistogram } from 'node:perf_hooks';
import type { Operation, Plan } from './plan.js';
import { OPERATIONS } from './plan.js';
import type { ShareResult } from './recorder.js';

/** A generator above this share of its core measures itself. */
export const GENERATOR_BUSY_MAX = 0.85;
export const PERCENTILES: readonly number[] = [
  0.001, 0.01, 0.1, 1, 2.5, 10, 25, 50, 75, 90, 97.5, 99, 99.9, 99.99, 99.999,
];

export interface Latency {
  readonly count: number;
  readonly average: number;
  readonly stdev: number;
  readonly min: number;
  readonly max: number;
  /** `p50`, `p99`, `p99.9` … of PERCENTILES. */
  readonly percentiles: Readonly<Record<string, number>>;
}

/** Of the values of whole seconds. */
export interface PerSecond {
  readonly average: number;
  readonly stdev: number;
  readonly min: number;
  readonly max: number;
  readonly percentiles: Readonly<Record<string, number>>;
  readonly samples: readonly number[];
}

export interface OperationResult {
  readonly operation: Operation;
  readonly codes: Readonly<Record<string, number>>;
  readonly response: Latency;
  readonly service: Latency;
}

export interface RunResult {
  readonly mode: 'closed loop' | 'open loop';
  readonly elapsedMs: number;
  /** Answered within the time, a second. */
  readonly throughput: number;
  readonly count: number;
  readonly errors: number;
  readonly errorRate: number;
  readonly codes: Readonly<Record<string, number>>;
  readonly operations: readonly OperationResult[];
  readonly requests: PerSecond;
  readonly bytes: PerSecond;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly unsent: number;
  readonly contextReads: number;
  readonly mismatches: number;
  readonly mismatchTexts: readonly string[];
  /** The busiest load thread's share of a core. */
  readonly generatorShare: number;
  /** Above 85 %: the figures are the generator's, not the server's. */
  readonly generatorBusy: boolean;
  /** The generator's CPU an operation, µs. */
  readonly generatorCpuUs: number;
  readonly stoppedBy: string;
}

export interface Bench {
  readonly format: 1;
  readonly startedAt: string;
  readonly node: string;
  readonly cpu: string;
  readonly plan: Plan;
  readonly runs: readonly RunResult[];
}

export interface Merged {
  readonly result: RunResult;
  /** Response times of all operations together; `--hgrm` writes them. */
  readonly response: RecordableHistogram;
}

function newHistogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: 3_600_000_000, figures: 3 });
}

function latencyOf(histogram: RecordableHistogram): Latency {
  const count = histogram.count;
  const value = (of: number): number => (count === 0 ? 0 : of);
  return {
    count,
    average: value(round(histogram.mean)),
    stdev: value(round(histogram.stddev)),
    min: value(histogram.min),
    max: value(histogram.max),
    percentiles: Object.fromEntries(PERCENTILES.map((p) => [`p${p}`, value(histogram.percentile(p))])),
  };
}

function round(value: number): number {
  return Number.isFinite(value) ? Number(value.toFixed(2)) : 0;
}

export function perSecondOf(samples: readonly number[]): PerSecond {
  const sorted = [...samples].sort((a, b) => a - b);
  const average = samples.length === 0 ? 0 : samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
  const variance =
    samples.length === 0 ? 0 : samples.reduce((sum, sample) => sum + (sample - average) ** 2, 0) / samples.length;
  const at = (p: number): number =>
    sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil((p / 100) * sorted.length) - 1))] ?? 0;
  return {
    average: round(average),
    stdev: round(Math.sqrt(variance)),
    min: sorted[0] ?? 0,
    max: sorted.at(-1) ?? 0,
    percentiles: { p1: at(1), 'p2.5': at(2.5), p50: at(50), 'p97.5': at(97.5) },
    samples,
  };
}

function sumBySecond(lists: readonly (readonly number[])[]): number[] {
  const seconds = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: seconds }, (_, second) => lists.reduce((sum, list) => sum + (list[second] ?? 0), 0));
}

export function mergeShares(plan: Plan, shares: readonly ShareResult[]): Merged {
  const all = newHistogram();
  const totals: Record<string, number> = {};
  const operations: OperationResult[] = [];
  for (const operation of OPERATIONS) {
    const parts = shares.flatMap((share) => share.operations.filter((part) => part.operation === operation));
    if (parts.length === 0) continue;
    const response = newHistogram();
    const service = newHistogram();
    const codes: Record<string, number> = {};
    for (const part of parts) {
      response.add(part.response);
      service.add(part.service);
      for (const [code, count] of Object.entries(part.codes)) {
        codes[code] = (codes[code] ?? 0) + count;
        totals[code] = (totals[code] ?? 0) + count;
      }
    }
    all.add(response);
    operations.push({ operation, codes, response: latencyOf(response), service: latencyOf(service) });
  }
  return { result: resultOf(plan, shares, operations, totals), response: all };
}

function resultOf(
  plan: Plan,
  shares: readonly ShareResult[],
  operations: readonly OperationResult[],
  codes: Readonly<Record<string, number>>,
): RunResult {
  const sum = (of: (share: ShareResult) => number): number => shares.reduce((total, share) => total + of(share), 0);
  const count = Object.values(codes).reduce((total, codeCount) => total + codeCount, 0);
  const errors = count - (codes['ok'] ?? 0) - (codes['not_found'] ?? 0);
  const generatorShare = Math.max(...shares.map((share) => share.busy));
  return {
    mode: plan.rate > 0 ? 'open loop' : 'closed loop',
    elapsedMs: round(Math.max(...shares.map((share) => share.elapsedMs))),
    throughput: round(sum((share) => (share.doneInTime / share.elapsedMs) * 1000)),
    count,
    errors,
    errorRate: count === 0 ? 0 : errors / count,
    codes,
    operations,
    requests: perSecondOf(sumBySecond(shares.map((share) => share.requestsPerSecond))),
    bytes: perSecondOf(sumBySecond(shares.map((share) => share.bytesPerSecond))),
    bytesRead: sum((share) => share.bytesRead),
    bytesWritten: sum((share) => share.bytesWritten),
    unsent: sum((share) => share.unsent),
    contextReads: sum((share) => share.contextReads),
    mismatches: sum((share) => share.mismatchCount),
    mismatchTexts: shares.flatMap((share) => share.mismatches).slice(0, 5),
    generatorShare: round(generatorShare),
    generatorBusy: generatorShare > GENERATOR_BUSY_MAX,
    generatorCpuUs: count === 0 ? 0 : round(sum((share) => share.cpuUs) / count),
    stoppedBy: shares.find((share) => share.stoppedBy !== '')?.stoppedBy ?? '',
  };
}
