/*
 * Whether this node, and this node alone, believes a peer to be up (§4.8.3: no agreement on that is needed).
 *
 *   healthy ── requests fail in a row, or heartbeats stay away ──▶ suspect
 *   healthy ◀── a request succeeds; or a heartbeat, once the hold is over ── suspect
 *
 * Two signals, since each is blind to something. Requests notice a peer whose disk hangs while its heartbeats come in
 * time; heartbeats notice a peer that nobody asks anything, and find out that one is back. A peer that answers too late
 * is as bad as one that does not answer, so a request that is late counts as failed when its time is over.
 *
 * A peer whose heartbeats come and whose requests fail would flap: each heartbeat would win it back, each time some
 * requests would wait in vain. So suspicion is held for a while, twice as long each time until a request succeeds.
 */
export interface HealthLimits {
  /** So many failures in a row, without a success between them, make a peer suspect, */
  readonly failuresMax: number;
  /** if they are so far apart, ms: a pause for breath makes many requests late at once, and is no reason. */
  readonly streakMsMin: number;
  /** A peer of which nothing was heard for so long is suspect, ms. */
  readonly silenceMsMax: number;
  /** How long a suspicion outlasts heartbeats, ms: the first time, and at most. */
  readonly holdMsMin: number;
  readonly holdMsMax: number;
}

export const HEALTH_LIMITS: HealthLimits = {
  failuresMax: 4,
  streakMsMin: 200,
  silenceMsMax: 3_000,
  holdMsMin: 500,
  holdMsMax: 8_000,
};

export class PeerHealth {
  readonly #limits: HealthLimits;
  #failures = 0;
  #firstFailureMs = 0;
  #heardMs: number;
  #heldUntilMs = -Infinity;
  #holdMs: number;
  #suspect = false;

  /** A new peer is believed healthy for as long as it may be silent. */
  constructor(limits: HealthLimits, nowMs: number) {
    this.#limits = limits;
    this.#heardMs = nowMs;
    this.#holdMs = limits.holdMsMin;
  }

  isSuspect(nowMs: number): boolean {
    return this.#suspect || nowMs - this.#heardMs >= this.#limits.silenceMsMax;
  }

  /** A request was answered in time. */
  succeeded(nowMs: number): void {
    this.#failures = 0;
    this.#suspect = false;
    this.#holdMs = this.#limits.holdMsMin;
    this.#heardMs = nowMs;
  }

  /** A request was answered, but late: the peer lives, which says nothing of its use. */
  late(nowMs: number): void {
    this.#heardMs = nowMs;
  }

  /** A request could not be sent, was not answered in time or at all, or its connection broke. */
  failed(nowMs: number): void {
    if (this.#failures === 0) this.#firstFailureMs = nowMs;
    this.#failures += 1;
    if (this.#suspect || this.#failures < this.#limits.failuresMax) return;
    if (nowMs - this.#firstFailureMs < this.#limits.streakMsMin) return;
    this.#suspect = true;
    this.#heldUntilMs = nowMs + this.#holdMs;
    this.#holdMs = Math.min(2 * this.#holdMs, this.#limits.holdMsMax);
  }

  /** A heartbeat, or its echo, has come. */
  heartbeat(nowMs: number): void {
    this.#heardMs = nowMs;
    if (!this.#suspect || nowMs < this.#heldUntilMs) return;
    this.#suspect = false;
    this.#failures = 0;
  }
}
