/*
 * What `speed-single` measures, without its judgement: servers pinned to one core, the generator to the other, each
 * line as (operations a second, server CPU an operation, generator's share of its core).
 *
 * A line above 85 % of the generator's core measures the generator and is void. The floors are so cheap that a generator
 * with a core of its own works as hard as they do. So while they are compared, all servers, floors and daemon alike, may
 * use SERVER_SHARE of their core (a cgroup's quota): then it is the server that everybody waits for, and the ratios are
 * those of servers with a whole core. Where no such group can be made, lines of floors are void and so is what is said of them.
 */
import { spawn, spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GeneratorProcess, cpuOf, hasProgram, pinnedTo, startDaemon, startFloor } from '../../bench/processes.js';
import type { CpuReading, ServerProcess } from '../../bench/processes.js';
import { CpuGroup } from '../support/faults/cgroup.js';
import type { Mix, Plan } from '../../bench/load/plan.js';
import { NO_OPERATIONS } from '../../bench/load/plan.js';
import type { RunResult } from '../../bench/load/result.js';

export const SERVER_CORE = 0;
export const GENERATOR_CORE = 1;
const REDIS_PORT = 16_379;

export interface Shape {
  readonly name: string;
  readonly connections: number;
  readonly inFlight: number;
}

export interface Line {
  readonly throughput: number;
  /** All threads of the server, µs an operation. */
  readonly cpuUs: number;
  readonly mainCpuUs: number;
  /** Of a core. */
  readonly serverShare: number;
  readonly generatorShare: number;
  readonly generatorCpuUs: number;
  readonly generatorBusy: boolean;
  readonly result: RunResult;
}

/** Of their core, for servers that are compared with floors. */
export const SERVER_SHARE = 0.55;
const SETTLE_MS = 300;
const SETTLE_ATTEMPTS_MAX = 100;

export interface Target {
  readonly address: string;
  /** Of all the processes that serve it: their CPU is the price. */
  readonly pids: readonly number[];
  readonly plan: Partial<Plan>;
}

export class SpeedWorld {
  readonly generator: GeneratorProcess;
  readonly #base: Partial<Plan>;
  readonly #stops: (() => Promise<void>)[] = [];
  readonly #group: CpuGroup | undefined = CpuGroup.make('speed');
  readonly #generatorGroup: CpuGroup | undefined = CpuGroup.make('speed-generator');

