/*
 * What clients feel of nodes that join and leave: quiet minutes and busy ones in turn, in an open loop at 30 % of what three
 * nodes can do. In a busy minute two join, and when all is well one of them leaves, then the other, and so on until the
 * minute is over: the ring moves from its first second to its last, and ends with three nodes, as it began.
 *
 * Judged is what clients feel (foreground.ts). No operation may fail.
 */
import type { Plan } from '../../bench/load/plan.js';
import type { RunResult } from '../../bench/load/result.js';
import { GeneratorProcess } from '../../bench/processes.js';
import { GrowingCluster } from '../support/growing-cluster.js';
import { inScope } from '../support/scope.js';
import { type Bars, FOREGROUND, judgePairs, LOAD, type Pair, pairOf, showMinute } from './foreground.js';
import { type Print, printTail } from './proof.js';

const BARS: Bars = { ratioMax: 2, tailMsMax: 300, failedShareMax: 0 };
const KEYS = 50_000;
const PARTITIONS = 64;
const CAPACITY_MS = 20_000;
const WARMUP_MS = 5_000;
const MINUTE_MS = 60_000;
/** Nothing is judged by it: a cluster that comes to no rest must not be waited for for ever. */
const WELL_WITHIN_MS = 900_000;

export const LOAD_PLAN: Partial<Plan> = { ...FOREGROUND, retry: true, timeoutMs: 5_000 };

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
      const pair = await pairOf(run, { rate, warmupMs: WARMUP_MS, durationMs: MINUTE_MS }, (untilMs) =>
        moveUntil(cluster, untilMs),
      );
      print(`quiet ${showMinute(pair.quiet)}`);
      print(`busy  ${showMinute(pair.busy)}; ${pair.done} replicas moved in ${pair.seconds.toFixed(0)} s`);
      pairs.push(pair);
    }
    const after = await run({ durationMs: CAPACITY_MS });
    print(`capacity at the end ${Math.round(after.throughput)}/s: if it is far from the first, the machine was shared`);
    const { faults, summary } = judgePairs(pairs, BARS);
    for (const fault of faults) print(fault);
    return { held: faults.length === 0, summary: `${pairs.length} pairs of minutes: ${summary}` };
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
