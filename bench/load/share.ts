/*
 * One thread's part of a run, by the raw sender: connect, preload, wait for the other threads, warm up, run, drain.
 *
 * Closed loop: a slot that gets its answer asks again at once. Open loop: requests leave when their time has come
 * (pacing.ts), or as soon as a slot is free after that. What is under way at the end is waited for, so that the slowest
 * answers are not the ones that are left out; throughput counts only what came in time.
 */
import { performance } from 'node:perf_hooks';
import { Prng } from '../../src/lib/prng.js';
import { IN_FLIGHT_MAX, RawConnection } from './connection.js';
import type { ConnectionOwner } from './connection.js';
import { CONTEXT_UNKNOWN, ContextStore } from './contexts.js';
import type { ContextMemory } from './contexts.js';
import { ThreadCpu } from './cpu.js';
import type { WireDialect } from './dialect.js';
import { EchoDialect } from './dialect-echo.js';
import { PartitaDialect } from './dialect-partita.js';
import { RespDialect } from './dialect-resp.js';
import { Pacer, Schedule } from './pacing.js';
import type { Plan } from './plan.js';
import { shareOf } from './plan.js';
import { Recorder } from './recorder.js';
import type { ShareResult } from './recorder.js';
import type { OwnerRoutes, Routes } from './routes.js';
import { OperationSource } from './source.js';

export type Phase = 'connecting' | 'preloading' | 'ready' | 'warming up' | 'running' | 'draining';

export interface Progress {
  readonly phase: Phase;
  readonly done: number;
  readonly failed: number;
  readonly bytes: number;
}

export interface Share {
  /** Resolves when connections are open and keys are loaded. */
  prepare(): Promise<void>;
  run(): Promise<ShareResult>;
  stop(reason: string): void;
  progress(): Progress;
}

const SWEEP_INTERVAL_MS = 100;
const RECONNECT_DELAY_MS = 100;
const RECONNECTS_MAX = 100;
const PRELOAD_RETRY_DELAY_MS = 50;
const NO_SLOT_WAIT_MS = 5;
/** So much is loaded with more requests under way than the run will have: it is not what is measured. */
const PRELOAD_IN_FLIGHT = 16;

function contextsOf(plan: Plan, threads: number, memory: ContextMemory | undefined): ContextStore {
  const known = threads === 1 ? memory?.get(plan.server) : undefined;
  const contexts = known ?? new ContextStore(threads);
  if (threads === 1) memory?.set(plan.server, contexts);
  return contexts;
}

function dialectOf(plan: Plan, thread: number, threads: number, memory: ContextMemory | undefined): WireDialect {
  switch (plan.dialect) {
    case 'partita': {
      const prng = new Prng(plan.seed ^ Math.imul(thread + 7, 0x27d4eb2f) ^ Date.now());
      return new PartitaDialect(plan, thread, prng, contextsOf(plan, threads, memory));
    }
    case 'echo':
      return new EchoDialect(plan);
    case 'resp':
      return new RespDialect(plan);
  }
}

