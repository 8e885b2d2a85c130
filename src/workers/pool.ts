/*
 * The pool of threads behind env.Workers: what would hold up the event loop for more than a hop costs (30–45 µs).
 *
 * A task is never aborted: piscina would end its thread, and a read transaction that it held would keep its slot and
 * its pages until the file is closed. So there is no signal, and `close` waits. The files are closed after that, by the
 * loop that opened them: a thread must not be left holding an environment that is gone.
 */
import { Piscina } from 'piscina';
import type {
  CopiedFile,
  DescribeTask,
  DigestTask,
  RangeTask,
  ReadRange,
  ReadTask,
  RebuiltLeaves,
  ScrubSlice,
  SliceTask,
  Workers,
} from '../env/workers.js';

export interface PoolOptions {
  /** Threads; default 2. They compete with the loop for cores, so few do. */
  readonly threads?: number;
  /** Tasks that may wait, default 4,096; beyond it a task is answered with an error at once. */
  readonly queueMax?: number;
}

type Answer<T> = (error: Error | null, value?: T) => void;

export class PoolWorkers implements Workers {
  readonly #pool: Piscina;

  constructor(options: PoolOptions = {}) {
    const threads = options.threads ?? 2;
    this.#pool = new Piscina({
      filename: new URL('./tasks.js', import.meta.url).href,
      minThreads: threads,
      maxThreads: threads,
      idleTimeout: Number.POSITIVE_INFINITY,
      maxQueue: options.queueMax ?? 4_096,
      closeTimeout: 60_000,
    });
  }

  readMany(task: ReadTask, done: Answer<readonly (Uint8Array | null)[]>): void {
    this.#run('readMany', task, done);
  }

  readRange(task: RangeTask, done: Answer<ReadRange>): void {
    this.#run('readRange', task, done);
  }

  rebuildLeaves(path: string, leafCount: number, _partitionCount: number, done: Answer<RebuiltLeaves>): void {
    this.#run('rebuildLeaves', { path, leafCount }, done);
  }

  scrubSlice(task: SliceTask, done: Answer<ScrubSlice>): void {
    this.#run('scrubSlice', task, done);
  }

  walkCopy(task: SliceTask, done: Answer<ScrubSlice>): void {
    this.#run('walkCopy', task, done);
  }

  describe(task: DescribeTask, done: Answer<CopiedFile>): void {
    this.#run('describe', task, done);
  }

  digestChunks(task: DigestTask, done: Answer<Uint8Array>): void {
    this.#run('digestChunks', task, done);
  }

  hash(bytes: Uint8Array, done: Answer<Uint8Array>): void {
    this.#run('hashBytes', bytes, done);
  }

  /** Waits for the tasks under way and those that wait, then ends the threads. Before the files are closed. */
  close(done: (error: Error | null) => void): void {
    this.#pool.close().then(
      () => {
        done(null);
      },
      (error: unknown) => {
        done(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }

  #run<T>(name: string, task: unknown, done: Answer<T>): void {
    this.#pool.run(task, { name }).then(
      (value: T) => {
        answer(done, null, value);
      },
      (error: unknown) => {
        answer(done, error instanceof Error ? error : new Error(String(error)));
      },
    );
  }
}

/** Outside of the promise: what an answer throws is a bug of ours, and not this task's rejection. */
function answer<T>(done: Answer<T>, error: Error | null, value?: T): void {
  setImmediate(() => {
    done(error, value);
  });
}
