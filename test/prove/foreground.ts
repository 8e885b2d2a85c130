/*
 * What clients feel of something that goes on in the background: quiet minutes and busy ones in turn, in an open loop at a
 * share of what the cluster can do. Times are from the moment that an operation was due.
 *
 * Judged is p99 of a busy minute ÷ p99 of the quiet one before it, the median over the pairs, gets and puts apart; and the
 * worst p99.9 of all busy minutes. Operations that failed leave no time behind and are slower than all that did not: with one
 * in a thousand there is no p99.9.
 */
import { setTimeout as rest } from 'node:timers/promises';
import { NO_OPERATIONS, type Plan } from '../../bench/load/plan.js';
import type { RunResult } from '../../bench/load/result.js';
import { median } from '../../bench/processes.js';

/** Of the capacity. */
export const LOAD = 0.3;
const UNSENT_SHARE_MAX = 0.001;
const OPERATIONS = ['get', 'put'] as const;
type Operation = (typeof OPERATIONS)[number];

/** The client is the SDK: it knows when a node goes away, and what to do. */
export const FOREGROUND: Partial<Plan> = {
  ...{ sender: 'sdk', connections: 2, inFlight: 32, verify: true },
  mix: { ...NO_OPERATIONS, get: 80, put: 20 },
  sizes: [{ bytes: 1_024, share: 1 }],
};

export type Run = (plan: Partial<Plan>) => Promise<RunResult>;

export interface Minute {
  readonly rate: number;
  readonly warmupMs: number;
  readonly durationMs: number;
}

export interface Pair {
  readonly quiet: RunResult;
  readonly busy: RunResult;
}

export interface Bars {
  /** Of p99. */
  readonly ratioMax: number;
  /** Of p99.9. */
  readonly tailMsMax: number;
  /** Of the operations of a minute. */
  readonly failedShareMax: number;
}

/** `disturb` goes on until that time, or until what it is at is done; answers with what it was, and how long. */
export async function pairOf<T>(
  run: Run,
  minute: Minute,
  disturb: (untilMs: number) => Promise<T>,
): Promise<Pair & { readonly done: T; readonly seconds: number }> {
  const quiet = await run(minute);
  const load = run(minute);
  await rest(minute.warmupMs);
  const startedMs = performance.now();
  const done = await disturb(startedMs + minute.durationMs);
  const seconds = (performance.now() - startedMs) / 1_000;
  return { quiet, busy: await load, done, seconds };
}

function at(result: RunResult, operation: Operation, percentile: string): number {
  const found = result.operations.find((one) => one.operation === operation);
  if (found === undefined) throw new Error(`A run without a ${operation}`);
  return (found.response.percentiles[percentile] ?? Number.NaN) / 1_000;
}

function codesOf({ codes }: RunResult): string {
  const failed = Object.entries(codes).filter(([code]) => code !== 'ok' && code !== 'not_found');
  return failed.map(([code, count]) => `${code} ${count}`).join(', ') || 'none';
}

export function showMinute(result: RunResult): string {
  const of = (operation: Operation): string =>
    ['p50', 'p99', 'p99.9'].map((name) => at(result, operation, name).toFixed(1)).join('/');
  const { errors, count, unsent } = result;
  return `gets ${of('get')} puts ${of('put')} ms, ${errors} of ${count} failed (${codesOf(result)}), ${unsent} not sent`;
}

/** The figures are in the summary, whatever came of them. */
export function judgePairs(
  pairs: readonly Pair[],
  { ratioMax, tailMsMax, failedShareMax }: Bars,
): { readonly faults: readonly string[]; readonly summary: string } {
  const faults: string[] = [];
  const told: string[] = [];
  for (const operation of OPERATIONS) {
    const ratio = median(pairs.map(({ quiet, busy }) => at(busy, operation, 'p99') / at(quiet, operation, 'p99')));
    const tail = Math.max(...pairs.map(({ busy }) => at(busy, operation, 'p99.9')));
    told.push(`${operation}s p99 × ${ratio.toFixed(2)} (bar ${ratioMax}), p99.9 at most ${tail.toFixed(1)} ms`);
    if (!(ratio <= ratioMax)) faults.push(`p99 of ${operation}s × ${ratio.toFixed(2)}`);
    if (!(tail < tailMsMax)) faults.push(`p99.9 of ${operation}s ${tail.toFixed(1)} ms`);
  }
  for (const minute of pairs.flatMap(({ quiet, busy }) => [quiet, busy])) {
    const { errors, count, mismatches, mismatchTexts, unsent } = minute;
    if (errors > count * failedShareMax)
      faults.push(`${errors} of ${count} operations failed in a minute (${codesOf(minute)})`);
    if (unsent > count * UNSENT_SHARE_MAX) faults.push(`${unsent} operations were never sent in a minute`);
    if (mismatches > 0) faults.push(`${mismatches} wrong values: ${mismatchTexts[0]}`);
  }
  return { faults, summary: told.join('; ') };
}
