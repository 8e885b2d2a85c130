/*
 * What a run is to do: plain JSON, made by the command line or by a proof, handed to worker threads and kept in the
 * result file, so that a result says what it is a result of.
 */
import type { KeyDistribution } from './zipf.js';

/** rmw: read, modify, write as one operation (YCSB F); insert: a put of a key that was not there (YCSB D). */
export const OPERATIONS = ['get', 'put', 'delete', 'insert', 'rmw'] as const;
export type Operation = (typeof OPERATIONS)[number];
export type Mix = Readonly<Record<Operation, number>>;

/** What the other end speaks. `echo` sends frames back as they are (bench/floor-echo.ts), `resp` is Redis's protocol. */
export type Dialect = 'partita' | 'echo' | 'resp';

/** Which nodes are asked (routes.ts): the server that was named, all members in turn, or the owners of each key. */
export type Routing = 'seed' | 'any' | 'ring';

export interface SizeShare {
  readonly bytes: number;
  readonly share: number;
}

export interface Plan {
  readonly title: string;
  /** `host:port`, or `unix:/path` */
  readonly server: string;
  /** By the SDK, `seed` is what it does by itself: by the ring. */
  readonly routing: Routing;
  readonly sender: 'raw' | 'sdk';
  /** The SDK tries again as it does for applications, and what counts as failed has failed after all. */
  readonly retry: boolean;
  readonly dialect: Dialect;
  /** In all threads together, like `amount`, `rate` and `keys`. */
  readonly connections: number;
  /** Requests under way a connection. */
  readonly inFlight: number;
  readonly threads: number;
  readonly durationMs: number;
  /** Stop after so many operations instead of after `durationMs`; 0: no. */
  readonly amount: number;
  readonly warmupMs: number;
  readonly timeoutMs: number;
  /** Stop after so many failed operations; 0: never. */
  readonly bailout: number;
  /** Operations a second, at times fixed beforehand (open loop); 0: closed loop. */
  readonly rate: number;
  readonly mix: Mix;
  readonly workload: string;
  readonly keys: number;
  readonly distribution: KeyDistribution;
  readonly sizes: readonly SizeShare[];
  readonly seed: number;
  /** Put every key once before the run, what is refused again until it is taken. */
  readonly preload: boolean;
  /** Those before this one are there already. */
  readonly preloadFrom: number;
  /** Values that tell who wrote them, each one read is checked to the last byte. */
  readonly verify: boolean;
  /** Ask for durable acks, whatever the server's default. */
  readonly durable: boolean;
  /** Redis: a SET counts when so many replicas have it (WAIT); 0: at once. */
  readonly waitReplicas: number;
}

export const NO_OPERATIONS: Mix = { get: 0, put: 0, delete: 0, insert: 0, rmw: 0 };

export const PLAN_DEFAULTS: Plan = {
  title: '',
  server: '127.0.0.1:7700',
  routing: 'seed',
  sender: 'raw',
  retry: false,
  dialect: 'partita',
  connections: 10,
  inFlight: 1,
  threads: 1,
  durationMs: 10_000,
  amount: 0,
  warmupMs: 0,
  timeoutMs: 10_000,
  bailout: 0,
  rate: 0,
  mix: { ...NO_OPERATIONS, get: 100 },
  workload: '',
  keys: 100_000,
  distribution: { kind: 'uniform' },
  sizes: [{ bytes: 1024, share: 1 }],
  seed: 42,
  preload: false,
  preloadFrom: 0,
  verify: false,
  durable: false,
  waitReplicas: 0,
};

/** The i-th of `parts` shares of `total`: they differ by at most one and their sum is exactly `total`. */
export function shareOf(total: number, part: number, parts: number): number {
  return Math.floor((total * (part + 1)) / parts) - Math.floor((total * part) / parts);
}

/** How many threads can have at least one connection, and one operation if the amount is limited. */
export function threadsOf(plan: Plan): number {
  const limit = plan.amount > 0 ? Math.min(plan.connections, plan.amount) : plan.connections;
  return Math.max(1, Math.min(plan.threads, limit));
}
