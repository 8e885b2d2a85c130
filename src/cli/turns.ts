/* So much at once and no more, and of one name one after the other. */

export class Turns {
  readonly #atOnce: number;
  readonly #underWay: Set<Promise<void>> = new Set();
  readonly #last: Map<string, Promise<void>> = new Map();

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Resolves when there is room for the next; `work` must not reject. */
  async take(name: string, work: () => Promise<void>): Promise<void> {
    const before = this.#last.get(name);
    const turn = (before === undefined ? work() : before.then(work)).finally(() => {
      this.#underWay.delete(turn);
      if (this.#last.get(name) === turn) this.#last.delete(name);
    });
    this.#underWay.add(turn);
    this.#last.set(name, turn);
    while (this.#underWay.size >= this.#atOnce) await Promise.race(this.#underWay);
  }

  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }
}
