/*
 * While a run goes on: a bar that redraws itself on a terminal; one plain line a second into a file or a log. On stderr
 * either way, so that stdout holds the result and nothing else.
 */
import { SingleBar } from 'cli-progress';
import type { Plan } from './plan.js';
import type { Progress } from './share.js';
import { showCount } from './units.js';

export interface ProgressView {
  update(progress: Progress): void;
  end(): void;
}

class Lines implements ProgressView {
  readonly #print: (line: string) => void;
  readonly #intervalMs: number;
  #last: { readonly atMs: number; readonly done: number; readonly phase: string } = { atMs: 0, done: 0, phase: '' };

  constructor(intervalMs: number, print: (line: string) => void) {
    this.#intervalMs = intervalMs;
    this.#print = print;
  }

  update(progress: Progress): void {
    const nowMs = performance.now();
    const same = progress.phase === this.#last.phase;
    if (same && nowMs - this.#last.atMs < this.#intervalMs) return;
    const seconds = (nowMs - this.#last.atMs) / 1000;
    const rate = same ? Math.max(0, Math.round((progress.done - this.#last.done) / seconds)) : 0;
    const failed = progress.failed === 0 ? '' : `, ${progress.failed} errors`;
    this.#print(`${progress.phase}: ${showCount(progress.done)} done, ${showCount(rate)}/s${failed}`);
    this.#last = { atMs: nowMs, done: progress.done, phase: progress.phase };
  }

  end(): void {
    this.#last = { atMs: 0, done: 0, phase: '' };
  }
}

class Bar implements ProgressView {
  readonly #plan: Plan;
  readonly #bar: SingleBar;
  #phase: string = '';
  #startMs: number = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#bar = new SingleBar({
      format: '{phase} [{bar}] {percentage}% {rate}/s {errors}',
      barCompleteChar: '=',
      barIncompleteChar: ' ',
      hideCursor: true,
      clearOnComplete: true,
      stream: process.stderr,
    });
  }

  update(progress: Progress): void {
    const nowMs = performance.now();
    if (progress.phase !== this.#phase) {
      this.#bar.stop();
      this.#phase = progress.phase;
      this.#startMs = nowMs;
      this.#bar.start(this.#total(), 0, { phase: progress.phase, rate: '0', errors: '' });
    }
    const elapsedMs = nowMs - this.#startMs;
    const byTime = this.#phase !== 'preloading' && this.#plan.amount === 0;
    this.#bar.update(Math.min(this.#total(), byTime ? elapsedMs : progress.done), {
      phase: progress.phase,
      rate: showCount(Math.round((progress.done / Math.max(1, elapsedMs)) * 1000)),
      errors: progress.failed === 0 ? '' : `${progress.failed} errors`,
    });
  }

  end(): void {
    this.#bar.stop();
    this.#phase = '';
  }

  #total(): number {
    if (this.#phase === 'preloading') return this.#plan.keys;
    if (this.#phase === 'warming up') return Math.max(1, this.#plan.warmupMs);
    return this.#plan.amount > 0 ? this.#plan.amount : this.#plan.durationMs;
  }
}

const SILENT: ProgressView = { update: () => undefined, end: () => undefined };

export function progressView(plan: Plan, wanted: boolean, intervalMs: number): ProgressView {
  if (!wanted) return SILENT;
  if (process.stderr.isTTY) return new Bar(plan);
  return new Lines(intervalMs, (line) => {
    process.stderr.write(`${line}\n`);
  });
}
