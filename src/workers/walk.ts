/*
 * Walking through a partition file to see whether it is what it should be: every record's checksum and key, whether a
 * read finds it, the Merkle leaves as they follow from the records, and those leaves against the stored ones.
 *
 * A walk goes from entry to entry, a read descends by the keys in the branch pages. A flipped bit in one of those leads
 * the read of a few records to the wrong page, where they are not, while the walk meets every one of them in good order.
 * So each entry that the walk meets is also looked up. What is hidden from the walk itself is missing in the leaves.
 *
 * The file is written meanwhile, and a long read transaction would keep its pages from being reused. So the walk goes
 * in slices, each a snapshot of its own of at most 10,000 records or 2 s, resumed by key. A slice ends where a leaf
 * ends: every leaf is made from one snapshot, and compared with the stored leaf of that very snapshot. So a difference
 * is a fault, never a race.
 */
import type { Digest } from '../env/digest.js';
import type { FileSnapshot } from '../env/partition-file.js';
import type { RebuiltLeaves, ScrubReport } from '../env/workers.js';
import { compareBytes } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import { leafIndex, LEAVES_PER_GROUP, toggleLeaf, WORDS_PER_LEAF } from '../repair/merkle.js';
import { hashHeader, isGoodEntry, readGroup } from '../storage/engine-leaves.js';
import { hashBound, isRecordKey } from '../storage/storage-key.js';

export interface WalkParts {
  /** Calls `use` with the file as it is now, and lets go of it afterwards. */
  readonly snapshot: <T>(use: (snapshot: FileSnapshot) => T) => T;
  readonly leafCount: number;
  readonly hash: Hash64;
  readonly digest: Digest;
  readonly nowMs: () => number;
}

const SLICE_RECORDS_MAX = 10_000;
const SLICE_MS_MAX = 2_000;
const SCAN_ENTRIES = 256;
/** Damaged keys that are named; all are counted out of the leaves. */
const DAMAGED_NAMED_MAX = 1_000;

export function rebuild(parts: WalkParts): RebuiltLeaves {
  const walk = new Walk(parts);
  walk.toTheEnd();
  return { leaves: walk.leaves, records: walk.records, damaged: walk.damaged };
}

export function scrubFile(parts: WalkParts): ScrubReport {
  const before = parts.snapshot((snapshot) => snapshot.counts());
  const walk = new Walk(parts);
  walk.toTheEnd();
  const after = parts.snapshot((snapshot) => snapshot.counts());
  // Only of a file that stood still do we know how many entries the walk should have met; the leaves' counts are
  // compared in any case.
  const unmet = before.commit === after.commit ? Math.abs(after.entries - walk.entries) : 0;
  return {
    leaves: walk.leaves,
    records: walk.records,
    damaged: walk.damaged,
    bytes: walk.bytes,
    unreachable: walk.hidden + unmet,
    differingLeaves: walk.differing,
  };
}

/** What an inspection needs to know of a file that nobody writes to. */
export interface FileCount {
  readonly records: number;
  readonly damaged: number;
  /** Records that the stored leaves count. */
  readonly counted: number;
  /** As a scrub reports them. */
  readonly unreachable: number;
  readonly differingLeaves: number;
}

export function countFile(parts: WalkParts): FileCount {
  const walk = new Walk(parts);
  walk.toTheEnd();
  const { entries } = parts.snapshot((snapshot) => snapshot.counts());
  return {
    records: walk.records,
    damaged: walk.damagedCount,
    counted: walk.counted,
    unreachable: walk.hidden + Math.abs(entries - walk.entries),
    differingLeaves: walk.differing,
  };
}

class Walk {
  readonly leaves: Uint32Array;
  readonly damaged: Uint8Array[] = [];
  records = 0;
  entries = 0;
  bytes = 0;
  differing = 0;
  damagedCount = 0;
  /** Entries that were met, and that a read does not find. */
  hidden = 0;
  /** Records that the stored leaves count. */
  counted = 0;
  readonly #parts: WalkParts;
  /** Leaves below this are done. */
  #nextLeaf = 0;
  /** Where the next slice begins; null: at the start of the file. */
  #after: Uint8Array | null = null;

  constructor(parts: WalkParts) {
    this.#parts = parts;
    this.leaves = new Uint32Array(parts.leafCount * WORDS_PER_LEAF);
  }

  toTheEnd(): void {
    while (this.#nextLeaf < this.#parts.leafCount) {
      this.#parts.snapshot((snapshot) => {
        const first = this.#nextLeaf;
        this.#nextLeaf = this.#slice(snapshot);
        this.#compare(snapshot, first, this.#nextLeaf);
      });
    }
  }

  /** Answers the first leaf that it has not touched. */
  #slice(snapshot: FileSnapshot): number {
    const { leafCount, nowMs } = this.#parts;
    const startedMs = nowMs();
    let records = 0;
    let leaf = this.#nextLeaf;
    for (;;) {
      const entries = snapshot.scan(this.#after, SCAN_ENTRIES);
      for (const { key, value } of entries) {
        const isFound = snapshot.get(key) !== null;
        if (isRecordKey(key)) {
          const hashHi = (((key[0] as number) << 24) | ((key[1] as number) << 16) | ((key[2] as number) << 8)) >>> 0;
          const itsLeaf = leafIndex(hashHi, leafCount);
          if (itsLeaf > leaf && (records >= SLICE_RECORDS_MAX || nowMs() - startedMs >= SLICE_MS_MAX)) {
            this.#after = hashBound(Math.floor(hashHi / 0x1000) * 0x1000, 0);
            return itsLeaf;
          }
          leaf = Math.max(leaf, itsLeaf);
          records += 1;
          this.#take(itsLeaf, key, value, isFound);
        }
        this.entries += 1;
        if (!isFound) this.hidden += 1;
      }
      const last = entries[entries.length - 1]?.key;
      // Keys that do not ascend are damage; going on behind them could lead around in a circle.
      if (last === undefined || (this.#after !== null && compareBytes(last, this.#after) <= 0)) return leafCount;
      this.#after = last;
      if (entries.length < SCAN_ENTRIES) return leafCount;
    }
  }

  #take(leaf: number, key: Uint8Array, value: Uint8Array, isFound: boolean): void {
    const { hash, digest } = this.#parts;
    this.bytes += value.length;
    if (!isFound || !isGoodEntry(key, value, hash, digest)) {
      this.damagedCount += 1;
      if (this.damaged.length < DAMAGED_NAMED_MAX) this.damaged.push(key);
      return;
    }
    this.records += 1;
    hashHeader(value, 0, hash);
    toggleLeaf(this.leaves, leaf, hash.hi, hash.lo, 1);
  }

  /** Leaves [from, to) against those that the same snapshot stores. */
  #compare(snapshot: FileSnapshot, from: number, to: number): void {
    const stored = new Uint32Array(LEAVES_PER_GROUP * WORDS_PER_LEAF);
    let group = -1;
    for (let leaf = from; leaf < to; leaf++) {
      if (Math.floor(leaf / LEAVES_PER_GROUP) !== group) {
        group = Math.floor(leaf / LEAVES_PER_GROUP);
        readGroup(snapshot, group, stored, 0);
      }
      const at = (leaf % LEAVES_PER_GROUP) * WORDS_PER_LEAF;
      const mine = leaf * WORDS_PER_LEAF;
      this.counted += stored[at + 2] as number;
      if (
        stored[at] !== this.leaves[mine] ||
        stored[at + 1] !== this.leaves[mine + 1] ||
        stored[at + 2] !== this.leaves[mine + 2]
      )
        this.differing += 1;
    }
  }
}
