/*
 * The client without promises: a state machine over env's Dialer, Clock, Timers and Random, so that the simulator and
 * the tests run it on a clock of their own. The shell (client.ts) turns its answers into promises and decides nothing.
 *
 * What it promises of every call: exactly one answer, by its deadline; at most `attemptsMax` attempts, retries within
 * the budget; a put is resent only with its own id and `retry` set; and an error after which the put may have happened
 * says so (§2.3: a client must never be told less than the truth about a write).
 */
import type { Clock, Timers } from '../../env/clock.js';
import type { Hash64 } from '../../model/hash.js';
import type { HelloReply, RingMessage } from '../../model/messages.js';
import type { OwnerTable } from '../../ring/owner-table.js';
import { BUDGET_MS_MAX } from '../../model/limits.js';
import { ERROR, nameOfKind } from '../../wire/kinds.js';
import { ConnectionError, OverloadedError, PartitaError, ProtocolError, TimeoutError, errorOf } from '../errors.js';
import { Counters } from '../counters.js';
import type { ClientStats, NodeInfo } from '../results.js';
import { fullJitterMs } from '../../lib/backoff.js';
import { CallList } from './call-list.js';
import { Call } from './call.js';
import type { CallOwner, Operation, OperationName, RetryPolicy } from './call.js';
import { deadlineText, phaseOf } from './deadline.js';
import { DeadlineWheel } from '../../lib/deadline-wheel.js';
import type { Link } from './link.js';
import type { Peer, PeerEvents, PeerOptions, PeerWorld } from './peer.js';
import { RetryBudget } from './retry-budget.js';
import type { RetryBudgetOptions } from './retry-budget.js';
import { RingWatch } from './ring-watch.js';
import { Routes } from './routes.js';
import { errorOfFrame } from './session-frames.js';

export interface CoreOptions extends PeerOptions {
  readonly seeds: readonly string[];
  readonly routing: 'ring' | 'any';
  readonly retryBudget: RetryBudgetOptions;
  readonly ringPollMs: number;
}

export interface CoreWorld extends PeerWorld {
  /** For deadlines and back-off, armed only while calls are under way; may keep the process alive. */
  readonly callTimers: Timers;
}

export interface CoreEvents {
  onReady(): void;
  onNodeUp(node: NodeInfo): void;
  onNodeDown(node: NodeInfo, cause: PartitaError): void;
  onRingChange(version: number): void;
  onRetry(operation: OperationName, attempt: number, cause: PartitaError): void;
}

export class ClientCore implements PeerEvents, CallOwner {
  readonly clock: Clock;
  readonly #world: CoreWorld;
  readonly #events: CoreEvents;
  readonly #wheel: DeadlineWheel;
  readonly #budget: RetryBudget;
  readonly #routes: Routes;
  readonly #ring: RingWatch;
  readonly #counters: Counters = new Counters();
  readonly #calls: CallList = new CallList();
  #isReady: boolean = false;
  #closing: (() => void) | null = null;
  #closed: PartitaError | null = null;

  constructor(world: CoreWorld, options: CoreOptions, events: CoreEvents) {
    this.clock = world.clock;
    this.#world = world;
    this.#events = events;
    this.#wheel = new DeadlineWheel(world.clock, world.callTimers);
    this.#budget = new RetryBudget(world.clock, options.retryBudget);
    this.#routes = new Routes(world, options, this);
    this.#ring = new RingWatch(this, world.timers, world.random, options.ringPollMs, (ring) => this.#adoptRing(ring));
  }

