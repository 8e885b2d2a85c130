/*
 * A healthy cluster has nothing to repair. Three real daemons under mixed load at half of what they can do: gets, puts,
 * deletes, new keys, read-modify-writes, and values that expire after a few seconds, each node by its own clock. All that
 * time owners meet: every ten seconds, and again and again because they are told to.
 *
 * A write is on its way to three nodes, so that two of them differ at every moment; whoever takes that for damage repairs
 * all day, and hides what is really wrong. So meetings must not move one record, and no read may repair a version that is
 * older than the settle time. Reads that meet a put under way repair what it would have brought anyway: they count apart.
 * At the end the counters themselves are on trial: a record that one owner has really missed must move them.
 */
import { cpSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { GeneratorProcess } from '../../bench/processes.js';
import { NO_OPERATIONS } from '../../bench/load/plan.js';
import type { Plan } from '../../bench/load/plan.js';
import type { RunResult } from '../../bench/load/result.js';
import type { Client } from '../../src/client/index.js';
import { SETTLE_MS } from '../../src/node/cluster/owner-meeting.js';
import type { Daemon } from '../support/daemon.js';
import { RealCluster } from '../support/real-cluster.js';
import { meetAll, repairFigures, repairOf } from '../support/repair-figures.js';
import type { RepairFigures } from '../support/repair-figures.js';
import { type Print, printTail, type Proof } from './proof.js';

const PARTITIONS = 64;
/** The least that can be set. */
const PERIOD_MS = 10_000;
/** Of the meetings that are due: turns are drawn, so that the last round is not whole. */
const MEETINGS_SHARE_MIN = 0.8;
const LOAD = 0.5;
/** Puts that a node has missed, in the trial of the counters. */
const MISSED = 24;
const MIX = { ...NO_OPERATIONS, get: 50, put: 25, delete: 10, insert: 5, rmw: 10 };
/** After which the next node is told to meet all others. */
const MEETING_PAUSE_MS = 300;
const EXPIRING_PAUSE_MS = 50;
const EXPIRING_TTL_MS_MAX = 8_000;
const EXPIRING_KEYS = 200;
const SHAPE: Partial<Plan> = { routing: 'ring', connections: 12, inFlight: 16 };

interface Size {
  readonly keys: number;
  readonly capacityMs: number;
  readonly loadMs: number;
}
const SHORT: Size = { keys: 4_000, capacityMs: 2_000, loadMs: 22_000 };
const FULL: Size = { keys: 100_000, capacityMs: 10_000, loadMs: 600_000 };

interface Running {
  /** Answers how often it was done. */
  stop(): Promise<number>;
}

/** Does it again and again until it is stopped. */
function again(pauseMs: number, act: (turn: number) => Promise<unknown>): Running {
  let running = true;
  const over = (async (): Promise<number> => {
    let turn = 0;
    for (; running; turn++) {
      await act(turn);
      await rest(pauseMs);
    }
    return turn;
  })();
  over.catch(() => undefined); // whoever stops it hears of it
  return {
    stop: () => {
      running = false;
      return over;
    },
  };
}

/** Puts a value that expires, over one that has or has not, and reads another one from all owners. */
async function expire(db: Client<string>, turn: number): Promise<void> {
  const key = `expires-${turn % EXPIRING_KEYS}`;
  const { context } = await db.get(key);
  await db.put(key, `value ${turn}`, { context, ttlMs: 1 + ((turn * 37) % EXPIRING_TTL_MS_MAX) });
  await db.get(`expires-${(turn * 7) % EXPIRING_KEYS}`, { r: 3 });
}

async function load(cluster: RealCluster, generator: GeneratorProcess, size: Size, print: Print): Promise<RunResult> {
  const plan = { ...SHAPE, server: cluster.member(1).client, mix: MIX, keys: size.keys };
  const peak = await generator.run({ ...plan, preload: true, durationMs: size.capacityMs });
  const rate = Math.floor(peak.throughput * LOAD);
  print(`capacity ${Math.round(peak.throughput)}/s; an open loop of ${rate}/s for ${size.loadMs / 1_000} s`);
  await using db = await cluster.connect();
  const expiring = again(EXPIRING_PAUSE_MS, (turn) => expire(db, turn));
  const { daemons } = cluster;
  const meeting = again(MEETING_PAUSE_MS, (turn) => repairOf(daemons[turn % daemons.length] as Daemon, 'start'));
  const result = await generator.run({ ...plan, rate, durationMs: size.loadMs });
  await meeting.stop();
  print(`${result.count} operations, ${result.errors} errors, ${await expiring.stop()} puts of values that expire`);
  return result;
}

/**
 * The counters on trial: one node gets its disk of a moment ago, and nobody else knows that it lacks what was put since.
 * Reads must find some of it, and meetings the rest. Answers what was not counted; empty: the counters can be believed.
 */
async function overlooked(cluster: RealCluster): Promise<string> {
  const disk = join(cluster.folder, 'n3');
  const keys = Array.from({ length: MISSED }, (_, i) => `missed-${i}`);
  await cluster.node(3).stop();
  cpSync(disk, `${disk}.before`, { recursive: true });
  await cluster.node(3).start();
  await cluster.connected();
  await using db = await cluster.connect({ seeds: [cluster.member(1).client] });
  for (const key of keys) await db.put(key, 'once', { w: 3 });
  await cluster.node(3).stop();
  rmSync(disk, { recursive: true });
  renameSync(`${disk}.before`, disk);
  const before = await repairFigures(cluster.daemons.slice(0, 2));
  await rest(SETTLE_MS + 1_000);
  await cluster.node(3).start();
  await cluster.connected();
  for (const key of keys.slice(0, MISSED / 2)) await db.get(key, { r: 3 });
  await meetAll(cluster.daemons);
  const after = await repairFigures(cluster.daemons);
  return [
    ...(after.readSettled > before.readSettled ? [] : ['reads met a replica that lacked puts, and counted no repair']),
    ...(after.moved > before.moved ? [] : ['owners met of which one lacked puts, and counted nothing']),
  ].join('; ');
}

function faultsOf(seen: RepairFigures, atTheEnd: number, meetingsMin: number): readonly string[] {
  const { met, failed, moved, readSettled, readDropped } = seen;
  return [
    ...(moved > 0 ? [`${moved} records moved by meetings`] : []),
    ...(readSettled > 0 ? [`${readSettled} read repairs of versions older than ${SETTLE_MS} ms`] : []),
    ...(readDropped > 0 ? [`${readDropped} read repairs left undone`] : []),
    ...(failed > 0 ? [`${failed} meetings broke off`] : []),
    ...(met < meetingsMin ? [`${met} meetings of ${meetingsMin}`] : []),
    ...(atTheEnd > 0 ? [`the owners differed at the end: ${atTheEnd} records moved`] : []),
  ];
}

async function watch(size: Size, print: Print): Promise<{ held: boolean; summary: string }> {
  const flags = ['--repair-period', `${PERIOD_MS / 1_000}s`, '--durability', 'always', '--memory-max', '256MiB'];
  const cluster = await RealCluster.prepare({ partitions: PARTITIONS, flags });
  const generator = new GeneratorProcess(undefined);
  try {
    await cluster.start();
    await cluster.connected();
    const before = await repairFigures(cluster.daemons);
    const startedMs = performance.now();
    const result = await load(cluster, generator, size, print);
    const seconds = (performance.now() - startedMs) / 1_000;
    await rest(SETTLE_MS + 1_000);
    const after = await repairFigures(cluster.daemons);
    const seen = Object.fromEntries(
      Object.entries(after).map(([name, count]) => [name, count - before[name as keyof RepairFigures]]),
    ) as unknown as RepairFigures;
    const atTheEnd = await meetAll(cluster.daemons);
    const pairs = 3 * PARTITIONS;
    const faults = [
      ...faultsOf(seen, atTheEnd, Math.floor(seconds / (PERIOD_MS / 1_000)) * pairs * MEETINGS_SHARE_MIN),
    ];
    if (result.errors > 0) faults.push(`${result.errors} operations failed: the cluster was not healthy`);
    const trial = await overlooked(cluster);
    if (trial !== '') faults.push(`the counters failed their trial: ${trial}`);
    print(
      `${seen.met} meetings (${pairs} pairs), ${seen.bytes} bytes, ${seen.leftAlone} differences left alone; ` +
        `reads repaired ${seen.readYoung} young versions, ${seen.readSettled} settled ones`,
    );
    for (const fault of faults) print(fault);
    return {
      held: faults.length === 0,
      summary:
        faults.join('; ') ||
        `${result.count} operations in ${seconds.toFixed(0)} s, ${seen.met} meetings of owners, ${seen.moved} records moved, ` +
          `${seen.readSettled} read repairs (and ${seen.readYoung} of puts under way)`,
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
  name: 'no-false-repair',
  question: 'Does a healthy cluster under load repair anything?',
  run: ({ full, print }) => watch(full ? FULL : SHORT, print),
};
