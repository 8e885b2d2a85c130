/*
 * Who is next: the kinds of background work share what there is by weight, each twice that of the next, so that none waits
 * for ever behind another. Whoever is alone gets all of it.
 *
 * Start-time fair queuing. Each kind has a mark in a virtual time; the kind with the lowest mark is served, and its mark
 * moves on by cost / weight. A kind that comes back after a rest begins at the present: it has saved nothing up.
 */
import { TASK_KINDS, type TaskKind } from './slices.js';

interface Ask {
  readonly bytes: number;
  readonly go: () => void;
}

interface Line {
  readonly task: TaskKind;
  readonly weight: number;
  readonly asks: Ask[];
  mark: number;
}

export class FairQueue {
  readonly #lines: readonly Line[] = TASK_KINDS.map((task, i) => ({
    task,
    weight: 2 ** (TASK_KINDS.length - 1 - i),
    asks: [],
    mark: 0,
  }));
  #present = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  waiting(task: TaskKind): number {
    return this.#lineOf(task).asks.length;
  }

  push(task: TaskKind, bytes: number, go: () => void): void {
    const line = this.#lineOf(task);
    if (line.asks.length === 0) line.mark = Math.max(line.mark, this.#present);
    line.asks.push({ bytes, go });
    this.#length += 1;
  }

  /** Null: nobody waits. */
  take(): (Ask & { readonly task: TaskKind }) | null {
    let next: Line | null = null;
    for (const line of this.#lines) {
      if (line.asks.length > 0 && (next === null || line.mark < next.mark)) next = line;
    }
    const ask = next?.asks.shift();
    if (next === null || ask === undefined) return null;
    this.#length -= 1;
    this.#present = next.mark;
    next.mark += ask.bytes / next.weight;
    return { ...ask, task: next.task };
  }

  clear(): void {
    for (const line of this.#lines) line.asks.length = 0;
    this.#length = 0;
  }

  #lineOf(task: TaskKind): Line {
    return this.#lines[TASK_KINDS.indexOf(task)] as Line;
  }
}