  /** Begins a call; the operation hears its end exactly once, which may be before this returns. */
  start(operation: Operation, timeoutMs: number, policy: RetryPolicy, pinned?: string): Call {
    const nowMs = this.#world.clock.monotonicMs();
    const call = new Call(this, operation, policy, nowMs, nowMs + timeoutMs, pinned);
    if (this.#closed !== null || this.#closing !== null) {
      call.state = 'done';
      operation.fail(this.#closed ?? closedError('it is being closed'));
      return call;
    }
    this.#calls.add(call);
    this.#budget.earn();
    this.#wheel.add(call);
    this.#dispatch(call, nowMs);
    return call;
  }

  /** Connects and learns the ring; `done` hears why not, or null. */
  connect(timeoutMs: number, policy: RetryPolicy, done: (error: PartitaError | null) => void): Call {
    return this.#ring.fetch(this.#routes.ringVersion, timeoutMs, policy, done);
  }

  /** The caller is no longer interested. No effect on a call that has ended. */
  abort(call: Call, cause: unknown): void {
    if (call.state === 'done') return;
    this.#release(call);
    this.#fail(
      call,
      new PartitaError('ABORTED', `The ${call.operation.name} was aborted`, { ...this.#details(call), cause }),
    );
  }

  /** Until it is there, calls go to any node. */
  useHash(hash: Hash64): void {
    this.#routes.useHash(hash);
  }

  get ring(): OwnerTable | null {
    return this.#routes.ring;
  }

  nodes(): readonly NodeInfo[] {
    return this.#routes.peers.map((peer) => peer.info);
  }

  preferenceList(key: Uint8Array): readonly NodeInfo[] {
    return this.#routes.preferenceList(key).map((peer) => peer.info);
  }

  /** The peer that a call for this key would go to first; to put calls together by node. */
  firstPeer(key: Uint8Array, fastest: number): Peer {
    return this.#routes.firstPeer(key, fastest);
  }

  nodeIdsOf(ordinals: readonly number[]): readonly string[] {
    return this.#routes.nodeIdsOf(ordinals);
  }

  peerOf(addressOrId: string): Peer | undefined {
    return this.#routes.peers.find((peer) => peer.address === addressOrId || peer.nodeId === addressOrId);
  }

  stats(): ClientStats {
    let waiting = 0;
    for (const call of this.#calls.all()) if (call.state !== 'sent') waiting += 1;
    return this.#counters.stats(this.#calls.size, waiting);
  }

  /** Refuses new calls, lets those under way end, then closes. */
  close(graceMs: number, done: () => void): void {
    if (this.#closed !== null) {
      done();
      return;
    }
    const before = this.#closing;
    this.#closing =
      before === null
        ? done
        : () => {
            before();
            done();
          };
    if (before !== null) return;
    this.#ring.stop();
    if (this.#calls.size === 0) {
      this.#finishClosing();
      return;
    }
    this.#world.callTimers.after(graceMs, () => {
      if (this.#closed === null) this.destroy(closedError(`it was closed, and the grace of ${graceMs} ms had passed`));
    });
  }

  destroy(error: PartitaError): void {
    if (this.#closed !== null) return;
    this.#closed = error;
    this.#ring.stop();
    for (const call of this.#calls.all()) {
      this.#release(call);
      this.#fail(call, errorOf(error.code, error.message, { ...this.#details(call), cause: error.cause }));
    }
    this.#finishClosing();
  }

  // ── from the wheel and the peers ──────────────────────────────────────────────────────────────────────────────────

  onDeadline(call: Call): void {
    if (call.state === 'done') return;
    this.#counters.timeouts += 1;
    const phase = phaseOf(call);
    call.link?.doubt(call.sentMs);
    this.#release(call);
    const cause = call.lastFailure ?? call.peer?.lastError ?? undefined;
    const details = { ...this.#details(call), retryable: true, cause };
    this.#fail(call, new TimeoutError(deadlineText(call, phase), phase, details));
  }

  onTurn(peer: Peer, link: Link, call: Call): void {
    this.#send(peer, link, call, this.#world.clock.monotonicMs());
  }

  onReturned(call: Call): void {
    call.peer = null;
    this.#dispatch(call, this.#world.clock.monotonicMs());
  }

  onReply(peer: Peer, call: Call, kind: number, bytes: Uint8Array, start: number, end: number, link: Link): void {
    this.#counters.received += 1;
    call.link = null;
    const { operation } = call;
    if (kind === ERROR) {
      const heard = errorOfFrame(bytes, start, end, peer.address);
      this.#ring.notice(heard.ringVersion, this.#routes.ringVersion, peer.address);
      this.onAttemptFailed(call, heard.error);
      return;
    }
    let ringVersion: number;
    try {
      if (kind !== operation.replyKind) throw new RangeError(`a ${nameOfKind(kind)} answers a ${operation.name}`);
      ringVersion = operation.read(bytes, start, end);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const error = new ProtocolError('PROTOCOL', `${peer.address} sent a reply that cannot be read: ${why}`, {
        node: peer.address,
        cause,
        outcomeUnknown: operation.writes,
      });
      this.onAttemptFailed(call, error);
      link.close(error);
      return;
    }
    const durationMs = this.#world.clock.monotonicMs() - call.startedMs;
    this.#end(call);
    this.#counters.latency.record(durationMs);
    operation.succeed(call, durationMs);
    this.#ring.notice(ringVersion, this.#routes.ringVersion, peer.address);
    this.#noticeEnd();
  }

  onLateReply(): void {
    this.#counters.lateReplies += 1;
  }

  onUp(peer: Peer, hello: HelloReply): void {
    this.#routes.identify(peer, hello.nodeId);
    this.#events.onNodeUp(peer.info);
    this.#ring.connected(hello.ringVersion, this.#routes.ringVersion, peer.address);
  }

  onDown(peer: Peer, error: PartitaError): void {
    this.#events.onNodeDown(peer.info, error);
  }

  onAttemptFailed(call: Call, error: PartitaError): void {
    const wasSent = call.state === 'sent';
    call.link = null;
    call.lastFailure = error;
    if (
      call.operation.writes &&
      wasSent &&
      (error.outcomeUnknown || error.code === 'CONNECTION' || error.code === 'PROTOCOL')
    ) {
      call.maybeDone = true;
    }
    if (this.#closed !== null || !this.#mayRetry(call, error, wasSent)) {
      this.#fail(call, this.#lastWord(call, error));
      return;
    }
    this.#retryLater(call, error);
  }

  // ── attempts ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #dispatch(call: Call, nowMs: number): void {
    const peer = this.#routes.pick(call);
    call.peer = peer;
    call.attempts += 1;
    const link = peer.waiting.size === 0 ? peer.linkWithRoom() : null;
    if (link !== null) {
      this.#send(peer, link, call, nowMs);
      return;
    }
    call.state = 'waiting';
    if (peer.enqueue(call)) return;
    const text = `${peer.waiting.size} calls wait for ${peer.address} already; slow down, or raise maxWaitingPerNode`;
    this.#fail(call, new OverloadedError('OVERLOADED', text, { ...this.#details(call), retryable: true }));
  }

  #send(peer: Peer, link: Link, call: Call, nowMs: number): void {
    const { operation } = call;
    const budgetMs = Math.max(1, Math.min(BUDGET_MS_MAX, Math.floor(call.deadlineMs - nowMs)));
    const bytes = operation.measure(budgetMs, this.#routes.ringVersion, call.sends > 0);
    if (!link.send(call, operation, bytes)) {
      const text = `A ${operation.name} takes a frame of ${bytes} bytes, and ${peer.address} accepts bodies up to ${link.bodyBytesMax}`;
      this.#fail(call, new PartitaError('TOO_LARGE', text, this.#details(call)));
      return;
    }
    call.state = 'sent';
    call.sends += 1;
    call.sentMs = nowMs;
    this.#counters.sent += 1;
  }

  #mayRetry(call: Call, error: PartitaError, wasSent: boolean): boolean {
    if (!error.retryable || call.attempts >= call.policy.attemptsMax) return false;
    if (this.#world.clock.monotonicMs() + this.#spareMs(call, error) >= call.deadlineMs) return false;
    if (!wasSent) return true; // it cost no node anything
    if (this.#budget.take()) return true;
    this.#counters.retriesDenied += 1;
    return false;
  }

  /** A node that asks to be spared is; the next of the list need not wait for that. */
  #spareMs(call: Call, error: PartitaError): number {
    return error.retryAfterMs === undefined || this.#routes.hasAnother(call) ? 0 : error.retryAfterMs;
  }

  #retryLater(call: Call, error: PartitaError): void {
    const { baseDelayMs, maxDelayMs } = call.policy;
    const jitterMs = fullJitterMs(this.#world.random, baseDelayMs, maxDelayMs, call.attempts);
    const delayMs = Math.max(this.#spareMs(call, error), jitterMs);
    call.state = 'backing-off';
    this.#counters.retries += 1;
    this.#events.onRetry(call.operation.name, call.attempts + 1, error);
    call.backoff = this.#world.callTimers.after(delayMs, () => {
      call.backoff = null;
      this.#dispatch(call, this.#world.clock.monotonicMs());
    });
  }

  /** The call leaves whoever holds it. */
  #release(call: Call): void {
    call.backoff?.cancel();
    call.backoff = null;
    call.peer?.waiting.delete(call);
    const { link } = call;
    if (link === null) return;
    call.link = null;
    if (call.operation.writes) call.maybeDone = true;
    link.abandon(call);
  }

  // ── endings ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The error of the last attempt, with what all attempts together know. */
  #lastWord(call: Call, error: PartitaError): PartitaError {
    const { code, message, retryable, cause, context, retryAfterMs } = error;
    return errorOf(code, message, {
      ...this.#details(call),
      retryable,
      cause,
      context,
      retryAfterMs,
      node: error.node ?? call.peer?.address,
    });
  }

