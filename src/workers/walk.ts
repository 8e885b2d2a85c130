/*
 * Walking through a partition file to see whether it is what it should be: every record's checksum and key, whether a
 * read finds it, the Merkle leaves as they follow from the records, and those leaves against the stored ones.
 *
 * A walk goes from entry to entry, a read descends by the keys in the branch pages. A flipped bit in one of those leads
 * the read of a few records to the wrong page, where they are not, while the walk meets every one of them in good order.
 * So each entry that the walk meets is also looked up. What is hidden from the walk itself is missing in the leaves.
 *
 * The file is written meanwhile, and a long read transaction would keep its pages from being reused. So the walk goes
 * in slices, each a snapshot of its own, and each ends where a leaf ends: every leaf is made from one snapshot, and
 * compared with the stored leaf of that very snapshot. So a difference is a fault, never a race. The scrubber asks for
 * one slice at a time, with rests in between; `partita check` and a rebuild go on to the end.
 */
import type { Digest } from '../env/digest.js';
import type { FileSnapshot } from '../env/partition-file.js';
import type { DamagedEntry, RebuiltLeaves, ScrubSlice, SliceTask } from '../env/workers.js';
import { compareBytes, equalBytes, readU32 } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import { leafIndex, leafStart, LEAVES_PER_GROUP, toggleLeaf, WORDS_PER_LEAF } from '../repair/merkle.js';
import { hashHeader, isGoodEntry, storedGroups } from '../storage/engine-leaves.js';
import { MARK_BYTES } from '../storage/engine-mark.js';
import { hashBound, isRecordKey, keyInStorageKey, storageKey } from '../storage/storage-key.js';
import { checkRecord, RECORD_FIXED_BYTES, recordKeyEnd, recordKeyStart } from '../versioning/record.js';

export interface WalkParts {
  /** Calls `use` with the file as it is now, and lets go of it afterwards. */
  readonly snapshot: <T>(use: (snapshot: FileSnapshot) => T) => T;
  readonly leafCount: number;
  readonly hash: Hash64;
  readonly digest: Digest;
  readonly nowMs: () => number;
}

/** Where a slice ends, whichever comes first: with the leaf in which it comes. */
export interface SliceLimits {
  readonly records: number;
  readonly bytes: number;
  readonly ms: number;
}

const TO_THE_END: SliceLimits = { records: 10_000, bytes: Number.POSITIVE_INFINITY, ms: 2_000 };
/** A thread is not kept for longer: cold reads wait for one. */
const SLICE_MS_MAX = 100;
const SCAN_ENTRIES = 256;
/** Damaged entries, and leaves, that are named; all are counted. */
const NAMED_MAX = 1_000;

export function rebuild(parts: WalkParts): RebuiltLeaves {
  const leaves = new Uint32Array(parts.leafCount * WORDS_PER_LEAF);
  const damaged: Uint8Array[] = [];
  let records = 0;
  for (let leaf = 0, partition = 0; leaf < parts.leafCount;) {
    const slice = parts.snapshot((snapshot) => {
      const walk = new Slice(parts, snapshot, TO_THE_END);
      const found = walk.run(partition, leaf);
      walk.copyLeaves(leaves);
      return found;
    });
    records += slice.records;
    damaged.push(...slice.damaged.slice(0, NAMED_MAX - damaged.length).map(({ key }) => key));
    ({ nextLeaf: leaf, partition } = slice);
  }
  return { leaves, records, damaged };
}

/** One stretch of the file, from `fromLeaf` on. `partition`: whose file it is. */
export function walkSlice(
  parts: WalkParts,
  partition: number,
  fromLeaf: number,
  limits: SliceLimits = TO_THE_END,
): ScrubSlice {
  return parts.snapshot((snapshot) => new Slice(parts, snapshot, limits).run(partition, fromLeaf));
}

export function limitsOf({ recordsMax, bytesMax }: SliceTask): SliceLimits {
  return { records: recordsMax, bytes: bytesMax, ms: SLICE_MS_MAX };
}

/** What an inspection needs to know of a file that nobody writes to. */
export interface FileCount {
  readonly records: number;
  readonly damaged: number;
  /** Records that the stored leaves count. */
  readonly counted: number;
  /** Entries that LMDB counts but a walk does not reach, or the reverse, or that a walk reaches but a read does not. */
  readonly unreachable: number;
  readonly differingLeaves: number;
}

