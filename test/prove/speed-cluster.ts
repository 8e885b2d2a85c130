/*
 * What does replication cost? Three nodes with N = 3, R = 2, W = 2, laid beside one node alone, and beside Redis with two
 * replicas, in one run. For one node and three all servers share one core, and the generator has the other: so a cluster
 * gets no more machine than the node it is compared with, and what it does more shows in full. Redis is compared in that
 * way and on the whole machine, where primary and coordinators have more than their share of one core; that is judged.
 *
 * Each line is measured between two of its floor (one node; Redis; `any`). Where the two differ by more than 20 %, the
 * line is void and repeated, and so is one whose generator was above 85 % of its core. Figures are medians of what is left.
 * Keys go to owners in turn; where N = S everybody is one. Puts are charged with what they leave behind to be flushed.
 *
 * Routing is told at five nodes with N = 3, where two of five do not own a key, and at a rate that both ways sustain:
 * `any` costs a forward for those, `ring` never does (§6.4, table 2, of which the gain is not the forward alone: a load
 * balancer went with it). There the generator turns while it waits for the next time, so that its share of the core means
 * nothing; what came late to be sent does.
 */
import { cpus } from 'node:os';
import { hasProgram, median, remove, temporaryFolder } from '../../bench/processes.js';
import type { Plan } from '../../bench/load/plan.js';
import type { Print, Proof } from './proof.js';
import { startCluster, startRedisTrio } from './speed-cluster-servers.js';
import type { RedisTrio } from './speed-cluster-servers.js';
import { GENERATOR_CORE, SERVER_CORE, SpeedWorld } from './speed-rounds.js';
import type { Line, Shape, Target } from './speed-rounds.js';

const VOID_ROUNDS_MAX = 5;
const FLOOR_DRIFT_MAX = 0.2;
/** Warm: so many slices in a row none was cheaper than the cheapest before by so much. */
const WARM_SLICES_LEVEL = 2;
const WARM_GAIN_MIN = 0.05;
const WARM_SLICES_MAX = 20;
const GET_BAR = 0.45;
const PUT_BAR = 0.25;
const REDIS_BAR = 0.8;
const ROUTING_BAR = 2;
/** Of what `any` reaches in a closed loop. */
const ROUTING_LOAD = 0.7;
/** What is due in the last moment of a run may stay behind. */
const UNSENT_SHARE_MAX = 0.001;
/** Of the mean response: what the generator may have been late to send. */
const LATE_SHARE_MAX = 0.2;

const SHAPE: Shape = { name: '64 × 1', connections: 64, inFlight: 1 };
const LOADING: Shape = { name: '16 × 16', connections: 16, inFlight: 16 };
const OPEN_LOOP: Shape = { name: '64 × 16', connections: 64, inFlight: 16 };
type Operation = 'get' | 'put';
const OPERATIONS: readonly Operation[] = ['get', 'put'];

interface Size {
  readonly rounds: number;
  readonly runMs: number;
  /** Of one slice of the warm-up. */
  readonly warmMs: number;
  readonly keys: number;
  /** Redis also with replicas that acknowledge before they sync, for orientation. */
  readonly unsynced: boolean;
}
const SHORT: Size = { rounds: 3, runMs: 700, warmMs: 2_000, keys: 10_000, unsynced: false };
const FULL: Size = { rounds: 5, runMs: 4_000, warmMs: 5_000, keys: 100_000, unsynced: true };

interface Verdict {
  readonly held: boolean;
  readonly text: string;
}

/** A line between two of its floor. */
interface Round {
  readonly before: Line;
  readonly line: Line;
  readonly after: Line;
}

type Measure = () => Promise<Line>;

class Disturbed extends Error {}

class ClusterSpeed {
  readonly #world: SpeedWorld;
  readonly #size: Size;
  readonly #print: Print;

  constructor(world: SpeedWorld, size: Size, print: Print) {
    this.#world = world;
    this.#size = size;
    this.#print = print;
  }

  /** Loads, and warms up: it is compiled code that is measured. */
  async load(target: Target): Promise<void> {
    await this.#world.run(target, LOADING, { get: 1 }, { preload: true, durationMs: 500 });
    for (const operation of OPERATIONS) {
      await this.#warm(operation, () => this.#world.run(target, SHAPE, { [operation]: 1 }, this.#slice()));
    }
  }

