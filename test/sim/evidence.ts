/*
 * What the checkers judge: what clients saw (history.ts), what an observer inside the servers saw, and what is on the
 * stores when everything has healed. The last comes through ClusterView, which whoever assembles a cluster provides.
 */
import type { RingDocument } from '../../src/ring/document.js';
import type { History, WriteOp } from './history.js';

/** A version that appeared in a store, once a (key, dot, put id). */
export interface Minted {
  readonly key: string;
  /** Actor and counter, 28 hexadecimal digits. */
  readonly dot: string;
  readonly putId: string;
  /** The node in whose store it was first seen; the ordinal in its actor says who minted it. */
  readonly node: number;
  readonly ordinal: number;
  readonly atMs: number;
  /** Its HLC stamp. */
  readonly wallMs: number;
  readonly logical: number;
  /** Of the minting node: which start of which life of its disk. */
  readonly incarnation: number;
  readonly life: number;
  /** When the first store called it durable; Infinity: none did. */
  durableMs: number;
}

/** What one store has under a key. `unknown`: it cannot say. */
export interface ReplicaView {
  readonly node: number;
  readonly state: 'ok' | 'absent' | 'unknown';
  /** The record's bytes; empty unless `ok`. */
  readonly record: Uint8Array;
}

/** Hints that a node keeps for an owner. */
export interface HintView {
  readonly node: number;
  readonly owner: number;
  readonly count: number;
}

/** What a node still holds when nobody asks anything of it any more. */
export interface LeftoverView {
  readonly node: number;
  /** Bytes that its connections are charged for. */
  readonly budgetBytes: number;
  readonly sessions: number;
  /** Requests of it that peers have not answered. */
  readonly askingPeers: number;
  /** Connections to it that the network has. */
  readonly connections: number;
}

/** The Merkle tree of one owner of a partition. */
export interface TreeView {
  readonly node: number;
  readonly partition: number;
  readonly root: string;
  /** Its leaves are those that the owner's records make. */
  readonly isAsRebuilt: boolean;
}

/** What owners hold when all of them have met, and before any client has read. */
export interface OwnersMet {
  readonly replicas: ReadonlyMap<string, readonly ReplicaView[]>;
  readonly trees: readonly TreeView[];
  /** Partitions with keys of which the owners hold other bytes (same-record.ts says where that means nothing). */
  readonly uneven: ReadonlySet<number>;
  /** Records that were moved by then because owners differed. */
  readonly movedBefore: number;
  /** No fault ever began. */
  readonly isUntouched: boolean;
}

/** A put in a record beside which a node kept a hint, since when that was on its disk; kept-hints.ts. */
export interface KeptHint {
  readonly node: number;
  /** For whom. */
  readonly owner: number;
  readonly key: string;
  readonly putId: string;
  readonly atMs: number;
  /** Owners that have never had it, nor what replaced it. */
  readonly lacking: readonly number[];
}

/** What nodes did with puts of partitions that were not theirs; strangers.ts. */
export interface StrangersView {
  /** Puts that came to such a node and that no hint stands for. */
  readonly unhinted: readonly {
    readonly node: number;
    readonly key: string;
    readonly putId: string;
    readonly atMs: number;
  }[];
  /** Puts that were such a node's own once, and that it dropped; `lacking`: owners that had never had them on their disks. */
  readonly dropped: readonly {
    readonly node: number;
    readonly key: string;
    readonly putId: string;
    readonly atMs: number;
    readonly lacking: readonly number[];
  }[];
}

/** A step of a move came into force on the node that takes the partition over, and that goes on since the step before. */
export interface StepOfMove {
  readonly node: number;
  readonly partition: number;
  readonly version: number;
  readonly phase: 'copy' | 'settle';
  /** The node does not believe what it holds of it. */
  readonly isSuspect: boolean;
}

/** A ring came into force on a node: it was there when the node started, or it took the place of an older one. */
export interface RingInForce {
  readonly node: number;
  /** Of its disk: one that was lost or put back begins another. */
  readonly life: number;
  readonly atMs: number;
  readonly ring: RingDocument;
}

