/*
 * The controller of a node's background work (§6.5): hands out slices, so many bytes a second as rate-law.ts allows, to
 * whom fair-queue.ts says. One slice a turn of the loop, so that whatever the foreground has ready goes in between.
 *
 * A slice may be had while there is credit, and its bytes are taken from it, below zero if need be: large batches are not
 * refused, they make the next one wait. Credit is kept for a moment only: work that has rested does not come in a rush.
 *
 * There is no timer while nobody asks. The law takes its steps when slices are asked for or handed out, one a second.
 */
import type { Clock, TimerHandle, Timers } from '../env/clock.js';
import type { Counter, Gauge, Meter } from '../env/meter.js';
import { assert } from '../lib/assert.js';
import { FairQueue } from './fair-queue.js';
import { type Cause, type Foreground, type Latency, type RateBounds, RateLaw, type Targets } from './rate-law.js';
import { type Slices, TASK_KINDS, type TaskKind } from './slices.js';

export interface ControllerParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly meter: Meter;
  readonly targets: Targets;
  readonly bounds: RateBounds;
  /** Asked once a step: what it counts from there on is of the next. */
  readonly foreground: () => Foreground;
}

export interface TaskShare {
  readonly task: TaskKind;
  /** Batches that wait for their turn. */
  readonly waiting: number;
  /** Had so far. */
  readonly slices: number;
  readonly bytes: number;
}

export interface ControllerStatus {
  readonly bytesPerSecond: number;
  readonly bounds: RateBounds;
  readonly cause: Cause;
  /** At the last step. */
  readonly foreground: Foreground;
  readonly targets: Targets;
  readonly tasks: readonly TaskShare[];
}

const STEP_MS = 1_000;
const CREDIT_KEPT_MS = 100;
/** What a batch costs at least: it is a message or a read, however small. */
const SLICE_BYTES_MIN = 4_096;
const WAIT_MS_MAX = 1_000;
const NONE: Latency = { minuteMs: 0, latelyMs: 0, secondMs: 0 };
const QUIET: Foreground = { gets: NONE, puts: NONE, loopDelayMs: 0, syncMs: 0 };

export class Controller implements Slices {
  readonly #parts: ControllerParts;
  readonly #law: RateLaw;
  readonly #queue: FairQueue = new FairQueue();
  readonly #had: ReadonlyMap<TaskKind, { slices: number; bytes: number }> = new Map(
    TASK_KINDS.map((task) => [task, { slices: 0, bytes: 0 }]),
  );
  readonly #meters: ControllerMeters;
  #foreground: Foreground = QUIET;
  #credit = 0;
  #creditAtMs: number;
  #stepAtMs: number;
  #wasWanted = false;
  #state: 'idle' | 'waiting' | 'at-end-of-turn' = 'idle';
  #stopped = false;
  #timer: TimerHandle | null = null;

  constructor(parts: ControllerParts) {
    assert(
      parts.bounds.min > 0 && parts.bounds.min <= parts.bounds.max,
      'background work has a least and a largest rate',
    );
    this.#parts = parts;
    this.#law = new RateLaw(parts.targets, parts.bounds);
    this.#meters = new ControllerMeters(parts.meter);
    this.#meters.rate.set(this.#law.rate);
    this.#creditAtMs = parts.clock.monotonicMs();
    this.#stepAtMs = this.#creditAtMs;
  }

  ask(task: TaskKind, bytes: number, go: () => void): void {
    if (this.#stopped) return;
    this.#queue.push(task, Math.max(bytes, SLICE_BYTES_MIN), go);
    if (this.#state === 'idle') this.#next();
  }

  status(): ControllerStatus {
    const { bounds, targets } = this.#parts;
    return {
      bytesPerSecond: this.#law.rate,
      bounds,
      cause: this.#law.cause,
      foreground: this.#foreground,
      targets,
      tasks: [...this.#had].map(([task, had]) => ({ task, waiting: this.#queue.waiting(task), ...had })),
    };
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#queue.clear();
  }

  /** Sees to it that the next slice is handed out when it may be. */
  #next(): void {
    if (this.#queue.length === 0) {
      this.#state = 'idle';
      return;
    }
    const { clock, timers } = this.#parts;
    const nowMs = clock.monotonicMs();
    this.#step(nowMs);
    this.#earn(nowMs);
    if (this.#credit > 0) {
      this.#state = 'at-end-of-turn';
      timers.endOfTurn(() => {
        this.#handOut();
      });
      return;
    }
    this.#wasWanted = true;
    this.#state = 'waiting';
    const waitMs = (1_000 * (1 - this.#credit)) / this.#law.rate;
    this.#timer = timers.after(Math.min(WAIT_MS_MAX, Math.max(1, waitMs)), () => {
      this.#timer = null;
      this.#next();
    });
  }

  #handOut(): void {
    const slice = this.#queue.take();
    if (slice === null) return; // stopped meanwhile
    this.#credit -= slice.bytes;
    this.#meters.count(slice.task, slice.bytes);
    const had = this.#had.get(slice.task) as { slices: number; bytes: number };
    had.slices += 1;
    had.bytes += slice.bytes;
    slice.go();
    this.#next();
  }

  #step(nowMs: number): void {
    if (nowMs < this.#stepAtMs) return;
    this.#earn(nowMs); // at the rate that held until now
    this.#stepAtMs = nowMs + STEP_MS;
    this.#foreground = this.#parts.foreground();
    if (this.#law.step(this.#foreground, this.#wasWanted, nowMs)) this.#meters.decreases(this.#law.cause).add(1);
    this.#wasWanted = false;
    this.#meters.rate.set(this.#law.rate);
  }

  #earn(nowMs: number): void {
    const { rate } = this.#law;
    const earned = (rate * (nowMs - this.#creditAtMs)) / 1_000;
    this.#creditAtMs = nowMs;
    this.#credit = Math.min((rate * CREDIT_KEPT_MS) / 1_000, this.#credit + earned);
  }
}

class ControllerMeters {
  readonly rate: Gauge;
  readonly #slices: ReadonlyMap<TaskKind, Counter>;
  readonly #bytes: ReadonlyMap<TaskKind, Counter>;
  readonly #decreases: ReadonlyMap<Cause, Counter>;

  constructor(meter: Meter) {
    this.rate = meter.gauge('partita_background_bytes_per_second', 'What background work is allowed at present');
    const ofTasks = (name: string, help: string): ReadonlyMap<TaskKind, Counter> =>
      new Map(TASK_KINDS.map((task) => [task, meter.counter(name, help, { task })]));
    this.#slices = ofTasks('partita_background_slices_total', 'Batches of background work, by task');
    this.#bytes = ofTasks('partita_background_bytes_total', 'Their bytes, about');
    this.#decreases = new Map(
      (['requests', 'loop', 'log'] as const).map((cause) => [
        cause,
        meter.counter(
          'partita_background_decreases_total',
          'Background work was given less, by what had been above its target',
          { cause },
        ),
      ]),
    );
  }

  count(task: TaskKind, bytes: number): void {
    this.#slices.get(task)?.add(1);
    this.#bytes.get(task)?.add(bytes);
  }

  decreases(cause: Cause): Counter {
    const counter = this.#decreases.get(cause);
    assert(counter !== undefined, 'what decreases the rate strains');
    return counter;
  }
}
