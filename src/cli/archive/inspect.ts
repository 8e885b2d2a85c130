/* An archived file, read to its end: what is in it, and whether its stored leaves are those that its records come to. */
import { sizeFault } from '../../disk/lmdb-file-size.js';
import { withCopiedFile } from '../../disk/lmdb-copied-file.js';
import type { FileSnapshot } from '../../env/partition-file.js';
import { rootText } from '../../archive/plan.js';
import { readU32 } from '../../lib/bytes.js';
import type { Hash64 } from '../../model/hash.js';
import { LEAVES_PER_GROUP, LeafTree, leafCountOf } from '../../repair/merkle.js';
import { partitionBits, partitionOf } from '../../ring/partition.js';
import { storedGroups } from '../../storage/engine-leaves.js';
import { MARK_BYTES } from '../../storage/engine-mark.js';
import { isRecordKey, recordBound } from '../../storage/storage-key.js';
import { isTombstone, SIBLING_HEADER_BYTES, siblingCount, siblingsStart } from '../../versioning/record.js';
import { countFile } from '../../workers/walk.js';
import { DIGEST, type Read } from './target.js';

const SCAN_ENTRIES = 256;
const SCAN_BYTES = 4_194_304;
/** Before all records, behind our bookkeeping. */
const FIRST = recordBound(new Uint8Array(8));

export interface FileContents {
  readonly records: number;
  readonly values: number;
  readonly tombstones: number;
  readonly conflicts: number;
  readonly root: string;
}

/** `path`: of a file whose checksum has been found right, since what is broken may kill whoever reads it. */
export function inspectFile(path: string, partition: number, partitionCount: number, hash: Hash64): Read<FileContents> {
  const short = sizeFault(path);
  if (short !== null) return { fault: short };
  try {
    return withCopiedFile(path, (_bytes, snapshot) => inspect(snapshot, partition, partitionCount, hash));
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }
}

function inspect(snapshot: FileSnapshot, partition: number, partitionCount: number, hash: Hash64): Read<FileContents> {
  const leafCount = leafCountOf(partitionCount);
  const found = countFile({
    ...{ leafCount, hash, digest: DIGEST },
    snapshot: (use) => use(snapshot),
    nowMs: () => performance.now(),
  });
  if (found.damaged > 0) return { fault: `${found.damaged} of its records are damaged` };
  if (found.unreachable > 0) return { fault: `${found.unreachable} of its entries are not where they are looked for` };
  if (found.differingLeaves > 0)
    return { fault: `${found.differingLeaves} Merkle leaves are not what its records come to` };
  if (found.records !== found.counted)
    return { fault: `It has ${found.records} records, its leaves count ${found.counted}` };
  const tree = new LeafTree(leafCount, storedGroups(snapshot, 0, leafCount / LEAVES_PER_GROUP));
  const [rootHi = 0, rootLo = 0] = tree.root(hash);
  const counts = { values: 0, tombstones: 0, conflicts: 0 };
  const bits = partitionBits(partitionCount);
  let strange = 0;
  for (const { key, value } of recordsOf(snapshot)) {
    if (partitionOf(readU32(key, 0), bits) !== partition) strange += 1;
    const siblings = siblingCount(value, 0);
    const headers = siblingsStart(value, 0);
    for (let i = 0; i < siblings; i++) {
      if (isTombstone(value, headers + SIBLING_HEADER_BYTES * i)) counts.tombstones += 1;
      else counts.values += 1;
    }
    if (siblings > 1) counts.conflicts += 1;
  }
  if (strange > 0) return { fault: `${strange} of its records are of other partitions` };
  return { records: found.records, ...counts, root: rootText({ rootHi, rootLo }) };
}

interface RecordEntry {
  readonly key: Uint8Array;
  /** Record and mark. */
  readonly value: Uint8Array;
}

function* recordsOf(snapshot: FileSnapshot): Generator<RecordEntry> {
  let after = FIRST;
  for (;;) {
    const entries = snapshot.scan(after, SCAN_ENTRIES, SCAN_BYTES);
    for (const entry of entries) if (isRecordKey(entry.key)) yield entry;
    const last = entries[entries.length - 1];
    if (last === undefined) return;
    after = last.key;
  }
}

export interface RecordPage {
  /** Without their marks. */
  readonly records: readonly Uint8Array[];
  /** To go on from; null: that was all. */
  readonly after: Uint8Array | null;
}

/** The next records of a file whose checksum has been found right, at most about so many bytes of them. */
export function readRecords(path: string, after: Uint8Array | null, recordsMax: number, bytesMax: number): RecordPage {
  return withCopiedFile(path, (_bytes, snapshot) => {
    const entries = snapshot.scan(after ?? FIRST, recordsMax, bytesMax);
    const records = entries
      .filter(({ key }) => isRecordKey(key))
      .map(({ value }) => new Uint8Array(value.subarray(0, value.length - MARK_BYTES)));
    const last = entries[entries.length - 1];
    return { records, after: last === undefined ? null : new Uint8Array(last.key) };
  });
}
