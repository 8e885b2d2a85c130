/*
 * A file from outside of the cluster, out of an archive, becomes the file of a partition of which nothing is here.
 *
 * A file of a move comes from an owner, and what is wrong with it the other owners put right: so the partition is suspect
 * behind it. Here there may be no owner with anything. So the file is looked through before it is let in, byte by byte and
 * record by record, against what the archive says of it; and it is let in only where nothing is, and nothing may be
 * missing. Then the partition holds all that it held before, which was nothing, and all that came meanwhile: it is believed
 * afterwards because it was before. The rest is that of any received file (file-install.ts).
 *
 *   looked through   digests of its bytes; leaves made anew from its records, their root and their count
 *   stripped         the fence and the reap log of another cluster go: fences are numbers of one cluster's partitions
 *   admitted         nothing is here, and nothing in doubt, in the turn in which it is taken
 *   installed        suspect on the disk from here on, so a crash leaves either file, not believed
 *   settled          believed again, if nothing else has made it suspect
 */
import type { CopiedFile, ScrubSlice } from '../env/workers.js';
import type { PartitionFile, PartitionFileOperation } from '../env/partition-file.js';
import { equalBytes, readU32 } from '../lib/bytes.js';
import { type Flow, wait } from '../lib/flow.js';
import { leafCountOf } from '../repair/merkle.js';
import { partitionBits, partitionOf } from '../ring/partition.js';
import { digestsOf } from './file-digests.js';
import { type Admission, installFile } from './file-install.js';
import type { MoveParts } from './move-parts.js';
import type { ForeignFile, InstallRefusal } from './move-storage.js';
import { SUSPICIONS, type Partition } from './partition.js';
import { FENCE_KEY, REAP_PREFIX } from './reap-format.js';
import { bookkeepingKey, hashBound, isRecordKey, keyName, recordBound } from './storage-key.js';

const PAGE_ENTRIES = 256;
/** Where the name of a bookkeeping entry begins. */
const NAME_AT = 9;
/** Before all records, behind our bookkeeping. */
const FIRST = recordBound(new Uint8Array(8));
/** Of one look of the pool. */
const SLICE_RECORDS = 10_000;
const SLICE_BYTES = 16_777_216;

export function takeFile(parts: MoveParts, partition: Partition, file: ForeignFile): Flow<InstallRefusal | null> {
  return installFile(parts, partition, file.path, new EmptyPlace(parts, partition, file));
}

/** Whether it is what it is said to be. Long, and nothing of the partition is held up by it. */
export function* isSound({ deps, options }: MoveParts, partition: number, file: ForeignFile): Flow<boolean> {
  const path = deps.files.copyPath(file.path);
  if (!equalBytes(yield* digestsOf(deps.workers, path, file), file.digests)) return false;
  const leafCount = leafCountOf(options.partitionCount);
  const { bytes, records, rootHi, rootLo } = yield* wait<CopiedFile>((done) => {
    deps.workers.describe({ path, leafCount }, done);
  });
  if (bytes !== file.bytes || records !== file.records) return false;
  if (rootHi !== file.rootHi || rootLo !== file.rootLo) return false;
  const limits = { recordsMax: SLICE_RECORDS, bytesMax: SLICE_BYTES };
  let found = 0;
  for (let fromLeaf = 0; fromLeaf < leafCount;) {
    const task = { path, partition, leafCount, fromLeaf, ...limits };
    const slice = yield* wait<ScrubSlice>((done) => {
      deps.workers.walkCopy(task, done);
    });
    if (slice.damagedCount + slice.hidden + slice.differingCount > 0) return false;
    found += slice.records;
    fromLeaf = slice.nextLeaf;
  }
  return found === records;
}

class EmptyPlace implements Admission {
  readonly #parts: MoveParts;
  readonly #partition: Partition;
  readonly #isOurs: boolean;
  #doubts = 0;

  constructor(parts: MoveParts, partition: Partition, { isOurs }: ForeignFile) {
    this.#parts = parts;
    this.#partition = partition;
    this.#isOurs = isOurs;
  }

  *admit(received: PartitionFile): Flow<InstallRefusal | null> {
    if (this.#hasStrangers(received)) return 'foreign';
    if (!this.#isOurs) yield* this.#strip(received);
    if (this.#partition.suspicion !== SUSPICIONS.none) return 'in-doubt';
    this.#doubts = this.#partition.doubts;
    return this.#isEmpty() ? null : 'not-empty';
  }

  /** What has made it suspect before it was taken was found out of the old file, or in the new one. */
  settled(): void {
    const partition = this.#partition;
    if (partition.suspicion !== SUSPICIONS.storeNew || partition.doubts !== this.#doubts || !partition.marksHold)
      return;
    partition.suspicion = SUSPICIONS.none;
  }

  #isEmpty(): boolean {
    const { buffer, file } = this.#partition;
    const isInBuffer = buffer.active.size > 0 || (buffer.frozen?.size ?? 0) > 0;
    return !isInBuffer && (file === null || file.scan(FIRST, 1).length === 0);
  }

  /** Records of other partitions: hash order is file order, so they stand before ours or behind them. */
  #hasStrangers(received: PartitionFile): boolean {
    const { partitionCount } = this.#parts.options;
    const { id } = this.#partition;
    const first = received.scan(FIRST, 1)[0];
    if (first === undefined) return false;
    if (!isRecordKey(first.key)) return true;
    if (partitionOf(readU32(first.key, 0), partitionBits(partitionCount)) !== id) return true;
    const end = (0x1_0000_0000 / partitionCount) * (id + 1);
    return end < 0x1_0000_0000 && received.scan(hashBound(end, 0), 1).length > 0;
  }

  *#strip(received: PartitionFile): Flow<void> {
    yield* written(received, [{ key: FENCE_KEY, value: null }]);
    for (;;) {
      const entries = received.scan(bookkeepingKey(REAP_PREFIX), PAGE_ENTRIES);
      const keys = entries.map(({ key }) => new Uint8Array(key)).filter(isReap);
      if (keys.length === 0) return;
      yield* written(
        received,
        keys.map((key) => ({ key, value: null })),
      );
    }
  }
}

function isReap(key: Uint8Array): boolean {
  return !isRecordKey(key) && keyName(key, NAME_AT, key.length).startsWith(REAP_PREFIX);
}

function* written(file: PartitionFile, operations: readonly PartitionFileOperation[]): Flow<void> {
  yield* wait((done) => {
    file.write(operations, done);
  });
}
