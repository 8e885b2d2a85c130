/*
 * The real clock, timers, randomness and network, for clients outside of the simulator. Tests hand in their own.
 */
import { randomFillSync } from 'node:crypto';
import xxhash from 'xxhash-wasm';
import type { Clock, TimerHandle, Timers } from '../env/clock.js';
import type { Random } from '../env/random.js';
import type { Dialer } from '../env/transport.js';
import { readU32 } from '../lib/bytes.js';
import { hash64From } from '../model/hash.js';
import type { Hash64 } from '../model/hash.js';
import { BufferPool } from '../lib/buffer-pool.js';
import { TcpDialer } from '../net/dialer.js';
import { FlushQueue } from '../net/flush-queue.js';

export interface ClientSystem {
  readonly clock: Clock;
  /** Never keep the process alive. */
  readonly timers: Timers;
  /** Keep it alive: armed only while calls are under way. */
  readonly callTimers: Timers;
  readonly random: Random;
  readonly dialer: Dialer;
  /** Compiling xxhash-wasm takes a millisecond and answers later; until then calls go to any node. */
  loadHash(): Promise<Hash64>;
}

const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** Timers of the loop; `keepsAlive`: whether a timer under way holds the process. */
function loopTimers(keepsAlive: boolean): Timers {
  return {
    after(delayMs: number, fire: () => void): TimerHandle {
      const timer = setTimeout(fire, Math.ceil(delayMs)); // never early, as the contract has it
      if (!keepsAlive) timer.unref();
      return {
        cancel: () => {
          clearTimeout(timer);
        },
      };
    },
    endOfTurn(fire: () => void): void {
      setImmediate(fire);
    },
  };
}

/** Put ids need eight random bytes each: drawn from the kernel by the page. */
class KernelRandom implements Random {
  readonly #page: Uint8Array = new Uint8Array(4_096);
  #used: number = this.#page.length;

  u32(): number {
    if (this.#used + 4 > this.#page.length) {
      randomFillSync(this.#page);
      this.#used = 0;
    }
    const result = readU32(this.#page, this.#used);
    this.#used += 4;
    return result;
  }

  fill(bytes: Uint8Array): void {
    randomFillSync(bytes);
  }
}

let hash: Promise<Hash64> | null = null;

/** One of each a process, but for the network: clients do not share sockets. */
const shared: Omit<ClientSystem, 'dialer'> = {
  clock: systemClock,
  timers: loopTimers(false),
  callTimers: loopTimers(true),
  random: new KernelRandom(),
  loadHash: () => (hash ??= xxhash().then(hash64From)),
};

export function realSystem(): ClientSystem {
  return { ...shared, dialer: new TcpDialer(new BufferPool(), new FlushQueue()) };
}
