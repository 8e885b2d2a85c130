/* From flags to a plan: everything that can be wrong with them is said here, before a connection is made. */
import { IN_FLIGHT_MAX } from './connection.js';
import { NO_OPERATIONS, OPERATIONS } from './plan.js';
import type { Mix, Operation, Plan, Routing, SizeShare } from './plan.js';
import { UsageError, parseCount, parseDurationMs, parseShare, parseSize } from './units.js';
import { VERIFIED_VALUE_BYTES_MIN } from './value.js';
import { ZIPFIAN_THETA } from './zipf.js';
import type { KeyDistribution } from './zipf.js';

/** As commander hands them over: text or booleans. */
export interface BenchFlags {
  readonly server: string;
  readonly routing?: string;
  readonly connections: string;
  readonly pipelining?: string;
  readonly duration: string;
  readonly amount?: string;
  readonly workers: string;
  readonly warmup?: string;
  readonly timeout: string;
  readonly title?: string;
  readonly bailout?: string;
  readonly overallRate?: string;
  readonly progress: boolean;
  readonly latency?: boolean;
  readonly json?: boolean;
  readonly sampleInt: string;
  readonly workload?: string;
  readonly mix?: string;
  readonly keys: string;
  readonly keyDist?: string;
  readonly size: string;
  readonly seed: string;
  readonly preload?: boolean;
  readonly verify?: boolean;
  readonly durable?: boolean;
  readonly sdk?: boolean;
  readonly runs: string;
  readonly out?: string;
  readonly hgrm?: string;
  readonly compare?: string;
  readonly tolerance: string;
  readonly maxErrors: string;
}

/** Requests under way a connection in an open loop: enough that a slow answer does not hold up what is due. */
const OPEN_LOOP_IN_FLIGHT = 128;
/** The arithmetic of the scrambled distribution is exact up to here. */
const KEYS_MAX = 90_000_000;

interface Workload {
  readonly mix: Mix;
  readonly distribution: KeyDistribution;
}

const ZIPFIAN: KeyDistribution = { kind: 'zipfian', theta: ZIPFIAN_THETA };

/** The core workloads of YCSB; inserts go behind the loaded keys. */
export const WORKLOADS: Readonly<Record<string, Workload>> = {
  a: { mix: { ...NO_OPERATIONS, get: 50, put: 50 }, distribution: ZIPFIAN },
  b: { mix: { ...NO_OPERATIONS, get: 95, put: 5 }, distribution: ZIPFIAN },
  c: { mix: { ...NO_OPERATIONS, get: 100 }, distribution: ZIPFIAN },
  d: { mix: { ...NO_OPERATIONS, get: 95, insert: 5 }, distribution: { kind: 'latest', theta: ZIPFIAN_THETA } },
  f: { mix: { ...NO_OPERATIONS, get: 50, rmw: 50 }, distribution: ZIPFIAN },
};

function workloadOf(name: string): Workload {
  const workload = WORKLOADS[name.toLowerCase()];
  if (workload !== undefined) return workload;
  if (name.toLowerCase() === 'e') {
    throw new UsageError(
      'Workload e reads ranges of keys, and a Dynamo has no range reads: keys lie in the order of their hashes. Take a, b, c, d or f',
    );
  }
  throw new UsageError(`There is no workload "${name}": take a, b, c, d or f`);
}

/** `get=80,put=20` */
export function parseMix(text: string): Mix {
  const mix: Record<Operation, number> = { ...NO_OPERATIONS };
  for (const part of text.split(',')) {
    const [name = '', share = ''] = part.split('=').map((word) => word.trim());
    const operation = OPERATIONS.find((known) => known === name);
    if (operation === undefined || !(Number(share) >= 0) || share === '') {
      throw new UsageError(`--mix has "${part}": write shares of ${OPERATIONS.join(', ')}, like get=80,put=20`);
    }
    mix[operation] = Number(share);
  }
  if (!OPERATIONS.some((operation) => mix[operation] > 0)) throw new UsageError('--mix has no share above 0');
  return mix;
}

/** `uniform`, `zipfian`, `zipfian:0.8`, `latest`, `sequential` */
export function parseDistribution(text: string): KeyDistribution {
  const [name, theta] = text.split(':');
  if ((name === 'uniform' || name === 'sequential' || name === 'seq') && theta === undefined) {
    return { kind: name === 'uniform' ? 'uniform' : 'sequential' };
  }
  if (name === 'zipfian' || name === 'zipf' || name === 'latest') {
    const skew = theta === undefined ? ZIPFIAN_THETA : Number(theta);
    if (skew > 0 && skew < 1) return { kind: name === 'latest' ? 'latest' : 'zipfian', theta: skew };
    throw new UsageError(`--key-dist is "${text}": the skew lies between 0 and 1, like zipfian:0.99`);
  }
  throw new UsageError(`--key-dist is "${text}": take uniform, zipfian, zipfian:0.8, latest or sequential`);
}

