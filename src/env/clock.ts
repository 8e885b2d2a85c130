/** Time as the node sees it: wall time for stamps that leave the process, monotonic time for everything else. */
export interface Clock {
  /** Milliseconds since 1970, whole; may jump. */
  wallMs(): number;
  /** Milliseconds since some start, with fractions; never goes back. */
  monotonicMs(): number;
}

export interface TimerHandle {
  cancel(): void;
}

export interface Timers {
  /** Calls `fire` once, not before `delayMs` has passed. Never keeps a stopping process alive. */
  after(delayMs: number, fire: () => void): TimerHandle;
  /**
   * Calls `fire` once when everything that is ready in this turn of the loop has run (setImmediate in the daemon).
   * This is where frames, log appends and read transactions are batched.
   */
  endOfTurn(fire: () => void): void;
}
