/*
 * A cluster grows and shrinks under load: three real daemons become five and then four, by an administrator's commands, and
 * in the middle of the moves kill -9 ends a node that gives or takes, twice a run. (In the short form two join and one
 * leaves in a single change, with one kill.) Clients go on in an open loop, at 30 % of what the three could do, and try
 * again as the SDK does by default.
 *
 * No acknowledged write may be lost (support/chaos/check.ts judges, and is on trial itself), and no get or put may fail
 * after all. Every ring version that a node serves on the way must be a ring, by every bound there is. The node that left
 * must have ended by itself, with 0. At the end all must be well by `cluster status`, every key is read from its owners
 * together, and then from each of them by itself: the copies have to be the same.
 *
 * What clients feel is measured apart, with nobody killed (grow-shrink-minutes.ts): a killed node is felt whether or not
 * anything moves, and it is the moves that are asked about. The figures of the runs with kills are printed beside.
 */
import { setTimeout as rest } from 'node:timers/promises';
import { keyBytes } from '../../bench/load/dialect.js';
import { GeneratorProcess } from '../../bench/processes.js';
import { Prng } from '../../src/lib/prng.js';
import { catchesLoss, checkRun } from '../support/chaos/check.js';
import { ClientProcess } from '../support/chaos/client-process.js';
import { countBy, duringWindow, latenciesOf, showCounts } from '../support/chaos/figures.js';
import type { Latencies } from '../support/chaos/figures.js';
import { settled } from '../support/chaos/ending.js';
import { monotonicMs } from '../support/chaos/operation.js';
import type { Operation } from '../support/chaos/operation.js';
import { GrowingCluster, type GrownMember, ringOf, statusOf } from '../support/growing-cluster.js';
import { differingCopies } from '../support/owner-copies.js';
import { meetAll } from '../support/repair-figures.js';
import { RingWatch } from '../support/ring-watch.js';
import { inScope } from '../support/scope.js';
import { SMALL_STORE } from './crash.js';
import { LOAD } from './foreground.js';
import { LOAD_PLAN, minutes } from './grow-shrink-minutes.js';
import { type Print, printTail, type Proof } from './proof.js';

const REPLICAS = 3;
/** Nothing is judged by it: a cluster that comes to no rest must not be waited for for ever. */
const WELL_WITHIN_MS = 900_000;
const ENDS_WITHIN_MS = 60_000;
const MOVES_WITHIN_MS = 10_000;
/** Of the workload `seen`: a merge and a chain are two or three operations of one action. */
const OPERATIONS_AN_ACTION = 1.45;
const SHOWN_MAX = 8;

interface Size {
  readonly partitions: number;
  /** There before the clients come. */
  readonly keys: number;
  readonly capacityMs: number;
  readonly quietMs: number;
  readonly keysPerStream: number;
  /** Two join and one leaves in one change, with one kill. */
  readonly atOnce: boolean;
}
const SHORT: Size = {
  ...{ partitions: 8, keys: 1_000, capacityMs: 1_000, quietMs: 1_000, keysPerStream: 300, atOnce: true },
};
const FULL: Size = {
  ...{ partitions: 64, keys: 20_000, capacityMs: 5_000, quietMs: 15_000, keysPerStream: 2_000, atOnce: false },
};

interface Phase {
  readonly name: string;
  readonly moves: number;
  readonly startMs: number;
  /** The last move had ended then. */
  readonly movedMs: number;
  readonly endMs: number;
}

interface RunResult {
  readonly operations: readonly Operation[];
  readonly phases: readonly Phase[];
  readonly acknowledged: number;
  readonly lost: number;
  readonly failed: number;
  readonly versions: number;
  readonly keys: number;
  readonly faults: readonly string[];
}

class Run {
  readonly phases: Phase[] = [];
  readonly faults: string[] = [];
  readonly #cluster: GrowingCluster;
  readonly #prng: Prng;
  readonly #print: Print;

  constructor(cluster: GrowingCluster, prng: Prng, print: Print) {
    this.#cluster = cluster;
    this.#prng = prng;
    this.#print = print;
  }

  async quiet(ms: number): Promise<void> {
    const startMs = monotonicMs();
    await rest(ms);
    this.phases.push({ name: 'quiet', moves: 0, startMs, movedMs: startMs, endMs: monotonicMs() });
  }

  async grow(): Promise<void> {
    const startMs = monotonicMs();
    const { replicasMoved } = await this.#cluster.join(2);
    await this.#kill();
    await this.#ended('3 → 5', replicasMoved, startMs);
  }

  async shrink(): Promise<void> {
    const startMs = monotonicMs();
    const leaver = this.#anyButTheFirst();
    const { replicasMoved } = await this.#cluster.leave(leaver);
    await this.#kill();
    await this.#ended('5 → 4', replicasMoved, startMs, leaver);
  }

