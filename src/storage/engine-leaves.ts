/*
 * The two sets of Merkle leaves of a partition (merkle.ts): *stored* lies in the file and speaks of the file's records,
 * *live* speaks of what a read would find, the buffer included.
 *
 * A flush writes stored ⊕ old ⊕ new for its entries, in their transaction. Live leaves are made when somebody first
 * asks, as stored ⊕ buffer, and are kept from then on by every write. After recovery the buffer is what was replayed,
 * so live = stored ⊕ replay without a word of code for it.
 *
 * Where the old record is damaged its hash is not to be had. Then the one leaf is made anew from its stretch of the
 * file: a few records, since a leaf is a stretch.
 */
import type { Digest } from '../env/digest.js';
import type { FileSnapshot, PartitionFile } from '../env/partition-file.js';
import { compareBytes, equalBytes } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import {
  decodeLeaves,
  leafIndex,
  leafStart,
  LEAF_BYTES,
  LEAVES_PER_GROUP,
  LeafTree,
  toggleStoredLeaf,
  WORDS_PER_LEAF,
} from '../repair/merkle.js';
import { checkRecord, recordHeaderEnd, recordKeyEnd, recordKeyStart } from '../versioning/record.js';
import { MARK_BYTES } from './engine-mark.js';
import type { StoredSlot } from './engine-stored.js';
import type { Partition } from './partition.js';
import { bookkeepingKey, hashBound, isRecordKey, keyName, keyOfName, storageKey } from './storage-key.js';
import { OLD_HASH, OLD_NONE, OLD_UNKNOWN, type BufferedRecord } from './write-buffer.js';

const SCAN_ENTRIES = 256;
const GROUP_PREFIX = 'leaves/';
const GROUPS_A_SCAN = 32;
const NOTHING_OVER: ReadonlyMap<string, BufferedRecord> = new Map();

/** Leaves `hash` with what a record adds to its leaf. */
export function hashHeader(bytes: Uint8Array, start: number, hash: Hash64): void {
  hash.hash(bytes, start, recordHeaderEnd(bytes, start));
}

/** The same, kept with an entry of the buffer. */
export function takeLeafHash(entry: BufferedRecord, hash: Hash64): void {
  if (entry.dropped) return;
  hashHeader(entry.chunk.bytes, entry.at, hash);
  entry.leafHi = hash.hi;
  entry.leafLo = hash.lo;
}

export function groupKey(group: number): Uint8Array {
  return bookkeepingKey(`${GROUP_PREFIX}${group.toString(16).padStart(4, '0')}`);
}

/** The groups of stored leaves from `first` on and before `end` that a file has; the leaves of others are zero. */
export function storedGroups(
  file: Pick<FileSnapshot, 'scan'>,
  first: number,
  end: number,
): ReadonlyMap<number, Uint32Array> {
  const groups = new Map<number, Uint32Array>();
  for (let after = first === 0 ? bookkeepingKey(GROUP_PREFIX) : groupKey(first - 1); ;) {
    const entries = file.scan(after, GROUPS_A_SCAN);
    for (const { key, value } of entries) {
      const group = groupOf(key);
      if (group === null || group >= end) return groups;
      if (value.length !== GROUP_BYTES) continue;
      const leaves = new Uint32Array(LEAVES_PER_GROUP * WORDS_PER_LEAF);
      decodeLeaves(value, leaves, 0, LEAVES_PER_GROUP);
      groups.set(group, leaves);
    }
    const last = entries[entries.length - 1]?.key;
    if (last === undefined || entries.length < GROUPS_A_SCAN || compareBytes(last, after) <= 0) return groups;
    after = last;
  }
}

/** Null: it is the key of something else. */
function groupOf(key: Uint8Array): number | null {
  const group = Number.parseInt(Buffer.from(key.subarray(-4)).toString('latin1'), 16);
  return Number.isInteger(group) && equalBytes(key, groupKey(group)) ? group : null;
}

const GROUP_BYTES = LEAVES_PER_GROUP * LEAF_BYTES;
/** Those that were asked for. */
const GROUP_KEYS: Uint8Array[] = [];

/** The groups of stored leaves that one batch changes, as bytes: read once, changed in place, written whole. */
export class LeafGroups {
  /** Kept for the batches to come. */
  readonly #bytes: (Uint8Array | undefined)[];
  readonly #isRead: boolean[];
  #groups: number[] = [];

  constructor(leafCount: number) {
    this.#bytes = new Array<Uint8Array | undefined>(leafCount / LEAVES_PER_GROUP).fill(undefined);
    this.#isRead = new Array<boolean>(leafCount / LEAVES_PER_GROUP).fill(false);
  }

