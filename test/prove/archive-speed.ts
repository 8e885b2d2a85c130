/*
 * How fast are archives, and what do clients feel of one that is being made? Real daemons, three to a cluster.
 *
 * Speed: an archive of all that is there is created, verified, and restored into an empty cluster of the same size, which is
 * told to spend more on it as an operator would tell it; MiB/s of the archive's bytes. The floor is `cp`, `sync` and
 * `sha256sum` of the very same files, before and after: where the two are apart by more than 20 % the machine was disturbed,
 * and the figure is void and measured again, some times at most. What is said are medians.
 *
 * Foreground: quiet minutes and minutes in which one archive after the other is made, in an open loop at 30 % of the capacity
 * (foreground.ts): p99 may be half as high again, p99.9 at most 300 ms, and no operation may fail.
 */
import { execFile } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Plan } from '../../bench/load/plan.js';
import type { RunResult } from '../../bench/load/result.js';
import { GeneratorProcess, median } from '../../bench/processes.js';
import type { RealCluster } from '../support/real-cluster.js';
import { inScope, scopedFolder } from '../support/scope.js';
import { facts, rows, UNUSED_YET, withCluster } from './archive-cluster.js';
import { type Bars, FOREGROUND, judgePairs, LOAD, type Pair, pairOf, showMinute } from './foreground.js';
import type { Print, Proof } from './proof.js';

const PARTITIONS = 16;
const MIB = 1_048_576;
const FLOOR_DRIFT_MAX = 0.2;
/** Of which the median counts. */
const FLOORS = 5;
const BARS: Bars = { ratioMax: 1.5, tailMsMax: 300, failedShareMax: 0 };
const FLAGS = ['--durability', 'always', '--memory-max', '256MiB'];
const STEPS = ['create', 'verify', 'restore'] as const;
type Step = (typeof STEPS)[number];

interface Size {
  readonly keys: number;
  readonly rounds: number;
  readonly voidsMax: number;
  readonly capacityMs: number;
  readonly warmupMs: number;
  readonly minuteMs: number;
  readonly pairs: number;
}
const SHORT: Size = {
  keys: 8_000,
  rounds: 1,
  voidsMax: 2,
  capacityMs: 3_000,
  warmupMs: 1_000,
  minuteMs: 6_000,
  pairs: 2,
};
const FULL: Size = {
  keys: 300_000,
  rounds: 5,
  voidsMax: 5,
  capacityMs: 20_000,
  warmupMs: 10_000,
  minuteMs: 60_000,
  pairs: 5,
};

class World {
  readonly size: Size;
  readonly print: Print;
  readonly target: string;
  readonly #copy: string;
  readonly #cluster: RealCluster;

  constructor(size: Size, folder: string, cluster: RealCluster, print: Print) {
    this.size = size;
    this.print = print;
    this.target = join(folder, 'archives');
    this.#copy = join(folder, 'copy');
    this.#cluster = cluster;
  }

