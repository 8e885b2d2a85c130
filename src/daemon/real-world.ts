/*
 * Time, chance and digests as the machine has them: what the simulator replaces.
 */
import { createHash, createHmac, randomFillSync, timingSafeEqual } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Clock, TimerHandle, Timers } from '../env/clock.js';
import type { Digest, KeyedDigest } from '../env/digest.js';
import type { Random } from '../env/random.js';

export const realClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** setImmediate once a turn for everybody who asked, in the order of asking. */
class RealTimers implements Timers {
  #pending: (() => void)[] = [];
  readonly #run = (): void => {
    const due = this.#pending;
    this.#pending = [];
    for (const fire of due) fire();
  };

  after(delayMs: number, fire: () => void): TimerHandle {
    const timer = setTimeout(fire, delayMs);
    timer.unref();
    return {
      cancel: () => {
        clearTimeout(timer);
      },
    };
  }

  endOfTurn(fire: () => void): void {
    if (this.#pending.length === 0) setImmediate(this.#run);
    this.#pending.push(fire);
  }
}

export function realTimers(): Timers {
  return new RealTimers();
}

/** Drawn from the kernel 4 KiB at a time: a call for each fresh actor would cost more than the put. */
class KernelRandom implements Random {
  readonly #drawn = new Uint32Array(1_024);
  #next = this.#drawn.length;

  u32(): number {
    if (this.#next === this.#drawn.length) {
      randomFillSync(this.#drawn);
      this.#next = 0;
    }
    return this.#drawn[this.#next++] as number;
  }

  fill(bytes: Uint8Array): void {
    randomFillSync(bytes);
  }
}

export function kernelRandom(): Random {
  return new KernelRandom();
}

export const realDigest: Digest & KeyedDigest = {
  sha256: (bytes) => createHash('sha256').update(bytes).digest(),
  hmac: (key, bytes) => createHmac('sha256', key).update(bytes).digest(),
  equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
};
