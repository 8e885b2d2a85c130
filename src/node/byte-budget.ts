/*
 * Bytes that all connections together may hold in memory: request bodies under way and replies not yet taken.
 *
 * Whoever finds the budget used up pauses its connection and is told when half of it is free again; half, so that a
 * thousand paused connections do not wake for one freed kilobyte.
 */
export interface BudgetWaiter {
  onRoom(): void;
}

export class ByteBudget {
  readonly #limit: number;
  #used = 0;
  readonly #waiters: Set<BudgetWaiter> = new Set();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  get exhausted(): boolean {
    return this.#used >= this.#limit;
  }

  /** Twice used up: not even those who have nothing may have more. */
  get overdrawn(): boolean {
    return this.#used >= 2 * this.#limit;
  }

  take(bytes: number): void {
    this.#used += bytes;
  }

  give(bytes: number): void {
    this.#used -= bytes;
    if (this.#waiters.size === 0 || this.#used > this.#limit / 2) return;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter.onRoom();
  }

  wait(waiter: BudgetWaiter): void {
    this.#waiters.add(waiter);
  }

  forget(waiter: BudgetWaiter): void {
    this.#waiters.delete(waiter);
  }
}
