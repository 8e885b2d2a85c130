/* What a client asks of a put. */
export interface PutTerms {
  /** 1..N */
  readonly w: number;
  /** Only owners count towards W. */
  readonly strict: boolean;
  /** Only acks after the sync count towards W. */
  readonly durable: boolean;
  /** On the clock of `nowMs`. */
  readonly deadlineMs: number;
}
