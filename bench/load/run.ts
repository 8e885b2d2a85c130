/*
 * A run from end to end: one thread's share in this thread, several in worker threads. All prepare first and start
 * together when the last one is ready.
 */
import { Worker } from 'node:worker_threads';
import type { ContextMemory } from './contexts.js';
import type { Plan } from './plan.js';
import { threadsOf } from './plan.js';
import type { ShareResult } from './recorder.js';
import { mergeShares } from './result.js';
import type { Merged } from './result.js';
import { makeShare } from './senders.js';
import type { Progress, Share } from './share.js';
import type { WorkerInput, WorkerOrder, WorkerReport } from './worker.js';

export interface RunHooks {
  /** Called a few times a second with the sum over all threads. */
  onProgress?(progress: Progress): void;
  readonly signal?: AbortSignal;
  /** Handed to several runs in a row: the later ones know what the earlier ones wrote. One load thread only. */
  readonly memory?: ContextMemory;
}

const PROGRESS_INTERVAL_MS = 250;

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** A share that lives in a worker thread. */
class WorkerShare implements Share {
  readonly #worker: Worker;
  readonly #ready: Promise<void>;
  readonly #result: Promise<ShareResult>;
  #progress: Progress = { phase: 'connecting', done: 0, failed: 0, bytes: 0 };

  constructor(input: WorkerInput) {
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: input });
    const ready = deferred<undefined>();
    const result = deferred<ShareResult>();
    const fail = (error: Error): void => {
      ready.reject(error);
      result.reject(error);
    };
    this.#ready = ready.promise;
    this.#result = result.promise;
    this.#result.catch(() => undefined); // whoever runs it hears of it; nobody has to
    this.#worker.on('error', fail);
    this.#worker.on('exit', (code) => {
      fail(new Error(`A load thread ended with code ${code}`));
    });
    this.#worker.on('message', (report: WorkerReport) => {
      if (report.kind === 'ready') ready.resolve(undefined);
      else if (report.kind === 'progress') this.#progress = report.progress;
      else if (report.kind === 'result') result.resolve(report.result);
      else fail(new Error(report.text));
    });
  }

  prepare(): Promise<void> {
    return this.#ready;
  }

  run(): Promise<ShareResult> {
    this.#order({ kind: 'run' });
    return this.#result;
  }

  stop(reason: string): void {
    this.#order({ kind: 'stop', reason });
  }

  progress(): Progress {
    return this.#progress;
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #order(order: WorkerOrder): void {
    this.#worker.postMessage(order);
  }
}

function sumOf(parts: readonly Progress[]): Progress {
  return {
    phase: parts[0]?.phase ?? 'connecting',
    done: parts.reduce((sum, part) => sum + part.done, 0),
    failed: parts.reduce((sum, part) => sum + part.failed, 0),
    bytes: parts.reduce((sum, part) => sum + part.bytes, 0),
  };
}

/** Throws if the server cannot be reached or the keys cannot be loaded; failed requests are in the result. */
export async function runPlan(plan: Plan, hooks: RunHooks = {}): Promise<Merged> {
  const threads = threadsOf(plan);
  const workers =
    threads === 1 ? [] : Array.from({ length: threads }, (_, thread) => new WorkerShare({ plan, thread, threads }));
  const shares: readonly Share[] = threads === 1 ? [await makeShare(plan, 0, 1, hooks.memory)] : workers;
  const timer = setInterval(() => {
    hooks.onProgress?.(sumOf(shares.map((share) => share.progress())));
  }, PROGRESS_INTERVAL_MS);
  const stop = (): void => {
    for (const share of shares) share.stop('interrupted');
  };
  hooks.signal?.addEventListener('abort', stop, { once: true });
  try {
    await Promise.all(shares.map((share) => share.prepare()));
    return mergeShares(plan, await Promise.all(shares.map((share) => share.run())));
  } finally {
    clearInterval(timer);
    hooks.signal?.removeEventListener('abort', stop);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
