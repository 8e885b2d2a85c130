/*
 * One heap of (virtual time, sequence) → callback: the only order in which anything happens in a simulation. A run is
 * a function of its seed: ties are broken by the order of asking.
 *
 * `endOfTurn` callbacks run when the event that asked for them has returned, before the next event, as setImmediate
 * does in the daemon.
 */
import type { Clock, TimerHandle, Timers } from '../../src/env/clock.js';

/** Does what falls due in its name: at once, later, or never. */
export interface Runner {
  run(event: DueEvent): void;
}

/** What is due at a time, and the handle to cancel it by; null: it was cancelled. */
export class DueEvent implements TimerHandle {
  readonly at: number;
  readonly order: number;
  readonly runner: Runner | null;
  fire: (() => void) | null;

  constructor(at: number, order: number, fire: () => void, runner: Runner | null) {
    this.at = at;
    this.order = order;
    this.fire = fire;
    this.runner = runner;
  }

  cancel(): void {
    this.fire = null;
  }
}

/** Whoever asked through a scope is never called again after `end`: how a crashed node's callbacks die. */
export interface TimeScope extends Timers {
  end(): void;
}

export class SimulatedTime implements Clock, Timers {
  readonly #heap: DueEvent[] = [];
  #turn: (() => void)[] = [];
  #nowMs = 0;
  #order = 0;
  readonly #wallStartMs: number;
  /** Events fired so far. */
  fired = 0;

  constructor(wallStartMs = 1_700_000_000_000) {
    this.#wallStartMs = wallStartMs;
  }

  wallMs(): number {
    return Math.floor(this.#wallStartMs + this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  /** `runner`: in whose name; null: the world's own. */
  after(delayMs: number, fire: () => void, runner: Runner | null = null): TimerHandle {
    const event = new DueEvent(this.#nowMs + Math.max(0, delayMs), this.#order++, fire, runner);
    this.#push(event);
    return event;
  }

  endOfTurn(fire: () => void): void {
    this.#turn.push(fire);
  }

  scope(): TimeScope {
    let ended = false;
    const guard = (fire: () => void) => (): void => {
      if (!ended) fire();
    };
    return {
      after: (delayMs, fire) => this.after(delayMs, guard(fire)),
      endOfTurn: (fire) => {
        this.endOfTurn(guard(fire));
      },
      end: () => {
        ended = true;
      },
    };
  }

  /** Runs the next event and its turn's end; false when nothing is waiting. */
  step(): boolean {
    if (this.#turn.length > 0) {
      this.#endTurn();
      return true;
    }
    let event = this.#pop();
    while (event !== undefined && event.fire === null) event = this.#pop();
    if (event === undefined) return false;
    this.#nowMs = event.at;
    this.fired += 1;
    if (event.runner === null) event.fire?.();
    else event.runner.run(event);
    if (this.#turn.length > 0) this.#endTurn();
    return true;
  }

  /** Runs until `done` says so; throws if nothing is left to run, or virtual time passes the limit, before that. */
  runUntil(done: () => boolean, limitMs = 600_000): void {
    const deadline = this.#nowMs + limitMs;
    while (!done()) {
      if (!this.step()) throw new Error('Nothing left to happen, and not done');
      if (this.#nowMs > deadline) throw new Error(`Not done after ${limitMs} ms of virtual time`);
    }
  }

  /** Runs everything that happens within the next `ms`. */
  runFor(ms: number): void {
    const until = this.#nowMs + ms;
    this.#endTurn();
    for (let next = this.#peek(); next !== undefined && next.at <= until; next = this.#peek()) this.step();
    this.#nowMs = until;
  }

  #endTurn(): void {
    while (this.#turn.length > 0) {
      const turn = this.#turn;
      this.#turn = [];
      for (const fire of turn) fire();
    }
  }

  #peek(): DueEvent | undefined {
    while (this.#heap[0]?.fire === null) this.#pop();
    return this.#heap[0];
  }

  #push(event: DueEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent] as DueEvent)) break;
      heap[at] = heap[parent] as DueEvent;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): DueEvent | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as DueEvent, heap[child] as DueEvent)) child += 1;
      if (!before(heap[child] as DueEvent, last)) break;
      heap[at] = heap[child] as DueEvent;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function before(a: DueEvent, b: DueEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