  /** Replicated against alone: throughput, and CPU over all daemons. */
  async replication(operation: Operation, one: Target, three: Target, bar: number): Promise<Verdict> {
    const rounds = await this.#rounds(
      `${operation.toUpperCase()} of three between one`,
      () => this.#world.run(one, SHAPE, { [operation]: 1 }),
      () => this.#world.run(three, SHAPE, { [operation]: 1 }),
    );
    const ratio = median(rounds.map(ratioOf));
    const cpu = median(rounds.map(({ line }) => line.cpuUs));
    const alone = median(rounds.map(({ before, after }) => (before.cpuUs + after.cpuUs) / 2));
    return {
      held: ratio >= bar,
      text: `${operation.toUpperCase()} ${ratio.toFixed(2)} of one node (bar ${bar}), ${cpu.toFixed(1)} µs CPU over all daemons, ${alone.toFixed(1)} alone`,
    };
  }

  /** On one core first, which is the price of it all; then on the whole machine, which is what somebody with one has. */
  async redis(redis: RedisTrio | undefined, three: Target): Promise<Verdict> {
    if (redis === undefined) return { held: true, text: 'redis-server is not installed: no comparison' };
    redis.replicasSync(true);
    const oneCore = await this.#againstRedis('whose replicas sync, all on one core', redis, three);
    this.#world.everywhere([redis.target, three]);
    const ratio = await this.#againstRedis('whose replicas sync, on every core', redis, three);
    let orientation = `${oneCore.toFixed(2)} with all servers on one core`;
    if (this.#size.unsynced) {
      redis.replicasSync(false);
      const unsynced = await this.#againstRedis('whose replicas do not sync, on every core', redis, three);
      orientation += `, ${unsynced.toFixed(2)} where its replicas acknowledge without a sync`;
    }
    return {
      held: ratio >= REDIS_BAR,
      text: `PUT ${ratio.toFixed(2)} of Redis with WAIT 1 (bar ${REDIS_BAR}; ${orientation})`,
    };
  }

  /** At a rate that both sustain: mean and p99.9 by `any` ÷ by `ring`. */
  async routing(operation: Operation, five: Target): Promise<Verdict> {
    const any = (more: Partial<Plan>): Promise<Line> =>
      this.#world.run(five, OPEN_LOOP, { [operation]: 1 }, { routing: 'any', ...more });
    await this.#warm(`${operation} by any`, () => any({ rate: 0, ...this.#slice() })); // forwards are not compiled yet
    const peak = await this.#world.run(five, SHAPE, { [operation]: 1 }, { routing: 'any' });
    const rate = Math.floor(peak.throughput * ROUTING_LOAD);
    const name = operation.toUpperCase();
    this.#print(`five nodes, ${name} by any: ${show(peak)}; both ways at ${rate} a second`);
    const ratios: { readonly mean: number; readonly tail: number }[] = [];
    for (let voids = 0; ratios.length < this.#size.rounds;) {
      const before = await any({ rate });
      const ring = await this.#world.run(five, OPEN_LOOP, { [operation]: 1 }, { rate });
      const after = await any({ rate });
      this.#print(`${name} any ${showLatency(before)}, ring ${showLatency(ring)}, any ${showLatency(after)}`);
      const drift = driftOf(latency(before).average, latency(after).average);
      const why =
        drift > FLOOR_DRIFT_MAX ? `the mean by any moved by ${percent(drift)}` : latenessOf([before, ring, after]);
      if (why === '') {
        const mean = (latency(before).average + latency(after).average) / 2;
        const tail = (tailOf(before) + tailOf(after)) / 2;
        ratios.push({ mean: mean / latency(ring).average, tail: tail / tailOf(ring) });
      } else this.#countVoid(++voids, why);
    }
    const mean = median(ratios.map((ratio) => ratio.mean));
    const tail = median(ratios.map((ratio) => ratio.tail));
    return {
      held: mean >= ROUTING_BAR && tail >= ROUTING_BAR,
      text: `${name} by ring: mean ${mean.toFixed(2)} and p99.9 ${tail.toFixed(2)} × better than by any (bar ${ROUTING_BAR})`,
    };
  }

  #slice(): Partial<Plan> {
    return { durationMs: this.#size.warmMs };
  }

  /**
   * Until the price of an operation falls no more. Processes that share a core compile one after another, each on what is
   * left of it: a fixed time would be too short where there are many, and would measure the compiler.
   */
  async #warm(what: string, slice: Measure): Promise<void> {
    const prices: number[] = [];
    let sinceBest = 0;
    for (let best = Infinity; sinceBest < WARM_SLICES_LEVEL && prices.length < WARM_SLICES_MAX;) {
      const { cpuUs } = await slice();
      prices.push(cpuUs);
      sinceBest = cpuUs < best * (1 - WARM_GAIN_MIN) ? 0 : sinceBest + 1;
      best = Math.min(best, cpuUs);
    }
    this.#print(`warm-up, ${what}: ${prices.map((price) => price.toFixed(0)).join(' ')} µs CPU an operation`);
  }

  async #againstRedis(which: string, redis: RedisTrio, three: Target): Promise<number> {
    const rounds = await this.#rounds(
      `PUT of three between Redis ${which}`,
      () => this.#world.run(redis.target, SHAPE, { put: 1 }),
      () => this.#world.run(three, SHAPE, { put: 1 }),
    );
    return median(rounds.map(ratioOf));
  }

  async #rounds(what: string, floor: Measure, line: Measure): Promise<readonly Round[]> {
    const rounds: Round[] = [];
    for (let voids = 0; rounds.length < this.#size.rounds;) {
      const round: Round = { before: await floor(), line: await line(), after: await floor() };
      this.#print(`${what}: ${show(round.before)}, ${show(round.line)}, ${show(round.after)}`);
      const why = faultOf(round);
      if (why === '') rounds.push(round);
      else this.#countVoid(++voids, why);
    }
    return rounds;
  }

  #countVoid(voids: number, why: string): void {
    this.#print(`void: ${why}`);
    if (voids > VOID_ROUNDS_MAX) throw new Disturbed(`${voids} rounds were void, the last because ${why}`);
  }
}

