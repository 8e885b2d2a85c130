/* What a scrub asks of the engine: one stretch of one partition's file at a time. */
import type { DamagedPlace } from './replica-storage.js';

/** What was found in one stretch, and what the engine has done about it. */
export interface Scrubbed {
  /** Where to go on; null: this was the end of the partition. */
  readonly nextLeaf: number | null;
  readonly records: number;
  readonly bytes: number;
  /** Their reads answer `unknown` until somebody writes them anew; the first thousand. */
  readonly damaged: readonly DamagedPlace[];
  readonly damagedCount: number;
  /** Leaves of the tree that were wrong though every record was sound: a fault of the program, or of the disk. */
  readonly wrongLeaves: number;
  /** The pages hold what no read finds, or a record that nobody can name any more: the partition is suspect now. */
  readonly isBroken: boolean;
}

export interface ScrubStorage {
  readonly partitionCount: number;
  readonly leafCount: number;
  /** Answers later; an error if the file cannot be read (then it is suspect), or the store is being closed. */
  scrub(partition: number, fromLeaf: number, done: (error: Error | null, found?: Scrubbed) => void): void;
  /** How many leaves in memory are not what file and buffer come to; they are made anew. */
  compareLive(partition: number): number;
}
