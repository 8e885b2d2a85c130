/*
 * Hints as the store keeps them: for whom a record is kept, beside the record itself, which lies where every record of
 * its key lies. coordinator/hint-book.ts decides about them; here they only survive.
 */
import type { Hint } from '../coordinator/hint-book.js';

/** Told once, when what was appended is as safe as asked for. */
export interface Ack {
  /** Only after the sync, even where the node's default is `interval`. */
  readonly durable: boolean;
  onWritten(durable: boolean): void;
}

export interface HintStorage {
  /** What the directory held when the store was opened, the oldest first. */
  restored(): readonly Hint[];
  /**
   * From now on this hint is kept, in this version; an earlier version of it is replaced. What is needed of `hint` is
   * taken before this returns. Called from within `decide`, it stands in the log before the record that is decided on:
   * whoever is told that the record is durable knows the same of the hint.
   */
  keep(hint: Hint, ack: Ack): void;
  /** This hint is kept no more. Told when that is on the disk: before, it may come back with a restart. */
  drop(hint: Hint, ack: Ack): void;
}