export class RawShare implements Share, ConnectionOwner {
  readonly recorder: Recorder;
  readonly source: OperationSource;
  readonly dialect: WireDialect;
  readonly #plan: Plan;
  readonly #thread: number;
  readonly #threads: number;
  readonly #routes: Routes;
  readonly #connections: Set<RawConnection> = new Set();
  /** By the place of their node; looked at only where an operation looks for an owner. */
  readonly #byPlace: readonly RawConnection[][];
  #turn: number = 0;
  #underWay: number = 0;
  /** Keys to be preloaded once more: at once, or after a pause because the server refused them. */
  readonly #unsettled: number[] = [];
  readonly #refused: number[] = [];
  #retryTimer: NodeJS.Timeout | undefined;
  readonly #cpu: ThreadCpu = new ThreadCpu();
  #phase: Phase = 'connecting';
  #opened: number = 0;
  #reconnects: number = 0;
  #loaded: number = 0;
  #preloadFailures: number = 0;
  #started: number = 0;
  #amount: number = Number.POSITIVE_INFINITY;
  #startMs: number = 0;
  #schedule: Schedule | undefined;
  #pacer: Pacer | undefined;
  #stoppedBy: string = '';
  #sweep: NodeJS.Timeout | undefined;
  #settle: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(plan: Plan, thread: number, threads: number, routes: Routes, memory?: ContextMemory) {
    this.#plan = plan;
    this.#routes = routes;
    this.#byPlace = routes.addresses.map(() => []);
    this.#thread = thread;
    this.#threads = threads;
    this.recorder = new Recorder(plan.rate > 0);
    this.source = new OperationSource(plan, thread, threads);
    this.dialect = dialectOf(plan, thread, threads, memory);
  }

  async prepare(): Promise<void> {
    this.#sweep = setInterval(() => {
      this.#sweepSlots();
    }, SWEEP_INTERVAL_MS);
    try {
      await this.#until(() => {
        for (let i = 0; i < this.#connectionCount; i++) this.#connect(i % this.#routes.addresses.length);
      });
      if (this.#plan.preload && this.#plan.dialect !== 'echo') {
        this.#phase = 'preloading';
        await this.#until(() => {
          this.#fill();
        });
      }
    } catch (error) {
      this.#close();
      throw error;
    }
    this.#phase = 'ready';
  }

  async run(): Promise<ShareResult> {
    const plan = this.#plan;
    try {
      if (plan.warmupMs > 0) await this.#drive('warming up', plan.warmupMs, Number.POSITIVE_INFINITY);
      const amount = plan.amount > 0 ? shareOf(plan.amount, this.#thread, this.#threads) : Number.POSITIVE_INFINITY;
      const durationMs = plan.amount > 0 ? Number.POSITIVE_INFINITY : plan.durationMs;
      this.#cpu.restart();
      return await this.#drive('running', durationMs, amount);
    } finally {
      this.#close();
    }
  }

  stop(reason: string): void {
    if (this.#stoppedBy === '') this.#stoppedBy = reason;
    if (this.#phase === 'running' || this.#phase === 'warming up') this.#drain();
  }

  progress(): Progress {
    const { done, failed, bytesRead, bytesWritten } = this.recorder;
    const loading = this.#phase === 'preloading';
    return { phase: this.#phase, done: loading ? this.#loaded : done, failed, bytes: bytesRead + bytesWritten };
  }

  opened(connection: RawConnection): void {
    this.#opened++;
    if (this.#phase === 'connecting') {
      if (this.#opened === this.#connectionCount) this.#settle?.resolve();
      return;
    }
    if (this.#phase !== 'ready') this.#fillOne(connection, performance.now());
  }

  slotFreed(connection: RawConnection, nowMs: number): void {
    this.#underWay--;
    switch (this.#phase) {
      case 'preloading':
        this.#preloadNext(connection, nowMs);
        return;
      case 'warming up':
      case 'running': {
        const used = this.#next(connection, nowMs);
        if (used !== connection) used?.flush(nowMs);
        return;
      }
      default:
        this.#checkDrained();
    }
  }

  answered(operation: number, key: number, code: string, intendedMs: number, sentMs: number, nowMs: number): void {
    if (this.#phase !== 'preloading') this.recorder.answered(operation, code, intendedMs, sentMs, nowMs);
    // Siblings of an earlier run are there: once more, after a read, so that they do not pile up with each run.
    else if (this.dialect.contexts?.lengthOf(key) === CONTEXT_UNKNOWN) this.#unsettled.push(key);
    else this.#loaded++;
  }

  failed(operation: number, key: number, code: string, intendedMs: number, sentMs: number, timedOutMs: number): void {
    if (this.#phase === 'preloading') {
      this.#preloadFailed(key, code);
      return;
    }
    this.recorder.failedWith(operation, code, intendedMs, sentMs, timedOutMs);
    const { bailout } = this.#plan;
    if (bailout > 0 && this.recorder.failed * this.#threads >= bailout) this.stop(`bailout after ${bailout} errors`);
  }

  closed(connection: RawConnection, reason: string): void {
    this.#connections.delete(connection);
    const { place, taken } = connection;
    this.#underWay -= taken;
    const others = this.#byPlace[place]?.filter((other) => other !== connection) ?? [];
    this.#byPlace[place]?.splice(0, Infinity, ...others);
    if (this.#phase === 'connecting') {
      this.#settle?.reject(new Error(`Cannot reach ${this.#routes.addresses[place]}: ${reason}`));
      return;
    }
    if (this.#phase === 'draining' || this.#phase === 'ready') {
      this.#checkDrained();
      return;
    }
    if (++this.#reconnects > RECONNECTS_MAX) {
      this.#settle?.reject(
        new Error(`Lost ${this.#routes.addresses[place]} ${RECONNECTS_MAX} times, the last time because ${reason}`),
      );
      return;
    }
    // What it had under way was the last of it: nobody else will find that there is nothing more to begin.
    if (this.#started >= this.#amount) this.#drain();
    setTimeout(() => {
      if (this.#phase !== 'draining' && this.#phase !== 'ready') this.#connect(place);
    }, RECONNECT_DELAY_MS);
  }

  get #connectionCount(): number {
    return shareOf(this.#plan.connections, this.#thread, this.#threads);
  }

  /** Requests that may be under way on all connections together. */
  get #inFlightMax(): number {
    return this.#connectionCount * this.#plan.inFlight;
  }

  #connect(place: number): void {
    const { addresses, owners } = this.#routes;
    let slots = this.#plan.preload ? Math.max(PRELOAD_IN_FLIGHT, this.#plan.inFlight) : this.#plan.inFlight;
    if (owners !== undefined) {
      // All that is under way may be one node's business.
      const ofANode = Math.max(1, Math.floor(this.#connectionCount / addresses.length));
      slots = Math.min(IN_FLIGHT_MAX, Math.max(slots, Math.ceil(this.#inFlightMax / ofANode)));
    }
    const connection = new RawConnection(this, addresses[place] as string, slots, place);
    this.#connections.add(connection);
    this.#byPlace[place]?.push(connection);
  }

  /** A promise that `#settle` decides, from inside or after `start`. */
  #until(start: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      start();
    });
  }

  async #drive(phase: 'warming up' | 'running', durationMs: number, amount: number): Promise<ShareResult> {
    const plan = this.#plan;
    this.#phase = phase;
    for (let missing = this.#connectionCount - this.#connections.size; missing > 0; missing--)
      this.#connect(this.#emptiest());
    this.#started = 0;
    this.#amount = amount;
    this.#startMs = performance.now();
    if (phase === 'running') this.recorder.begin(this.#startMs, this.#startMs + durationMs);
    if (plan.rate > 0) {
      this.#schedule = new Schedule(
        this.#startMs,
        this.#startMs + durationMs,
        plan.rate / this.#threads,
        this.#thread / this.#threads,
      );
    }
    const timer = Number.isFinite(durationMs)
      ? setTimeout(() => {
          this.#drain();
        }, durationMs)
      : undefined;
    let unsent = 0;
    let usage = this.#cpu.usage;
    this.#onDraining = (nowMs: number): void => {
      usage = this.#cpu.usage;
      unsent = amount === Number.POSITIVE_INFINITY ? (this.#schedule?.overdue(nowMs) ?? 0) : 0;
    };
    try {
      await this.#until(() => {
        if (plan.rate > 0) this.#pace();
        else this.#fill();
      });
    } finally {
      clearTimeout(timer);
      this.#pacer?.stop();
    }
    const elapsedMs =
      Number.isFinite(durationMs) && this.#stoppedBy === '' ? durationMs : performance.now() - this.#startMs;
    return this.recorder.result({ elapsedMs, unsent, ...usage, stoppedBy: this.#stoppedBy });
  }

  #onDraining: (nowMs: number) => void = () => undefined;

  /** Every slot of every connection starts. */
  #fill(): void {
    const nowMs = performance.now();
    for (const connection of this.#connections) this.#fillOne(connection, nowMs);
    if (this.#phase === 'preloading') this.#checkLoaded();
  }

  #fillOne(connection: RawConnection, nowMs: number): void {
    if (this.#phase === 'preloading') {
      const slots = connection.freeSlots;
      for (let i = 0; i < slots; i++) this.#preloadNext(connection, nowMs);
    } else if (this.#phase !== 'draining' && this.#schedule === undefined) {
      while (this.#usable(connection) > 0 && this.#started < this.#amount) this.#next(connection, nowMs);
    }
    if (this.#routes.owners === undefined) connection.flush(nowMs);
    else for (const any of this.#connections) any.flush(nowMs);
  }

  /** Where a connection is missed most. */
  #emptiest(): number {
    const counts = this.#byPlace.map((connections) => connections.length);
    return counts.indexOf(Math.min(...counts));
  }

  /** Free slots that the plan lets us use: a connection has more when it preloaded, or when requests look for owners. */
  #usable(connection: RawConnection): number {
    if (this.#routes.owners !== undefined) return connection.freeSlots > 0 ? this.#inFlightMax - this.#underWay : 0;
    return connection.freeSlots - Math.max(0, connection.slots - this.#plan.inFlight);
  }

  /** Begins the next operation, here or with an owner of its key; returns the connection, which is to be flushed. */
  #next(connection: RawConnection, nowMs: number): RawConnection | undefined {
    if (this.#started >= this.#amount) {
      this.#drain();
      return undefined;
    }
    if (this.#usable(connection) <= 0) return undefined;
    let intendedMs = nowMs;
    if (this.#schedule !== undefined) {
      intendedMs = this.#schedule.take(nowMs);
      if (intendedMs < 0) return undefined;
    }
    this.#started++;
    this.source.next();
    const { owners } = this.#routes;
    const used = owners === undefined ? connection : this.#ofAnOwner(owners, connection);
    this.#begin(used, intendedMs, nowMs);
    return used;
  }

  #begin(connection: RawConnection, intendedMs: number, nowMs: number): void {
    this.#underWay++;
    connection.begin(intendedMs, nowMs);
  }

  /** A connection for the operation that the source holds; `here` if it is an owner's, or if no owner has room. */
  #ofAnOwner(owners: OwnerRoutes, here: RawConnection): RawConnection {
    const partition = owners.partition(this.source.key);
    if (this.#schedule === undefined && owners.owns(partition, here.place)) return here;
    const turn = this.#turn++;
    for (let i = 0; i < owners.replicaCount; i++) {
      const connections = this.#byPlace[owners.owner(partition, turn + i)] ?? [];
      for (let j = 0; j < connections.length; j++) {
        const connection = connections[(turn + j) % connections.length] as RawConnection;
        if (connection.freeSlots > 0) return connection;
      }
    }
    return here;
  }

  #pace(): void {
    const schedule = this.#schedule as Schedule;
    let turn: RawConnection[] = [];
    this.#pacer = new Pacer(() => {
      if (this.#phase === 'draining') return -1;
      const nowMs = performance.now();
      let tried = 0;
      while (schedule.nextMs <= nowMs && tried <= this.#connections.size) {
        if (turn.length === 0) turn = [...this.#connections];
        const connection = turn.pop();
        if (connection === undefined) break;
        tried = this.#usable(connection) > 0 ? 0 : tried + 1;
        this.#next(connection, nowMs);
        if (this.#phase !== 'warming up' && this.#phase !== 'running') return -1;
      }
      for (const connection of this.#connections) connection.flush(nowMs);
      const waitMs = schedule.nextMs - nowMs;
      if (waitMs <= 0) return NO_SLOT_WAIT_MS; // a slot that becomes free takes what is due by itself
      return Number.isFinite(waitMs) ? waitMs : -1;
    });
    this.#pacer.start();
  }

  #preloadNext(connection: RawConnection, nowMs: number): void {
    if (this.source.nextPreload()) {
      this.#begin(connection, nowMs, nowMs);
      return;
    }
    const key = this.#unsettled.pop();
    if (key === undefined) {
      this.#checkLoaded();
      return;
    }
    this.source.again(key);
    this.#begin(connection, nowMs, nowMs);
  }

  #preloadFailed(key: number, code: string): void {
    if (++this.#preloadFailures > 1_000 + 2 * this.source.preloadCount) {
      this.#settle?.reject(new Error(`Cannot preload: key ${key} and others are refused, the last one by ${code}`));
      return;
    }
    this.#refused.push(key);
    this.#retryTimer ??= setTimeout(() => {
      this.#retryTimer = undefined;
      this.#unsettled.push(...this.#refused.splice(0));
      this.#fill();
    }, PRELOAD_RETRY_DELAY_MS);
  }

  #checkLoaded(): void {
    if (this.#loaded >= this.source.preloadCount) this.#settle?.resolve();
  }

  #drain(): void {
    if (this.#phase !== 'running' && this.#phase !== 'warming up') return;
    const sent = this.#started;
    if (sent < this.#amount || this.#phase === 'running') this.#onDraining(performance.now());
    this.#phase = 'draining';
    this.#pacer?.stop();
    this.#schedule = undefined;
    this.#checkDrained();
  }

  #checkDrained(): void {
    if (this.#phase !== 'draining') return;
    for (const connection of this.#connections) if (connection.waiting > 0) return;
    this.#settle?.resolve();
  }

  #sweepSlots(): void {
    this.dialect.seconds = Math.floor(Date.now() / 1000);
    const nowMs = performance.now();
    for (const connection of this.#connections) {
      if (connection.abandonOlder(nowMs - this.#plan.timeoutMs, nowMs)) connection.close();
    }
    if (this.#phase === 'draining') this.#checkDrained();
  }

  #close(): void {
    clearInterval(this.#sweep);
    clearTimeout(this.#retryTimer);
    this.#phase = 'ready';
    for (const connection of this.#connections) connection.close();
  }
}
