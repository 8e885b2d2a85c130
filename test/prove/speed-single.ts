/*
 * How fast is one node, measured against floors of the same run on the same machine?
 *
 * In each round: echo, protocol, lmdb, GET, PUT, echo again, for 64 connections × 1 request and 16 × 16. A round whose
 * echo moved by more than 20 % from beginning to end was disturbed: it is void and repeated, five times at most. Figures
 * are medians of the rounds. After puts, Redis' and ours, the server is left alone until it has nothing more to do: what it
 * does then counts as the price of the puts. Beside them, in the same rounds, Redis with `appendfsync always`, and the SDK's CPU a call.
 */
import { cpus } from 'node:os';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { hasProgram, median, remove, temporaryFolder } from '../../bench/processes.js';
import type { Plan } from '../../bench/load/plan.js';
import type { Print, Proof } from './proof.js';
import { SERVER_SHARE, SpeedWorld, lmdbGetUs } from './speed-rounds.js';
import type { Line, Shape, Target } from './speed-rounds.js';

const VOID_ROUNDS_MAX = 5;
const FLOOR_DRIFT_MAX = 0.2;
const REDIS_BAR = 0.6;
const SDK_BAR = 2.5;
const PUT_CPU_BAR = 3.5;
const VOID_NOTE = '; void: the generator was above 85 %';

const NARROW: Shape = { name: '64 × 1', connections: 64, inFlight: 1 };
const WIDE: Shape = { name: '16 × 16', connections: 16, inFlight: 16 };
const SHAPES: readonly { readonly shape: Shape; readonly getBar: number; readonly putBar: number }[] = [
  { shape: NARROW, getBar: 0.5, putBar: 0.3 },
  { shape: WIDE, getBar: 0.15, putBar: 0.06 },
];
const REDIS_SHAPES: readonly Shape[] = [1, 16, 64].map((connections) => ({
  name: `${connections} × 1`,
  connections,
  inFlight: 1,
}));

interface Size {
  readonly rounds: number;
  readonly runMs: number;
  readonly keys: number;
}
const SHORT: Size = { rounds: 3, runMs: 1_000, keys: 100_000 };
const FULL: Size = { rounds: 5, runMs: 4_000, keys: 100_000 };

interface Round {
  readonly echo: number;
  readonly echoCpuUs: number;
  /** The generator was: the round says nothing about the echo. */
  readonly echoBusy: boolean;
  readonly protocol: Line;
  readonly get: Line;
  readonly put: Line;
  readonly lmdbUs: number;
}

interface Targets {
  readonly echo: Target;
  readonly protocol: Target;
  readonly daemon: Target;
  readonly redis: Target | undefined;
}

/** A claim of the proof, with its figures. */
interface Verdict {
  readonly held: boolean;
  readonly text: string;
}

class Speed {
  readonly #world: SpeedWorld;
  readonly #targets: Targets;
  readonly #size: Size;
  readonly #print: Print;
  #voidRounds: number = 0;

  constructor(world: SpeedWorld, targets: Targets, size: Size, print: Print) {
    this.#world = world;
    this.#targets = targets;
    this.#size = size;
    this.#print = print;
  }

  async load(): Promise<void> {
    const { daemon, redis } = this.#targets;
    const load: Partial<Plan> = { preload: true, durationMs: 500 };
    await this.#world.run(daemon, WIDE, { get: 1 }, load);
    await this.#world.run(daemon, WIDE, { get: 1 }, { durationMs: 2_000 });
    if (redis !== undefined) await this.#world.run(redis, WIDE, { get: 1 }, load);
    this.#print(`${this.#size.keys} keys of 1 KiB loaded`);
  }

