/*
 * What whoever compares whole replicas needs of a store beside reads, writes and scans (scan.ts).
 */
import type { LeafTree } from '../repair/merkle.js';
import type { KeyHash } from '../model/hash.js';
import type { PartitionId } from '../model/ids.js';
import type { Suspicion } from './partition.js';

/** A key whose record cannot be read. */
export interface DamagedPlace extends KeyHash {
  readonly partition: PartitionId;
  /** Empty: whose it was is lost, too. */
  readonly key: Uint8Array;
}

export interface ReplicaStorage {
  /** The tree of a partition as a read would find it; only to be read, and only until the next write. */
  liveTree(partition: number): LeafTree;
  /** It lacks nothing that the other owners have: it is suspect no more. Told when that outlives a restart. */
  trust(partition: number, done: (error: Error | null) => void): void;
  /** It may lack what others have: from now on, and after restarts, it answers `unknown`. Told when that is on the disk. */
  suspect(partition: number, why: Suspicion, done: (error: Error | null) => void): void;
  /** Places found damaged since this was asked last; the same may be found again. */
  takeDamaged(): readonly DamagedPlace[];
}
