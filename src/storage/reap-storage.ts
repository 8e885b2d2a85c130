/*
 * What a store keeps so that deletes can be forgotten (DESIGN: repair, deletes): for each partition a fence, and a log of
 * what was reaped at which fence. node/cluster/ decides about them; here they only survive.
 *
 * A fence has two sides. What is read here is *stamped* with a fence that is on the disk, so that no restart makes the
 * stamp a lie. What comes is *refused* below a fence from the moment at which it is asked for, on the disk or not.
 */
import type { Ack } from './hint-storage.js';

export interface FenceState {
  readonly fence: number;
  /** The highest fence at which anything was reaped, as far as is known here. */
  readonly reapedAt: number;
  /** Entries of the reap log up to here may have been thrown away for their age. */
  readonly trimmedAt: number;
}

/** One key, reaped. Two keys of one hash may share an entry: actors are drawn for each key, so neither loses by it. */
export interface ReapEntry {
  readonly hashHi: number;
  readonly hashLo: number;
  readonly fence: number;
  /** Wall ms. */
  readonly atMs: number;
  /** Entries as in a record: what was known when it was reaped. */
  readonly context: Uint8Array;
}

/** What DROP_RECORD is to be when it is a reap. */
export interface Reaping {
  readonly fence: number;
  readonly atMs: number;
}

export interface ReapPage {
  readonly entries: readonly ReapEntry[];
  /** Where to go on; empty: this was all. */
  readonly next: string;
}

export interface ReapStorage {
  /** At which records of the partition that are read here are stamped. */
  stampOf(partition: number): number;
  /** Below which records that come are refused; at least the stamp. */
  floorOf(partition: number): number;
  reapedAt(partition: number): number;
  trimmedAt(partition: number): number;
  /** In memory only: until the next start, or for good once `raise` has come as far. */
  refuseBelow(partition: number, fence: number): void;
  /** Each number to at least this; what is lower than what is there changes nothing. Told when it is on the disk. */
  raise(partition: number, state: FenceState, ack: Ack): void;
  /** An entry that another store has made; it stands in the log before whatever is appended later. */
  learn(partition: number, entry: ReapEntry): void;
  /** All that was reaped under this hash. Blocks for a read of the file: not for every put. */
  entriesOf(partition: number, hashHi: number, hashLo: number): readonly ReapEntry[];
  /** Entries above a fence, some at a time; `after` is empty, or the `next` of the page before. */
  since(partition: number, fence: number, after: string): ReapPage;
  /** Throws away some entries of before `atMs`; answers where to go on as `since` does. */
  trim(partition: number, atMs: number, after: string): string;
}