  #details(call: Call): { node: string | undefined; attempts: number; outcomeUnknown: boolean } {
    return { node: call.peer?.address, attempts: call.sends, outcomeUnknown: call.maybeDone };
  }

  #fail(call: Call, error: PartitaError): void {
    this.#end(call);
    call.operation.fail(error);
    this.#noticeEnd();
  }

  #end(call: Call): void {
    call.state = 'done';
    this.#calls.delete(call);
    this.#wheel.remove(call);
    call.onEnd?.();
  }

  #noticeEnd(): void {
    if (this.#closing !== null && this.#calls.size === 0) this.#finishClosing();
  }

  #finishClosing(): void {
    const done = this.#closing;
    this.#closing = null;
    this.#closed ??= closedError('it was closed');
    this.#wheel.disarm();
    for (const peer of this.#routes.peers) {
      if (done === null) peer.destroy(this.#closed);
      else peer.drain();
    }
    done?.();
  }

  #adoptRing(ring: RingMessage): string | null {
    const before = this.#routes.ringVersion;
    const fault = this.#routes.adopt(ring);
    if (fault !== null || this.#routes.ringVersion === before) return fault;
    this.#events.onRingChange(ring.version);
    if (!this.#isReady) {
      this.#isReady = true;
      this.#events.onReady();
    }
    return null;
  }
}

export function closedError(why: string): PartitaError {
  return new ConnectionError('CLOSED', `This client takes no calls: ${why}`);
}