  /** Rounds of one shape; undefined when the machine would not hold still. */
  async rounds(shape: Shape): Promise<readonly Round[] | undefined> {
    const { echo, protocol, daemon } = this.#targets;
    const rounds: Round[] = [];
    while (rounds.length < this.#size.rounds) {
      const before = await this.#world.run(echo, shape, { get: 1 });
      const protocolLine = await this.#world.run(protocol, shape, { get: 1 });
      const lmdbUs = lmdbGetUs(this.#size.keys, Math.min(1_000, this.#size.runMs));
      const get = await this.#world.run(daemon, shape, { get: 1 });
      const put = await this.#world.run(daemon, shape, { put: 1 });
      const after = await this.#world.run(echo, shape, { get: 1 });
      const [was, is] = [before.throughput, after.throughput];
      const drift = Math.abs(was - is) / Math.max(was, is);
      if (drift > FLOOR_DRIFT_MAX) {
        this.#print(`${shape.name}: round void, the echo moved by ${Math.round(drift * 100)} %`);
        if (++this.#voidRounds > VOID_ROUNDS_MAX) return undefined;
        continue;
      }
      const echoCpuUs = (before.cpuUs + after.cpuUs) / 2;
      const echoBusy = before.generatorBusy || after.generatorBusy;
      rounds.push({ echo: (was + is) / 2, echoCpuUs, echoBusy, protocol: protocolLine, get, put, lmdbUs });
      this.#print(
        `${shape.name}: echo ${rate((was + is) / 2)} at ${echoCpuUs.toFixed(1)} µs (generator ${percent(before.generatorShare)}), ` +
          `protocol ${show(protocolLine)}, lmdb ${lmdbUs.toFixed(1)} µs, GET ${show(get)}, PUT ${show(put)}`,
      );
    }
    return rounds;
  }

  /** PUT here ÷ SET there, per number of connections. */
  async redisRatios(): Promise<readonly Verdict[]> {
    const { daemon, redis } = this.#targets;
    if (redis === undefined) return [{ held: true, text: 'redis-server is not installed: no comparison' }];
    const verdicts: Verdict[] = [];
    for (const shape of REDIS_SHAPES) {
      const ratios: number[] = [];
      let note = '';
      for (let i = 0; i < this.#size.rounds; i++) {
        const theirs = await this.#world.run(redis, shape, { put: 1 });
        const ours = await this.#world.run(daemon, shape, { put: 1 });
        if (theirs.generatorBusy || ours.generatorBusy) note = VOID_NOTE;
        ratios.push(ours.throughput / theirs.throughput);
        this.#print(`${shape.name}: Redis SET ${show(theirs)}, PUT ${show(ours)}`);
      }
      const ratio = median(ratios);
      verdicts.push({
        held: ratio >= REDIS_BAR && note === '',
        text: `${shape.name} PUT ${ratio.toFixed(2)} of Redis (bar ${REDIS_BAR}${note})`,
      });
    }
    return verdicts;
  }

  async sdk(): Promise<Verdict> {
    const { daemon } = this.#targets;
    const ratios: number[] = [];
    for (let i = 0; i < this.#size.rounds; i++) {
      const raw = await this.#world.run(daemon, NARROW, { get: 1 });
      const sdk = await this.#world.run(daemon, NARROW, { get: 1 }, { sender: 'sdk' });
      ratios.push(sdk.generatorCpuUs / raw.generatorCpuUs);
      this.#print(`SDK ${sdk.generatorCpuUs.toFixed(1)} µs a call, raw ${raw.generatorCpuUs.toFixed(1)} µs`);
    }
    const ratio = median(ratios);
    return { held: ratio <= SDK_BAR, text: `SDK ${ratio.toFixed(2)} × the raw generator's CPU (bar ${SDK_BAR})` };
  }
}

function rate(perSecond: number): string {
  return `${(perSecond / 1000).toFixed(1)} k/s`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function show(line: Line): string {
  const busy = line.generatorBusy ? ' VOID: generator above 85 %' : '';
  return `${rate(line.throughput)} at ${line.cpuUs.toFixed(1)} µs (main thread ${line.mainCpuUs.toFixed(1)}; generator ${percent(line.generatorShare)}${busy})`;
}

function judge(rounds: readonly Round[], { shape, getBar, putBar }: (typeof SHAPES)[number]): readonly Verdict[] {
  const of = (figure: (round: Round) => number): number => median(rounds.map(figure));
  const ratio = (line: (round: Round) => Line): number => of((round) => line(round).throughput / round.echo);
  const voidNote = (isBusy: (round: Round) => boolean): string => (rounds.some(isBusy) ? VOID_NOTE : '');
  const versusEcho = (name: string, line: (round: Round) => Line, bar: number): Verdict => {
    const share = ratio(line);
    const note = voidNote((round) => round.echoBusy || line(round).generatorBusy);
    return {
      held: share >= bar && note === '',
      text: `${shape.name} ${name} ${share.toFixed(2)} of echo (bar ${bar}${note})`,
    };
  };
  const protocolNote = voidNote((round) => round.protocol.generatorBusy || round.get.generatorBusy);
  const putNote = voidNote((round) => round.put.generatorBusy || round.get.generatorBusy);
  const getUs = of((round) => round.get.cpuUs);
  const putUs = of((round) => round.put.cpuUs);
  const bound = of((round) => round.protocol.cpuUs + 2 * round.lmdbUs);
  return [
    versusEcho('GET', (round) => round.get, getBar),
    versusEcho('PUT', (round) => round.put, putBar),
    {
      held: getUs <= bound && protocolNote === '',
      text: `${shape.name} GET ${getUs.toFixed(1)} µs CPU (bar protocol + 2 lmdb = ${bound.toFixed(1)}${protocolNote})`,
    },
    {
      held: putUs <= PUT_CPU_BAR * getUs && putNote === '',
      text: `${shape.name} PUT ${putUs.toFixed(1)} µs CPU, ${(putUs / getUs).toFixed(1)} × GET (bar ${PUT_CPU_BAR}${putNote})`,
    },
  ];
}

async function measure(size: Size, print: Print): Promise<{ held: boolean; summary: string }> {
  const folder = temporaryFolder('speed');
  mkdirSync(join(folder, 'redis'));
  const world = new SpeedWorld({ keys: size.keys, sizes: [{ bytes: 1024, share: 1 }], durationMs: size.runMs });
  try {
    const targets: Targets = {
      echo: await world.floor('floor-echo'),
      protocol: await world.floor('floor-protocol'),
      daemon: await world.daemon(folder),
      redis: await world.redis(join(folder, 'redis')),
    };
    const speed = new Speed(world, targets, size, print);
    await speed.load();
    const verdicts: Verdict[] = [];
    world.share(SERVER_SHARE);
    print(
      world.canShare
        ? `floors and daemon may use ${percent(SERVER_SHARE)} of their core, so that the generator keeps up`
        : 'no cpu cgroup can be made here (root and a mounted controller are needed): floors have their whole core',
    );
    for (const line of SHAPES) {
      const rounds = await speed.rounds(line.shape);
      if (rounds === undefined)
        return { held: false, summary: `disturbed: the echo moved by more than 20 % in ${VOID_ROUNDS_MAX + 1} rounds` };
      verdicts.push(...judge(rounds, line));
    }
    world.share(undefined);
    verdicts.push(...(await speed.redisRatios()), await speed.sdk());
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
  name: 'speed-single',
  question: 'How near to plain Node TCP, and to Redis, do get and put of one node come?',
  async run({ full, print }) {
    if (cpus().length < 2) throw new Error('It needs two cores: one for the servers, one for the generator');
    if (!hasProgram('taskset')) throw new Error('It needs taskset (Debian: util-linux) to pin servers and generator');
    return measure(full ? FULL : SHORT, print);
  },
};
