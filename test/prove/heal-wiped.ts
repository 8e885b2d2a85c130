/*
 * A node whose disk was lost, under load. Three real daemons, clients in an open loop at 30 % of what the cluster can do;
 * quiet minutes and busy ones in turn. In a busy minute one node is stopped, its directory emptied, and it is started as an
 * operator starts one with a new disk; when it has all its partitions back the next one is wiped, and so on until the minute
 * is over. So it is busy from its first second to its last.
 *
 * Judged is what clients feel (foreground.ts). Whoever was told that a node goes away by its goodbye (§6.4) loses nothing; the client asks the others.
 *
 * At the end the owners meet about every partition and find that they agree; then every key that was loaded is read from
 * all three nodes together, each value checked to its last byte.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { keyBytes } from '../../bench/load/dialect.js';
import { PLAN_DEFAULTS } from '../../bench/load/plan.js';
import type { Plan } from '../../bench/load/plan.js';
import type { RunResult } from '../../bench/load/result.js';
import { faultOfValue } from '../../bench/load/value.js';
import { GeneratorProcess, median } from '../../bench/processes.js';
import { Client } from '../../src/client/index.js';
import { SETTLE_MS } from '../../src/node/cluster/owner-meeting.js';
import { listedKeys } from '../support/listed-keys.js';
import { RealCluster } from '../support/real-cluster.js';
import { meetAll, repairOf } from '../support/repair-figures.js';
import { type Bars, FOREGROUND, judgePairs, LOAD, type Pair, pairOf, showMinute } from './foreground.js';
import { type Print, printTail, type Proof } from './proof.js';

const PARTITIONS = 64;
const NODES = 3;
const VALUE_BYTES = 1_024;
/** One in a thousand: more, and p99.9 is of those that failed. */
const BARS: Bars = { ratioMax: 2, tailMsMax: 300, failedShareMax: 0.001 };
const TIMEOUT_MS = 2_000;
const HEALED_WITHIN_MS = 900_000;
/** Whose size is looked at. */
const SAMPLE_RECORDS = 20_000;
const POLL_MS = 200;
const READERS = 64;

interface Size {
  readonly keys: number;
  readonly capacityMs: number;
  readonly warmupMs: number;
  readonly minuteMs: number;
  readonly pairs: number;
}
const SHORT: Size = { keys: 6_000, capacityMs: 4_000, warmupMs: 2_000, minuteMs: 8_000, pairs: 2 };
const FULL: Size = { keys: 300_000, capacityMs: 20_000, warmupMs: 10_000, minuteMs: 60_000, pairs: 5 };

interface Healing {
  readonly seconds: number;
  readonly records: number;
  readonly wireBytes: number;
}

class Wiping {
  readonly healings: Healing[] = [];
  readonly #cluster: RealCluster;
  readonly #generator: GeneratorProcess;
  readonly #size: Size;
  readonly #print: Print;
  /** Never n1, which the client asks for the ring. */
  #next = 2;

  constructor(cluster: RealCluster, generator: GeneratorProcess, size: Size, print: Print) {
    this.#cluster = cluster;
    this.#generator = generator;
    this.#size = size;
    this.#print = print;
  }

  run(plan: Partial<Plan>): Promise<RunResult> {
    const server = this.#cluster.member(1).client;
    return this.#generator.run({ ...FOREGROUND, timeoutMs: TIMEOUT_MS, server, keys: this.#size.keys, ...plan });
  }

