/* Counts what nodes count, over all nodes and lives: what happened in a run, and what must never have. */
import type { Labels, Meter } from '../../src/env/meter.js';

export class CountingMeter implements Meter {
  readonly #cells: Map<string, { count: number }> = new Map();

  /** By name and labels; what never was counted is not there. */
  get counts(): ReadonlyMap<string, number> {
    return new Map([...this.#cells].filter(([, { count }]) => count !== 0).map(([name, { count }]) => [name, count]));
  }

  counter(name: string, _help: string, labels: Labels = {}): { add(amount: number): void } {
    const full = [name, ...Object.values(labels)].join(' ');
    let cell = this.#cells.get(full);
    if (cell === undefined) {
      cell = { count: 0 };
      this.#cells.set(full, cell);
    }
    const found = cell;
    return {
      add: (amount) => {
        found.count += amount;
      },
    };
  }

  gauge(): { set(): void } {
    return { set: () => undefined };
  }

  histogram(): { observe(): void } {
    return { observe: () => undefined };
  }

  of(name: string): number {
    return this.#cells.get(name)?.count ?? 0;
  }
}
