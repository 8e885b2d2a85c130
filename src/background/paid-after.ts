/*
 * Slices for batches of which nobody knows beforehand what they come to: a question to another node, a listing of what may
 * be nothing. Each pays for those before it. Asking for the most that a batch may be would make what is empty as slow as
 * what is full, and a new cluster, which compares nothing with nothing a thousand times, would wait for its first read.
 */
import type { Slices, TaskKind } from './slices.js';

export class PaidAfter {
  readonly #slices: Slices;
  readonly #task: TaskKind;
  #owed = 0;

  constructor(slices: Slices, task: TaskKind) {
    this.#slices = slices;
    this.#task = task;
  }

  ask(go: () => void): void {
    const owed = this.#owed;
    this.#owed = 0;
    this.#slices.ask(this.#task, owed, go);
  }

  /** What a batch has come to. */
  spent(bytes: number): void {
    this.#owed += bytes;
  }
}
