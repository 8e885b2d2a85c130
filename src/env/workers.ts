/** The pool for what would hold up the loop. Tasks answer later, in any order; an error is an answer. */
export interface ReadTask {
  /** As PartitionFiles.taskPath names it. */
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

/** An entry of a file that is no good record, or that a read does not find. */
export interface DamagedEntry {
  readonly key: Uint8Array;
  /** The key whose record it was; null: nothing tells. */
  readonly name: Uint8Array | null;
  /** No read of any key could meet it: its storage key is damaged itself. */
  readonly isOrphan: boolean;
}

export interface SliceTask {
  /** As a ReadTask's. */
  readonly path: string;
  readonly partition: number;
  readonly leafCount: number;
  readonly fromLeaf: number;
  /** It ends with the leaf in which one of these is reached. */
  readonly recordsMax: number;
  readonly bytesMax: number;
}

/** What one stretch of a file was found to be, in one snapshot. */
export interface ScrubSlice {
  /** Where to go on; the leaf count: this was the end. */
  readonly nextLeaf: number;
  /** Whose file it is, as its records say. */
  readonly partition: number;
  readonly records: number;
  /** Bookkeeping included. */
  readonly entries: number;
  /** Of records. */
  readonly bytes: number;
  /** The first thousand. */
  readonly damaged: readonly DamagedEntry[];
  readonly damagedCount: number;
  /** Entries that a walk reaches but a read does not: the pages that lead to them are damaged. */
  readonly hidden: number;
  /** Records that the stored leaves count. */
  readonly counted: number;
  /** Leaves that are not what their records come to, and those of them that no damaged record explains; a thousand at most. */
  readonly differing: readonly number[];
  readonly unexplained: readonly number[];
  readonly differingCount: number;
}

export interface DescribeTask {
  /** As PartitionFiles.copyPath names it: a file that nobody has open. */
  readonly path: string;
  readonly leafCount: number;
}

/** What a copy of a partition's file says of itself. */
export interface CopiedFile {
  readonly bytes: number;
  readonly chunkBytes: number;
  readonly fence: number;
  /** Of the stored Merkle leaves. */
  readonly rootHi: number;
  readonly rootLo: number;
  readonly records: number;
}

export interface DigestTask {
  readonly path: string;
  readonly chunkBytes: number;
  /** From a chunk's begin to a chunk's end. */
  readonly from: number;
  readonly until: number;
}

/** The whole of it, for whoever receives it. */
export interface FileManifest extends CopiedFile {
  /** XXH64 of each chunk, eight bytes each. */
  readonly digests: Uint8Array;
  /** XXH64 of `digests`: of the whole. */
  readonly digest: Uint8Array;
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
  scrubSlice(task: SliceTask, done: (error: Error | null, slice?: ScrubSlice) => void): void;
  /** As scrubSlice, of a copy: a file that nobody has open, as PartitionFiles.copyPath names it. */
  walkCopy(task: SliceTask, done: (error: Error | null, slice?: ScrubSlice) => void): void;
  describe(task: DescribeTask, done: (error: Error | null, copy?: CopiedFile) => void): void;
  /** XXH64 of each chunk, eight bytes each. */
  digestChunks(task: DigestTask, done: (error: Error | null, digests?: Uint8Array) => void): void;
  /** XXH64 with seed 0, eight bytes big-endian. */
  hash(bytes: Uint8Array, done: (error: Error | null, digest?: Uint8Array) => void): void;
}
