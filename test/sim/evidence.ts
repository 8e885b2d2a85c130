/*
 * What the checkers judge: what clients saw (history.ts), what an observer inside the servers saw, and what is on the
 * stores when everything has healed. The last comes through ClusterView, which whoever assembles a cluster provides.
 */
import type { History } from './history.js';

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

export interface HintView {
  readonly node: number;
  readonly key: string;
  readonly owner: number;
}

/** What a node still holds when nobody asks anything of it any more. */
export interface LeftoverView {
  readonly node: number;
  /** Bytes that its connections are charged for. */
  readonly budgetBytes: number;
  readonly sessions: number;
  /** Connections to it that the network has. */
  readonly connections: number;
}

/** A cluster when it has healed and nothing is under way. */
export interface ClusterView {
  /**
   * Each key has one copy, on one node: then every get must show what the last writes left, not only those at the end.
   */
  readonly isSingleCopy: boolean;
  /** W: distinct nodes that must have a put on their disks before it is acknowledged. */
  readonly writeQuorum: number;
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
  /**
   * When as many copies of what was stored under the key were destroyed as the promise allows for, last; -Infinity: never.
   * What had been acknowledged before is nobody's promise any more: it may be there or not. `isDurable`: of what was
   * acknowledged as being on disks.
   */
  doubtMs(key: string, isDurable: boolean): number;
}