/** `1KiB`, or sizes with their shares: `100:50,1KiB:50` */
export function parseSizes(text: string): readonly SizeShare[] {
  return text.split(',').map((part) => {
    const [size = '', share = '1'] = part.split(':');
    if (!(Number(share) > 0))
      throw new UsageError(`--size has "${part}": write a size and its share, like 100:50,1KiB:50`);
    return { bytes: parseSize(size, '--size'), share: Number(share) };
  });
}

function parseRouting(text: string | undefined): Routing {
  if (text === undefined) return 'seed';
  if (text === 'any' || text === 'ring') return text;
  throw new UsageError(`--routing is "${text}": take any (all nodes in turn) or ring (an owner of each key)`);
}

function positive(text: string, what: string, max: number): number {
  const count = parseCount(text, what);
  if (count < 1 || count > max) throw new UsageError(`${what} is ${text}: it lies between 1 and ${max}`);
  return count;
}

/** autocannon's `-W [ -c 1 -d 3 ]` in one word: how long to warm up. */
export function planOf(flags: BenchFlags): Plan {
  const rate = flags.overallRate === undefined ? 0 : positive(flags.overallRate, '--overall-rate', 10_000_000);
  const workload = flags.workload === undefined ? undefined : workloadOf(flags.workload);
  if (workload !== undefined && flags.mix !== undefined) {
    throw new UsageError('--workload and --mix both say what to do: give one of them');
  }
  const mix = workload?.mix ?? (flags.mix === undefined ? { ...NO_OPERATIONS, get: 80, put: 20 } : parseMix(flags.mix));
  const plan: Plan = {
    title: flags.title ?? '',
    server: flags.server,
    routing: parseRouting(flags.routing),
    sender: flags.sdk === true ? 'sdk' : 'raw',
    retry: false,
    dialect: 'partita',
    connections: positive(flags.connections, '--connections', 10_000),
    inFlight: positive(flags.pipelining ?? String(rate > 0 ? OPEN_LOOP_IN_FLIGHT : 1), '--pipelining', IN_FLIGHT_MAX),
    threads: positive(flags.workers, '--workers', 256),
    durationMs: parseDurationMs(flags.duration, '--duration'),
    amount: flags.amount === undefined ? 0 : positive(flags.amount, '--amount', 1e12),
    warmupMs: flags.warmup === undefined ? 0 : parseDurationMs(flags.warmup, '--warmup'),
    timeoutMs: Math.max(1, Math.round(parseDurationMs(flags.timeout, '--timeout'))),
    bailout: flags.bailout === undefined ? 0 : positive(flags.bailout, '--bailout', 1e9),
    rate,
    mix,
    workload: flags.workload?.toLowerCase() ?? '',
    keys: positive(flags.keys, '--keys', KEYS_MAX),
    distribution:
      flags.keyDist === undefined ? (workload?.distribution ?? { kind: 'uniform' }) : parseDistribution(flags.keyDist),
    sizes: parseSizes(flags.size),
    seed: parseCount(flags.seed, '--seed'),
    preload: flags.preload === true,
    preloadFrom: 0,
    verify: flags.verify === true,
    durable: flags.durable === true,
    waitReplicas: 0,
  };
  checkPlan(plan);
  return plan;
}

function checkPlan(plan: Plan): void {
  if (!/^(unix:.+|.+:\d+)$/.test(plan.server)) {
    throw new UsageError(`--server is "${plan.server}": give host:port, like 127.0.0.1:7700, or unix:/path`);
  }
  if (plan.amount === 0 && plan.durationMs < 100)
    throw new UsageError('--duration is less than 100 ms: nothing can be told from that');
  const smallest = Math.min(...plan.sizes.map((size) => size.bytes));
  if (plan.verify && smallest < VERIFIED_VALUE_BYTES_MIN) {
    throw new UsageError(
      `--verify needs values of at least ${VERIFIED_VALUE_BYTES_MIN} bytes, to write in them who put them: --size has ${smallest}`,
    );
  }
}

export interface BenchExtras {
  readonly runs: number;
  readonly maxErrors: number;
  readonly tolerance: number;
  readonly sampleMs: number;
}

export function extrasOf(flags: BenchFlags): BenchExtras {
  return {
    runs: positive(flags.runs, '--runs', 1_000),
    maxErrors: parseShare(flags.maxErrors, '--max-errors'),
    tolerance: parseShare(flags.tolerance, '--tolerance'),
    sampleMs: positive(flags.sampleInt, '--sample-int', 60_000),
  };
}
