/*
 * Background work is a guest (§6.5): before each batch a task asks for a slice and goes on when it is called. Whoever hands
 * out slices knows how the foreground fares; tasks know nothing of each other.
 *
 * A slice is asked for by bytes, about as many as the batch will read, send or write: what it is charged for. Batches
 * should be small (up to some 256 KiB): while one is under way nobody else gets its turn back.
 */
import type { Timers } from '../env/clock.js';

/** In the order in which they are served: a lost replica first, whatever can wait for days last. */
export const TASK_KINDS = ['restore', 'hints', 'exchange', 'reap', 'scrub', 'archive'] as const;
export type TaskKind = (typeof TASK_KINDS)[number];

export interface Slices {
  /** Calls `go` once, never inside this call, when it is the turn of such a batch; not at all after a stop. */
  ask(task: TaskKind, bytes: number, go: () => void): void;
}

/** Everybody's turn comes at the end of this one: for tests, and for nodes that have nothing to hold back. */
export class FreeSlices implements Slices {
  readonly #timers: Timers;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  ask(_task: TaskKind, _bytes: number, go: () => void): void {
    this.#timers.endOfTurn(go);
  }
}