  /** Its name, and bytes. */
  async create(): Promise<{ readonly name: string; readonly bytes: number }> {
    const words = ['archive', 'create', this.target, '--admin', this.#cluster.node(2).ready.admin];
    const [[name = '', , , , , bytes] = []] = await rows(words);
    return { name, bytes: Number(bytes) };
  }

  remove(name: string): void {
    rmSync(join(this.target, name), { recursive: true });
  }

  /** Copied, durable, and read with a checksum: what an archive's files cost without an archive. */
  async floorMs(name: string): Promise<number> {
    const times: number[] = [];
    for (let i = 0; i < FLOORS; i++) times.push(await this.#floorMs(name));
    return median(times);
  }

  async #floorMs(name: string): Promise<number> {
    const folder = join(this.target, name);
    const files = readdirSync(folder).filter((file) => file.endsWith('.mdb'));
    const copies = files.map((file) => join(this.#copy, file));
    const startedMs = performance.now();
    await shell('cp', ['-r', folder, this.#copy]);
    await shell('sync', copies);
    await shell('sha256sum', copies);
    const ms = performance.now() - startedMs;
    rmSync(this.#copy, { recursive: true });
    return ms;
  }
}

const shell = promisify(execFile);

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

/** How long each step takes, with all that is around it left out. */
function stepsOf(world: World, name: string): Readonly<Record<Step, () => Promise<number>>> {
  const { print, target } = world;
  return {
    create: async () => {
      let made = '';
      const ms = await timed(async () => {
        made = (await world.create()).name;
      });
      world.remove(made);
      return ms;
    },
    verify: () => timed(() => rows(['archive', 'verify', target, '--archive', name])),
    restore: () =>
      withCluster({ partitions: PARTITIONS, flags: [...FLAGS, ...UNUSED_YET] }, print, (other) =>
        timed(async () => {
          const words = ['restore', target, '--archive', name, '--admin', other.node(2).ready.admin];
          const { missing } = await facts(words);
          if (missing !== '0') throw new Error(`The restore says that ${missing} records are missing`);
        }),
      ),
  };
}

/** So many times in a machine that was left alone before and after. */
async function speedOf(world: World, step: Step, name: string, bytes: number, faults: string[]): Promise<string> {
  const { size, print } = world;
  const work = stepsOf(world, name)[step];
  const perSecond = (ms: number): number => bytes / MIB / (ms / 1_000);
  const speeds: number[] = [];
  const shares: number[] = [];
  for (let voids = 0; speeds.length < size.rounds && voids <= size.voidsMax;) {
    const before = await world.floorMs(name);
    const ms = await work();
    const after = await world.floorMs(name);
    const isVoid = Math.max(before, after) > Math.min(before, after) * (1 + FLOOR_DRIFT_MAX);
    print(
      `${step} ${perSecond(ms).toFixed(1)} MiB/s, cp and sha256sum ${perSecond(before).toFixed(0)} before and ${perSecond(after).toFixed(0)} after${isVoid ? ': void' : ''}`,
    );
    if (isVoid) {
      voids += 1;
      continue;
    }
    speeds.push(perSecond(ms));
    shares.push((before + after) / 2 / ms);
  }
  if (speeds.length < size.rounds) {
    faults.push(`${step}: the floor moved again and again, and nothing can be said of its speed`);
    return `${step} without a figure`;
  }
  return `${step} ${median(speeds).toFixed(1)} MiB/s, ${(100 * median(shares)).toFixed(1)} % of cp and sha256sum`;
}

async function speeds(world: World, faults: string[]): Promise<string> {
  const { name, bytes } = await world.create();
  world.print(`an archive of ${(bytes / MIB).toFixed(1)} MiB`);
  const told: string[] = [];
  for (const step of STEPS) told.push(await speedOf(world, step, name, bytes, faults));
  world.remove(name);
  return told.join(', ');
}

async function foreground(
  world: World,
  run: (plan: Partial<Plan>) => Promise<RunResult>,
  capacity: number,
  faults: string[],
): Promise<string> {
  const { size, print } = world;
  const rate = Math.floor(capacity * LOAD);
  print(`capacity ${Math.round(capacity)}/s, open loop at ${rate}/s`);
  const minute = { rate, warmupMs: size.warmupMs, durationMs: size.minuteMs };
  const pairs: Pair[] = [];
  while (pairs.length < size.pairs) {
    const pair = await pairOf(run, minute, async (untilMs) => {
      const done = { archives: 0, bytes: 0 };
      while (performance.now() < untilMs) {
        const { name, bytes } = await world.create();
        world.remove(name);
        done.archives += 1;
        done.bytes += bytes;
      }
      return done;
    });
    const { archives, bytes } = pair.done;
    print(`quiet ${showMinute(pair.quiet)}`);
    print(
      `busy  ${showMinute(pair.busy)}; ${archives} archives, ${(bytes / MIB).toFixed(1)} MiB in ${pair.seconds.toFixed(1)} s`,
    );
    pairs.push(pair);
  }
  const after = await run({ durationMs: size.capacityMs });
  print(`capacity at the end ${Math.round(after.throughput)}/s: if it is far from the first, the machine was shared`);
  const judged = judgePairs(pairs, BARS);
  faults.push(...judged.faults);
  return `${pairs.length} pairs of minutes: ${judged.summary}`;
}

function play(size: Size, print: Print): Promise<{ held: boolean; summary: string }> {
  return inScope(async (scope) => {
    const folder = scopedFolder(scope, 'archive-speed');
    const faults: string[] = [];
    const generator = new GeneratorProcess(undefined);
    scope.defer('end the load', () => void generator.stop());
    const said = await withCluster({ partitions: PARTITIONS, flags: FLAGS }, print, async (cluster) => {
      const { keys, warmupMs, capacityMs } = size;
      const server = cluster.member(1).client;
      const run = (plan: Partial<Plan>): Promise<RunResult> =>
        generator.run({ ...FOREGROUND, retry: true, timeoutMs: 5_000, server, keys, ...plan });
      const peak = await run({ preload: true, warmupMs, durationMs: capacityMs });
      const world = new World(size, folder, cluster, print);
      return [await speeds(world, faults), await foreground(world, run, peak.throughput, faults)];
    });
    for (const fault of faults) print(`fault: ${fault}`);
    return { held: faults.length === 0, summary: `${size.keys} keys of 1 KiB; ${said.join('; ')}` };
  });
}

export const prove: Proof = {
  name: 'archive-speed',
  question: 'How fast are archives beside cp and sha256sum, and what do clients feel of one that is being made?',
  run: ({ full, print }) => play(full ? FULL : SHORT, print),
};
