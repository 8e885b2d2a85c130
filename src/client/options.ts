import { KEY_BYTES_MAX } from '../model/limits.js';
import { parseAddress } from '../net/address.js';
import type { Codec } from './codecs.js';
import type { Context } from './context.js';
import type { AttemptTimeout } from './core/attempt-limit.js';
import type { RetryPolicy } from './core/call.js';
import { SLOTS_MAX } from '../lib/request-slots.js';
import type { RetryBudgetOptions } from './core/retry-budget.js';
import { PartitaError } from './errors.js';
import type { Resolver } from './resolvers.js';
import type { Key } from './results.js';

export type { RetryPolicy } from './core/call.js';
export type { RetryBudgetOptions } from './core/retry-budget.js';

/** What every call takes. */
export interface CallOptions {
  /** Ends the call with `ABORTED` when it fires. A put that was sent may still happen. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Deadline of the whole call with all its attempts, ms, 1..60_000. Default: the client's. The node is told what is
   * left and stops working for us then.
   */
  readonly timeoutMs?: number | undefined;
  /** false: one attempt. Default: the client's policy. */
  readonly retry?: Partial<RetryPolicy> | false | undefined;
}

export interface ReadOptions extends CallOptions {
  /** Replicas to hear before answering, 1..N. Default: the cluster's R. */
  readonly r?: number | undefined;
  /** Count owners only, no fallbacks (§4.6). Default: false. */
  readonly strict?: boolean | undefined;
}

export interface WriteOptions extends CallOptions {
  /**
   * What the new version replaces: everything that the context has seen. Without it the put replaces nothing and
   * becomes a sibling of whatever is there.
   */
  readonly context?: Context | undefined;
  /** Replicas that must have it before the answer, 1..N. Default: the cluster's W. */
  readonly w?: number | undefined;
  /** Count owners only, no fallbacks. Default: false. */
  readonly strict?: boolean | undefined;
  /** Answer only when it is synced to disk, whatever the nodes' own setting. Default: false, theirs. */
  readonly durable?: boolean | undefined;
  /** Reads as deleted after so many ms, 1..2^48. Default: never. Puts only. */
  readonly ttlMs?: number | undefined;
}

export interface UpdateOptions extends ReadOptions, Omit<WriteOptions, 'context'> {
  /** How often to read and write at most while others write the same key, 1..100. Default 8. */
  readonly roundsMax?: number | undefined;
}

export interface ClientOptions<T = Uint8Array> {
  /** `host:port` or `unix:/path`, at least one. The ring is learnt from any of them. */
  readonly seeds: readonly string[];
  /** Default: `codecs.bytes`. */
  readonly codec?: Codec<T>;
  /** Default: none, siblings are handed out. */
  readonly resolver?: Resolver<T>;
  /** `ring`: to an owner of the key; `any`: to the nodes in turn. Default `ring`. */
  readonly routing?: 'ring' | 'any';
  /** Refuse to talk to a cluster of another name. Default `''`: any will do. */
  readonly cluster?: string;
  /** 1..64, default 1: requests are multiplexed, more helps only when one core of the node is not enough. */
  readonly connectionsPerNode?: number;
  /** 1..65_536, default 1_024; the node may allow fewer. Calls beyond it wait. */
  readonly maxInFlightPerConnection?: number;
  /** Calls that may wait for a node; beyond it they fail with `OVERLOADED`. 0..1_000_000, default 8_192. */
  readonly maxWaitingPerNode?: number;
  /** For dialling and greeting together, ms, 1..60_000, default 3_000. */
  readonly connectTimeoutMs?: number;
  /** Deadline of calls that do not say theirs, ms, 1..60_000, default 1_000. */
  readonly timeoutMs?: number;
  /**
   * When a node has not answered for so long, the call goes to the next node as well, and whichever answers first ends it;
   * the silent node is passed over until it says something. Such an attempt counts as a retry, in `attemptsMax` and in the
   * budget. ms, 1..60_000; 0: never; `auto`, the default: 250 at first, then four times the recent 99th percentile, but no
   * more than 500 or a third of the call's `timeoutMs`, and no less than 50.
   */
  readonly attemptTimeoutMs?: number | 'auto';
  /** A connection silent for so long is asked for a sign, and dropped when silent once more. ms, 100..600_000, default 10_000. */
  readonly keepAliveMs?: number;
  /** How often the ring is asked for, ms, 100..600_000, default 10_000 (§6.4). */
  readonly ringPollMs?: number;
  /** false: one attempt a call. */
  readonly retry?: (Partial<RetryPolicy> & { readonly budget?: Partial<RetryBudgetOptions> }) | false;
  /** Asked for a token whenever a connection is made. */
  readonly auth?: { readonly token: Token | (() => Token | Promise<Token>) };
  /** Shown by the node's list of connections. Default `partita-client`. */
  readonly clientName?: string;
}

export type Token = string | Uint8Array;

export const DEFAULT_RETRY: RetryPolicy = { attemptsMax: 3, baseDelayMs: 25, maxDelayMs: 1_000 };
export const DEFAULT_RETRY_BUDGET: RetryBudgetOptions = { ratio: 0.2, minPerSecond: 10 };
const TIMEOUT_MS_MAX = 60_000;
const TTL_MS_MAX = 2 ** 48;

