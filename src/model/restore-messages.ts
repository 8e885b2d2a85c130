/*
 * What a restore asks of an owner of which nothing of a partition is there, beside what archive-messages.ts has: the file of
 * the archive, as it is.
 *
 *   command                       owner
 *   RESTORE_OPEN (file)     ───▶  begins it, or finds what is there of it
 *                           ◀───  which chunks those are
 *   RESTORE_PIECE (bytes)   ───▶  a few at a time, in any order, each written before it is answered
 *   RESTORE_TAKE            ───▶  looks it through, and makes it the partition's: or refuses it, and it goes
 */
import type { TransferOpenReply } from './transfer-messages.js';

export interface RestoreOpen {
  readonly budgetMs: number;
  readonly partition: number;
  /** The same for the same file: who was interrupted goes on with what is there. */
  readonly restoreId: number;
  /** Of the archive. */
  readonly clusterId: string;
  /** As if an owner had offered it; `opening` is 0. */
  readonly file: TransferOpenReply;
}

export interface RestoreOpenReply {
  /** One byte for each chunk: 1 where it is there, and good. */
  readonly chunks: Uint8Array;
  /** At most PIECE_BYTES_MAX; less where frames are shorter. */
  readonly pieceBytes: number;
}

export interface RestorePiece {
  readonly budgetMs: number;
  readonly partition: number;
  readonly restoreId: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface RestoreTake {
  readonly budgetMs: number;
  readonly partition: number;
  readonly restoreId: number;
}

/** `ready` false: it is being looked through, or put in its place; ask again. */
export interface RestoreTakeReply {
  readonly ready: boolean;
}
