/* Virtual time for one small world: callbacks by time, then by the order in which they were asked for. */
interface Due {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

export class Timeline {
  nowMs: number = 0;
  #order = 0;
  #due: Due[] = [];

  after(delayMs: number, run: () => void): void {
    this.#order += 1;
    this.#due.push({ atMs: this.nowMs + delayMs, order: this.#order, run });
  }

  /** Runs everything there is, calling `afterEach` between. */
  run(afterEach: () => void): void {
    for (let steps = 0; this.#due.length > 0; steps++) {
      if (steps > 5_000) throw new Error('It never comes to rest');
      let first = 0;
      this.#due.forEach((due, i) => {
        const best = this.#due[first] as Due;
        if (due.atMs < best.atMs || (due.atMs === best.atMs && due.order < best.order)) first = i;
      });
      const [due] = this.#due.splice(first, 1) as [Due];
      this.nowMs = due.atMs;
      due.run();
      afterEach();
    }
  }
}

export function claim(holds: boolean, text: string): void {
  if (!holds) throw new Error(text);
}
