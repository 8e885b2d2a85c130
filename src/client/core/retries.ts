/*
 * Which failed or silent attempt is followed by another, when, and who pays.
 *
 * Three ends of an attempt, three prices:
 * - it never left (no connection): the next is free, it has cost no node anything;
 * - its connection was lost: free as well. The node has dropped the work with the connection, and the call goes to another
 *   node if there is one. Hundreds of calls may be on one connection, and a budget made for single failures would refuse most
 *   of them just when the others of the cluster could take them. That this cannot become a storm, also with all nodes down,
 *   is owed to other bounds: a call has `attemptsMax` attempts and one deadline, waits a jittered time before each, and cannot
 *   be sent without a connection, while a node whose connections do not last is dialled after 50 ms to 2 s, ever more seldom;
 * - the node answered that it could not (overloaded, out of time, too few replicas), or said nothing for too long: the
 *   budget pays. Such nodes are alive and have trouble, and every attempt is work for them.
 */
import type { Clock } from '../../env/clock.js';
import type { Random } from '../../env/random.js';
import { fullJitterMs } from '../../lib/backoff.js';
import type { Counters } from '../counters.js';
import type { PartitaError } from '../errors.js';
import type { Call } from './call.js';
import { RetryBudget } from './retry-budget.js';
import type { RetryBudgetOptions } from './retry-budget.js';
import type { Routes } from './routes.js';

interface RetriesWorld {
  readonly clock: Clock;
  readonly random: Random;
}

export class Retries {
  readonly #world: RetriesWorld;
  readonly #routes: Routes;
  readonly #counters: Counters;
  readonly #budget: RetryBudget;

  constructor(world: RetriesWorld, routes: Routes, counters: Counters, options: RetryBudgetOptions) {
    this.#world = world;
    this.#routes = routes;
    this.#counters = counters;
    this.#budget = new RetryBudget(world.clock, options);
  }

  /** A call has begun. */
  earn(): void {
    this.#budget.earn();
  }

  /** The latest attempt has failed; if the answer is yes, the next one is paid for. */
  mayRetry(call: Call, error: PartitaError, wasSent: boolean): boolean {
    if (!error.retryable || call.attempts >= call.policy.attemptsMax) return false;
    if (this.#world.clock.monotonicMs() + this.#spareMs(call, error) >= call.endMs) return false;
    return !wasSent || error.code === 'CONNECTION' || this.#pay();
  }

  /** How long to wait before the next attempt. */
  delayMs(call: Call, error: PartitaError): number {
    const { baseDelayMs, maxDelayMs } = call.policy;
    const jitterMs = fullJitterMs(this.#world.random, baseDelayMs, maxDelayMs, call.attempts);
    return Math.max(this.#spareMs(call, error), jitterMs);
  }

  /** There may be a next attempt, and at another node. */
  isMovable(call: Call): boolean {
    return call.pinned === undefined && call.attempts < call.policy.attemptsMax;
  }

  /**
   * The latest attempt has been silent, or without a connection, for `limitMs`. Another one makes sense if a node is there to
   * answer it, and in time.
   */
  mayMove(call: Call, limitMs: number, nowMs: number): boolean {
    if (!this.isMovable(call) || call.endMs - nowMs < limitMs / 4) return false;
    if (call.state === 'waiting') return call.peer !== null && call.peer.rank > 0 && this.#routes.hasFresh(call);
    return call.state === 'sent' && this.#routes.hasFresh(call) && this.#pay();
  }

  /** A node that asks to be spared is; the next of the list need not wait for that. */
  #spareMs(call: Call, error: PartitaError): number {
    return error.retryAfterMs === undefined || this.#routes.hasAnother(call) ? 0 : error.retryAfterMs;
  }

  #pay(): boolean {
    if (this.#budget.take()) return true;
    this.#counters.retriesDenied += 1;
    return false;
  }
}