  async pair(rate: number): Promise<Pair> {
    const { warmupMs, minuteMs: durationMs } = this.#size;
    const from = this.healings.length;
    const run = (plan: Partial<Plan>): Promise<RunResult> => this.run(plan);
    const pair = await pairOf(run, { rate, warmupMs, durationMs }, async (untilMs) => {
      while (performance.now() < untilMs) await this.#wipeOne();
    });
    const count = this.healings.length - from;
    this.#print(
      `quiet ${showMinute(pair.quiet)}; busy ${showMinute(pair.busy)}; ${count} nodes wiped in ${pair.seconds.toFixed(1)} s`,
    );
    return pair;
  }

  async #wipeOne(): Promise<void> {
    const n = this.#next;
    this.#next = n === NODES ? 2 : n + 1;
    const { daemon, name } = this.#cluster.member(n);
    const folder = join(this.#cluster.folder, name);
    const { code } = await daemon.stop();
    if (code !== 0) throw new Error(`${name} ended with ${code}`);
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    const startedMs = performance.now();
    await daemon.start();
    await this.#healed(n, startedMs + HEALED_WITHIN_MS);
    const { received, bytesIn, bytesOut } = await repairOf(daemon, 'status');
    this.healings.push({
      seconds: (performance.now() - startedMs) / 1_000,
      records: received,
      wireBytes: bytesIn + bytesOut,
    });
  }

  async #healed(n: number, deadlineMs: number): Promise<void> {
    for (;;) {
      const status = await this.#cluster.status(n);
      const { healed } = status['repair'] as { readonly healed: number };
      if (healed === PARTITIONS && status['suspect'] === 0) return;
      if (performance.now() > deadlineMs)
        throw new Error(`n${n} has not got back its partitions: ${JSON.stringify(status['repair'])}`);
      await rest(POLL_MS);
    }
  }

  /** Of a record as it is stored, on the mean. */
  async recordBytes(): Promise<number> {
    const keys = await listedKeys(this.#cluster.node(2), SAMPLE_RECORDS);
    return keys.reduce((sum, { recordBytes }) => sum + recordBytes, 0) / keys.length;
  }

  /** From all owners together; answers what is wrong with keys that were loaded. */
  async readBack(): Promise<readonly string[]> {
    const faults: string[] = [];
    const client = await Client.connect({ seeds: this.#cluster.addresses, timeoutMs: 10_000 });
    let next = 0;
    const reader = async (): Promise<void> => {
      for (let key = next++; key < this.#size.keys; key = next++) {
        const got = await client.get(keyBytes(key), { r: NODES, strict: true });
        if (!got.found) faults.push(`key ${key} is gone`);
        for (const { value } of got.found ? got.siblings : []) {
          const fault = faultOfValue(value, PLAN_DEFAULTS.seed, key);
          if (fault !== '') faults.push(`key ${key}: ${fault}`);
        }
      }
    };
    await Promise.all(Array.from({ length: READERS }, reader));
    await client.close();
    return faults;
  }
}

/** What came by meetings: puts bring some records before, and reads repair what they find missing. */
function healingFigures(healings: readonly Healing[], recordBytes: number, keys: number, print: Print): string {
  for (const { seconds, records, wireBytes } of healings)
    print(
      `healed ${seconds.toFixed(1)} s after its start: ${records} records of ${Math.round(recordBytes)} bytes, ${wireBytes} bytes on the wire`,
    );
  const rate = median(healings.map(({ records, seconds }) => records / seconds));
  const wire = median(healings.map(({ records, wireBytes }) => wireBytes / (records * recordBytes)));
  const share = median(healings.map(({ records }) => records / keys));
  return (
    `${healings.length} times wiped and healed, ${Math.round(share * 100)} % of its records by meetings, ` +
    `${rate.toFixed(0)} records/s from the start of the process on, ${wire.toFixed(2)} bytes on the wire for each stored`
  );
}

async function measure(size: Size, print: Print): Promise<{ held: boolean; summary: string }> {
  const flags = ['--durability', 'always', '--memory-max', '256MiB', '--repair-period', '30d'];
  const cluster = await RealCluster.prepare({ nodes: NODES, partitions: PARTITIONS, flags });
  const generator = new GeneratorProcess(undefined);
  try {
    await cluster.start();
    await cluster.connected();
    const wiping = new Wiping(cluster, generator, size, print);
    const peak = await wiping.run({ preload: true, warmupMs: size.warmupMs, durationMs: size.capacityMs });
    const rate = Math.floor(peak.throughput * LOAD);
    print(
      `${size.keys} keys of ${VALUE_BYTES} bytes; capacity ${Math.round(peak.throughput)}/s, open loop at ${rate}/s`,
    );
    const pairs: Pair[] = [];
    while (pairs.length < size.pairs) pairs.push(await wiping.pair(rate));
    const judged = judgePairs(pairs, BARS);
    const faults = [...judged.faults];
    const healing = healingFigures(wiping.healings, await wiping.recordBytes(), size.keys, print);
    await rest(SETTLE_MS + 1_000);
    const moved = await meetAll(cluster.daemons);
    if (moved > 0) faults.push(`the owners differed at the end: ${moved} records moved`);
    const wrong = await wiping.readBack();
    if (wrong.length > 0) faults.push(`${wrong.length} keys are not what they were: ${wrong[0]}`);
    for (const fault of faults) print(fault);
    return {
      held: faults.length === 0,
      summary: `${judged.summary}; ${healing}; ${moved} records moved when all met after it, ${size.keys - wrong.length} of ${size.keys} keys read from all nodes`,
    };
  } catch (error) {
    printTail(cluster.transcript(), 30, print);
    throw error;
  } finally {
    await generator.stop();
    await cluster.dispose();
  }
}

export const prove: Proof = {
  name: 'heal-wiped',
  question: 'Does a node with an empty disk get everything back, and what do clients feel of it meanwhile?',
  run: ({ full, print }) => measure(full ? FULL : SHORT, print),
};
