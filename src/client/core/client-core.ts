/*
 * The client without promises: a state machine over env's Dialer, Clock, Timers and Random, so that the simulator and
 * the tests run it on a clock of their own. The shell (client.ts) turns its answers into promises and decides nothing.
 *
 * What it promises of every call: exactly one answer, by its deadline; at most `attemptsMax` attempts, retries within
 * the budget; a put is resent only with its own id and `retry` set; and an error after which the put may have happened
 * says so (§2.3: a client must never be told less than the truth about a write).
 *
 * And it does not wait for a node that says nothing: an attempt that has been silent for too long (attempt-limit.ts) is
 * joined by one at the next node. Both are under way then, and the first answer ends the call; an error of one does not, as
 * long as another may still succeed, unless it refuses the request as such.
 */
import type { Clock, Timers } from '../../env/clock.js';
import type { Hash64 } from '../../model/hash.js';
import type { HelloReply, RingMessage } from '../../model/messages.js';
import type { OwnerTable } from '../../ring/owner-table.js';
import { ERROR, nameOfKind } from '../../wire/kinds.js';
import { ConnectionError, ProtocolError, errorOf } from '../errors.js';
import type { PartitaError } from '../errors.js';
import { Counters } from '../counters.js';
import type { ClientStats, NodeInfo } from '../results.js';
import { AttemptLimit } from './attempt-limit.js';
import type { AttemptTimeout } from './attempt-limit.js';
import { Attempts } from './attempts.js';
import type { AttemptsOwner } from './attempts.js';
import { CallList } from './call-list.js';
import { Call } from './call.js';
import type { CallOwner, Operation, OperationName, RetryPolicy } from './call.js';
import { abortedError, deadlineError, detailsOf, phaseOf } from './endings.js';
import { DeadlineWheel } from '../../lib/deadline-wheel.js';
import type { Link } from './link.js';
import type { Peer, PeerEvents, PeerOptions, PeerWorld } from './peer.js';
import { Retries } from './retries.js';
import type { RetryBudgetOptions } from './retry-budget.js';
import { RingWatch } from './ring-watch.js';
import { Routes } from './routes.js';
import { errorOfFrame } from './session-frames.js';

export interface CoreOptions extends PeerOptions {
  readonly seeds: readonly string[];
  readonly routing: 'ring' | 'any';
  readonly retryBudget: RetryBudgetOptions;
  readonly ringPollMs: number;
  readonly attemptTimeoutMs: AttemptTimeout;
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

export class ClientCore implements PeerEvents, CallOwner, AttemptsOwner {
  readonly clock: Clock;
  readonly #world: CoreWorld;
  readonly #events: CoreEvents;
  readonly #wheel: DeadlineWheel;
  readonly #limit: AttemptLimit;
  readonly #retries: Retries;
  readonly #attempts: Attempts;
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
    this.#limit = new AttemptLimit(options.attemptTimeoutMs);
    this.#routes = new Routes(world, options, this);
    this.#retries = new Retries(world, this.#routes, this.#counters, options.retryBudget);
    this.#attempts = new Attempts(this, {
      clock: world.clock,
      timers: world.callTimers,
      wheel: this.#wheel,
      routes: this.#routes,
      retries: this.#retries,
      limit: this.#limit,
      counters: this.#counters,
    });
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
    this.#retries.earn();
    this.#attempts.dispatch(call, nowMs);
    return call;
  }

  /** Connects and learns the ring; `done` hears why not, or null. */
  connect(timeoutMs: number, policy: RetryPolicy, done: (error: PartitaError | null) => void): Call {
    return this.#ring.fetch(this.#routes.ringVersion, timeoutMs, policy, done);
  }

  /** The caller is no longer interested. No effect on a call that has ended. */
  abort(call: Call, cause: unknown): void {
    if (call.state === 'done') return;
    this.#attempts.release(call);
    this.fail(call, abortedError(call, cause));
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
      this.#attempts.release(call);
      this.fail(call, errorOf(error.code, error.message, { ...detailsOf(call), cause: error.cause }));
    }
    this.#finishClosing();
  }

  // ── from the wheel and the peers ──────────────────────────────────────────────────────────────────────────────────

  onTime(call: Call): void {
    if (call.state === 'done') return;
    if (this.#world.clock.monotonicMs() < call.endMs) {
      this.#attempts.suspect(call);
      return;
    }
    this.#counters.timeouts += 1;
    if (call.state !== 'sent') {
      if (call.state === 'waiting') call.peer?.waiting.delete(call);
      call.fallBack();
    }
    const phase = phaseOf(call);
    call.link?.doubt(call.sentMs);
    this.#attempts.release(call);
    this.fail(call, deadlineError(call, phase));
  }

  get isClosed(): boolean {
    return this.#closed !== null;
  }

  onRetry(operation: OperationName, attempt: number, cause: PartitaError): void {
    this.#events.onRetry(operation, attempt, cause);
  }

  onTurn(peer: Peer, link: Link, call: Call): void {
    this.#attempts.send(peer, link, call, this.#world.clock.monotonicMs());
  }

  onReturned(call: Call): void {
    call.peer = null;
    call.attempts -= 1; // that one has not begun
    this.#attempts.dispatch(call, this.#world.clock.monotonicMs());
  }

  onReply(
    peer: Peer,
    link: Link,
    call: Call,
    requestId: number,
    kind: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    this.#counters.received += 1;
    const wasLatest = call.link === link && call.requestId === requestId;
    const sentMs = call.settle(link, requestId);
    const { operation } = call;
    if (kind === ERROR) {
      const heard = errorOfFrame(bytes, start, end, peer.address);
      this.#ring.notice(heard.ringVersion, this.#routes.ringVersion, peer.address);
      this.#attempts.failed(call, heard.error, wasLatest, true);
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
      this.#attempts.failed(call, error, wasLatest, true);
      link.close(error);
      return;
    }
    const nowMs = this.#world.clock.monotonicMs();
    const durationMs = nowMs - call.startedMs;
    this.#limit.record(kind, nowMs - sentMs, nowMs);
    this.#attempts.release(call);
    call.peer = peer;
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

  onLost(call: Call, link: Link, error: PartitaError): void {
    if (call.state === 'done') return;
    this.#attempts.failed(call, error, call.lose(link), true);
  }

  onUnsent(call: Call, error: PartitaError): void {
    this.#attempts.failed(call, error, true, false);
  }

  // ── endings ───────────────────────────────────────────────────────────────────────────────────────────────────────

  fail(call: Call, error: PartitaError): void {
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