/** A cluster when it has healed and nothing is under way. */
export interface ClusterView {
  /**
   * Each key has one copy, on one node: then every get must show what the last writes left, not only those at the end.
   */
  readonly isSingleCopy: boolean;
  /** N. */
  readonly replicaCount: number;
  /** Nodes whose the key is. */
  owners(key: string): readonly number[];
  /** The owners of the key, and what they have. */
  replicas(key: string): readonly ReplicaView[];
  hints(): readonly HintView[];
  leftovers(): readonly LeftoverView[];
}

/** A bit of what is stored under a key flipped. Until `sinceMs`, and again from `untilMs` on, worse excuses what is gone. */
export interface Flip {
  readonly node: number;
  readonly key: string;
  readonly atMs: number;
  readonly sinceMs: number;
  untilMs: number;
}

export interface Evidence {
  readonly history: History;
  readonly minted: readonly Minted[];
  /** Put id → node → when its store called it durable. */
  readonly durable: ReadonlyMap<string, ReadonlyMap<number, number>>;
  /** Keys → ids of the puts shown by the last read, after healing; null: it failed. */
  readonly final: ReadonlyMap<string, readonly number[] | null>;
  readonly view: ClusterView;
  readonly flips: readonly Flip[];
  /** As many disks were destroyed since the write was first sent as its W, whatever is left elsewhere. */
  isPromiseVoid(write: WriteOp): boolean;
  /** What was destroyed excuses the absence of this acknowledged write. */
  mayBeGone(write: WriteOp): boolean;
  /** What was destroyed excuses that nobody can say what is under the key. */
  mayBeUnknown(key: string): boolean;
  /** Owners of the key on which something of it was destroyed between the two times. */
  ownersLost(key: string, isDurable: boolean, fromMs: number, untilMs: number): number;
  /** Of those since the write began: owners that may say they have nothing, since nothing told them what they had lost. */
  ownersDoubtful(write: WriteOp, untilMs: number): number;
  /** All that ever were. */
  ownersEver(key: string): readonly number[];
  /** Key → coordinating node → ids of the puts shown by a get of all owners, after healing; null: it failed. */
  readonly byCoordinator: ReadonlyMap<string, ReadonlyMap<number, readonly number[] | null>>;
  /** What owners held when hints had gone home, and before anything was read; null: there is no claim about that. */
  readonly handedOff: ReadonlyMap<string, readonly ReplicaView[]> | null;
  /** What owners held when everything had been scrubbed, and before anything was read; null: nobody scrubs. */
  readonly afterScrub: ReadonlyMap<string, readonly ReplicaView[]> | null;
  /** Null: each key has one owner. */
  readonly ownersMet: OwnersMet | null;
  /** What owners hold after one get of all of them, through one of them. */
  readonly afterOneRead: ReadonlyMap<string, readonly ReplicaView[]>;
  /** What was left that should have been forgotten, and what each key showed after it; null: nobody waited for it. */
  readonly reaped: {
    readonly left: readonly string[];
    readonly shown: ReadonlyMap<string, readonly number[] | null>;
  } | null;
  readonly strangers: StrangersView;
  /** Hints that did not bring to owners what they were kept for, though all of them have gone home. */
  readonly brokenHints: readonly KeptHint[];
  /** Nodes that were told to free a record of what is over in it, and when. */
  readonly compactions: readonly { readonly node: number; readonly atMs: number }[];
  readonly stepsOfMoves: readonly StepOfMove[];
  /** In the order in which they came into force; empty where nodes are clusters of their own. */
  readonly rings: readonly RingInForce[];
  /** What nodes counted, by metric and labels. */
  readonly counts: ReadonlyMap<string, number>;
  /** What the right time was when the run began, and how far any clock may have been off. */
  readonly wallStartMs: number;
  readonly skewMaxMs: number;
  /** When the last read of `final` and `byCoordinator` had been answered. */
  readonly endMs: number;
  /** No process has ended and no disk failed. */
  readonly isUndisturbed: boolean;
}
