/*
 * What a node tells its command line about the ring: the JSON in a ClusterReply. Both ends are of one release, as the
 * socket is on the node's own machine.
 */

/** A node that answers; one that does not; one of which a change is still to be made true. */
export type MemberState = 'this node' | 'up' | 'unreachable';

export interface MemberFacts {
  readonly ordinal: number;
  readonly nodeId: string;
  readonly address: string;
  readonly peerAddress: string;
  readonly zone: string;
  readonly capacity: number;
  readonly leaving: boolean;
  readonly state: MemberState;
  /** Why it is not reached. */
  readonly reason: string;
  /** That it has said it lives by; 0: not known. */
  readonly ringVersion: number;
  /** Of its build, when it was reached last; empty: not known, or from before releases said what they are. */
  readonly release: string;
  /** Highest feature level that it understands; 0: not known. */
  readonly levelMax: number;
  readonly replicas: number;
  readonly tokens: number;
  /** Replicas that it takes over, and that it gives up. */
  readonly incoming: number;
  readonly outgoing: number;
}

export interface VoterFacts {
  readonly ordinal: number;
  readonly reachable: boolean;
}

/** How far a partition's file is on its way to the node that was asked, or from it. */
export interface FileFacts {
  readonly bytes: number;
  /** 0: the donor is still copying it. */
  readonly ofBytes: number;
  /** Since its first piece; 0: none has gone yet. */
  readonly bytesPerSecond: number;
}

/** One replica on its way. */
export interface MoveFacts {
  readonly partition: number;
  /** 0: from nobody, that node was lost. */
  readonly from: number;
  readonly to: number;
  readonly phase: 'copy' | 'settle';
  /** What it waits for; only the node that takes it over knows. */
  readonly step: string;
  readonly since: number;
  /** Null: it does not come as a file now, or not by way of the node that was asked. */
  readonly file: FileFacts | null;
}

/** Features of a newer release that wait until all members understand them. */
export interface FinalizeFacts {
  /** To which the cluster can be raised, or could if nobody were in the way. */
  readonly level: number;
  readonly isReady: boolean;
  /** What to do, or who is in the way and why. */
  readonly text: string;
}

export interface ClusterStatusFacts {
  readonly cluster: string;
  readonly clusterId: string;
  readonly version: number;
  /** Feature level; what is above it is neither sent nor stored. */
  readonly level: number;
  /** null: there is nothing to finalize. */
  readonly finalize: FinalizeFacts | null;
  readonly change: string;
  readonly changedAtMs: number;
  readonly partitionCount: number;
  readonly replicaCount: number;
  /** Ordinal of the node that was asked. */
  readonly self: number;
  readonly members: readonly MemberFacts[];
  /** All that are under way, anywhere. */
  readonly moves: readonly MoveFacts[];
  /** Partitions that are not this node's any more, and of which it still holds something. */
  readonly departing: readonly number[];
  /** Partitions that this node owns, and that do not count in reads yet. */
  readonly suspect: number;
  readonly hints: number;
  readonly voters: readonly VoterFacts[];
  /** So many voters have to agree on the next ring. */
  readonly quorum: number;
  /** Sentences about edits that wait for a commit. */
  readonly staged: readonly string[];
  readonly plan: { readonly version: number; readonly hash: string; readonly isStale: boolean } | null;
  /** Names of nodes that would join. */
  readonly joining: readonly string[];
  /** What is not as it should be; none: all is well. */
  readonly troubles: readonly string[];
  /** The ring document in force, as JSON. */
  readonly ring: unknown;
}

export interface StagedFacts {
  readonly staged: readonly string[];
}

export interface PlannedMember {
  readonly ordinal: number;
  readonly nodeId: string;
  readonly address: string;
  readonly zone: string;
  readonly becomes: 'joins' | 'leaves' | 'is removed' | 'stays';
  readonly replicasBefore: number;
  /** When all moves have ended. */
  readonly replicasAfter: number;
  readonly incoming: number;
  readonly outgoing: number;
  /** About; null: nobody has told. */
  readonly incomingBytes: number | null;
  readonly outgoingBytes: number | null;
  /** At the rate that its background work gets at most; null: nothing holds it back, or that is not known. */
  readonly incomingMs: number | null;
  /** Above what it keeps free; null: it has not told. */
  readonly freeBytes: number | null;
}

/** What moves. No part of what is committed: that is the ring alone. */
export interface PlannedBytes {
  /** About; null: nobody has told. */
  readonly moved: number | null;
  /** So many of the replicas that move are taken to be as large as the others are on average. */
  readonly guessed: number;
  /** Until the slowest member has all that comes to it, at the rate of its background work; null: not known. */
  readonly ms: number | null;
}

export interface PlanFacts {
  /** The ring version that it begins with, and the one that it makes. */
  readonly baseVersion: number;
  readonly version: number;
  /** Of the ring that it makes: 16 hexadecimal digits. */
  readonly hash: string;
  readonly change: string;
  readonly edits: readonly string[];
  readonly members: readonly PlannedMember[];
  /** Replicas that are copied, and below what no balanced ring of these members could be. */
  readonly replicasMoved: number;
  readonly replicasMovedLeast: number;
  readonly replicasAll: number;
  readonly bytes: PlannedBytes;
  readonly placementEfficiency: { readonly before: number; readonly after: number };
  readonly tokenEfficiency: { readonly before: number; readonly after: number };
  readonly warnings: readonly string[];
  /** The command that makes it true. */
  readonly next: string;
}

export interface CommitFacts {
  readonly kind: 'done' | 'refused' | 'conflict' | 'no-quorum' | 'unknown';
  readonly text: string;
  /** Only if done: the ring document, as JSON, and what was said of those that join. */
  readonly ring: unknown;
  readonly version: number;
  readonly joined: readonly { readonly nodeId: string; readonly name: string }[];
}

export interface HistoryEntry {
  readonly version: number;
  /** By the clock of whoever made the change; 0: not known. */
  readonly changedAtMs: number;
  readonly change: string;
}

export interface HistoryFacts {
  /** Newest first, as far as this node has seen them. */
  readonly rings: readonly HistoryEntry[];
}