  async both(): Promise<void> {
    const startMs = monotonicMs();
    const leaver = this.#anyButTheFirst();
    const { replicasMoved } = await this.#cluster.join(2, leaver);
    await this.#kill();
    await this.#ended('3+2−1', replicasMoved, startMs, leaver);
  }

  #anyButTheFirst(): GrownMember {
    const { members, one } = this.#cluster;
    return this.#prng.pick(members.filter(({ daemon }) => daemon !== one));
  }

  async #ended(name: string, moves: number, startMs: number, leaver?: GrownMember): Promise<void> {
    const cluster = this.#cluster;
    await cluster.moved(WELL_WITHIN_MS);
    const movedMs = monotonicMs();
    if (leaver !== undefined) {
      const code = await cluster.ended(leaver, WELL_WITHIN_MS);
      if (code !== 0) this.faults.push(`node ${leaver.ordinal} left, and its process ended with ${code}`);
    }
    await cluster.well(WELL_WITHIN_MS);
    this.phases.push({ name, moves, startMs, movedMs, endMs: monotonicMs() });
  }

  /** One that has a part in moves which are under way; never the first, whom the administrator asks. */
  async #kill(): Promise<void> {
    const { one } = this.#cluster;
    const role = this.#prng.chance(0.5) ? 'giver' : 'receiver';
    const deadline = performance.now() + MOVES_WITHIN_MS;
    await rest(this.#prng.int(2_500));
    for (;;) {
      const { moves } = await statusOf(one);
      const busy = new Set(moves.map(({ from, to }) => (role === 'giver' ? from : to)));
      const victims = this.#cluster.members.filter(({ ordinal, daemon }) => busy.has(ordinal) && daemon !== one);
      if (victims.length > 0) return this.#killOne(this.#prng.pick(victims), role, moves.length);
      if (moves.length === 0 || performance.now() > deadline) {
        this.faults.push(`nobody was left to be killed: ${moves.length} moves are under way`);
        return;
      }
      await rest(50);
    }
  }

  async #killOne({ ordinal, daemon }: GrownMember, role: string, moves: number): Promise<void> {
    await daemon.kill();
    await rest(500 + this.#prng.int(1_000));
    await daemon.start();
    this.#print(`killed node ${ordinal}, a ${role}, with ${moves} moves under way; it is back`);
  }
}

function playRun(seed: number, size: Size, print: Print): Promise<RunResult> {
  return inScope(async (scope) => {
    const cluster = await GrowingCluster.start({ nodes: 3, partitions: size.partitions, flags: SMALL_STORE });
    const watch = new RingWatch(() => cluster.daemons);
    try {
      const perSecond = LOAD * (await capacityOf(cluster, size));
      const prng = new Prng(seed);
      const run = new Run(cluster, prng, print);
      const client = new ClientProcess(scope, { number: 0, address: '127.0.0.1', prefix: [] });
      await client.start({
        ...{ seed, seeds: cluster.addresses, actionsPerSecond: perSecond / OPERATIONS_AN_ACTION, emphasis: 'seen' },
        ...{ timeoutMs: 5_000, oneTimeoutMs: 5_000, keysPerStream: size.keysPerStream, valueBytesMax: 1_024 },
      });
      watch.start();
      await run.quiet(size.quietMs);
      if (size.atOnce) await run.both();
      else {
        await run.grow();
        await run.shrink();
      }
      const { operations, skipped } = await client.stop();
      const { phases, faults } = run;
      if (skipped > 0) faults.push(`${skipped} actions were due and not begun: too many were under way`);
      await watch.stop();
      faults.push(...watch.faults);
      const judged = await judge(cluster, client, operations, size.keys, faults, print);
      client.end();
      return { ...judged, operations, phases, versions: watch.versions, faults };
    } catch (error) {
      printTail(cluster.transcript(), 60, print);
      throw error;
    } finally {
      await watch.stop();
      await cluster.dispose();
    }
  });
}

/** Operations a second in a closed loop; the keys are there then. */
async function capacityOf(cluster: GrowingCluster, { keys, capacityMs }: Size): Promise<number> {
  const generator = new GeneratorProcess(undefined);
  try {
    const server = cluster.addresses[0] ?? '';
    const warmupMs = capacityMs / 2;
    const peak = await generator.run({ ...LOAD_PLAN, server, keys, preload: true, warmupMs, durationMs: capacityMs });
    return peak.throughput;
  } finally {
    await generator.stop();
  }
}

