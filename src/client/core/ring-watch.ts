/*
 * Keeps the ring fresh: fetched when the first connection is up, every `ringPollMs` (10 s, §6.4) from then on, and at
 * once when any answer was given by a newer ring than ours. One fetch at a time; a failed one waits for the next poll.
 */
import type { TimerHandle, Timers } from '../../env/clock.js';
import type { Random } from '../../env/random.js';
import type { RingMessage } from '../../model/messages.js';
import { ProtocolError } from '../errors.js';
import type { PartitaError } from '../errors.js';
import type { Call, Operation, RetryPolicy } from './call.js';
import { RingOperation } from './ring-operation.js';

const FETCH_TIMEOUT_MS = 2_000;
const ONCE: RetryPolicy = { attemptsMax: 1, baseDelayMs: 0, maxDelayMs: 0 };

/** ClientCore, as far as it is needed here. */
export interface RingCaller {
  readonly ring: { readonly version: number } | null;
  start(operation: Operation, timeoutMs: number, policy: RetryPolicy, pinned?: string): Call;
}

export class RingWatch {
  readonly #core: RingCaller;
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #pollMs: number;
  readonly #adopt: (ring: RingMessage) => string | null;
  #timer: TimerHandle | null = null;
  #fetching: boolean = false;
  #stopped: boolean = false;

  constructor(
    core: RingCaller,
    timers: Timers,
    random: Random,
    pollMs: number,
    adopt: (ring: RingMessage) => string | null,
  ) {
    this.#core = core;
    this.#timers = timers;
    this.#random = random;
    this.#pollMs = pollMs;
    this.#adopt = adopt;
  }

  /** The node at `address` is up, and acts by ring `theirs`. */
  connected(theirs: number, ours: number, address: string): void {
    if (ours === 0 || theirs > ours) this.#fetch(ours, address);
    else this.#pollLater();
  }

  /** An answer from `address` was given by ring `theirs`; 0: it does not say. On the path of every reply. */
  notice(theirs: number, ours: number, address: string): void {
    if (theirs > ours) this.#fetch(ours, address);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Fetches now, and adopts what comes; `done` hears why there is still no ring, or null. */
  fetch(
    knownVersion: number,
    timeoutMs: number,
    policy: RetryPolicy,
    done: (error: PartitaError | null) => void,
    from?: string,
  ): Call {
    this.#fetching = true;
    const operation = new RingOperation(knownVersion, (error, ring) => {
      this.#fetching = false;
      const fault = ring === undefined ? null : this.#adopt(ring);
      this.#pollLater();
      done(fault === null ? error : new ProtocolError('PROTOCOL', `The ring that came cannot be used: ${fault}`));
    });
    return this.#core.start(operation, timeoutMs, policy, from);
  }

  /** From the node that is known to have it: another may not have heard of it yet. Polls go to the nodes in turn. */
  #fetch(knownVersion: number, from?: string): void {
    if (this.#stopped || this.#fetching) return;
    const done = (): void => {
      // The next poll, or the next answer by a newer ring, tries again.
    };
    this.fetch(knownVersion, FETCH_TIMEOUT_MS, ONCE, done, from);
  }

  /** Somewhere in the second half of the interval: clients that started together do not poll together. */
  #pollLater(): void {
    if (this.#stopped || this.#timer !== null) return;
    const delayMs = this.#pollMs * (0.5 + this.#random.u32() / 0x2_0000_0000);
    this.#timer = this.#timers.after(delayMs, () => {
      this.#timer = null;
      this.#fetch(this.#core.ring?.version ?? 0);
    });
  }
}
