/*
 * What grows with the data, and what does not? Four questions to one node:
 *
 *   memory    anonymous memory with few keys and with fifty times as many: only buffers with fixed bounds may have grown
 *   reads     GET at 64 × 1 with all keys, against the same with the first ones
 *   restart   kill -9 with a log full of 200-byte records, then ready again
 *   pressure  data twice a cgroup's memory limit: cold reads go to the disk, and the event loop must not wait for them
 *             while gets of warm keys go on
 */
import { join } from 'node:path';
import {
  GeneratorProcess,
  anonymousBytes,
  folderBytes,
  median,
  remove,
  startDaemon,
  temporaryFolder,
} from '../../bench/processes.js';
import type { ServerProcess } from '../../bench/processes.js';
import { NO_OPERATIONS } from '../../bench/load/plan.js';
import type { Plan } from '../../bench/load/plan.js';
import type { RunResult } from '../../bench/load/result.js';
import { MemoryGroup } from '../support/faults/cgroup.js';
import type { Print, Proof } from './proof.js';

const MIB = 1_048_576;
const SERVER_CORE = 0;
const GENERATOR_CORE = 1;
const LOG_FULL_BYTES = 256 * MIB;
/** The log may have half of it (two write buffers of a quarter). */
const RESTART_MEMORY_MAX = 2_048 * MIB;
const RESTART_LOAD_FACTOR = 2;
/** What a record with a value of 200 bytes takes in the log, about. */
const RECORD_LOG_BYTES = 350;
const RECORD_VALUE_BYTES = 200;

const MEMORY_GROWTH_MAX = 1.1;
const MEMORY_SLACK_BYTES = 16 * MIB;
const GET_RATIO_MIN = 0.8;
const RESTART_S_MAX = 10;
const LOOP_DELAY_MS_MAX = 20;

interface Size {
  /** Small enough that its buffers are full at the second point: what grows after that grows with the data. */
  readonly memoryMax: string;
  readonly points: readonly [number, number, number];
  readonly runMs: number;
  readonly repeats: number;
  readonly settleMs: number;
  /** Of the pressure's own daemon. */
  readonly pressureKeys: number;
  readonly pressureValueBytes: number;
  readonly pressureMemoryMax: string;
  readonly pressureMs: number;
}
const SHORT: Size = {
  memoryMax: '128MiB',
  points: [100_000, 300_000, 600_000],
  runMs: 1_500,
  repeats: 3,
  settleMs: 3_000,
  pressureKeys: 150_000,
  pressureValueBytes: 4_096,
  pressureMemoryMax: '128MiB',
  pressureMs: 10_000,
};
const FULL: Size = {
  memoryMax: '512MiB',
  points: [100_000, 1_000_000, 5_000_000],
  runMs: 5_000,
  repeats: 5,
  settleMs: 15_000,
  pressureKeys: 400_000,
  pressureValueBytes: 4_096,
  pressureMemoryMax: '256MiB',
  pressureMs: 60_000,
};

interface Verdict {
  readonly held: boolean;
  readonly text: string;
}

