/*
 * The engine's part in scrubbing: has a stretch of a file walked by the pool, and acts on what was found.
 *
 *   a record that fails its check     is unknown already to whoever reads it; the cache must not hide that, and whoever
 *                                     scrubs has it repaired from other replicas
 *   a leaf that differs               is made anew from the file: also where a damaged record explains the difference,
 *                                     for else the repair would add its record to a leaf that still counts the old one
 *   an entry that no read can meet    (its storage key is damaged) is taken out together with that
 *   pages that hide entries, records  make the partition suspect: nobody can say what else is missing
 *   that nobody can name
 *
 * A leaf is made anew in the turn of a batch, so that no flush goes on meanwhile; and whatever the buffer believed to
 * know of the file's old records in such a leaf is looked up again when it is flushed.
 */
import type { Digest } from '../env/digest.js';
import type { Log } from '../env/meter.js';
import type { PartitionFile, PartitionFileOperation, PartitionFiles } from '../env/partition-file.js';
import type { DamagedEntry, ScrubSlice, Workers } from '../env/workers.js';
import { assert } from '../lib/assert.js';
import type { Hash64 } from '../model/hash.js';
import type { PartitionId } from '../model/ids.js';
import { differingLeaves, leafIndex } from '../repair/merkle.js';
import type { RecordCache } from './cache.js';
import { LeafGroups, type Leaves } from './engine-leaves.js';
import { isNoSpace } from './engine-space.js';
import type { Suspicions } from './engine-suspicion.js';
import type { FileTurn } from './file-turn.js';
import type { Partition } from './partition.js';
import type { DamagedPlace } from './replica-storage.js';
import type { Scrubbed, ScrubStorage } from './scrub-storage.js';
import { keyName } from './storage-key.js';
import { OLD_UNKNOWN } from './write-buffer.js';

/** A slice holds a thread for some ms, and is about as many bytes as a background batch should be. */
const SLICE_RECORDS_MAX = 1_000;
const SLICE_BYTES_MAX = 524_288;

export interface EngineScrubParts {
  readonly workers: Workers;
  readonly files: PartitionFiles;
  readonly hash: Hash64;
  readonly digest: Digest;
  readonly log: Log;
  readonly cache: RecordCache;
  readonly leaves: Leaves;
  readonly turn: FileTurn;
  readonly suspicions: Suspicions;
  readonly partitions: readonly Partition[];
  readonly isOpen: () => boolean;
  readonly fail: (error: Error) => void;
}

export class EngineScrub implements ScrubStorage {
  readonly #parts: EngineScrubParts;
  #writing = 0;

  constructor(parts: EngineScrubParts) {
    this.#parts = parts;
  }

  /** A batch of ours is under way: no file is to be closed. */
  get busy(): boolean {
    return this.#writing > 0;
  }

  get partitionCount(): number {
    return this.#parts.partitions.length;
  }

  get leafCount(): number {
    return this.#parts.leaves.leafCount;
  }