function driftOf(was: number, is: number): number {
  return Math.abs(was - is) / Math.max(was, is);
}

/** Why a round says nothing; empty: it does. */
function faultOf({ before, line, after }: Round): string {
  const drift = driftOf(before.throughput, after.throughput);
  if (drift > FLOOR_DRIFT_MAX) return `the floor moved by ${percent(drift)}`;
  if ([before, line, after].some(({ generatorBusy }) => generatorBusy)) return 'the generator was above 85 %';
  return '';
}

function latenessOf(lines: readonly Line[]): string {
  for (const line of lines) {
    const { unsent, count } = line.result;
    if (unsent > UNSENT_SHARE_MAX * count) return `${unsent} requests were never sent`;
    const late = 1 - (line.result.operations[0]?.service.average ?? 0) / latency(line).average;
    if (late > LATE_SHARE_MAX) return `requests left late: ${percent(late)} of the mean response`;
  }
  return '';
}

function ratioOf({ before, line, after }: Round): number {
  return line.throughput / ((before.throughput + after.throughput) / 2);
}

function latency(line: Line): { readonly average: number; readonly percentiles: Readonly<Record<string, number>> } {
  const first = line.result.operations[0];
  if (first === undefined) throw new Error('A run without an answer');
  return first.response;
}

function tailOf(line: Line): number {
  return latency(line).percentiles['p99.9'] ?? 0;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function show(line: Line): string {
  return `${(line.throughput / 1000).toFixed(1)} k/s at ${line.cpuUs.toFixed(1)} µs (generator ${percent(line.generatorShare)})`;
}

function showLatency(line: Line): string {
  return `${(latency(line).average / 1000).toFixed(2)} ms, p99.9 ${(tailOf(line) / 1000).toFixed(1)} ms`;
}

async function verdictsOf(world: SpeedWorld, size: Size, folder: string, print: Print): Promise<readonly Verdict[]> {
  const speed = new ClusterSpeed(world, size, print);
  const one = await startCluster(world, 1, 1);
  const three = await startCluster(world, 3, 3);
  const redis = await startRedisTrio(world, folder);
  for (const target of [one.target, three.target]) await speed.load(target);
  print(`all servers on core ${SERVER_CORE}, the generator on core ${GENERATOR_CORE}; ${size.keys} keys of 1 KiB`);
  const verdicts = [
    await judged('GET', () => speed.replication('get', one.target, three.target, GET_BAR)),
    await judged('PUT', () => speed.replication('put', one.target, three.target, PUT_BAR)),
    await judged('Redis', () => speed.redis(redis, three.target)),
  ];
  await Promise.all([one.stop(), three.stop()]);
  const five = await startCluster(world, 5, 3);
  await speed.load(five.target);
  for (const operation of OPERATIONS) {
    verdicts.push(await judged(`${operation.toUpperCase()} routed`, () => speed.routing(operation, five.target)));
  }
  return verdicts;
}

/** A claim that the machine was too restless for has not held, and the others are still judged. */
async function judged(what: string, judge: () => Promise<Verdict>): Promise<Verdict> {
  try {
    return await judge();
  } catch (error) {
    if (!(error instanceof Disturbed)) throw error;
    return { held: false, text: `${what} disturbed: ${error.message}` };
  }
}

async function measure(size: Size, print: Print): Promise<{ held: boolean; summary: string }> {
  const folder = temporaryFolder('speed-cluster');
  const world = new SpeedWorld({ keys: size.keys, sizes: [{ bytes: 1024, share: 1 }], durationMs: size.runMs });
  try {
    const verdicts = await verdictsOf(world, size, folder, print);
    for (const { held, text } of verdicts) print(`${held ? 'ok  ' : 'LOW '} ${text}`);
    const short = verdicts.filter(({ held }) => !held);
    return {
      held: short.length === 0,
      summary: (short.length === 0 ? verdicts : short).map(({ text }) => text).join('; '),
    };
  } finally {
    await world.stop();
    remove(folder);
  }
}

export const prove: Proof = {
  name: 'speed-cluster',
  question:
    'What do three copies cost, beside one node, beside Redis with replicas, and what does knowing the ring save?',
  async run({ full, print }) {
    if (cpus().length < 2) throw new Error('It needs two cores: one for the servers, one for the generator');
    if (!hasProgram('taskset')) throw new Error('It needs taskset (Debian: util-linux) to pin servers and generator');
    return measure(full ? FULL : SHORT, print);
  },
};
