/* Counts what nodes count, over all nodes and lives: what happened in a run, and what must never have. */
import type { Labels, Meter } from '../../src/env/meter.js';

export class CountingMeter implements Meter {
  readonly counts: Map<string, number> = new Map();

  counter(name: string, _help: string, labels: Labels = {}): { add(amount: number): void } {
    const full = [name, ...Object.values(labels)].join(' ');
    return {
      add: (amount) => {
        this.counts.set(full, (this.counts.get(full) ?? 0) + amount);
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
    return this.counts.get(name) ?? 0;
  }
}
