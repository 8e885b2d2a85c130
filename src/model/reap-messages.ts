/* What nodes say to each other to forget a delete (repair/reap-round.ts says why). */

export interface ReapAsk {
  readonly partition: number;
  readonly ringVersion: number;
  readonly budgetMs: number;
  /** 0: only a question. */
  readonly fence: number;
  /** Everything of the records but their values, with their checksums. */
  readonly heads: readonly Uint8Array[];
  /** The records live on, and only what is over in them is to go (repair/compact.ts). */
  readonly compact: boolean;
}

export interface ReapAskReply {
  readonly fence: number;
  readonly opening: number;
  readonly verdicts: Uint8Array;
  /** Of the reap log, for what was reaped here already. */
  readonly entries: readonly Uint8Array[];
}

export interface ReapOrder {
  readonly partition: number;
  readonly ringVersion: number;
  readonly budgetMs: number;
  readonly fence: number;
  /** Of the receiver's store when it said yes. */
  readonly opening: number;
  readonly heads: readonly Uint8Array[];
  readonly compact: boolean;
}

export interface ReapLogRequest {
  readonly partition: number;
  readonly budgetMs: number;
  /** Entries above this fence are wanted. */
  readonly since: number;
  readonly after: string;
}

export interface ReapLogReply {
  readonly reapedAt: number;
  readonly trimmedAt: number;
  readonly entries: readonly Uint8Array[];
  /** Empty: this was all. */
  readonly next: string;
}

/** What its receiver has sent was reaped, and it has missed that. */
export interface ReapedMessage {
  readonly partition: number;
  readonly budgetMs: number;
  /** Of the sender's reap log. */
  readonly entries: readonly Uint8Array[];
}

export interface ReapedReply {
  readonly applied: number;
}

export interface FenceMessage {
  readonly partition: number;
  readonly fence: number;
  readonly reapedAt: number;
  readonly trimmedAt: number;
}

export interface FencesMessage {
  readonly budgetMs: number;
  readonly fences: readonly FenceMessage[];
  /** Whoever sends it has not just started, and only tells. */
  readonly notice: boolean;
}
