/*
 * One thread's part of a run through the SDK: what an application pays that awaits promises and keeps contexts. Same
 * source of operations, same clocks and same recorder as the raw sender; connections × inFlight calls are under way.
 */
import { performance } from 'node:perf_hooks';
import { Client, PartitaError } from '../../src/client/index.js';
import type { Context, GetResult } from '../../src/client/index.js';
import { ThreadCpu } from './cpu.js';
import { NOT_FOUND, keyBytes } from './dialect.js';
import { Schedule } from './pacing.js';
import type { Plan } from './plan.js';
import { shareOf } from './plan.js';
import { OK, Recorder } from './recorder.js';
import type { ShareResult } from './recorder.js';
import type { Phase, Progress, Share } from './share.js';
import { DELETE, GET, INSERT, OperationSource, RMW } from './source.js';
import { faultOfValue, writeValue } from './value.js';

const PRELOAD_LOOPS = 128;

export class SdkShare implements Share {
  readonly #plan: Plan;
  readonly #thread: number;
  readonly #threads: number;
  readonly #source: OperationSource;
  readonly #recorder: Recorder;
  readonly #client: Client;
  readonly #cpu: ThreadCpu = new ThreadCpu();
  /** null: a put came back without a context, read before the next write. */
  readonly #contexts: Map<number, Context | null> = new Map();
  #values: number = 0;
  #phase: Phase = 'connecting';
  #started: number = 0;
  #stoppedBy: string = '';

