/*
 * What an owner of a partition asks another one to find out what differs (repair/exchange.ts). Everything is about what
 * the answerer holds at that moment; it keeps nothing of the questions.
 */
import type { KeyHash } from './hash.js';

export interface ExchangeHead {
  readonly partition: number;
  readonly ringVersion: number;
  readonly budgetMs: number;
}

export interface TreeRequest extends ExchangeHead {
  /** Of the nodes wanted; 0: leaves. */
  readonly level: number;
  /** Nodes of the level above, whose children are wanted; none: the root. */
  readonly parents: readonly number[];
}

export interface TreeReply {
  readonly ringVersion: number;
  /** What it holds may lack what was acknowledged. */
  readonly suspect: boolean;
  /** It keeps hints of the partition. */
  readonly hasHints: boolean;
  readonly nodes: Uint8Array;
}

export interface LeavesRequest extends ExchangeHead {
  /** Ascending; none: all. */
  readonly leaves: readonly number[];
  readonly from: KeyHash;
}

export interface LeavesReply {
  readonly ringVersion: number;
  readonly suspect: boolean;
  /** As repair/listing.ts draws them. */
  readonly entries: Uint8Array;
  /** The first hash that is not told of; null: all are. */
  readonly next: KeyHash | null;
}

export interface PullRequest extends ExchangeHead {
  readonly hashes: readonly KeyHash[];
}

export interface PullReply {
  readonly ringVersion: number;
  readonly fence: number;
  readonly suspect: boolean;
  /** Of the hashes, from the first on. */
  readonly answered: number;
  readonly records: readonly Uint8Array[];
}

/** `partita repair status`: numbers since the node was started. */
export interface RepairReply {
  /** 0: this node has nobody to meet. */
  readonly periodMs: number;
  /** That this node owns with others. */
  readonly partitions: number;
  /** Of those, which are not believed. */
  readonly suspect: readonly number[];
  /** Meetings that are due. */
  readonly waiting: number;
  readonly underWay: number;
  readonly met: number;
  readonly failed: number;
  /** Records merged here. */
  readonly received: number;
  readonly sent: number;
  /** Of questions and answers, records included. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Differences left alone. */
  readonly young: number;
  /** Partitions that are believed again. */
  readonly healed: number;
  /** Records whose copy here could not be read. */
  readonly damagedHealed: number;
}
