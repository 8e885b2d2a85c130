/*
 * How far a peer's clock is from ours, from the echo of a heartbeat: it stamped the echo somewhere between our sending
 * and our hearing, on average in the middle. Wrong by half a round trip at most, so a slow echo says nothing.
 *
 * Versions are stamped by these clocks, and expire by them: whoever looks after the cluster should know when one is off.
 */
const APART_MS = 1_000;
/** Back only from here, so that a clock at the border is not reported again and again. */
const CLOSE_MS = 800;
const ROUND_TRIP_MS_MAX = 500;

export class ClockWatch {
  /** Positive: the peer's clock is ahead. Null: not known yet. */
  offsetMs: number | null = null;
  #apart = false;

  /** `wallMs` is ours now, when the echo has come. What has changed by it, if anything has. */
  note(roundTripMs: number, peerWallMs: number, wallMs: number): 'apart' | 'close' | null {
    if (roundTripMs > ROUND_TRIP_MS_MAX) return null;
    this.offsetMs = Math.round(peerWallMs - (wallMs - roundTripMs / 2));
    const distanceMs = Math.abs(this.offsetMs);
    if (this.#apart ? distanceMs >= CLOSE_MS : distanceMs <= APART_MS) return null;
    this.#apart = !this.#apart;
    return this.#apart ? 'apart' : 'close';
  }
}
