/*
 * A hybrid logical clock (Kulkarni et al. 2014): wall time in ms, with a logical part for what happens within one, or while
 * the wall clock stands or is set back. Stamps never decide which version survives (dots do); they order what people and
 * last-writer-wins views look at, and expiry is measured in them.
 *
 * It never goes back: not when the wall clock does, and not over a restart, since node.meta keeps the last stamp. A remote
 * stamp pulls it forward, but no further than the allowed skew: one broken clock must not drag a cluster into next year.
 */
import { CLOCK_SKEW_MAX_MS } from '../model/limits.js';

const LOGICAL_MAX = 0xffff;
/** The stamp's field; reached in the year 10889. */
const WALL_MS_MAX = 0xffff_ffff_ffff;

/** `refused`: a client's stamp was too far ahead, nothing changed. `clamped`: a peer's was, and was followed only so far. */
export type StampVerdict = 'ok' | 'refused' | 'clamped';

export class Hlc {
  #wallMs: number;
  #logical: number;
  #clamped = 0;

  /** From what node.meta kept; 0, 0 for a new node. */
  constructor(wallMs: number, logical: number) {
    this.#wallMs = wallMs;
    this.#logical = logical;
  }

  /** The last stamp given out or observed: this is what node.meta keeps. */
  get wallMs(): number {
    return this.#wallMs;
  }

  get logical(): number {
    return this.#logical;
  }

  /** How many stamps of peers were too far ahead. */
  get clamped(): number {
    return this.#clamped;
  }

  /** Moves to a stamp above every earlier one; read it as `wallMs`, `logical`. */
  tick(nowMs: number): void {
    if (nowMs > this.#wallMs && nowMs <= WALL_MS_MAX) {
      this.#wallMs = nowMs;
      this.#logical = 0;
    } else if (this.#logical < LOGICAL_MAX) {
      this.#logical += 1;
    } else {
      this.#wallMs += 1;
      this.#logical = 0;
    }
  }

  /** Takes note of a stamp from elsewhere, so that what happens here afterwards is stamped above it. */
  observe(wallMs: number, logical: number, nowMs: number, from: 'client' | 'peer'): StampVerdict {
    const limitMs = nowMs + CLOCK_SKEW_MAX_MS;
    if (wallMs <= limitMs) {
      this.#raise(wallMs, logical);
      return 'ok';
    }
    if (from === 'client') return 'refused';
    this.#clamped += 1;
    this.#raise(limitMs, 0);
    return 'clamped';
  }

  /** Takes back a stamp that this very clock gave before a restart: it never goes behind it, however the wall clock was set. */
  resume(wallMs: number, logical: number): void {
    this.#raise(wallMs, logical);
  }

  #raise(wallMs: number, logical: number): void {
    if (wallMs < this.#wallMs || (wallMs === this.#wallMs && logical <= this.#logical)) return;
    this.#wallMs = wallMs;
    this.#logical = logical;
  }
}
