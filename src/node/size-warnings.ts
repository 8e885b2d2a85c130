/*
 * Keys that grow: many conflicting versions, or a context of many actors. Both are a client that does not hand back the
 * contexts it reads, and both end in a refusal (limits.ts), so somebody should hear of it before. Counted each time, logged
 * now and then; a key is named by its hash, never by itself.
 */
import type { Counter, Log, Meter } from '../env/meter.js';
import type { KeyHash } from '../model/hash.js';
import { CONTEXT_ENTRIES_WARN, SIBLINGS_WARN } from '../model/limits.js';

const LOG_EVERY_MS = 10_000;

export class SizeWarnings {
  readonly #log: Log;
  readonly #manySiblings: Counter;
  readonly #largeContexts: Counter;
  #nextLogMs = 0;

  constructor(meter: Meter, log: Log) {
    this.#log = log;
    this.#manySiblings = meter.counter(
      'partita_many_siblings_total',
      `Puts that left ${SIBLINGS_WARN} versions or more`,
    );
    this.#largeContexts = meter.counter(
      'partita_large_contexts_total',
      `Puts that left a context of ${CONTEXT_ENTRIES_WARN} actors or more`,
    );
  }

  /** What a put left behind. */
  note(siblings: number, contextEntries: number, key: KeyHash, nowMs: number): void {
    if (siblings < SIBLINGS_WARN && contextEntries < CONTEXT_ENTRIES_WARN) return;
    if (siblings >= SIBLINGS_WARN) this.#manySiblings.add(1);
    if (contextEntries >= CONTEXT_ENTRIES_WARN) this.#largeContexts.add(1);
    if (nowMs < this.#nextLogMs) return;
    this.#nextLogMs = nowMs + LOG_EVERY_MS;
    const keyHash = key.hi.toString(16).padStart(8, '0') + key.lo.toString(16).padStart(8, '0');
    this.#log.warn('key-grows', {
      keyHash,
      siblings,
      contextEntries,
      text: 'A key has many conflicting versions or actors: its clients put without the context of a read',
    });
  }
}
