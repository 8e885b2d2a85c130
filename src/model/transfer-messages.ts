/*
 * What nodes say to each other to move a partition's file.
 *
 *   receiver                      donor
 *   TRANSFER_OPEN (move)    ───▶  makes a copy of the file, or has it already
 *                           ◀───  what it is: size, digests, fence, Merkle root
 *   TRANSFER_CHUNK (place)  ───▶
 *                           ◀───  bytes from there on, and so on, a few at a time
 *   TRANSFER_CLOSE          ───▶  the copy goes
 */

/** A chunk is what has a digest of its own. Larger only where a file has more of them than a message names. */
export const CHUNK_BYTES_MIN = 1_048_576;
export const CHUNKS_MAX = 8_192;
/** Of one answer. */
export const PIECE_BYTES_MAX = 1_048_576;
/** Asked for and not stored yet: while one is written, and one is on its way, the donor reads the next. */
export const PIECES_MAX = 4;

export interface TransferOpen {
  readonly budgetMs: number;
  readonly partition: number;
  /** Which move it is for; whoever decides moves draws it. */
  readonly moveId: number;
  /** The receiver's reap fence: below it the file is of no use. */
  readonly fence: number;
}

/** `ready` false: the copy is being made, ask again. */
export interface TransferOpenReply {
  readonly ready: boolean;
  /** Of the donor's store: with the next one the copy is gone. */
  readonly opening: number;
  readonly fence: number;
  readonly bytes: number;
  readonly chunkBytes: number;
  /** XXH64 of each chunk, eight bytes each. */
  readonly digests: Uint8Array;
  /** XXH64 of `digests`. */
  readonly digest: Uint8Array;
  readonly rootHi: number;
  readonly rootLo: number;
  readonly records: number;
}

export interface TransferChunk {
  readonly budgetMs: number;
  readonly partition: number;
  readonly moveId: number;
  readonly opening: number;
  readonly offset: number;
  readonly length: number;
}

export interface TransferChunkReply {
  readonly bytes: Uint8Array;
}

export interface TransferClose {
  readonly budgetMs: number;
  readonly partition: number;
  readonly moveId: number;
}
