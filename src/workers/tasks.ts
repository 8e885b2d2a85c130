/*
 * What runs in the pool's threads. Each task is one synchronous piece: it takes its transaction, and has given it back
 * when it answers. Nothing here writes to a partition file: a thread that dies in a write transaction takes the whole
 * environment with it.
 */
import { createHash } from 'node:crypto';
import xxhash from 'xxhash-wasm';
import { withBytes, withCopiedFile } from '../disk/lmdb-copied-file.js';
import { withSnapshot } from '../disk/lmdb-snapshot.js';
import type { FileSnapshot } from '../env/partition-file.js';
import type {
  CopiedFile,
  DescribeTask,
  DigestTask,
  RangeTask,
  ReadRange,
  ReadTask,
  RebuiltLeaves,
  ScrubSlice,
  SliceTask,
} from '../env/workers.js';
import { hash64From } from '../model/hash.js';
import { readRange as rangeOf } from '../storage/scan-range.js';
import { describe as describeFile, digestChunks as digestsOf } from './describe.js';
import { limitsOf, rebuild, walkSlice, type WalkParts } from './walk.js';

export interface WalkTask {
  readonly path: string;
  readonly leafCount: number;
}

const hash = hash64From(await xxhash());

export function readMany(task: ReadTask): readonly (Uint8Array | null)[] {
  return withSnapshot(task.path, (snapshot) => task.keys.map((key) => snapshot.get(key)));
}

export function readRange(task: RangeTask): ReadRange {
  return withSnapshot(task.path, (snapshot) => rangeOf(snapshot, task));
}

export function rebuildLeaves(task: WalkTask): RebuiltLeaves {
  return rebuild(walkOf(task));
}

export function scrubSlice(task: SliceTask): ScrubSlice {
  return walkSlice(walkOf(task), task.partition, task.fromLeaf, limitsOf(task));
}

export function walkCopy(task: SliceTask): ScrubSlice {
  const { path, partition, fromLeaf } = task;
  return withCopiedFile(path, (_bytes, snapshot) => {
    const parts = { ...walkOf(task), snapshot: <T>(use: (file: FileSnapshot) => T): T => use(snapshot) };
    return walkSlice(parts, partition, fromLeaf, limitsOf(task));
  });
}

export function describe({ path, leafCount }: DescribeTask): CopiedFile {
  return withCopiedFile(path, (bytes, snapshot) => describeFile(bytes, snapshot, leafCount, hash));
}

export function digestChunks(task: DigestTask): Uint8Array {
  return withBytes(task.path, (file) => digestsOf(file, task, hash));
}

/** XXH64 with seed 0, eight bytes big-endian. */
export function hashBytes(bytes: Uint8Array): Uint8Array {
  hash.hash(bytes, 0, bytes.length);
  const digest = new Uint8Array(8);
  const view = new DataView(digest.buffer);
  view.setUint32(0, hash.hi);
  view.setUint32(4, hash.lo);
  return digest;
}

function walkOf(task: WalkTask): WalkParts {
  return {
    snapshot: (use) => withSnapshot(task.path, use),
    leafCount: task.leafCount,
    hash,
    digest: { sha256: (bytes) => createHash('sha256').update(bytes).digest() },
    nowMs: () => performance.now(),
  };
}
