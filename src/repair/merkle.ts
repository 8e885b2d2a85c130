/*
 * The leaves and the tree by which two owners of a partition find out what differs (§4.7).
 *
 * All partitions together have 2^20 leaves, whatever Q is; a partition has 2^20 / Q. A key belongs to the leaf that the
 * bits of its hash after the partition's name, so a leaf is one stretch of the partition's file. Its value is the XOR
 * of XXH64 over the headers of its records (all but the values: exactly what merge looks at; the header names the key),
 * with their count:
 *
 *   leaf     u32 high half · u32 low half · u32 count, three words of a Uint32Array
 *   stored   the same as 12 big-endian bytes, 256 leaves a group, one entry of the file a group
 *
 * XOR needs no order and undoes itself, so a write changes a leaf without looking at its neighbours: out with the old
 * record's hash, in with the new one's. XXH64 is no defence against somebody who makes colliding records on purpose;
 * scrubbing and read repair still see those.
 *
 * The tree over the leaves has a fixed geometry, sixteen children to a node: node i of level k covers the leaves from
 * i·16^k on. A node is XXH64 over its children's 12 bytes each, with the sum of their counts; one that covers no
 * record is zero. Equal leaves give equal nodes on every machine, for every release.
 *
 * In memory a partition's leaves are a LeafTree: groups that hold no record are not there, and the node that covers a group
 * (two levels above its leaves) is kept until one of them changes. So what it costs to be asked for the upper levels goes
 * by what has changed since, not by how many leaves there are.
 */
import { assert } from '../lib/assert.js';
import { readU32, writeU32 } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import { MERKLE_LEAVES_TOTAL } from '../model/limits.js';

export const WORDS_PER_LEAF = 3;
export const LEAF_BYTES = 12;
export const LEAVES_PER_GROUP = 256;
export const TREE_FAN_OUT = 16;

/** Leaves of one partition. Q is a power of two of at most 4,096, so there are at least 256. */
export function leafCountOf(partitionCount: number): number {
  const count = MERKLE_LEAVES_TOTAL / partitionCount;
  assert(Number.isInteger(count) && count >= LEAVES_PER_GROUP, 'Q is a power of two of at most 4,096');
  return count;
}

/** The partition's bits and the leaf's are the first 20 of the hash; the leaf has the last log2(leafCount) of them. */
export function leafIndex(hashHi: number, leafCount: number): number {
  return (hashHi >>> 12) & (leafCount - 1);
}

/** The first hash of a leaf, as the high half; the low half is 0, and the next leaf begins 2^12 further. */
export function leafStart(partition: number, leaf: number, leafCount: number): number {
  return (partition * leafCount + leaf) * 0x1000;
}

/** A record comes (`change` 1) or goes (-1). */
export function toggleLeaf(leaves: Uint32Array, leaf: number, hi: number, lo: number, change: 1 | -1): void {
  const at = leaf * WORDS_PER_LEAF;
  leaves[at] = (leaves[at] as number) ^ hi;
  leaves[at + 1] = (leaves[at + 1] as number) ^ lo;
  leaves[at + 2] = (leaves[at + 2] as number) + change;
}

/** The same in leaves as they are stored; `at` is in bytes. */
export function toggleStoredLeaf(stored: Uint8Array, at: number, hi: number, lo: number, change: 1 | -1): void {
  writeU32(stored, at, readU32(stored, at) ^ hi);
  writeU32(stored, at + 4, readU32(stored, at + 4) ^ lo);
  writeU32(stored, at + 8, readU32(stored, at + 8) + change);
}

