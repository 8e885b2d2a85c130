/*
 * The end of a turn of the loop, once for all connections: whoever claimed output in this turn is flushed then, with
 * one write. One setImmediate a turn, however many connections.
 */
export interface Flushable {
  flush(): void;
}

export class FlushQueue {
  #waiting: Flushable[] = [];
  #spare: Flushable[] = [];
  #armed: boolean = false;

  /** At most once until its `flush` is called. */
  add(connection: Flushable): void {
    this.#waiting.push(connection);
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(this.#fire);
  }

  /**
   * Flushes now. For a composition root that runs its own work at the end of the turn: what that work answered leaves
   * in the same turn instead of the next.
   */
  flushAll(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = this.#spare;
    for (let i = 0; i < waiting.length; i++) (waiting[i] as Flushable).flush();
    waiting.length = 0;
    this.#spare = waiting;
  }

  readonly #fire = (): void => {
    this.#armed = false;
    this.flushAll();
  };
}