export function countFile(parts: WalkParts): FileCount {
  const sums = { records: 0, damaged: 0, counted: 0, unreachable: 0, differingLeaves: 0 };
  let entries = 0;
  for (let leaf = 0, partition = 0; leaf < parts.leafCount;) {
    const slice = walkSlice(parts, partition, leaf);
    sums.records += slice.records;
    sums.damaged += slice.damagedCount;
    sums.counted += slice.counted;
    sums.unreachable += slice.hidden;
    sums.differingLeaves += slice.differingCount;
    entries += slice.entries;
    ({ nextLeaf: leaf, partition } = slice);
  }
  const counts = parts.snapshot((snapshot) => snapshot.counts());
  return { ...sums, unreachable: sums.unreachable + Math.abs(counts.entries - entries) };
}

class Slice {
  readonly #parts: WalkParts;
  readonly #snapshot: FileSnapshot;
  readonly #limits: SliceLimits;
  /** Group → its leaves, as they follow from the records; absent: no record. */
  readonly #groups: Map<number, Uint32Array> = new Map();
  /** Leaves that a damaged record may have been of: that they differ is no wonder. */
  readonly #doubtful: Set<number> = new Set();
  readonly #damaged: DamagedEntry[] = [];
  #damagedCount = 0;
  #records = 0;
  #entries = 0;
  #bytes = 0;
  /** Entries that were met, and that a read does not find. */
  #hidden = 0;
  #counted = 0;
  readonly #differing: number[] = [];
  readonly #unexplained: number[] = [];
  #differingCount = 0;
  #partition = 0;

  constructor(parts: WalkParts, snapshot: FileSnapshot, limits: SliceLimits) {
    this.#parts = parts;
    this.#snapshot = snapshot;
    this.#limits = limits;
  }

  run(partition: number, fromLeaf: number): ScrubSlice {
    this.#partition = partition;
    const nextLeaf = this.#walk(fromLeaf);
    this.#compare(fromLeaf, nextLeaf);
    return {
      nextLeaf,
      partition: this.#partition,
      records: this.#records,
      entries: this.#entries,
      bytes: this.#bytes,
      damaged: this.#damaged,
      damagedCount: this.#damagedCount,
      hidden: this.#hidden,
      counted: this.#counted,
      differing: this.#differing,
      unexplained: this.#unexplained,
      differingCount: this.#differingCount,
    };
  }