/** The options with every default filled in; throws RangeError or TypeError that says which is wrong. */
export interface ResolvedOptions {
  readonly seeds: readonly string[];
  readonly routing: 'ring' | 'any';
  readonly cluster: string;
  readonly clientName: string;
  readonly connections: number;
  readonly inFlightMax: number;
  readonly waitingMax: number;
  readonly connectTimeoutMs: number;
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: AttemptTimeout;
  readonly keepAliveMs: number;
  readonly ringPollMs: number;
  readonly retry: RetryPolicy;
  readonly retryBudget: RetryBudgetOptions;
}

export function resolveOptions(options: Omit<ClientOptions, 'codec' | 'resolver'>): ResolvedOptions {
  if (!Array.isArray(options.seeds) || options.seeds.length === 0) {
    throw new TypeError("seeds: at least one address is needed, such as '127.0.0.1:7700'");
  }
  const budget = options.retry === false ? {} : (options.retry?.budget ?? {});
  return {
    seeds: options.seeds.map(checkedAddress),
    routing: options.routing ?? 'ring',
    cluster: options.cluster ?? '',
    clientName: options.clientName ?? 'partita-client',
    connections: within('connectionsPerNode', options.connectionsPerNode ?? 1, 1, 64),
    inFlightMax: within('maxInFlightPerConnection', options.maxInFlightPerConnection ?? 1_024, 1, SLOTS_MAX),
    waitingMax: within('maxWaitingPerNode', options.maxWaitingPerNode ?? 8_192, 0, 1_000_000),
    connectTimeoutMs: within('connectTimeoutMs', options.connectTimeoutMs ?? 3_000, 1, TIMEOUT_MS_MAX),
    timeoutMs: within('timeoutMs', options.timeoutMs ?? 1_000, 1, TIMEOUT_MS_MAX),
    attemptTimeoutMs: attemptTimeout(options.attemptTimeoutMs),
    keepAliveMs: within('keepAliveMs', options.keepAliveMs ?? 10_000, 100, 600_000),
    ringPollMs: within('ringPollMs', options.ringPollMs ?? 10_000, 100, 600_000),
    retry: retryPolicy(options.retry, DEFAULT_RETRY),
    retryBudget: { ...DEFAULT_RETRY_BUDGET, ...budget },
  };
}

const NO_RETRY: RetryPolicy = { ...DEFAULT_RETRY, attemptsMax: 1 };

export function retryPolicy(wanted: Partial<RetryPolicy> | false | undefined, otherwise: RetryPolicy): RetryPolicy {
  if (wanted === undefined) return otherwise;
  if (wanted === false) return NO_RETRY;
  const policy = {
    attemptsMax: wanted.attemptsMax ?? otherwise.attemptsMax,
    baseDelayMs: wanted.baseDelayMs ?? otherwise.baseDelayMs,
    maxDelayMs: wanted.maxDelayMs ?? otherwise.maxDelayMs,
  };
  within('retry.attemptsMax', policy.attemptsMax, 1, 100);
  between('retry.baseDelayMs', policy.baseDelayMs, 0, TIMEOUT_MS_MAX);
  between('retry.maxDelayMs', policy.maxDelayMs, policy.baseDelayMs, TIMEOUT_MS_MAX);
  return policy;
}

export function timeoutOf(wanted: number | undefined, otherwise: number): number {
  return wanted === undefined ? otherwise : between('timeoutMs', wanted, 1, TIMEOUT_MS_MAX);
}

function attemptTimeout(wanted: number | 'auto' | undefined): AttemptTimeout {
  if (wanted === undefined || wanted === 'auto') return 'auto';
  return between('attemptTimeoutMs', wanted, 0, TIMEOUT_MS_MAX);
}

export function replicasOf(name: 'r' | 'w', wanted: number | undefined): number {
  return wanted === undefined ? 0 : within(name, wanted, 1, 255);
}

export function ttlOf(wanted: number | undefined): number {
  return wanted === undefined ? 0 : within('ttlMs', wanted, 1, TTL_MS_MAX);
}

/** The bytes of a key; a string stands for its UTF-8. */
export function keyBytes(key: Key): Uint8Array {
  const bytes = typeof key === 'string' ? Buffer.from(key, 'utf8') : key;
  if (bytes.length === 0)
    throw new PartitaError('INVALID_ARGUMENT', `An empty key; keys have 1 to ${KEY_BYTES_MAX} bytes`);
  if (bytes.length > KEY_BYTES_MAX) {
    throw new PartitaError(
      'TOO_LARGE',
      `A key of ${bytes.length} bytes; keys have 1 to ${KEY_BYTES_MAX}. Put its hash in its place`,
    );
  }
  return bytes;
}

function checkedAddress(text: string): string {
  const address = parseAddress(text);
  if (address.kind === 'tcp' && address.port === 0) throw new RangeError(`${text}: nobody can be reached at port 0`);
  return text;
}

function within(name: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value)) throw new RangeError(`${name}: ${value} is not a whole number`);
  return between(name, value, min, max);
}

function between(name: string, value: number, min: number, max: number): number {
  if (!(min <= value && value <= max)) throw new RangeError(`${name}: ${value} is not within ${min}..${max}`);
  return value;
}