/** What is there at the end, once it has come to rest. */
async function judge(
  cluster: GrowingCluster,
  client: ClientProcess,
  operations: readonly Operation[],
  loaded: number,
  faults: string[],
  print: Print,
): Promise<Pick<RunResult, 'acknowledged' | 'lost' | 'failed' | 'keys'>> {
  await cluster.well(ENDS_WITHIN_MS);
  await meetAll(cluster.daemons);
  const final = await settled(client, REPLICAS, print);
  const { violations, acknowledged } = checkRun(operations, final);
  for (const { kind, key, text } of violations.slice(0, SHOWN_MAX)) print(`${kind}: ${key}: ${text}`);
  if (violations.length > 0) faults.push(showCounts(countBy(violations, ({ kind }) => kind)));
  const mistrust = catchesLoss(operations, final);
  if (mistrust !== null) faults.push(`the checker failed its trial: ${mistrust}`);
  const failed = operations.filter(({ outcome }) => outcome !== 'ok');
  for (const { kind, key, code, text, node } of failed.slice(0, SHOWN_MAX))
    print(`failed: ${kind} ${key}: ${code} ${text} (${node})`);
  if (failed.length > 0) faults.push(`${failed.length} failed (${showCounts(countBy(failed, ({ code }) => code))})`);

  const ring = await ringOf(cluster.one);
  if ('fault' in ring) throw new Error(ring.fault);
  const keys = [...final.map(({ key }) => key), ...Array.from({ length: loaded }, (_, i) => keyBytes(i).toString())];
  const differing = await differingCopies(cluster.addresses, ring, keys);
  for (const text of differing.slice(0, SHOWN_MAX)) print(`owners differ: ${text}`);
  if (differing.length > 0) faults.push(`owners differ about ${differing.length} of ${keys.length} keys`);
  const lost = violations.filter(({ kind }) => kind === 'lost').length;
  return { acknowledged, lost, failed: failed.length, keys: keys.length };
}

function table({ phases, operations }: RunResult, print: Print): void {
  const show = ({ p50Ms, p99Ms, p999Ms }: Latencies): string =>
    [p50Ms, p99Ms, p999Ms].map((ms) => ms.toFixed(1)).join('/');
  print(tableRow(['', 'moves', 's', 'all s', 'ops', 'gets p50/p99/p99.9 ms', 'puts p50/p99/p99.9 ms', 'failed']));
  for (const { name, moves, startMs, movedMs, endMs } of phases) {
    const during = duringWindow(operations, { name, text: '', startMs, endMs });
    const gets = latenciesOf(during.filter(({ kind }) => kind === 'get'));
    const puts = latenciesOf(during.filter(({ kind }) => kind !== 'get'));
    const failed = during.filter(({ outcome }) => outcome !== 'ok').length;
    const [seconds, allSeconds] = [movedMs, endMs].map((ms) => ((ms - startMs) / 1_000).toFixed(1));
    print(tableRow([name, moves, seconds ?? '', allSeconds ?? '', during.length, show(gets), show(puts), failed]));
  }
}

function tableRow(cells: readonly (string | number)[]): string {
  const widths = [6, 6, 6, 6, 7, 24, 24, 7];
  return cells.map((cell, i) => String(cell).padStart(widths[i] ?? 0)).join(' ');
}

async function playAll(full: boolean, print: Print): Promise<{ held: boolean; summary: string }> {
  const first = Number(process.env['PARTITA_SEED'] ?? Date.now() >>> 0);
  const runs = full ? Number(process.env['PARTITA_RUNS'] ?? 10) : 1;
  const results: RunResult[] = [];
  for (let run = 0; run < runs; run++) {
    print(`run ${run + 1} of ${runs}, seed ${first + run}`);
    const result = await playRun(first + run, full ? FULL : SHORT, print);
    results.push(result);
    table(result, print);
    print(
      `${result.acknowledged} puts acknowledged, ${result.lost} lost; ${result.failed} of ${result.operations.length} operations failed; ` +
        `${result.versions} ring versions seen; ${result.keys} keys read from each owner: ${result.faults.join('; ') || 'nothing amiss'}`,
    );
  }
  const sum = (of: (result: RunResult) => number): number => results.reduce((total, result) => total + of(result), 0);
  return {
    held: results.every(({ faults }) => faults.length === 0),
    summary:
      `${results.length} ${full ? 'runs 3 → 5 → 4 with 2 kills each' : 'run of two that join while one leaves, with a kill'}: ${sum((one) => one.operations.length)} operations, ` +
      `${sum((one) => one.acknowledged)} puts acknowledged, ${sum((one) => one.lost)} lost, ${sum((one) => one.failed)} failed, ` +
      `${sum((one) => one.versions)} ring versions, ${sum((one) => one.keys)} keys compared, ${sum((one) => one.faults.length)} faults`,
  };
}

export const prove: Proof = {
  name: 'grow-shrink',
  question: 'Does a cluster that grows and shrinks under load lose a write, refuse one, or make clients wait?',
  async run({ full, print }) {
    // One half of the full form alone: PARTITA_ONLY is `runs` or `minutes`.
    const only = process.env['PARTITA_ONLY'] ?? '';
    const parts: { held: boolean; summary: string }[] = [];
    if (full && only !== 'runs') parts.push(await minutes(print));
    if (only !== 'minutes') parts.push(await playAll(full, print));
    return { held: parts.every(({ held }) => held), summary: parts.map(({ summary }) => summary).join('; ') };
  },
};