  copyLeaves(target: Uint32Array): void {
    for (const [group, leaves] of this.#groups) target.set(leaves, group * LEAVES_PER_GROUP * WORDS_PER_LEAF);
  }

  /** Answers the first leaf that it has not touched. */
  #walk(fromLeaf: number): number {
    const { leafCount, nowMs } = this.#parts;
    const { records, bytes, ms } = this.#limits;
    const startedMs = nowMs();
    let after = fromLeaf === 0 ? null : hashBound(leafStart(this.#partition, fromLeaf, leafCount), 0);
    let leaf = fromLeaf;
    for (;;) {
      const entries = this.#snapshot.scan(after, SCAN_ENTRIES);
      for (const { key, value } of entries) {
        const isFound = this.#snapshot.get(key) !== null;
        if (isRecordKey(key)) {
          const hashHi = readU32(key, 0);
          const itsLeaf = leafIndex(hashHi, leafCount);
          const isEnough = this.#records >= records || this.#bytes >= bytes || nowMs() - startedMs >= ms;
          this.#partition = Math.floor(hashHi / 0x1000 / leafCount);
          if (itsLeaf > leaf && isEnough) return itsLeaf;
          leaf = Math.max(leaf, itsLeaf);
          this.#take(itsLeaf, key, value, isFound);
        }
        this.#entries += 1;
        if (!isFound) this.#hidden += 1;
      }
      const last = entries[entries.length - 1]?.key;
      if (last === undefined) return leafCount;
      if (after !== null && compareBytes(last, after) <= 0) {
        this.#hidden += 1; // keys that do not ascend: going on behind them could lead around in a circle
        return leafCount;
      }
      after = last;
      if (entries.length < SCAN_ENTRIES) return leafCount;
    }
  }

  #take(leaf: number, key: Uint8Array, value: Uint8Array, isFound: boolean): void {
    const { hash, digest } = this.#parts;
    this.#bytes += value.length;
    if (!isFound || !isGoodEntry(key, value, hash, digest)) {
      this.#takeDamaged(leaf, key, value);
      return;
    }
    this.#records += 1;
    hashHeader(value, 0, hash);
    toggleLeaf(this.#leavesOf(leaf), leaf % LEAVES_PER_GROUP, hash.hi, hash.lo, 1);
  }

  #takeDamaged(leaf: number, key: Uint8Array, value: Uint8Array): void {
    this.#damagedCount += 1;
    this.#doubtful.add(leaf);
    const entry = this.#judge(key, value);
    if (entry.name !== null) {
      this.#hashOf(entry.name);
      this.#doubtful.add(leafIndex(this.#parts.hash.hi, this.#parts.leafCount));
    }
    if (this.#damaged.length < NAMED_MAX) this.#damaged.push(entry);
  }

  /** Whose record it was, by its storage key or else by itself; and whether a read could ever meet what is there. */
  #judge(key: Uint8Array, value: Uint8Array): DamagedEntry {
    const { hash, digest } = this.#parts;
    const named = keyInStorageKey(key);
    if (named !== null) {
      this.#hashOf(named);
      if (hash.hi === readU32(key, 0) && hash.lo === readU32(key, 4)) return { key, name: named, isOrphan: false };
    }
    const inside = nameIn(value);
    if (inside === null) return { key, name: null, isOrphan: named !== null };
    this.#hashOf(inside);
    const isItsPlace = equalBytes(key, storageKey(hash.hi, hash.lo, inside, digest));
    const isSound = checkRecord(value, 0, value.length - MARK_BYTES, hash, null) === null;
    return { key, name: isItsPlace || isSound ? inside : null, isOrphan: named !== null };
  }

  #hashOf(name: Uint8Array): void {
    this.#parts.hash.hash(name, 0, name.length);
  }

  #leavesOf(leaf: number): Uint32Array {
    const group = Math.floor(leaf / LEAVES_PER_GROUP);
    let leaves = this.#groups.get(group);
    if (leaves === undefined) {
      leaves = new Uint32Array(LEAVES_PER_GROUP * WORDS_PER_LEAF);
      this.#groups.set(group, leaves);
    }
    return leaves;
  }

  /** Leaves [from, to) against those that the same snapshot stores. */
  #compare(from: number, to: number): void {
    const firstGroup = Math.floor(from / LEAVES_PER_GROUP);
    const stored = storedGroups(this.#snapshot, firstGroup, Math.ceil(to / LEAVES_PER_GROUP));
    for (const group of new Set([...stored.keys(), ...this.#groups.keys()])) {
      const first = Math.max(from, group * LEAVES_PER_GROUP);
      const last = Math.min(to, (group + 1) * LEAVES_PER_GROUP);
      const [told, made] = [stored.get(group) ?? EMPTY_GROUP, this.#groups.get(group) ?? EMPTY_GROUP];
      for (let leaf = first; leaf < last; leaf++) this.#compareLeaf(leaf, told, made);
    }
  }

  #compareLeaf(leaf: number, stored: Uint32Array, made: Uint32Array): void {
    const at = (leaf % LEAVES_PER_GROUP) * WORDS_PER_LEAF;
    this.#counted += stored[at + 2] as number;
    if (stored[at] === made[at] && stored[at + 1] === made[at + 1] && stored[at + 2] === made[at + 2]) return;
    this.#differingCount += 1;
    if (this.#differing.length >= NAMED_MAX) return;
    this.#differing.push(leaf);
    if (!this.#doubtful.has(leaf)) this.#unexplained.push(leaf);
  }
}

const EMPTY_GROUP: Uint32Array = new Uint32Array(LEAVES_PER_GROUP * WORDS_PER_LEAF);

/** The key that a record of which nothing can be believed says it is of; null: it cannot be one. */
function nameIn(value: Uint8Array): Uint8Array | null {
  if (value.length <= RECORD_FIXED_BYTES + MARK_BYTES) return null;
  const end = recordKeyEnd(value, 0);
  return end > recordKeyStart(0) && end <= value.length - MARK_BYTES ? value.slice(recordKeyStart(0), end) : null;
}