  scrub(id: number, fromLeaf: number, done: (error: Error | null, found?: Scrubbed) => void): void {
    const { workers, files, leaves } = this.#parts;
    const partition = this.#partitionAt(id);
    if (partition.file === null || !this.#parts.isOpen()) {
      done(null, NOTHING);
      return;
    }
    const task = {
      path: files.taskPath(partition.id),
      partition: partition.id,
      leafCount: leaves.leafCount,
      fromLeaf,
      recordsMax: SLICE_RECORDS_MAX,
      bytesMax: SLICE_BYTES_MAX,
    };
    const { file } = partition;
    partition.tasks += 1;
    workers.scrubSlice(task, (error, slice) => {
      partition.tasks -= 1;
      if (!this.#parts.isOpen()) done(new Error('The store is being closed'));
      else if (partition.file !== file)
        done(null, NOTHING); // another one lies there by now
      else if (error !== null || slice === undefined) {
        const cause = error ?? new Error('No answer');
        this.#parts.suspicions.onBrokenFile(partition, cause);
        done(cause);
      } else this.#judge(partition, slice, done);
    });
  }

  compareLive(id: number): number {
    const { leaves, log } = this.#parts;
    const partition = this.#partitionAt(id);
    const kept = partition.live;
    if (kept === null) return 0;
    partition.live = null;
    const wrong = differingLeaves(kept, leaves.liveOf(partition)).length;
    if (wrong > 0) log.error('live_leaves_wrong', { partition: partition.id, leaves: wrong });
    return wrong;
  }

  #judge(partition: Partition, slice: ScrubSlice, done: (error: Error | null, found?: Scrubbed) => void): void {
    const { leaves, log, suspicions } = this.#parts;
    // What the buffer has a record for already is gone from the file with the next flush.
    const entries = slice.damaged.filter(
      ({ name }) => name === null || partition.buffer.find(keyName(name, 0, name.length)) === undefined,
    );
    const damaged = entries.flatMap((entry) => this.#damagedKey(partition, entry));
    const isUnnamed = slice.damaged.some(({ name }) => name === null);
    const isBroken = slice.hidden > 0 || isUnnamed;
    if (isBroken) {
      log.error('file_broken', { partition: partition.id, hidden: slice.hidden, isUnnamed });
      suspicions.onFileBroken(partition);
    }
    if (slice.unexplained.length > 0) {
      const named = slice.unexplained.slice(0, 10);
      log.error('stored_leaves_wrong', { partition: partition.id, leaves: slice.unexplained.length, first: named });
    }
    const found: Scrubbed = {
      nextLeaf: slice.nextLeaf < leaves.leafCount ? slice.nextLeaf : null,
      records: slice.records,
      bytes: slice.bytes,
      damaged,
      damagedCount: slice.damagedCount - (slice.damaged.length - entries.length),
      wrongLeaves: slice.unexplained.length,
      isBroken,
    };
    const orphans = slice.damaged.filter(({ isOrphan }) => isOrphan).map(({ key }) => key);
    if (slice.differing.length === 0 && orphans.length === 0) done(null, found);
    else
      this.#remake(partition, slice.differing, orphans, () => {
        done(null, found);
      });
  }

  #damagedKey(partition: Partition, { key, name }: DamagedEntry): readonly DamagedPlace[] {
    const { hash, cache, suspicions } = this.#parts;
    const id = partition.id as PartitionId;
    if (name === null) {
      hash.hash(key, 0, key.length);
      const place = { key: NO_KEY, hashHi: hash.hi, hashLo: hash.lo };
      suspicions.onDamagedRecord(partition, place, 'whose it was is lost');
      return [];
    }
    cache.delete(keyName(name, 0, name.length));
    hash.hash(name, 0, name.length);
    const { hi, lo } = hash;
    suspicions.onDamagedRecord(partition, { key: name, hashHi: hi, hashLo: lo }, 'found by the scrub');
    return [{ partition: id, key: name, hi, lo }];
  }

  #remake(partition: Partition, leaves: readonly number[], orphans: readonly Uint8Array[], done: () => void): void {
    this.#writing += 1;
    this.#parts.turn.take(() => {
      const { file } = partition;
      const end = (error: Error | null): void => {
        this.#writing -= 1;
        partition.live = null; // also if somebody has asked for them meanwhile
        this.#parts.turn.give();
        if (error !== null && !isNoSpace(error)) this.#parts.fail(error);
        else done();
      };
      if (file === null || !this.#parts.isOpen()) end(null);
      else file.write(this.#operations(partition, file, leaves, orphans), end);
    });
  }

  #operations(
    partition: Partition,
    file: PartitionFile,
    indexes: readonly number[],
    orphans: readonly Uint8Array[],
  ): readonly PartitionFileOperation[] {
    const { leaves } = this.#parts;
    const groups = new LeafGroups(leaves.leafCount);
    for (const leaf of indexes) leaves.remakeAlone(partition, leaf, groups);
    this.#forgetOld(partition, new Set(indexes));
    partition.live = null;
    return [
      ...orphans.filter((key) => file.get(key) !== null).map((key) => ({ key, value: null })),
      ...groups.groups.map((group) => ({ key: groups.keyOf(group), value: groups.valueOf(group).slice() })),
    ];
  }

  /** What the buffer's entries replace in these leaves is to be looked up in the file again. */
  #forgetOld({ buffer }: Partition, leaves: ReadonlySet<number>): void {
    const { leafCount } = this.#parts.leaves;
    for (const entry of buffer.frozenOrder.slice(buffer.frozenFlushed)) {
      if (leaves.has(leafIndex(entry.hashHi, leafCount))) entry.oldKind = OLD_UNKNOWN;
    }
    for (const entry of buffer.active.values()) {
      // What replaces a frozen entry replaces nothing that is in the file now.
      const isNext = buffer.frozen?.has(entry.name) === true;
      if (!isNext && leaves.has(leafIndex(entry.hashHi, leafCount))) entry.oldKind = OLD_UNKNOWN;
    }
  }

  #partitionAt(id: number): Partition {
    const partition = this.#parts.partitions[id];
    assert(partition !== undefined, 'a partition is below Q');
    return partition;
  }
}

const NO_KEY = new Uint8Array(0);

const NOTHING: Scrubbed = {
  nextLeaf: null,
  records: 0,
  bytes: 0,
  damaged: [],
  damagedCount: 0,
  wrongLeaves: 0,
  isBroken: false,
};
