/*
 * The engine as node/ sees it. Nothing here is a promise or a closure a request: a request is an object that the caller
 * pools, with the methods that the engine calls. Reads may be answered at once (inside the call) or later.
 */
import type { PartitionId } from '../model/ids.js';
import type { Failure } from '../model/errors.js';
import type { Ack } from './hint-storage.js';
import type { Reaping } from './reap-storage.js';
import type { ScanRequest } from './scan.js';
import type { Stored } from './stored.js';

export type { Stored } from './stored.js';

export const WRITE_NOTHING = 0;
export const WAIT_FOR_EARLIER = -1;
/** What is stored goes, mark and all: a copy that was kept for others, and that they all have by now. */
export const DROP_RECORD = -2;

/** Where a request's key is: computed once by the caller. */
export interface KeyPlace {
  readonly partition: PartitionId;
  readonly key: Uint8Array;
  readonly hashHi: number;
  readonly hashLo: number;
}

export interface ReadRequest extends KeyPlace {
  /** Once. Every read that was asked for is answered before the engine is closed. */
  onRead(stored: Stored): void;
}

export interface WriteRequest extends KeyPlace, Ack {
  /** Read right after a `decide` that was DROP_RECORD: the drop is a reap, and goes to the reap log. Absent: just a drop. */
  readonly reaping?: Reaping | undefined;
  /** About how many bytes it brings, key and value: what it waits for where puts are slowed. */
  readonly bytesHint: number;
  /**
   * Called once, with what is stored now, at the moment at which the new record takes its place: nothing can come in
   * between. Answers the size of the new record in bytes; or WRITE_NOTHING (then `onWritten` is not called: the request
   * has been answered by whoever said so); or WAIT_FOR_EARLIER (nothing is written, and `onWritten` comes when everything
   * appended before is as safe as asked: a repeated put must not be acknowledged before the first one's sync); or
   * DROP_RECORD (nothing is stored under the key any more; `encode` is not called, `onWritten` is: at once, as with
   * WAIT_FOR_EARLIER, if nothing was stored).
   */
  decide(stored: Stored): number;
  /** Right after a `decide` that was not 0: writes exactly that many bytes of a record, checksum included. */
  encode(target: Uint8Array, at: number): void;
  /** The mark that goes beside the record; read right after `encode`. `markCounter` 0: none (a merged record keeps the old mark if its counter still holds). */
  readonly markActorHi: number;
  readonly markActorLo: number;
  readonly markCounter: number;
  /** Instead of `decide` when the engine refuses (disk full, overloaded, closing), with nothing written. */
  onRefused(failure: Failure): void;
}

export interface StorageStatus {
  readonly opening: number;
  readonly lastLsn: number;
  readonly durableLsn: number;
  readonly bufferBytes: number;
  readonly bufferBytesMax: number;
  readonly logSegments: number;
  readonly suspectPartitions: readonly number[];
  readonly diskFull: boolean;
  /** Of the log's syncs, lately. */
  readonly syncP99Ms: number;
  readonly damagedRecords: number;
  readonly quarantined: readonly string[];
}

export interface Storage {
  read(request: ReadRequest): void;
  write(request: WriteRequest): void;
  /** What one partition holds, in the order of the hashes. */
  scan(request: ScanRequest): void;
  /** Node id, opening number and what recovery found are known from the start. */
  status(): StorageStatus;
  /** Waits for writes under way, syncs the log, writes the clean mark, closes the files. */
  close(done: (error: Error | null) => void): void;
}
