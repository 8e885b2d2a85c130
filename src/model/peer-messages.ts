/*
 * What nodes say to each other, as the rest of the program sees it. Records travel whole, in the very bytes that are
 * stored; everything that carries one also carries the reap fence at which its sender read it (0: nothing was reaped yet).
 */

/** Why a record is sent: for counters, and for what the receiver may leave undone when it is busy. */
export const STORE_REASONS = ['put', 'read-repair', 'hint', 'anti-entropy'] as const;
export type StoreReason = (typeof STORE_REASONS)[number];

/** Everything of a Store but the record, which is written from where it lies. */
export interface StoreHead {
  readonly partition: number;
  readonly ringVersion: number;
  readonly budgetMs: number;
  /** Ordinal of the owner for whom the receiver is to keep the record as a hint; 0: it is for the receiver itself. */
  readonly hintFor: number;
  readonly fence: number;
  /** Answer only after it is synced to disk, whatever the receiver's default. */
  readonly durable: boolean;
  readonly reason: StoreReason;
}

export interface StoreRequest extends StoreHead {
  readonly record: Uint8Array;
}

export interface StoreReply {
  readonly ringVersion: number;
  readonly fence: number;
  readonly durable: boolean;
  /** It is kept as a hint: the receiver is no owner of the partition by its ring. */
  readonly hinted: boolean;
}

export interface ReadRequest {
  readonly key: Uint8Array;
  readonly partition: number;
  readonly ringVersion: number;
  readonly budgetMs: number;
}

export const READ_STATES = ['absent', 'found', 'unknown'] as const;
export type ReadState = (typeof READ_STATES)[number];

export interface ReadReplyHead {
  /** `unknown`: it may lack what was acknowledged (bootstrapping, suspect, damaged), and never counts towards R. */
  readonly state: ReadState;
  readonly ringVersion: number;
  readonly fence: number;
  /** Why it is unknown. */
  readonly reason: string;
}

export interface ReadReply extends ReadReplyHead {
  /** Empty unless found. */
  readonly record: Uint8Array;
}

/** A client's request, handed on once to a node that owns the key. Who gets one never hands it on again. */
export interface ForwardRequest {
  readonly kind: number;
  /** What is left; that inside of the body has gone by. */
  readonly budgetMs: number;
  readonly ringVersion: number;
  readonly body: Uint8Array;
  /** As that of a PutRequest. */
  readonly sentMs?: number;
}

export interface ForwardReply {
  readonly kind: number;
  readonly body: Uint8Array;
}
