/*
 * One partition's file, or the one of all hints: an ordered map from storage keys to values with atomic, durable batches. LMDB behind it in the
 * daemon, a sorted map with the last synced commit beside it in tests. Only the event loop opens, writes and closes.
 *
 * Storage key: 8 bytes of XXH64(key) (big-endian, so hash order is file order), a marker byte, then
 *   0x00  our own bookkeeping: the name of the entry (hash bytes zero)
 *   0x01  the key itself
 *   0x02  SHA-256 of a key too long for LMDB's 511 bytes
 */
export interface PartitionFileOperation {
  readonly key: Uint8Array;
  /** null: delete. Must not change until the batch is answered. */
  readonly value: Uint8Array | null;
}

export interface PartitionFileStats {
  readonly fileBytes: number;
  readonly usedBytes: number;
  readonly mapBytes: number;
  readonly entries: number;
}

export interface PartitionFile {
  /**
   * Value of a key, or null. Until a batch is answered reads see the file without it; those made in its answer, or after
   * it, see it. The bytes are good until the next `get` of any file.
   * Throws DiskError when the file cannot be read.
   */
  get(key: Uint8Array): Uint8Array | null;
  /**
   * Applies all operations or none, synced, then answers. One batch at a time a file; storage/ keeps to one a node.
   */
  write(operations: readonly PartitionFileOperation[], done: (error: Error | null) => void): void;
  /**
   * Up to `limit` entries with keys > `after` (null: from the start), in key order, the last being the one with which
   * the values come to `bytesMax` or more. Blocks: for tests, start-up and workers.
   */
  scan(
    after: Uint8Array | null,
    limit: number,
    bytesMax?: number,
  ): readonly { readonly key: Uint8Array; readonly value: Uint8Array }[];
  stats(): PartitionFileStats;
  /**
   * Writes a compacted copy of the newest commit to `to`, a path in the node's directory with nothing at it. Blocks nobody;
   * the file is not closed meanwhile.
   */
  copy(to: string, done: (error: Error | null) => void): void;
  close(): void;
}

/** A file at one moment, as a thread of the pool reads it. */
export interface FileSnapshot {
  get(key: Uint8Array): Uint8Array | null;
  /** As PartitionFile's. */
  scan(
    after: Uint8Array | null,
    limit: number,
    bytesMax?: number,
  ): readonly { readonly key: Uint8Array; readonly value: Uint8Array }[];
  /** Entries, bookkeeping included, and a number that changes with every commit. */
  counts(): { readonly entries: number; readonly commit: number };
}

/** A partition's file, `partitions/PPPP.mdb`, or the one of all hints, `hints.mdb`. */
export type FileName = number | 'hints';

export interface PartitionFiles {
  /** Opens or creates the file. Fails with DiskError (code `DAMAGED` when its size contradicts its pages). */
  open(name: FileName, mapBytes: number, done: (error: Error | null, file?: PartitionFile) => void): void;
  path(name: FileName): string;
  /** What tasks name it by. Another one when another file has taken its place: threads keep what they have opened. */
  taskPath(name: FileName): string;
  /** Moves the closed file (and its lock) to `quarantine/`, with a suffix that is not taken. */
  quarantine(name: FileName, done: (error: Error | null, to?: string) => void): void;
  /** Deletes the closed file and its lock; that there is none is fine. Told when that is on the disk. */
  remove(name: number, done: (error: Error | null) => void): void;
  /** What a task names a copy by that lies at `path` in the node's directory. */
  copyPath(path: string): string;
  /** Opens a file that came from elsewhere, at `path` in the node's directory. For the loop alone: no task may name it. */
  openReceived(path: string, mapBytes: number, done: (error: Error | null, file?: PartitionFile) => void): void;
  /** Puts a closed file from `path` in the place of a closed one, or of none. Told when that is on the disk. */
  install(path: string, name: number, done: (error: Error | null) => void): void;
}
