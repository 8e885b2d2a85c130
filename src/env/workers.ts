/** The pool for what would hold up the loop. Tasks answer later, in any order; an error is an answer. */
export interface ReadTask {
  /** Path of the partition file, the very string that the loop opened it by. */
  readonly path: string;
  readonly keys: readonly Uint8Array[];
}

/** One stretch of a file, for a scan. */
export interface RangeTask {
  readonly path: string;
  /** Eight bytes: the hash of the first records. */
  readonly from: Uint8Array;
  /** The first hash that is left out; null: none is. */
  readonly until: Uint8Array | null;
  readonly recordsMax: number;
  readonly bytesMax: number;
}

export interface ReadRange {
  /** As scan-range.ts packs them, and nobody else's memory. */
  readonly entries: Uint8Array;
  /** The hash of the first record that was not read any more; null: there is none before `until`. */
  readonly next: Uint8Array | null;
}

export interface RebuiltLeaves {
  /** `leafCount` × 3 u32: hash hi, hash lo, count. */
  readonly leaves: Uint32Array;
  readonly records: number;
  /** Storage keys of records whose checksum or key failed, or that a read does not find. */
  readonly damaged: readonly Uint8Array[];
}

export interface ScrubReport extends RebuiltLeaves {
  readonly bytes: number;
  /** Entries that LMDB counts but a walk does not reach, or the reverse, or that a walk reaches but a read does not. */
  readonly unreachable: number;
  readonly differingLeaves: number;
}

export interface Workers {
  /** One hop for all cold reads of a turn from one file; answers in the order of the keys, null: absent. */
  readMany(task: ReadTask, done: (error: Error | null, values?: readonly (Uint8Array | null)[]) => void): void;
  readRange(task: RangeTask, done: (error: Error | null, range?: ReadRange) => void): void;
  rebuildLeaves(
    path: string,
    leafCount: number,
    partitionCount: number,
    done: (error: Error | null, result?: RebuiltLeaves) => void,
  ): void;
  scrub(
    path: string,
    leafCount: number,
    partitionCount: number,
    done: (error: Error | null, result?: ScrubReport) => void,
  ): void;
  /** XXH64 with seed 0, eight bytes big-endian. */
  hash(bytes: Uint8Array, done: (error: Error | null, digest?: Uint8Array) => void): void;
}
