import type { LeafTree } from '../repair/merkle.js';

/** What whoever compares replicas by their trees needs of a store. */
export interface TreeStorage {
  /** The tree of a partition as a read would find it; only to be read, and only until the next write. */
  liveTree(partition: number): LeafTree;
}