  constructor(plan: Plan, thread: number, threads: number) {
    this.#plan = plan;
    this.#thread = thread;
    this.#threads = threads;
    this.#source = new OperationSource(plan, thread, threads);
    this.#recorder = new Recorder(plan.rate > 0);
    this.#client = new Client({
      seeds: [plan.server],
      connectionsPerNode: shareOf(plan.connections, thread, threads),
      timeoutMs: plan.timeoutMs,
      ...(plan.retry ? {} : { retry: false }),
      routing: plan.routing === 'any' ? 'any' : 'ring',
      clientName: 'partita bench',
    });
  }

  async prepare(): Promise<void> {
    await this.#client.connect();
    if (this.#plan.preload) {
      this.#phase = 'preloading';
      await this.#loops(PRELOAD_LOOPS, () => this.#preload());
    }
    this.#phase = 'ready';
  }

  async run(): Promise<ShareResult> {
    const plan = this.#plan;
    try {
      if (plan.warmupMs > 0) await this.#drive('warming up', plan.warmupMs, Number.POSITIVE_INFINITY);
      const amount = plan.amount > 0 ? shareOf(plan.amount, this.#thread, this.#threads) : Number.POSITIVE_INFINITY;
      this.#cpu.restart();
      return await this.#drive('running', plan.amount > 0 ? Number.POSITIVE_INFINITY : plan.durationMs, amount);
    } finally {
      await this.#client.close();
    }
  }

  stop(reason: string): void {
    if (this.#stoppedBy === '') this.#stoppedBy = reason;
  }

  progress(): Progress {
    const { done, failed, bytesRead, bytesWritten } = this.#recorder;
    return { phase: this.#phase, done, failed, bytes: bytesRead + bytesWritten };
  }

  async #loops(count: number, loop: () => Promise<void>): Promise<void> {
    await Promise.all(Array.from({ length: count }, loop));
  }

  async #preload(): Promise<void> {
    while (this.#source.nextPreload()) {
      const key = this.#source.key;
      await this.#write(key, this.#source.valueBytes);
      // Siblings of an earlier run are there: once more, after a read.
      if (this.#contexts.get(key) === null) await this.#write(key, this.#source.valueBytes);
      this.#source.writeEnded(key);
    }
  }

  async #drive(phase: Phase, durationMs: number, amount: number): Promise<ShareResult> {
    const { rate, connections, inFlight } = this.#plan;
    this.#phase = phase;
    this.#started = 0;
    const startMs = performance.now();
    const endMs = startMs + durationMs;
    if (phase === 'running') this.#recorder.begin(startMs, endMs);
    const schedule =
      rate > 0 ? new Schedule(startMs, endMs, rate / this.#threads, this.#thread / this.#threads) : undefined;
    const loops = shareOf(connections, this.#thread, this.#threads) * inFlight;
    await this.#loops(loops, () => this.#loop(endMs, amount, schedule));
    const nowMs = performance.now();
    return this.#recorder.result({
      elapsedMs: Number.isFinite(durationMs) && this.#stoppedBy === '' ? durationMs : nowMs - startMs,
      unsent: amount === Number.POSITIVE_INFINITY ? (schedule?.overdue(endMs) ?? 0) : 0,
      ...this.#cpu.usage,
      stoppedBy: this.#stoppedBy,
    });
  }

  async #loop(endMs: number, amount: number, schedule: Schedule | undefined): Promise<void> {
    while (this.#stoppedBy === '' && this.#started < amount) {
      let intendedMs = performance.now();
      if (schedule !== undefined) {
        const due = await nextOf(schedule, endMs);
        if (due < 0) return;
        intendedMs = due;
      }
      if (intendedMs >= endMs || this.#started >= amount) return;
      this.#started++;
      await this.#operation(intendedMs);
    }
  }

  async #operation(intendedMs: number): Promise<void> {
    const source = this.#source;
    source.next();
    const { operation, key, valueBytes } = source;
    let sentMs = performance.now();
    try {
      let code: string = OK;
      if (operation === GET) code = this.#judge(await this.#client.get(keyBytes(key)), key);
      else {
        if (operation === RMW) await this.#read(key);
        else if (this.#mustLearn(operation, key)) {
          await this.#learn(key);
          sentMs = performance.now();
        }
        await (operation === DELETE ? this.#delete(key) : this.#write(key, valueBytes));
      }
      this.#recorder.answered(operation, code, intendedMs, sentMs, performance.now());
    } catch (error) {
      if (!(error instanceof PartitaError)) throw error;
      this.#recorder.failedWith(
        operation,
        error.code.toLowerCase(),
        intendedMs,
        sentMs,
        error.code === 'TIMEOUT' ? performance.now() : 0,
      );
      if (operation !== GET) this.#contexts.set(key, null);
      const { bailout } = this.#plan;
      if (bailout > 0 && this.#recorder.failed * this.#threads >= bailout) this.stop(`bailout after ${bailout} errors`);
    } finally {
      if (operation !== GET) source.writeEnded(key);
    }
  }

  /** As the raw sender: a key that an earlier run may have put is read before its first write. */
  #mustLearn(operation: number, key: number): boolean {
    const known = this.#contexts.get(key);
    return known === null || (known === undefined && operation !== INSERT);
  }

  #judge(result: GetResult<Uint8Array>, key: number): string {
    if (!result.found) return NOT_FOUND;
    if (!this.#plan.verify) return OK;
    for (const { value } of result.siblings) {
      const fault = faultOfValue(value, this.#plan.seed, key);
      if (fault !== '') this.#recorder.mismatch(`key ${keyBytes(key).toString()}: ${fault}`);
    }
    return OK;
  }

  async #learn(key: number): Promise<void> {
    this.#recorder.contextReads++;
    await this.#read(key);
  }

  async #read(key: number): Promise<void> {
    const result = await this.#client.get(keyBytes(key));
    this.#contexts.set(key, result.context);
  }

  async #write(key: number, valueBytes: number): Promise<void> {
    if (this.#contexts.get(key) === null) await this.#learn(key);
    const value = Buffer.alloc(valueBytes, 0x2e);
    const number = this.#values++;
    if (this.#plan.verify) writeValue(value, 0, valueBytes, this.#plan.seed, key, this.#thread, number);
    else if (valueBytes >= 4) value.writeUInt32BE(number >>> 0, 0);
    const context = this.#contexts.get(key) ?? undefined;
    const { durable } = this.#plan;
    const result = await this.#client.put(keyBytes(key), value, { context, durable });
    this.#contexts.set(key, result.context ?? null);
  }

  async #delete(key: number): Promise<void> {
    const context = this.#contexts.get(key) ?? undefined;
    const result = await this.#client.delete(keyBytes(key), { context });
    this.#contexts.set(key, result.context ?? null);
  }
}

/** Waits for the next request's time and takes it; -1 when the run is over first. */
async function nextOf(schedule: Schedule, endMs: number): Promise<number> {
  for (;;) {
    const nowMs = performance.now();
    if (nowMs >= endMs) return -1;
    const due = schedule.take(nowMs);
    if (due >= 0) return due;
    const waitMs = Math.min(schedule.nextMs, endMs) - nowMs;
    await new Promise<void>((resolve) => {
      if (waitMs > 2) setTimeout(resolve, waitMs - 1);
      else setImmediate(resolve);
    });
  }
}
