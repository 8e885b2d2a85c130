/*
 * Is what `partita balance` says true? Five real daemons; a client that keeps its own tally of every key; first all keys
 * alike, then zipf 0.99. Then the report is held against two witnesses that know nothing of it:
 *
 *   the tally     the keys that it calls popular are those that were asked for most, with as many requests as there were,
 *                 within what the sample allows; where all keys were alike it names none
 *   the metrics   reads, writes and requests of each node, and so the efficiency, as the daemons' own counters have them
 *
 * At the end one node is stopped: it has to be named, and the rest judged without it.
 */
import { setTimeout as rest } from 'node:timers/promises';
import { keyChooser, type KeyDistribution, ZIPFIAN_THETA } from '../../bench/load/zipf.js';
import type { Client, Context } from '../../src/client/index.js';
import { Prng } from '../../src/lib/prng.js';
import { loadBalancingEfficiency } from '../../src/ring/balance.js';
import { metricsInto, metricsOf } from '../support/metrics-of.js';
import { RealCluster } from '../support/real-cluster.js';
import { runCli } from '../support/run-cli.js';
import { temporaryFolder } from '../support/temporary.js';
import { type Print, printTail, type Proof } from './proof.js';

const NODES = 5;
const PARTITIONS = 64;
const KEYS = 20_000;
const AT_ONCE = 48;
const VALUE: string = 'value'.repeat(20);
const PUTS = 0.2;
/** The sample is one in so many; a count in it is off by so many deviations at most. */
const SAMPLING = 8;
const DEVIATIONS = 5;
/** Of all requests: what the report calls popular. */
const POPULAR = 0.001;
const SHOWN = 5;
/** Of a count: what comes between two looks. */
const APART_MAX = 0.002;
const EFFICIENCY_APART_MAX = 0.002;
const QUIET_MS = 400;
const QUIET_WITHIN_MS = 20_000;

interface Size {
  readonly uniform: number;
  readonly zipf: number;
  /** So many keys at least are to be hot enough that no chance can hide them. */
  readonly hottest: number;
}
const SHORT: Size = { uniform: 4_000, zipf: 24_000, hottest: 3 };
const FULL: Size = { uniform: 40_000, zipf: 160_000, hottest: 10 };

interface ReportedNode {
  readonly ordinal: number;
  readonly requests: number;
  readonly reads: number;
  readonly writes: number;
  readonly silence: string;
}
interface Reported {
  readonly nodes: readonly ReportedNode[];
  readonly requests: number;
  readonly efficiency: number;
  readonly split: Readonly<Record<'placement' | 'tokens' | 'keys' | 'owners', number>>;
  readonly keys: readonly { readonly key: string; readonly requests: number; readonly overcount: number }[];
}

type Tally = Map<string, number>;

async function balanceOf(cluster: RealCluster): Promise<Reported> {
  const { admin } = cluster.node(1).ready;
  const { code, out, err } = await runCli(['balance', '--admin', admin, '-o', 'json']);
  if (code !== 0) throw new Error(`partita balance: ${err}`);
  return JSON.parse(out) as Reported;
}

/**
 * Gets and puts, so many at once; every one is in the tally, and none may fail. No key is put by two at a time: they would
 * not have seen each other, and leave more and more siblings.
 */