export function leavesEqual(a: Uint32Array, b: Uint32Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Indexes of the nodes of one level that differ, or of the leaves. */
export function differingNodes(a: Uint32Array, b: Uint32Array): readonly number[] {
  assert(a.length === b.length, 'nodes of one level are compared');
  const indexes: number[] = [];
  for (let at = 0; at < a.length; at += WORDS_PER_LEAF) {
    if (a[at] !== b[at] || a[at + 1] !== b[at + 1] || a[at + 2] !== b[at + 2]) indexes.push(at / WORDS_PER_LEAF);
  }
  return indexes;
}

/** Indexes of the leaves that differ. */
export function differingLeaves(a: LeafTree, b: LeafTree): readonly number[] {
  assert(a.leafCount === b.leafCount, 'leaves of one geometry are compared');
  const indexes: number[] = [];
  for (let group = 0; group < a.leafCount / LEAVES_PER_GROUP; group++) {
    const [one, other] = [a.groupAt(group), b.groupAt(group)];
    if (one === other) continue; // nothing in either
    for (const leaf of differingNodes(one, other)) indexes.push(group * LEAVES_PER_GROUP + leaf);
  }
  return indexes;
}

/** Writes `count` leaves from `first` on as bytes. */
export function encodeLeaves(leaves: Uint32Array, first: number, count: number, target: Uint8Array, at: number): void {
  const words = count * WORDS_PER_LEAF;
  for (let i = 0; i < words; i++) writeU32(target, at + 4 * i, leaves[first * WORDS_PER_LEAF + i] as number);
}

/** The reverse; `bytes` holds exactly `count` leaves. */
export function decodeLeaves(bytes: Uint8Array, leaves: Uint32Array, first: number, count: number): void {
  assert(bytes.length === count * LEAF_BYTES, 'a group of leaves has its size');
  const words = count * WORDS_PER_LEAF;
  for (let i = 0; i < words; i++) leaves[first * WORDS_PER_LEAF + i] = readU32(bytes, 4 * i);
}

/** How many levels lie above the leaves; the last is the root alone. */
export function treeLevels(leafCount: number): number {
  let levels = 0;
  for (let nodes = leafCount; nodes > 1; nodes = Math.ceil(nodes / TREE_FAN_OUT)) levels += 1;
  return levels;
}

/** All nodes of one level, in the form of leaves; level 0 is the leaves themselves. */
export function treeLevel(leaves: Uint32Array, level: number, hash: Hash64): Uint32Array {
  assert(level <= treeLevels(leaves.length / WORDS_PER_LEAF), 'the tree has this level');
  let nodes = leaves;
  for (let k = 0; k < level; k++) nodes = parentsOf(nodes, hash);
  return nodes;
}

/** Three words: high half, low half, count. */
export function treeRoot(leaves: Uint32Array, hash: Hash64): Uint32Array {
  return treeLevel(leaves, treeLevels(leaves.length / WORDS_PER_LEAF), hash);
}

/**
 * Nodes of one level as bytes: the children of each of `parents`, one after the other, or with no parents given the root.
 * Made of just the leaves below them. A parent must be a node of the level above.
 */
export function encodeChildren(
  leaves: Uint32Array,
  level: number,
  parents: readonly number[],
  hash: Hash64,
): Uint8Array {
  const leafCount = leaves.length / WORDS_PER_LEAF;
  const width = TREE_FAN_OUT ** level;
  const count = nodeCount(leafCount, level);
  const wanted = parents.length === 0 ? [0] : parents;
  const perParent = parents.length === 0 ? 1 : Math.min(TREE_FAN_OUT, count);
  const bytes = new Uint8Array(wanted.length * perParent * LEAF_BYTES);
  let at = 0;
  for (const parent of wanted) {
    const first = parents.length === 0 ? 0 : parent * TREE_FAN_OUT;
    const until = Math.min(first + perParent, count);
    const below = leaves.subarray(first * width * WORDS_PER_LEAF, until * width * WORDS_PER_LEAF);
    let nodes = below;
    for (let k = 0; k < level; k++) nodes = parentsOf(nodes, hash);
    encodeLeaves(nodes, 0, until - first, bytes, at);
    at += perParent * LEAF_BYTES;
  }
  return bytes;
}

/** How far above its leaves the node that covers a group is. */
const GROUP_LEVEL = 2;
const EMPTY_GROUP: Uint32Array = new Uint32Array(LEAVES_PER_GROUP * WORDS_PER_LEAF);

/** The leaves of a partition, and as much of the tree above them as is worth keeping. */
export class LeafTree {
  readonly leafCount: number;
  readonly #groups: (Uint32Array | undefined)[];
  /** What covers each group, those apart that have changed since. */
  readonly #nodes: Uint32Array;
  readonly #changed: Set<number> = new Set();

  /** `groups`: by their number; they are this tree's from now on. */
  constructor(leafCount: number, groups: ReadonlyMap<number, Uint32Array> = new Map()) {
    assert(leafCount % LEAVES_PER_GROUP === 0, 'leaves come in groups');
    const groupCount = leafCount / LEAVES_PER_GROUP;
    this.leafCount = leafCount;
    this.#groups = new Array<Uint32Array | undefined>(groupCount).fill(undefined);
    this.#nodes = new Uint32Array(groupCount * WORDS_PER_LEAF);
    for (const [group, leaves] of groups) {
      assert(group < groupCount && leaves.length === EMPTY_GROUP.length, 'a group is one of the tree, and whole');
      this.#groups[group] = leaves;
      this.#changed.add(group);
    }
  }

  /** A record comes (`change` 1) or goes (-1). */
  toggle(leaf: number, hi: number, lo: number, change: 1 | -1): void {
    const group = Math.floor(leaf / LEAVES_PER_GROUP);
    const leaves = (this.#groups[group] ??= new Uint32Array(EMPTY_GROUP.length));
    toggleLeaf(leaves, leaf % LEAVES_PER_GROUP, hi, lo, change);
    this.#changed.add(group);
  }

  /** Nothing is in it. */
  get isEmpty(): boolean {
    for (const group of this.#groups) {
      if (group === undefined) continue;
      for (let at = WORDS_PER_LEAF - 1; at < group.length; at += WORDS_PER_LEAF) if (group[at] !== 0) return false;
    }
    return true;
  }

  /** The leaves of a group, only to be read. */
  groupAt(group: number): Uint32Array {
    return this.#groups[group] ?? EMPTY_GROUP;
  }

  /** As encodeChildren of all leaves. */
  encodeChildren(level: number, parents: readonly number[], hash: Hash64): Uint8Array {
    if (level >= GROUP_LEVEL) return encodeChildren(this.#groupNodes(hash), level - GROUP_LEVEL, parents, hash);
    const perGroup = LEAVES_PER_GROUP / TREE_FAN_OUT ** (level + 1);
    const bytes = new Uint8Array(parents.length * TREE_FAN_OUT * LEAF_BYTES);
    parents.forEach((parent, i) => {
      const leaves = this.groupAt(Math.floor(parent / perGroup));
      bytes.set(encodeChildren(leaves, level, [parent % perGroup], hash), i * TREE_FAN_OUT * LEAF_BYTES);
    });
    return bytes;
  }

  /** Three words: high half, low half, count. */
  root(hash: Hash64): Uint32Array {
    return treeRoot(this.#groupNodes(hash), hash);
  }

  /** All leaves, one after the other: a copy. */
  all(): Uint32Array {
    const leaves = new Uint32Array(this.leafCount * WORDS_PER_LEAF);
    this.#groups.forEach((group, i) => {
      if (group !== undefined) leaves.set(group, i * EMPTY_GROUP.length);
    });
    return leaves;
  }

  #groupNodes(hash: Hash64): Uint32Array {
    for (const group of this.#changed) {
      this.#nodes.set(treeLevel(this.groupAt(group), GROUP_LEVEL, hash), group * WORDS_PER_LEAF);
    }
    this.#changed.clear();
    return this.#nodes;
  }
}

export function nodeCount(leafCount: number, level: number): number {
  return Math.ceil(leafCount / TREE_FAN_OUT ** level);
}

function parentsOf(nodes: Uint32Array, hash: Hash64): Uint32Array {
  const count = nodes.length / WORDS_PER_LEAF;
  const parents = new Uint32Array(Math.ceil(count / TREE_FAN_OUT) * WORDS_PER_LEAF);
  const bytes = new Uint8Array(TREE_FAN_OUT * LEAF_BYTES);
  for (let first = 0; first < count; first += TREE_FAN_OUT) {
    const children = Math.min(TREE_FAN_OUT, count - first);
    let records = 0;
    for (let i = first; i < first + children; i++) records += nodes[i * WORDS_PER_LEAF + 2] as number;
    if (records === 0) continue;
    encodeLeaves(nodes, first, children, bytes, 0);
    hash.hash(bytes, 0, children * LEAF_BYTES);
    parents.set([hash.hi, hash.lo, records], (first / TREE_FAN_OUT) * WORDS_PER_LEAF);
  }
  return parents;
}