  constructor(base: Partial<Plan>) {
    this.#base = base;
    this.#stops.push(() => {
      this.#group?.remove();
      this.#generatorGroup?.remove();
      return Promise.resolve();
    });
    this.#group?.first();
    this.#generatorGroup?.first();
    this.generator = new GeneratorProcess(GENERATOR_CORE, this.#generatorGroup?.prefix);
    this.#stops.push(() => this.generator.stop());
  }

  /** Whether servers can be given a share of their core. */
  get canShare(): boolean {
    return this.#group !== undefined;
  }

  /** From now on for all servers together, of which one works at a time; undefined: the whole core. */
  share(share: number | undefined): void {
    this.#group?.limit(share);
  }

  async floor(floor: 'floor-echo' | 'floor-protocol'): Promise<Target> {
    const server = await startFloor(floor, SERVER_CORE, this.#group?.prefix);
    this.#stops.push(() => server.process.stop());
    return this.#target(server, floor === 'floor-echo' ? { dialect: 'echo' } : {});
  }

  async daemon(folder: string): Promise<Target> {
    const server = await startDaemon({
      dataDir: join(folder, 'data'),
      core: SERVER_CORE,
      ...(this.#group === undefined ? {} : { prefix: this.#group.prefix }),
    });
    this.#stops.push(() => server.process.stop());
    return this.#target(server, {});
  }

  /** Redis with an fsync before each answer, on the same core; undefined where it is not installed. */
  async redis(folder: string): Promise<Target | undefined> {
    if (!hasProgram('redis-server')) return undefined;
    const flags = ['--port', String(REDIS_PORT), '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
    const [command = '', ...words] = [
      ...(this.#group?.prefix ?? []),
      ...pinnedTo(SERVER_CORE),
      'redis-server',
      ...flags,
      '--appendonly',
      'yes',
      '--appendfsync',
      'always',
    ];
    const child = spawn(command, words, { stdio: 'ignore' });
    const exited = new Promise<void>((resolve) =>
      child.once('exit', () => {
        resolve();
      }),
    );
    this.#stops.push(async () => {
      child.kill('SIGTERM');
      await exited;
    });
    const target: Target = { address: `127.0.0.1:${REDIS_PORT}`, pids: [child.pid ?? 0], plan: { dialect: 'resp' } };
    await this.#whenReached(target);
    return target;
  }

  /** From now on these servers and the generator run on every core, and get in each other's way as they do. */
  everywhere(targets: readonly Target[]): void {
    const cores = `0-${cpus().length - 1}`;
    for (const pid of [this.generator.pid, ...targets.flatMap(({ pids }) => pids)]) {
      const { status, stderr } = spawnSync('taskset', ['-acp', cores, String(pid)], { encoding: 'utf8' });
      if (status !== 0) throw new Error(`taskset -acp ${cores} ${pid}: ${stderr}`);
    }
  }

  /** Words before a server's command. */
  get prefix(): readonly string[] {
    return [...(this.#group?.prefix ?? []), ...pinnedTo(SERVER_CORE)];
  }

  /** To be done when the world ends, the last one first. */
  atEnd(stop: () => Promise<void>): void {
    this.#stops.push(stop);
  }

  async run(target: Target, shape: Shape, mix: Partial<Mix>, more: Partial<Plan> = {}): Promise<Line> {
    const before = cpuOfAll(target.pids);
    const result = await this.generator.run({
      ...this.#base,
      ...target.plan,
      server: target.address,
      connections: shape.connections,
      inFlight: shape.inFlight,
      mix: { ...NO_OPERATIONS, ...mix },
      ...more,
    });
    // What puts leave behind to be flushed is part of their price, and must not be charged to whoever is measured next.
    if ((mix.put ?? 0) > 0 || more.preload === true) await settled(target.pids);
    const after = cpuOfAll(target.pids);
    if (result.errors > 0 || result.mismatches > 0) {
      throw new Error(
        `${shape.name}: requests failed: ${JSON.stringify(result.codes)} ${result.mismatchTexts.join('; ')}`,
      );
    }
    const cpuUs = after.allUs - before.allUs;
    return {
      throughput: result.throughput,
      cpuUs: cpuUs / result.count,
      mainCpuUs: (after.mainUs - before.mainUs) / result.count,
      serverShare: Math.min(1, cpuUs / (result.elapsedMs * 1000)),
      generatorShare: result.generatorShare,
      generatorCpuUs: result.generatorCpuUs,
      generatorBusy: result.generatorBusy,
      result,
    };
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0).reverse()) await stop();
  }

  #target(server: ServerProcess, plan: Partial<Plan>): Target {
    return { address: server.address, pids: [server.pid], plan };
  }

  async #whenReached(target: Target): Promise<void> {
    const once = { name: 'ready', connections: 1, inFlight: 1 };
    for (let attempt = 0; ; attempt++) {
      try {
        await this.run(target, once, { get: 1 }, { amount: 1 });
        return;
      } catch (error) {
        if (attempt === 50) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }
}

function cpuOfAll(pids: readonly number[]): CpuReading {
  const readings = pids.map(cpuOf);
  const sum = (of: (reading: CpuReading) => number): number => readings.reduce((total, one) => total + of(one), 0);
  return { allUs: sum(({ allUs }) => allUs), mainUs: sum(({ mainUs }) => mainUs) };
}

/** Waits until processes have nothing more to do: less than 3 % of a core each over 300 ms. */
async function settled(pids: readonly number[]): Promise<void> {
  for (let attempt = 0; attempt < SETTLE_ATTEMPTS_MAX; attempt++) {
    const before = cpuOfAll(pids).allUs;
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    if (cpuOfAll(pids).allUs - before < 0.03 * SETTLE_MS * 1000 * pids.length) return;
  }
}

/** ns of CPU a bare random get through the binding, in a process of its own on the servers' core. */
export function lmdbGetUs(keys: number, milliseconds: number): number {
  const script = fileURLToPath(new URL('../../bench/floor-lmdb.js', import.meta.url));
  const [command = '', ...words] = [
    ...pinnedTo(SERVER_CORE),
    process.execPath,
    script,
    '--keys',
    String(keys),
    '--ms',
    String(milliseconds),
  ];
  const { stdout, status, stderr } = spawnSync(command, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`The lmdb floor failed: ${stderr}`);
  return (JSON.parse(stdout) as { readonly nsPerGet: number }).nsPerGet / 1000;
}
