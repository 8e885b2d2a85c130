/*
 * What an archive asks of members, besides the copies of transfer-messages.ts, and what a restore does.
 *
 *   partita ── admin socket ──▶ its node ── peer link ──▶ the member that is meant, or the node itself
 *           Archive (member, kind, body)      kind, body
 *
 * So the command talks to one node, on its machine, and writes its files itself; the node only passes on.
 */

/** Kinds that are passed on; see wire/kinds.ts. A body is one that the member would be sent. */
export interface ArchiveAsk {
  readonly budgetMs: number;
  /** Ordinal. */
  readonly member: number;
  readonly kind: number;
  readonly body: Uint8Array;
}

export interface ArchiveAskReply {
  /** The answer's. */
  readonly kind: number;
  readonly body: Uint8Array;
}

/** How does a partition stand with you? */
export interface ArchiveState {
  readonly budgetMs: number;
  readonly partition: number;
  /** Meet the other owners, too, and say whom you have met in meetings that began so long ago or later. */
  readonly meets: boolean;
  readonly begunMsAgo: number;
}

export interface ArchiveStateReply {
  readonly ringVersion: number;
  /** Of the member's store: positions in its log are of no use in the next one. */
  readonly opening: number;
  readonly isOwner: boolean;
  /** It may lack what others have, or what was reaped. */
  readonly isSuspect: boolean;
  readonly records: number;
  readonly rootHi: number;
  readonly rootLo: number;
  readonly fence: number;
  /** What was reaped up to this fence may have been forgotten for its age. */
  readonly trimmedAt: number;
  /** Positions in the log: of the last write of the partition, and up to which all is in its file. */
  readonly writtenLsn: number;
  readonly flushedLsn: number;
  /** Ordinals of other owners: met; reachable and not met yet. All others cannot be reached. */
  readonly met: readonly number[];
  readonly unmet: readonly number[];
  /** The slower of gets and puts, the 99th percentile of the last minute. */
  readonly latencyUs: number;
  /** It would take a file of the archive now: nothing is there, and nothing that was there can be missing. */
  readonly takesFile: boolean;
}

/** Records of an archive, to be merged with what is there; or to be looked for. */
export interface ArchiveRecords {
  readonly budgetMs: number;
  readonly partition: number;
  /** Nothing is written. */
  readonly compares: boolean;
  /** At which they were read. Nothing is merged where what was reaped since may have been forgotten: it would come back. */
  readonly fence: number;
  readonly records: readonly Uint8Array[];
}

/** How many of the records: they come to the number that were sent. */
export interface ArchiveRecordsReply {
  /** Were there, with all that they hold. */
  readonly known: number;
  /** Were not, and nothing else was under their keys. */
  readonly absent: number;
  /** Were not, or not with all that they hold. */
  readonly different: number;
  /** Hold nothing that was not deleted since, and forgotten: it stays so. */
  readonly reaped: number;
  /** Cannot be told: what is stored there is damaged, or in doubt. */
  readonly unknown: number;
}

/** Of one ArchiveRecords; a batch is as large as a piece, and its last record may be larger. */
export const ARCHIVE_RECORDS_MAX = 4_096;
