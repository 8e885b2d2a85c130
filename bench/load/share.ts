/*
 * One thread's part of a run, by the raw sender: connect, preload, wait for the other threads, warm up, run, drain.
 *
 * Closed loop: a slot that gets its answer asks again at once. Open loop: requests leave when their time has come
 * (pacing.ts), or as soon as a slot is free after that. What is under way at the end is waited for, so that the slowest
 * answers are not the ones that are left out; throughput counts only what came in time.
 */
import { performance } from 'node:perf_hooks';
import { Prng } from '../../src/lib/prng.js';
import type { ConnectionOwner, RawConnection } from './connection.js';
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
import { FanOut } from './fan-out.js';
import type { Routes } from './routes.js';
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
  readonly #fanOut: FanOut;
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
    this.#thread = thread;
    this.#threads = threads;
    this.#fanOut = new FanOut(plan, routes, shareOf(plan.connections, thread, threads));
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
        this.#fanOut.complete(this);
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
    this.#fanOut.ended();
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
    const { place } = connection;
    this.#fanOut.remove(connection);
    if (this.#phase === 'connecting') {
      this.#settle?.reject(new Error(`Cannot reach ${this.#fanOut.addressOf(place)}: ${reason}`));
      return;
    }
    if (this.#phase === 'draining' || this.#phase === 'ready') {
      this.#checkDrained();
      return;
    }
    if (++this.#reconnects > RECONNECTS_MAX) {
      this.#settle?.reject(
        new Error(`Lost ${this.#fanOut.addressOf(place)} ${RECONNECTS_MAX} times, the last time because ${reason}`),
      );
      return;
    }
    // What it had under way was the last of it: nobody else will find that there is nothing more to begin.
    if (this.#started >= this.#amount) this.#drain();
    setTimeout(() => {
      if (this.#phase !== 'draining' && this.#phase !== 'ready') this.#fanOut.connect(this, place);
    }, RECONNECT_DELAY_MS);
  }

  get #connectionCount(): number {
    return shareOf(this.#plan.connections, this.#thread, this.#threads);
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
    this.#fanOut.complete(this);
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
    for (const connection of this.#fanOut.connections) this.#fillOne(connection, nowMs);
    if (this.#phase === 'preloading') this.#checkLoaded();
  }

  #fillOne(connection: RawConnection, nowMs: number): void {
    if (this.#phase === 'preloading') {
      const slots = connection.freeSlots;
      for (let i = 0; i < slots; i++) this.#preloadNext(connection, nowMs);
    } else if (this.#phase !== 'draining' && this.#schedule === undefined) {
      while (this.#fanOut.usable(connection) > 0 && this.#started < this.#amount) this.#next(connection, nowMs);
    }
    this.#fanOut.flush(connection, nowMs);
  }

  /** Begins the next operation, here or with an owner of its key; returns the connection, which is to be flushed. */
  #next(connection: RawConnection, nowMs: number): RawConnection | undefined {
    if (this.#started >= this.#amount) {
      this.#drain();
      return undefined;
    }
    if (this.#fanOut.usable(connection) <= 0) return undefined;
    let intendedMs = nowMs;
    if (this.#schedule !== undefined) {
      intendedMs = this.#schedule.take(nowMs);
      if (intendedMs < 0) return undefined;
    }
    this.#started++;
    this.source.next();
    const used = this.#fanOut.connectionFor(this.source.key, connection);
    this.#fanOut.begin(used, intendedMs, nowMs);
    return used;
  }

  #pace(): void {
    const schedule = this.#schedule as Schedule;
    let turn: RawConnection[] = [];
    this.#pacer = new Pacer(() => {
      if (this.#phase === 'draining') return -1;
      const nowMs = performance.now();
      let tried = 0;
      while (schedule.nextMs <= nowMs && tried <= this.#fanOut.connections.size) {
        if (turn.length === 0) turn = [...this.#fanOut.connections];
        const connection = turn.pop();
        if (connection === undefined) break;
        tried = this.#fanOut.usable(connection) > 0 ? 0 : tried + 1;
        this.#next(connection, nowMs);
        if (this.#phase !== 'warming up' && this.#phase !== 'running') return -1;
      }
      this.#fanOut.flushAll(nowMs);
      const waitMs = schedule.nextMs - nowMs;
      if (waitMs <= 0) return NO_SLOT_WAIT_MS; // a slot that becomes free takes what is due by itself
      return Number.isFinite(waitMs) ? waitMs : -1;
    });
    this.#pacer.start();
  }

  #preloadNext(connection: RawConnection, nowMs: number): void {
    if (this.source.nextPreload()) {
      this.#fanOut.begin(connection, nowMs, nowMs);
      return;
    }
    const key = this.#unsettled.pop();
    if (key === undefined) {
      this.#checkLoaded();
      return;
    }
    this.source.again(key);
    this.#fanOut.begin(connection, nowMs, nowMs);
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
    for (const connection of this.#fanOut.connections) if (connection.waiting > 0) return;
    this.#settle?.resolve();
  }

  #sweepSlots(): void {
    this.dialect.seconds = Math.floor(Date.now() / 1000);
    const nowMs = performance.now();
    for (const connection of this.#fanOut.connections) {
      if (connection.abandonOlder(nowMs - this.#plan.timeoutMs, nowMs)) connection.close();
    }
    if (this.#phase === 'draining') this.#checkDrained();
  }

  #close(): void {
    clearInterval(this.#sweep);
    clearTimeout(this.#retryTimer);
    this.#phase = 'ready';
    for (const connection of this.#fanOut.connections) connection.close();
  }
}
