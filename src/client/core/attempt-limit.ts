/*
 * How long an attempt may be silent before the call is sent to another node as well.
 *
 * A fixed time would be too long for a cluster that answers within a millisecond, and too short for one that is far away:
 * so it is four times what all but one in a hundred of the recent answers took, of all nodes together. Of all, since a node
 * that has become slow shall be measured by its neighbours and not by itself. Answers of one kind are measured together:
 * a put that is synced to disk takes many times as long as a get. A slow attempt that is overtaken is not measured, so the
 * estimate could lag behind a cluster that slows down; the retry budget keeps most attempts from being overtaken, and
 * those are measured.
 */
import { LatencyEstimate } from '../../lib/latency-estimate.js';

/** ms; 0: none; 'auto': by recent answers. */
export type AttemptTimeout = number | 'auto';

const INITIAL_MS = 250;
const MIN_MS = 50;
const MAX_MS = 500;
const FACTOR = 4;
/** Of the call's deadline, so that there is time left for other nodes. */
const TIMEOUT_SHARE = 1 / 3;
const QUANTILE = 0.99;

export class AttemptLimit {
  readonly #fixedMs: number | null;
  /** By kind of reply, filled in as kinds are seen. */
  readonly #estimates: (LatencyEstimate | undefined)[] = [];

  constructor(timeout: AttemptTimeout) {
    this.#fixedMs = timeout === 'auto' ? null : timeout === 0 ? Infinity : timeout;
  }

  /** For a call with this deadline that is answered by a reply of this kind, now; Infinity: none. */
  limitMs(replyKind: number, timeoutMs: number): number {
    if (this.#fixedMs !== null) return this.#fixedMs;
    const estimate = this.#estimates[replyKind];
    const usualMs = estimate === undefined ? INITIAL_MS : FACTOR * estimate.valueMs;
    return Math.max(MIN_MS, Math.min(MAX_MS, usualMs, timeoutMs * TIMEOUT_SHARE));
  }

  /** An attempt was answered after so long. */
  record(replyKind: number, elapsedMs: number, nowMs: number): void {
    if (this.#fixedMs !== null) return;
    this.#estimates[replyKind] ??= new LatencyEstimate(QUANTILE, INITIAL_MS / FACTOR);
    this.#estimates[replyKind].record(elapsedMs, nowMs);
  }
}