async function drive(db: Client<string>, tally: Tally, amount: number, how: KeyDistribution): Promise<void> {
  const prng = new Prng(7);
  const chooser = keyChooser(how, prng, KEYS, 0);
  const contexts = new Map<string, Context | undefined>();
  const busy = new Set<string>();
  let left = amount;
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const key = `key-${chooser.next(KEYS)}`;
      tally.set(key, (tally.get(key) ?? 0) + 1);
      const puts = prng.chance(PUTS) && !busy.has(key);
      if (!puts) {
        await db.get(key);
        continue;
      }
      busy.add(key);
      const seen = contexts.get(key) ?? (await read(db, key, tally));
      contexts.set(key, (await db.put(key, VALUE, { context: seen })).context);
      busy.delete(key);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

/** Until it is connected to all nodes: a get at one that owns nothing of the key is a request there, and no read. */
async function routed(db: Client<string>): Promise<void> {
  for (const { address } of db.nodes()) await db.ping({ node: address });
}

async function read(db: Client<string>, key: string, tally: Tally): Promise<Context> {
  tally.set(key, (tally.get(key) ?? 0) + 1);
  return (await db.get(key)).context;
}

/** What the report says of popular keys, against the tally. */
function keyFaults({ keys }: Reported, tally: Tally, hottestMin: number): readonly string[] {
  const total = totalOf(tally);
  const hottest = [...tally].sort((a, b) => b[1] - a[1]);
  const faults: string[] = [];
  const away = (count: number): number => DEVIATIONS * Math.sqrt(count * SAMPLING) + SAMPLING;
  const hidden = hottest.findIndex(([, count]) => count - away(count) <= POPULAR * total);
  if (hidden < hottestMin) faults.push(`only ${hidden} keys are so hot that they have to be named`);
  for (const [key, count] of hottest.slice(0, hidden)) {
    if (!keys.some((named) => named.key === key))
      faults.push(`${key} was asked for ${count} times of ${total}, and is not named`);
  }
  for (const { key, requests, overcount } of keys) {
    const real = tally.get(key) ?? 0;
    if (requests + away(real) < real || requests - overcount - away(real) > real)
      faults.push(`${key}: ${requests} requests (less ${overcount}) are reported, there were ${real}`);
  }
  return faults;
}

interface Counted {
  readonly requests: number;
  /** Reads and writes of every kind. */
  readonly load: number;
  /** What it has sent to others that is no load: repairs of reads, and hints brought home. */
  readonly sent: number;
}

function totalOf(tally: Tally): number {
  return [...tally.values()].reduce((sum, count) => sum + count, 0);
}

/** When no node counts any more: copies beyond W come after the answer, and so do repairs of reads that met a put. */
async function quiet(cluster: RealCluster, folder: string): Promise<readonly Counted[]> {
  const loadOf = (all: readonly Counted[]): string => all.map(({ load }) => load).join();
  let before = await countedBy(cluster, folder);
  for (const deadline = performance.now() + QUIET_WITHIN_MS; performance.now() < deadline;) {
    await rest(QUIET_MS);
    const now = await countedBy(cluster, folder);
    if (loadOf(now) === loadOf(before)) return now;
    before = now;
  }
  throw new Error(`The nodes were not quiet within ${QUIET_WITHIN_MS} ms`);
}

/** What a daemon has counted for its metrics. */
async function countedBy(cluster: RealCluster, folder: string): Promise<readonly Counted[]> {
  return Promise.all(
    cluster.daemons.map(async (daemon) => {
      const series = await metricsOf(daemon, folder);
      const of = (name: string, op: string): number => series.get(`${name}{op="${op}",result="ok"}`) ?? 0;
      const requests = ['get', 'put', 'delete'].reduce((sum, op) => sum + of('partita_requests_total', op), 0);
      const forOthers = of('partita_peer_requests_total', 'read') + of('partita_peer_requests_total', 'store');
      const repairs = ['young', 'settled'].map(
        (age) => series.get(`partita_read_repairs_total{versions="${age}"}`) ?? 0,
      );
      const sent = repairs.reduce((sum, count) => sum + count, series.get('partita_hints_delivered_total') ?? 0);
      return { requests, load: requests + forOthers, sent };
    }),
  );
}

/**
 * To the metrics a repair and a hint that comes home are writes like others, to the report they are none; how many there
 * were in all is known, and to whom they went is not. So the metrics of a node may have as many more, and no more.
 */
function countFaults(report: Reported, counted: readonly Counted[], asked: number, print: Print): readonly string[] {
  const faults: string[] = [];
  const noLoad = counted.reduce((sum, { sent }) => sum + sent, 0);
  const mean = counted.reduce((sum, { load }) => sum + load, 0) / counted.length;
  const agree = (told: number, seen: number): boolean =>
    seen - told <= noLoad + APART_MAX * seen && told - seen <= APART_MAX * seen;
  report.nodes.forEach(({ ordinal, requests, reads, writes }, index) => {
    const { requests: own, load } = counted[index] ?? { requests: 0, load: 0 };
    if (Math.abs(requests - own) > APART_MAX * own)
      faults.push(`node ${ordinal}: ${requests} requests, its metrics say ${own}`);
    if (!agree(reads + writes, load))
      faults.push(`node ${ordinal}: ${reads + writes} reads and writes, its metrics say ${load}`);
  });
  const told = report.nodes.reduce((sum, { reads, writes }) => sum + reads + writes, 0);
  const seen = mean * counted.length;
  if (!agree(told, seen)) faults.push(`${told} reads and writes in all, the metrics say ${seen}`);
  if (Math.abs(report.requests - asked) > APART_MAX * asked)
    faults.push(`${report.requests} requests, the client made ${asked}`);
  const efficiency = loadBalancingEfficiency(counted.map(({ load }) => load));
  print(
    `by the metrics: efficiency ${efficiency.toFixed(4)}, ${seen} reads and writes (the report: ${told}), ${noLoad} repairs and hints`,
  );
  if (Math.abs(efficiency - report.efficiency) > EFFICIENCY_APART_MAX + noLoad / mean)
    faults.push(`efficiency ${report.efficiency.toFixed(4)}, by the metrics ${efficiency.toFixed(4)}`);
  const { placement, tokens, keys, owners } = report.split;
  if (Math.abs(placement * tokens * keys * owners - report.efficiency) > 1e-9)
    faults.push('the factors are not the efficiency');
  return faults;
}

async function look(cluster: RealCluster, size: Size, folder: string, print: Print): Promise<readonly string[]> {
  const tally: Tally = new Map();
  const faults: string[] = [];
  await using db = await cluster.connect();
  await routed(db);
  await drive(db, tally, size.uniform, { kind: 'uniform' });
  const evenCounted = await quiet(cluster, folder);
  const even = await balanceOf(cluster);
  print(
    `${size.uniform} requests, keys alike: efficiency ${even.efficiency.toFixed(3)}, ${even.keys.length} keys named`,
  );
  if (even.keys.length > 0) faults.push(`${even.keys[0]?.key} is called popular where all keys are alike`);
  faults.push(...countFaults(even, evenCounted, totalOf(tally) + db.stats().retries, print));
  await drive(db, tally, size.zipf, { kind: 'zipfian', theta: ZIPFIAN_THETA });
  const skewedCounted = await quiet(cluster, folder);
  const skewed = await balanceOf(cluster);
  const { placement, tokens, keys, owners } = skewed.split;
  print(`and ${size.zipf} of zipf ${ZIPFIAN_THETA}: efficiency ${skewed.efficiency.toFixed(3)}`);
  print(
    `= placement ${placement.toFixed(3)} × tokens ${tokens.toFixed(3)} × keys ${keys.toFixed(3)} × owners ${owners.toFixed(3)}`,
  );
  for (const { key, requests, overcount } of skewed.keys.slice(0, SHOWN))
    print(`${key.padEnd(12)} ${requests} requests reported (less ${overcount} at most), ${tally.get(key) ?? 0} made`);
  faults.push(...keyFaults(skewed, tally, size.hottest));
  faults.push(...countFaults(skewed, skewedCounted, totalOf(tally) + db.stats().retries, print));
  return faults;
}

async function withoutOne(cluster: RealCluster): Promise<readonly string[]> {
  await cluster.node(NODES).stop();
  const { nodes, efficiency } = await balanceOf(cluster);
  const silent = nodes.filter(({ silence }) => silence !== '').map(({ ordinal }) => ordinal);
  const loads = nodes.filter(({ silence }) => silence === '').map(({ reads, writes }) => reads + writes);
  return [
    ...(silent.join() === String(NODES) ? [] : [`node ${NODES} was stopped, and named as silent is: ${silent.join()}`]),
    ...(Math.abs(loadBalancingEfficiency(loads) - efficiency) < 1e-9 ? [] : ['a silent node is in the efficiency']),
  ];
}

export const prove: Proof = {
  name: 'balance',
  question: 'Does the balance report name the hottest keys, and agree with what the nodes count of themselves?',
  async run({ full, print }) {
    const { path: folder, remove } = temporaryFolder('metrics');
    const cluster = await RealCluster.prepare({
      nodes: NODES,
      partitions: PARTITIONS,
      flags: ['--memory-max', '128MiB'],
      env: metricsInto(folder),
    });
    try {
      await cluster.start();
      await cluster.connected();
      const faults = [...(await look(cluster, full ? FULL : SHORT, folder, print)), ...(await withoutOne(cluster))];
      for (const fault of faults) print(fault);
      const good = `all keys named that are hot beyond chance, and none where all were alike; counts within ${100 * APART_MAX} % of the metrics, and the efficiency with them`;
      return { held: faults.length === 0, summary: faults.length === 0 ? good : `${faults.length} faults` };
    } catch (error) {
      printTail(cluster.transcript(), 30, print);
      throw error;
    } finally {
      await cluster.dispose();
      remove();
    }
  },
};
