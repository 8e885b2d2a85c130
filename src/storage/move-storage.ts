/*
 * Partitions that come and go as a whole (§6.2): what whoever moves them needs of a store.
 */
import type { FileManifest } from '../env/workers.js';
import type { StoreRoom } from '../model/space-messages.js';
import type { FenceState } from './reap-storage.js';

/** Why a received file was not taken; the store is as it was. Whoever gets one brings the records one by one. */
export type InstallRefusal =
  /** It is not of this partition, or of this cluster's number of them, or no partition file at all. */
  | 'foreign'
  /** It was made at a fence below the one here. */
  | 'behind'
  /** What is here already is more than is merged in one go. */
  | 'too-much-here'
  /** Of files that are only taken where nothing is: something is, or may have been. */
  | 'not-empty'
  | 'in-doubt'
  /** Its bytes, or its records, are not those that were announced. */
  | 'damaged';

/** A file that is no owner's copy: what it is said to be is all that tells whether it can be believed. */
export interface ForeignFile extends FileManifest {
  /** In the node's directory. */
  readonly path: string;
  /** Its reap fence and its reap log are of this very cluster; those of another one mean nothing here. */
  readonly isOurs: boolean;
}

export interface WrittenPlaces {
  /** Of the partition's last write; what is read before the next one is all that there is. */
  readonly writtenLsn: number;
  /** Up to here its file has everything. */
  readonly flushedLsn: number;
}

export interface PartitionDrops {
  /**
   * All that is here of a partition goes, buffer and file, but for its fence, if `mayGo` says so in the moment in which it
   * goes: nothing is written between the question and the end of it. Told when that is on the disk; a crash before leaves
   * all of it or nothing. The caller has seen to it that everything has gone home: hints are not looked at.
   */
  dropPartition(partition: number, mayGo: () => boolean, done: (error: Error | null, isGone?: boolean) => void): void;
}

export interface MoveStorage extends PartitionDrops {
  /**
   * A received file, at `path` in the node's directory, becomes the partition's; what is here already is merged with it, and
   * what comes meanwhile, too. The partition is suspect afterwards: what the file lacks, anti-entropy brings. A crash
   * leaves what was here, or the file with all of that; where nothing is refused the path is free again.
   */
  installFile(
    partition: number,
    path: string,
    done: (error: Error | null, refusal?: InstallRefusal | null) => void,
  ): void;
  /**
   * A file from outside of the cluster becomes the partition's if nothing is here, and nothing that was here can be missing.
   * It is looked through first: its bytes, and each record. What comes meanwhile is merged with it, as `installFile` does; and
   * the partition is believed afterwards as it was before, since it holds all that it held. A crash leaves what was here, or
   * the file, suspect.
   */
  takeFile(
    partition: number,
    file: ForeignFile,
    done: (error: Error | null, refusal?: InstallRefusal | null) => void,
  ): void;
  /**
   * A compacted copy of the partition's file, at `path` in the node's directory, where nothing is and whose folder is there.
   * What stands in the buffer goes to the file first, if that takes seconds and not minutes; what is written meanwhile may be
   * missing. Answers what it is; null: there is no file.
   */
  copyFile(partition: number, path: string, done: (error: Error | null, manifest?: FileManifest | null) => void): void;
  /** How large the partitions here are, and how much more the disk takes. */
  room(done: (error: Error | null, room?: StoreRoom) => void): void;
  /** How far a copy that was made now would lack what was written: positions of this opening's log. */
  written(partition: number): WrittenPlaces;
}

/** At least as much as either of the two. */
export function higherFence(a: FenceState, b: FenceState): FenceState {
  return {
    fence: Math.max(a.fence, b.fence),
    reapedAt: Math.max(a.reapedAt, b.reapedAt),
    trimmedAt: Math.max(a.trimmedAt, b.trimmedAt),
  };
}
