const NOTHING = new Uint8Array(0);

/** The frame that a session is handing on. One object a session, used again for the next frame: who waits takes what it needs. */
export class Incoming {
  kind: number = 0;
  requestId: number = 0;
  /** The body is `bytes[start, end)`, and the transport's again when the call returns. */
  bytes: Uint8Array = NOTHING;
  start: number = 0;
  end: number = 0;
  /** When the chunk came that completed it. */
  nowMs: number = 0;

  get bodyBytes(): number {
    return this.end - this.start;
  }
}