  /** The groups changed since `clear`; nothing may hold on to what `valueOf` gave. */
  get groups(): readonly number[] {
    return this.#groups;
  }

  clear(): void {
    for (const group of this.#groups) this.#isRead[group] = false;
    this.#groups = [];
  }

  /** The leaf's group is there from now on; returns its bytes. */
  of(file: PartitionFile | null, leaf: number): Uint8Array {
    const group = Math.floor(leaf / LEAVES_PER_GROUP);
    const bytes = this.valueOf(group);
    if (this.#isRead[group] === true) return bytes;
    const stored = file?.get(this.keyOf(group));
    if (stored?.length === GROUP_BYTES) bytes.set(stored);
    else bytes.fill(0);
    this.#isRead[group] = true;
    this.#groups.push(group);
    return bytes;
  }

  keyOf(group: number): Uint8Array {
    return (GROUP_KEYS[group] ??= groupKey(group));
  }

  valueOf(group: number): Uint8Array {
    return (this.#bytes[group] ??= new Uint8Array(GROUP_BYTES));
  }
}

/** Where a leaf stands among the bytes of its group. */
function placeInGroup(leaf: number): number {
  return (leaf % LEAVES_PER_GROUP) * LEAF_BYTES;
}

export class Leaves {
  readonly leafCount: number;
  readonly #hash: Hash64;
  readonly #digest: Digest;

  constructor(leafCount: number, hash: Hash64, digest: Digest) {
    this.leafCount = leafCount;
    this.#hash = hash;
    this.#digest = digest;
  }

  storedOf({ file }: Partition): LeafTree {
    return new LeafTree(this.leafCount, this.#storedGroups(file));
  }

  /** The partition's live leaves, made if nobody has asked before; the caller only reads them. */
  liveOf(partition: Partition): LeafTree {
    if (partition.live !== null) return partition.live;
    const { frozenOrder, frozenFlushed, active } = partition.buffer;
    const entries = [...frozenOrder.slice(frozenFlushed), ...active.values()];
    const changed = new LeafGroups(this.leafCount);
    this.applyAll(partition, entries, 0, entries.length, changed);
    const groups = new Map(this.#storedGroups(partition.file));
    for (const group of changed.groups) {
      const leaves = new Uint32Array(LEAVES_PER_GROUP * WORDS_PER_LEAF);
      decodeLeaves(changed.valueOf(group), leaves, 0, LEAVES_PER_GROUP);
      groups.set(group, leaves);
    }
    const tree = new LeafTree(this.leafCount, groups);
    partition.live = tree;
    return tree;
  }

  #storedGroups(file: PartitionFile | null): ReadonlyMap<number, Uint32Array> {
    return file === null ? new Map() : storedGroups(file, 0, this.leafCount / LEAVES_PER_GROUP);
  }

  /**
   * A write has put `entry` in its place; `before` is the buffer's entry that a read found until then, `slot` what it
   * found in all (`before` itself may be `entry`, and be changed by now). Out with the old record's hash, in with the new
   * one's; the entry keeps what the file has.
   */
  onReplaced(partition: Partition, entry: BufferedRecord, before: BufferedRecord | undefined, slot: StoredSlot): void {
    const hash = this.#hash;
    const hadOld = slot.end > slot.start;
    let oldHi = before?.leafHi ?? 0;
    let oldLo = before?.leafLo ?? 0;
    if (before === undefined && hadOld) {
      hashHeader(slot.bytes, slot.start, hash);
      oldHi = hash.hi;
      oldLo = hash.lo;
    }
    if (before !== entry && !slot.damaged) {
      entry.oldKind = hadOld ? OLD_HASH : OLD_NONE;
      entry.oldHi = oldHi;
      entry.oldLo = oldLo;
    }
    takeLeafHash(entry, hash);
    if (slot.damaged) partition.live = null;
    const live = partition.live;
    if (live === null) return;
    const leaf = leafIndex(entry.hashHi, this.leafCount);
    if (hadOld) live.toggle(leaf, oldHi, oldLo, -1);
    if (!entry.dropped) live.toggle(leaf, entry.leafHi, entry.leafLo, 1);
  }

  /**
   * leaf ⊕ old ⊕ new for `entries[from, until)`: leaves in `groups` those that change, as they must stand in the file
   * together with these entries. Where an old record is damaged its leaf is remade.
   */
  applyAll(
    partition: Partition,
    entries: readonly BufferedRecord[],
    from: number,
    until: number,
    groups: LeafGroups,
  ): void {
    groups.clear();
    let doubtful: Set<number> | null = null;
    for (let i = from; i < until; i++) {
      const entry = entries[i] as BufferedRecord;
      const leaf = leafIndex(entry.hashHi, this.leafCount);
      const known = entry.oldKind !== OLD_UNKNOWN || this.#learnOld(partition, entry);
      const bytes = groups.of(partition.file, leaf);
      const at = placeInGroup(leaf);
      if (entry.oldKind === OLD_HASH) toggleStoredLeaf(bytes, at, entry.oldHi, entry.oldLo, -1);
      if (!entry.dropped) toggleStoredLeaf(bytes, at, entry.leafHi, entry.leafLo, 1);
      if (!known) (doubtful ??= new Set()).add(leaf);
    }
    for (const leaf of doubtful ?? []) {
      const over = new Map<string, BufferedRecord>();
      for (let i = from; i < until; i++) {
        const entry = entries[i] as BufferedRecord;
        if (leafIndex(entry.hashHi, this.leafCount) === leaf) over.set(entry.name, entry);
      }
      this.#remake(partition, leaf, over, groups.of(partition.file, leaf), placeInGroup(leaf));
    }
  }

  /** The leaf in `groups` as it follows from the good records of the file alone. */
  remakeAlone(partition: Partition, leaf: number, groups: LeafGroups): void {
    this.#remake(partition, leaf, NOTHING_OVER, groups.of(partition.file, leaf), placeInGroup(leaf));
  }

  /** The leaf at `stored[at]`, from the good records of the file, those that `over` replaces apart, and from `over`. */
  #remake(
    partition: Partition,
    leaf: number,
    over: ReadonlyMap<string, BufferedRecord>,
    stored: Uint8Array,
    at: number,
  ): void {
    stored.fill(0, at, at + LEAF_BYTES);
    let after: Uint8Array | null = hashBound(leafStart(partition.id, leaf, this.leafCount), 0);
    while (after !== null) after = this.#remakeSome(partition, leaf, over, stored, at, after);
    for (const entry of over.values()) {
      if (!entry.dropped) toggleStoredLeaf(stored, at, entry.leafHi, entry.leafLo, 1);
    }
  }

  /** The next few entries of the leaf's stretch; answers where to go on, null at its end. */
  #remakeSome(
    partition: Partition,
    leaf: number,
    over: ReadonlyMap<string, BufferedRecord>,
    stored: Uint8Array,
    at: number,
    after: Uint8Array,
  ): Uint8Array | null {
    const hash = this.#hash;
    const entries = partition.file === null ? [] : partition.file.scan(after, SCAN_ENTRIES);
    for (const { key, value } of entries) {
      if (!isRecordKey(key)) continue;
      if (
        leafIndex(
          ((key[0] as number) << 24) | ((key[1] as number) << 16) | ((key[2] as number) << 8),
          this.leafCount,
        ) !== leaf
      )
        return null;
      if (!isGoodEntry(key, value, hash, this.#digest)) continue;
      if (over.has(keyName(value, recordKeyStart(0), recordKeyEnd(value, 0)))) continue;
      hashHeader(value, 0, hash);
      toggleStoredLeaf(stored, at, hash.hi, hash.lo, 1);
    }
    const last = entries[entries.length - 1]?.key;
    if (last === undefined || entries.length < SCAN_ENTRIES) return null;
    return compareBytes(last, after) > 0 ? last : null; // a damaged file could lead around in a circle for ever
  }

  /** Fills in what an entry will replace; false: it is damaged. */
  #learnOld(partition: Partition, entry: BufferedRecord): boolean {
    const key = keyOfName(entry.name);
    const at = storageKey(entry.hashHi, entry.hashLo, key, this.#digest);
    const value = partition.file?.get(at) ?? null;
    if (value === null) {
      entry.oldKind = OLD_NONE;
      return true;
    }
    if (checkRecord(value, 0, value.length - MARK_BYTES, this.#hash, key) !== null) return false;
    hashHeader(value, 0, this.#hash);
    entry.oldKind = OLD_HASH;
    entry.oldHi = this.#hash.hi;
    entry.oldLo = this.#hash.lo;
    return true;
  }
}

/** Is this entry of a file a good record, and does it lie under the key that it names? */
export function isGoodEntry(key: Uint8Array, value: Uint8Array, hash: Hash64, digest: Digest): boolean {
  if (checkRecord(value, 0, value.length - MARK_BYTES, hash, null) !== null) return false;
  const name = value.subarray(recordKeyStart(0), recordKeyEnd(value, 0));
  hash.hash(name, 0, name.length);
  return equalBytes(key, storageKey(hash.hi, hash.lo, name, digest));
}