function checked(result: RunResult): RunResult {
  if (result.errors > 0 || result.mismatches > 0) throw new Error(`Requests failed: ${JSON.stringify(result.codes)}`);
  return result;
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Puts keys `from` ≤ key < `to`; keys a second. What the node refuses because it is full is put again. */
async function insert(
  generator: GeneratorProcess,
  server: string,
  from: number,
  to: number,
  bytes: number,
): Promise<number> {
  const startMs = performance.now();
  const plan: Partial<Plan> = {
    server,
    connections: 16,
    inFlight: 16,
    timeoutMs: 30_000,
    sizes: [{ bytes, share: 1 }],
    keys: to,
    preload: true,
    preloadFrom: from,
    mix: { ...NO_OPERATIONS, get: 1 },
    amount: 1,
  };
  checked(await generator.run(plan));
  return ((to - from) / (performance.now() - startMs)) * 1000;
}

async function getRate(generator: GeneratorProcess, server: string, keys: number, size: Size): Promise<number> {
  const rates: number[] = [];
  for (let i = 0; i < size.repeats; i++) {
    const plan: Partial<Plan> = {
      server,
      connections: 64,
      keys,
      durationMs: size.runMs,
      sizes: [{ bytes: RECORD_VALUE_BYTES, share: 1 }],
      mix: { ...NO_OPERATIONS, get: 1 },
    };
    rates.push(checked(await generator.run(plan)).throughput);
  }
  return median(rates);
}

async function memoryAndReads(
  generator: GeneratorProcess,
  daemon: ServerProcess,
  size: Size,
  print: Print,
): Promise<readonly Verdict[]> {
  const anonymous: number[] = [];
  const rates: number[] = [];
  let loaded = 0;
  for (const keys of size.points) {
    const loadRate = await insert(generator, daemon.address, loaded, keys, RECORD_VALUE_BYTES);
    loaded = keys;
    await pause(size.settleMs);
    const rate = await getRate(generator, daemon.address, keys, size);
    anonymous.push(anonymousBytes(daemon.pid));
    rates.push(rate);
    print(
      `${keys} keys: RssAnon ${mebibytes(anonymous.at(-1) ?? 0)}, GET ${(rate / 1000).toFixed(1)} k/s at 64 × 1, ` +
        `loaded at ${(loadRate / 1000).toFixed(1)} k/s`,
    );
  }
  const [, middle = 0, last = 0] = anonymous;
  const bound = Math.max(middle, anonymous[0] ?? 0) * MEMORY_GROWTH_MAX + MEMORY_SLACK_BYTES;
  const ratio = (rates.at(-1) ?? 0) / (rates[0] ?? 1);
  return [
    {
      held: last <= bound,
      text: `RssAnon ${anonymous.map(mebibytes).join(', ')} at ${size.points.join(', ')} keys (bar for the last: ${mebibytes(bound)})`,
    },
    {
      held: ratio >= GET_RATIO_MIN,
      text: `GET with all keys ${ratio.toFixed(2)} of that with the first (bar ${GET_RATIO_MIN})`,
    },
  ];
}

/** kill -9 at the end of a load that fills the log, on a node of its own with room for more than the log that is asked for. */
async function restart(generator: GeneratorProcess, folder: string, print: Print): Promise<Verdict> {
  const dataDir = join(folder, 'restart');
  const start = (): Promise<ServerProcess> =>
    startDaemon({ dataDir, core: SERVER_CORE, memoryMax: `${RESTART_MEMORY_MAX / MIB}MiB` });
  let daemon = await start();
  try {
    // The trickle frees segments while the load goes on: more records than would fill the log if it did not.
    const records = Math.ceil((RESTART_LOAD_FACTOR * LOG_FULL_BYTES) / RECORD_LOG_BYTES);
    await insert(generator, daemon.address, 0, records, RECORD_VALUE_BYTES);
    await daemon.process.stop('SIGKILL');
    daemon = await start();
    const bytes = Number(daemon.recovery?.['bytes'] ?? 0);
    const seconds = daemon.readyMs / 1000;
    print(
      `killed with ${mebibytes(bytes)} of log to read (${String(daemon.recovery?.['entries'])} entries); ready after ${seconds.toFixed(1)} s`,
    );
    if (bytes < LOG_FULL_BYTES) {
      return {
        held: false,
        text: `restart not judged: ${mebibytes(bytes)} of log were left to read, 256 MiB are asked for`,
      };
    }
    const scaled = (seconds * LOG_FULL_BYTES) / bytes;
    return {
      held: scaled < RESTART_S_MAX,
      text: `restart in ${seconds.toFixed(1)} s with ${mebibytes(bytes)} of log (bar ${RESTART_S_MAX} s for 256 MiB)`,
    };
  } finally {
    await daemon.process.stop();
    remove(dataDir);
  }
}

async function loopDelay(daemon: ServerProcess): Promise<number> {
  daemon.process.signal('SIGUSR2');
  const line = await daemon.process.next((any) => any['event'] === 'loop-delay', 10_000);
  return Number(line['p999Ms']);
}

async function pressure(folder: string, size: Size, print: Print): Promise<Verdict> {
  const group = MemoryGroup.make('growth');
  if (group === undefined) {
    return {
      held: true,
      text: 'memory pressure skipped: no memory cgroup can be made here (root and a mounted controller are needed)',
    };
  }
  const dataDir = join(folder, 'pressure');
  const memoryMax = size.pressureMemoryMax;
  const [warm, cold] = [new GeneratorProcess(GENERATOR_CORE), new GeneratorProcess(GENERATOR_CORE)];
  let daemon: ServerProcess | undefined;
  try {
    daemon = await startDaemon({ dataDir, core: SERVER_CORE, memoryMax });
    await insert(cold, daemon.address, 0, size.pressureKeys, size.pressureValueBytes);
    await daemon.process.stop();
    const dataBytes = folderBytes(join(dataDir, 'partitions'));
    group.limit(Math.floor(dataBytes / 2));
    daemon = await startDaemon({ dataDir, core: SERVER_CORE, memoryMax, prefix: group.prefix });
    const gets: Partial<Plan> = {
      server: daemon.address,
      sizes: [{ bytes: size.pressureValueBytes, share: 1 }],
      mix: { ...NO_OPERATIONS, get: 1 },
      durationMs: size.pressureMs,
      rate: 500,
      inFlight: 64,
    };
    await warm.run({ ...gets, keys: 1_000, durationMs: 3_000 });
    await loopDelay(daemon); // forgets what the start took
    const [warmResult, coldResult] = await Promise.all([
      warm.run({ ...gets, keys: 1_000, rate: 1_000 }),
      cold.run({ ...gets, keys: size.pressureKeys }),
    ]);
    const p999Ms = await loopDelay(daemon);
    const p99 = (result: RunResult): string =>
      `${((checked(result).operations[0]?.response.percentiles['p99'] ?? 0) / 1000).toFixed(1)} ms`;
    print(
      `${mebibytes(dataBytes)} of data under a limit of ${mebibytes(group.limitBytes)}: loop delay p99.9 ${p999Ms.toFixed(1)} ms, ` +
        `warm gets p99 ${p99(warmResult)}, cold gets p99 ${p99(coldResult)}`,
    );
    return {
      held: p999Ms < LOOP_DELAY_MS_MAX,
      text: `event-loop delay p99.9 ${p999Ms.toFixed(1)} ms with data twice the memory limit (bar ${LOOP_DELAY_MS_MAX} ms)`,
    };
  } finally {
    await Promise.all([warm.stop(), cold.stop(), daemon?.process.stop()]);
    group.remove();
  }
}

async function measure(size: Size, print: Print): Promise<{ held: boolean; summary: string }> {
  const folder = temporaryFolder('growth');
  const dataDir = join(folder, 'data');
  const generator = new GeneratorProcess(GENERATOR_CORE);
  let daemon: ServerProcess | undefined;
  try {
    daemon = await startDaemon({ dataDir, core: SERVER_CORE, memoryMax: size.memoryMax });
    const verdicts: Verdict[] = [...(await memoryAndReads(generator, daemon, size, print))];
    await daemon.process.stop();
    remove(dataDir);
    verdicts.push(await restart(generator, folder, print), await pressure(folder, size, print));
    for (const { held, text } of verdicts) print(`${held ? 'ok  ' : 'LOW '} ${text}`);
    const short = verdicts.filter(({ held }) => !held);
    return {
      held: short.length === 0,
      summary: (short.length === 0 ? verdicts : short).map(({ text }) => text).join('; '),
    };
  } finally {
    await generator.stop();
    await daemon?.process.stop();
    remove(folder);
  }
}

export const prove: Proof = {
  name: 'growth',
  question: 'What grows with the data: memory, the cost of a get, a restart, the event loop under memory pressure?',
  run: ({ full, print }) => measure(full ? FULL : SHORT, print),
};
