/* Who waits for a store that has nothing left to flush: records first, then hints. */
import type { EngineHints } from './engine-hints.js';
import type { Partition } from './partition.js';
import type { WriteBuffer } from './write-buffer.js';

export class Idle {
  readonly #buffer: WriteBuffer<Partition>;
  readonly #partitions: readonly Partition[];
  readonly #hints: EngineHints;
  readonly #waiting: (() => void)[] = [];

  constructor(buffer: WriteBuffer<Partition>, partitions: readonly Partition[], hints: EngineHints) {
    this.#buffer = buffer;
    this.#partitions = partitions;
    this.#hints = hints;
  }

  wait(done: () => void): void {
    this.#waiting.push(done);
    this.look();
  }

  /** Whenever something has been flushed. */
  look(): void {
    if (this.#waiting.length === 0 || this.#buffer.oldest() !== undefined) return;
    if (this.#partitions.some(({ buffer }) => buffer.frozen !== null)) return;
    if (this.#hints.oldestLsn !== 0) return this.#hints.hurry();
    for (const done of this.#waiting.splice(0)) done();
  }
}
