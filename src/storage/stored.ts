/* What a read, a write or a scan is shown. */

/**
 * What is stored under a key now. One pooled object: read it inside the call that hands it out, keep nothing of it.
 */
export interface Stored {
  /**
   * `unknown`: the record is damaged, or the partition is suspect and lacks it or may have lost a newer one. It is
   * neither found nor not-found, and never counts towards R.
   */
  readonly state: 'ok' | 'absent' | 'unknown';
  /** Why it is unknown; empty otherwise. */
  readonly reason: string;
  /** There is a record, and it fails its check. */
  readonly damaged: boolean;
  /** The partition's file is just being replaced or dropped: what is not found now may be there in a moment. */
  readonly moving: boolean;
  /** The record is `bytes[start, end)`; verified (checksum, key). Empty range unless `ok`, or `unknown` with a good record. */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** True: `bytes` belongs to this read alone and never changes, so a slice of it may be sent without a copy. */
  readonly owned: boolean;
  readonly from: 'active' | 'frozen' | 'file' | 'none';
  /** This store's mark for the key, if it is of the present opening (DESIGN: actors and marks). */
  readonly hasMark: boolean;
  readonly markActorHi: number;
  readonly markActorLo: number;
  readonly markCounter: number;
}
