/*
 * One incarnation of a program: its timers, its clock, and everything that the world calls back on its behalf.
 *
 * Whoever asked through it is never called again after `end`: so a crash drops the node object and every queued
 * callback with it. While it is paused (SIGSTOP, a long collection) what falls due waits, in order, and happens one
 * after the other when it goes on; its clocks do not stop, as those of a stopped process do not.
 */
import type { Clock, TimerHandle, Timers } from '../../src/env/clock.js';
import type { Runner, SimulatedTime } from '../support/simulated-time.js';

/** What a machine believes the time to be: the world's, and so much more. */
export interface SkewedClock {
  offsetMs: number;
}

export class SimProcess implements Clock, Timers {
  readonly name: string;
  readonly #time: SimulatedTime;
  readonly #clock: SkewedClock;
  readonly #onThrow: (error: unknown) => void;
  /** A timer may still be cancelled while what it does is deferred. */
  readonly #due: Runner = {
    run: (event) => {
      if (this.#ended || event.fire === null) return;
      if (this.#paused)
        this.#deferred.push(() => {
          event.fire?.();
        });
      else this.run(event.fire);
    },
  };
  #ended = false;
  #paused = false;
  #deferred: (() => void)[] = [];
  readonly #onEnd: (() => void)[] = [];

  /** `onThrow`: something in it threw, which would have killed a real process. */
  constructor(name: string, time: SimulatedTime, clock: SkewedClock, onThrow: (error: unknown) => void) {
    this.name = name;
    this.#time = time;
    this.#clock = clock;
    this.#onThrow = onThrow;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get paused(): boolean {
    return this.#paused;
  }

  wallMs(): number {
    return Math.floor(this.#time.wallMs() + this.#clock.offsetMs);
  }

  monotonicMs(): number {
    return this.#time.monotonicMs();
  }

  after(delayMs: number, fire: () => void): TimerHandle {
    return this.#time.after(delayMs, fire, this.#due);
  }

  endOfTurn(fire: () => void): void {
    this.#time.endOfTurn(() => {
      this.run(fire);
    });
  }

  /** Now if it runs, later if it is paused, never if it has ended. */
  run(work: () => void): void {
    if (this.#ended) return;
    if (this.#paused) {
      this.#deferred.push(work);
      return;
    }
    try {
      work();
    } catch (error) {
      this.#onThrow(error);
    }
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const work of deferred)
      this.#time.after(0, () => {
        this.run(work);
      });
  }

  /** What the system does with what the process held: its sockets, its disk. */
  onEnd(work: () => void): void {
    this.#onEnd.push(work);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#deferred = [];
    for (const work of this.#onEnd) work();
  }
}
