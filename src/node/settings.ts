/** What node/ is told once, at the start. Times in ms, sizes in bytes; the daemon derives them from the configuration. */
export interface NodeSettings {
  /** Hello must have been accepted by then: 3_000. */
  readonly helloTimeoutMs: number;
  /** A frame that has begun must have ended by then: 30_000. */
  readonly frameTimeoutMs: number;
  /** A connection without a request is closed then: 300_000. */
  readonly idleTimeoutMs: number;
  /** A reader that does not read is paused from this many queued bytes on … */
  readonly queuedBytesMax: number;
  /** … and dropped when it stays there for this long: 30_000. */
  readonly stalledReaderMs: number;
  readonly inFlightMax: number;
  readonly inFlightBytesPerConnection: number;
  /** Request bodies and queued replies of all connections together. */
  readonly inFlightBytesMax: number;
  readonly valueBytesMax: number;
  /** A put that adds a sibling must keep the record below this; one that replaces any need not. */
  readonly recordBytesMax: number;
  readonly frameBodyBytesMax: number;
  /** Empty: no token is asked for. */
  readonly token: Uint8Array;
  /** How long puts may be sent again; RETRY_WINDOW_S, but where a simulation is to see the end of it. */
  readonly retryWindowS?: number;
  /** Test switch: every chunk is handled this much later; 0 in earnest. */
  readonly delayMs: number;
}

/** How often sessions are looked over for the limits of time above. */
export const SWEEP_INTERVAL_MS = 100;
