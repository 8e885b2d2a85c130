/*
 * Going through what one partition holds: everything that a read would find, key by key, the write buffer laid over the
 * file. For those who need all keys of a stretch and know none of them: exchange, reaping, listing, export.
 *
 * A scan is a chain of batches, and each is a request of its own. A batch goes from one hash to another in hash order,
 * and always ends where a hash ends, so the place to go on from is just a hash, which may be kept, sent and resumed
 * after a restart. What is written between two batches is seen if it lies ahead. Nothing is held in between: no
 * transaction, no cursor.
 *
 * Unlike a read a scan does not doubt what it finds in a suspect partition: whoever heals one needs to see what is
 * there. That something is *not* found says nothing then; `StorageStatus.suspectPartitions` is the caller's to ask.
 */
import type { Failure } from '../model/errors.js';
import type { PartitionId } from '../model/ids.js';
import type { Stored } from './stored.js';

/** A hash of a key, as two u32; `hi` 2^32 is behind the last. */
export interface HashPlace {
  readonly hi: number;
  readonly lo: number;
}

export const HASH_END_HI = 0x1_0000_0000;

export interface ScanRequest {
  readonly partition: PartitionId;
  /** The first hash, inclusive. What lies outside of the partition is left out, so (0, 0) begins at its start. */
  readonly fromHi: number;
  readonly fromLo: number;
  /** Exclusive; (HASH_END_HI, 0): to the end of the partition. */
  readonly untilHi: number;
  readonly untilLo: number;
  /** The batch ends once it has come to one of the two, at the next end of a hash. At least 1. */
  readonly recordsMax: number;
  /** Of records as they are stored, keys and values; a batch may exceed it by its last records. */
  readonly bytesMax: number;
  /**
   * Once for every key, in the order of hashes; those of one hash in no order. `stored` is `ok` or, for a record that is
   * damaged, `unknown`; both are pooled and good inside the call. `key` is empty if the record is damaged and its key was
   * too long to be kept beside it; its hash is known in any case.
   */
  onRecord(stored: Stored, key: Uint8Array, hashHi: number, hashLo: number): void;
  /** Once, last. `next`: where the next batch begins; null: this was all, or (with `failure`) nothing more can be said. */
  onEnd(next: HashPlace | null, failure: Failure | null): void;
}

/** Is hash a before hash b? */
export function isBefore(aHi: number, aLo: number, bHi: number, bLo: number): boolean {
  return aHi < bHi || (aHi === bHi && aLo < bLo);
}
