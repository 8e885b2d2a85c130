/*
 * What clients feel of nodes that join and leave: quiet minutes and busy ones in turn, in an open loop at 30 % of what three
 * nodes can do. In a busy minute two join, and when all is well one of them leaves, then the other, and so on until the
 * minute is over: the ring moves from its first second to its last, and ends with three nodes, as it began.
 *
 * Judged is p99 of a busy minute ÷ p99 of the quiet one before it, the median over the pairs, gets and puts apart. Times
 * are from the moment that an operation was due. None may fail.
 */
import { setTimeout as rest } from 'node:timers/promises';
import { NO_OPERATIONS } from '../../bench/load/plan.js';
import type { Plan } from '../../bench/load/plan.js';
import type { RunResult } from '../../bench/load/result.js';
import { GeneratorProcess, median } from '../../bench/processes.js';
import { GrowingCluster } from '../support/growing-cluster.js';
import { inScope } from '../support/scope.js';
import { type Print, printTail } from './proof.js';

/** Of the capacity. */
export const LOAD = 0.3;
/** Of the operations that were due, so many may be left when the minute is over. */
const UNSENT_SHARE_MAX = 0.001;
const RATIO_MAX = 2;
const TAIL_MS_MAX = 300;
const KEYS = 50_000;
const PARTITIONS = 64;
const CAPACITY_MS = 20_000;
const WARMUP_MS = 5_000;
const MINUTE_MS = 60_000;
/** Nothing is judged by it: a cluster that comes to no rest must not be waited for for ever. */
const WELL_WITHIN_MS = 900_000;
const OPERATIONS = ['get', 'put'] as const;

export const LOAD_PLAN: Partial<Plan> = {
  ...{ sender: 'sdk', retry: true, connections: 2, inFlight: 32, timeoutMs: 5_000, verify: true },
  mix: { ...NO_OPERATIONS, get: 80, put: 20 },
  sizes: [{ bytes: 1_024, share: 1 }],
};

interface Pair {
  readonly quiet: RunResult;
  readonly busy: RunResult;
  readonly moved: number;
}

/** In a scope, so that a signal ends the daemons, too. */
export function minutes(print: Print): Promise<{ held: boolean; summary: string }> {
  return inScope(() => measure(print));
}

async function measure(print: Print): Promise<{ held: boolean; summary: string }> {
  const flags = ['--durability', 'always', '--memory-max', '256MiB'];
  const cluster = await GrowingCluster.start({ nodes: 3, partitions: PARTITIONS, flags });
  const generator = new GeneratorProcess(undefined);
  try {
    const server = cluster.addresses[0] ?? '';
    const run = (plan: Partial<Plan>): Promise<RunResult> =>
      generator.run({ ...LOAD_PLAN, server, keys: KEYS, warmupMs: WARMUP_MS, ...plan });
    const peak = await run({ preload: true, durationMs: CAPACITY_MS });
    const rate = Math.floor(peak.throughput * LOAD);
    print(`${KEYS} keys of 1 KiB; capacity ${Math.round(peak.throughput)}/s, open loop at ${rate}/s`);
    const pairs: Pair[] = [];
    const count = Number(process.env['PARTITA_PAIRS'] ?? 5);
    while (pairs.length < count) {
      const quiet = await run({ rate, durationMs: MINUTE_MS });
      print(`quiet ${show(quiet)}`);
      const load = run({ rate, durationMs: MINUTE_MS });
      await rest(WARMUP_MS);
      const startMs = performance.now();
      const moved = await moveUntil(cluster, startMs + MINUTE_MS);
      const pair = { quiet, busy: await load, moved };
      print(
        `busy  ${show(pair.busy)}; ${moved} replicas moved in ${((performance.now() - startMs) / 1_000).toFixed(0)} s`,
      );
      pairs.push(pair);
    }
    const after = await run({ durationMs: CAPACITY_MS });
    print(`capacity at the end ${Math.round(after.throughput)}/s: if it is far from the first, the machine was shared`);
    return judge(pairs, print);
  } catch (error) {
    printTail(cluster.transcript(), 60, print);
    throw error;
  } finally {
    await generator.stop();
    await cluster.dispose();
  }
}

/** Whole rounds of two that join and leave again; answers how many replicas were to move for them. */
async function moveUntil(cluster: GrowingCluster, endMs: number): Promise<number> {
  let moved = 0;
  while (performance.now() < endMs) {
    moved += (await cluster.join(2)).replicasMoved;
    await cluster.well(WELL_WITHIN_MS);
    for (const member of cluster.members.slice(-2)) {
      moved += (await cluster.leave(member)).replicasMoved;
      const code = await cluster.ended(member, WELL_WITHIN_MS);
      if (code !== 0) throw new Error(`node ${member.ordinal} left, and its process ended with ${code}`);
      await cluster.well(WELL_WITHIN_MS);
    }
  }
  return moved;
}

function at(result: RunResult, operation: (typeof OPERATIONS)[number], percentile: string): number {
  const found = result.operations.find((one) => one.operation === operation);
  return (found?.response.percentiles[percentile] ?? Number.NaN) / 1_000;
}

function show(result: RunResult): string {
  const of = (operation: (typeof OPERATIONS)[number]): string =>
    ['p50', 'p99', 'p99.9'].map((name) => at(result, operation, name).toFixed(1)).join('/');
  const { errors, count, unsent } = result;
  return `gets ${of('get')} puts ${of('put')} ms, ${count} operations, ${errors} failed, ${unsent} not sent`;
}

function judge(pairs: readonly Pair[], print: Print): { held: boolean; summary: string } {
  const faults: string[] = [];
  const told: string[] = [];
  for (const operation of OPERATIONS) {
    const ratios = pairs.map(({ quiet, busy }) => at(busy, operation, 'p99') / at(quiet, operation, 'p99'));
    const ratio = median(ratios);
    const tail = Math.max(...pairs.map(({ busy }) => at(busy, operation, 'p99.9')));
    told.push(`${operation}s p99 × ${ratio.toFixed(2)} (bar ${RATIO_MAX}), p99.9 at most ${tail.toFixed(1)} ms`);
    if (!(ratio <= RATIO_MAX)) faults.push(`p99 of ${operation}s × ${ratio.toFixed(2)}`);
    if (!(tail < TAIL_MS_MAX)) faults.push(`p99.9 of ${operation}s ${tail.toFixed(1)} ms`);
  }
  for (const { errors, unsent, count, mismatches, mismatchTexts, codes } of pairs.flatMap(({ quiet, busy }) => [
    quiet,
    busy,
  ])) {
    if (errors > 0) faults.push(`${errors} operations failed in a minute (${JSON.stringify(codes)})`);
    if (unsent > count * UNSENT_SHARE_MAX) faults.push(`${unsent} operations were never sent in a minute`);
    if (mismatches > 0) faults.push(`${mismatches} wrong values: ${mismatchTexts[0]}`);
  }
  for (const fault of faults) print(fault);
  return { held: faults.length === 0, summary: `${pairs.length} pairs of minutes: ${told.join('; ')}` };
}
