/*
 * A clock that stands still until it is told to go on, with its timers: one list of (time, sequence) → callback, so two
 * runs are the same run.
 */
import type { Clock, TimerHandle, Timers } from '../../src/env/clock.js';

interface Entry {
  readonly atMs: number;
  readonly sequence: number;
  readonly fire: () => void;
}

export class FakeTimers implements Clock, Timers {
  #nowMs: number = 1_000;
  #sequence: number = 0;
  #entries: Entry[] = [];
  #turn: (() => void)[] = [];

  wallMs(): number {
    return 1_700_000_000_000 + Math.floor(this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, fire: () => void): TimerHandle {
    const entry: Entry = { atMs: this.#nowMs + Math.max(0, delayMs), sequence: this.#sequence++, fire };
    this.#entries.push(entry);
    return {
      cancel: () => {
        this.#entries = this.#entries.filter((other) => other !== entry);
      },
    };
  }

  endOfTurn(fire: () => void): void {
    this.#turn.push(fire);
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#entries.length;
  }

  /** Runs what waits for the end of this turn, and what that brings about. */
  settle(): void {
    for (let round = 0; this.#turn.length > 0; round++) {
      if (round > 10_000) throw new Error('The turns do not end');
      const turn = this.#turn;
      this.#turn = [];
      for (const fire of turn) fire();
    }
  }

  /** The loop stands still: all timers that come due meanwhile fire in one turn, at its end, before anything else is done. */
  stall(ms: number): void {
    this.settle();
    this.#nowMs += ms;
    const due = this.#entries
      .filter((entry) => entry.atMs <= this.#nowMs)
      .sort((a, b) => a.atMs - b.atMs || a.sequence - b.sequence);
    this.#entries = this.#entries.filter((entry) => !due.includes(entry));
    for (const { fire } of due) fire();
    this.settle();
  }

  /** Lets time pass; everything due on the way happens at its time. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    this.settle();
    for (;;) {
      const next = this.#entries
        .filter((entry) => entry.atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs || a.sequence - b.sequence)[0];
      if (next === undefined) break;
      this.#entries = this.#entries.filter((entry) => entry !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.fire();
      this.settle();
    }
    this.#nowMs = endMs;
  }
}
