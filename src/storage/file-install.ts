/*
 * A received file becomes the file of a partition, and nothing that is here already is lost by it.
 *
 *   judged        it is of this partition, and its fence is not below ours
 *   doubted       the partition is suspect, and the table says that any file may be found: from here on a crash leaves
 *                 either file, and neither is believed before it has met the other owners
 *   merged        each record here is merged with the file's; what that comes to is written as an ordinary write is
 *   left          the old file holds nothing any more that is not in the log's newer entries or in the new one; it is closed
 *   installed     the new one takes its name. Its home says: ours, of a new installation, and how far of the log it does
 *                 not need; so replay brings exactly what was here and is not in it
 *   merged again  what was written between the first merging and now
 *
 * What is written meanwhile is not held up. Reads answer `unknown` from `doubted` on, as those of every suspect partition.
 * Marks of the file, and of what was here before, are void (engine-mark.ts).
 *
 * A crash between `installed` and the end leaves a record of those last moments in front of the file's one of the same key,
 * not merged. Nothing is lost by that: the file's is at its donor, and the exchange that ends the suspicion brings it back.
 */
import type { PartitionFile } from '../env/partition-file.js';
import { type Flow, wait } from '../lib/flow.js';
import { readU32 } from '../lib/bytes.js';
import { MergePlan } from '../versioning/merge.js';
import { RECORD_FIXED_BYTES, recordKeyEnd, recordKeyStart } from '../versioning/record.js';
import { drawInstallation, mapBytesOf } from './engine-files.js';
import { markTag } from './engine-mark.js';
import { durable, freed, type MoveParts, saveTable, surelySaveTable } from './move-parts.js';
import { InstallMerge, type MergeWorld } from './install-merge.js';
import { higherFence, type InstallRefusal } from './move-storage.js';
import { decodeHome, encodeHome, HOME_KEY } from './partition-home.js';
import { SUSPICIONS, type Partition } from './partition.js';
import { decodeFence, decodeReap, FENCE_KEY, reapName, reapPrefix, unsealed } from './reap-format.js';
import type { FenceState, ReapEntry } from './reap-storage.js';
import { bookkeepingKey, hashBound, isRecordKey, keyInStorageKey, keyName, keyOfName } from './storage-key.js';
import { OLD_UNKNOWN } from './write-buffer.js';

/** What is here and is merged in one go, at most: bytes of records and of reap entries. */
const HERE_BYTES_MAX = 8_388_608;
/** Merged before the loop goes on to something else. */
const SLICE_KEYS = 32;
const SLICE_BYTES = 262_144;
const PAGE_ENTRIES = 256;
/** Where the name of a bookkeeping entry begins. */
const NAME_AT = 9;
const NO_FENCE: FenceState = { fence: 0, reapedAt: 0, trimmedAt: 0 };

/** What holds for some files beside what is judged of all of them; file-take.ts. */
export interface Admission {
  /** Makes the file ready, and says whether it may come in: true in the turn in which that is answered. */
  admit(received: PartitionFile): Flow<InstallRefusal | null>;
  /** It is in its place, and merged; or it is not, and all is as it was. */
  settled(): void;
}

export function* installFile(
  parts: MoveParts,
  partition: Partition,
  path: string,
  admission: Admission | null = null,
): Flow<InstallRefusal | null> {
  const received = yield* openReceived(parts, path);
  if (received === null) return 'foreign';
  return yield* new Install(parts, partition, path, received).run(admission);
}

function* openReceived({ deps, options }: MoveParts, path: string): Flow<PartitionFile | null> {
  try {
    return yield* wait<PartitionFile>((done) => {
      deps.files.openReceived(path, mapBytesOf(options.partitionCount), done);
    });
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === 'DAMAGED') return null;
    throw error;
  }
}

class Install {
  readonly #parts: MoveParts;
  readonly #partition: Partition;
  readonly #path: string;
  #received: PartitionFile | null;
  readonly #installation: number;
  readonly #world: MergeWorld;
  /** Keys whose records here and in the file are one by now. */
  readonly #merged: Set<string> = new Set();
  /** What was reaped here before, as far as the file is older than that. */
  #reapedHere: readonly ReapEntry[] = [];

  constructor(parts: MoveParts, partition: Partition, path: string, received: PartitionFile) {
    const { hash, digest, random } = parts.deps;
    this.#parts = parts;
    this.#partition = partition;
    this.#path = path;
    this.#received = received;
    this.#installation = drawInstallation(random);
    const contexts = (entries: readonly ReapEntry[]): readonly Uint8Array[] => entries.map(({ context }) => context);
    this.#world = {
      hash,
      digest,
      merge: new MergePlan(),
      reapedHere: (hi, lo) => contexts(parts.reaps.entriesOf(partition.id, hi, lo)),
      reapedThere: (hi, lo) => contexts(this.#entriesIn(this.#file(), reapPrefix(hi, lo))),
    };
  }

  *run(admission: Admission | null): Flow<InstallRefusal | null> {
    const { turn } = this.#parts;
    yield* wait((done) => {
      turn.take(() => {
        done(null);
      });
    });
    try {
      const refusal = admission === null ? null : yield* admission.admit(this.#file());
      if (refusal !== null) return refusal;
      const theirs = this.#judge();
      if (typeof theirs === 'string') return theirs;
      const names = yield* this.#namesHere();
      if (names === null) return 'too-much-here';
      yield* this.#install(theirs, names, admission);
    } finally {
      this.#received?.close();
      turn.give();
    }
    yield* this.#mergeRest();
    admission?.settled();
    yield* surelySaveTable(this.#parts);
    return null;
  }

  /** The fence of the file, if it may come in. */
  #judge(): FenceState | 'foreign' | 'behind' {
    const { hash } = this.#parts.deps;
    const { id, fence } = this.#partition;
    const bytes = this.#file().get(HOME_KEY);
    const home = bytes === null ? null : decodeHome(bytes, hash);
    if (home === null || 'newerFormat' in home) return 'foreign';
    if (home.partition !== id || home.partitionCount !== this.#parts.options.partitionCount) return 'foreign';
    const value = this.#file().get(FENCE_KEY);
    const body = value === null ? null : unsealed(value, hash);
    const state = value === null ? NO_FENCE : body === null ? null : decodeFence(body);
    if (state === null) return 'foreign';
    return state.fence < fence.floor ? 'behind' : state;
  }

  /** Of all that the old file holds; null: it is too much. Nothing is flushed to it meanwhile. */
  *#namesHere(): Flow<readonly string[] | null> {
    const { buffer, file } = this.#partition;
    const names: string[] = [];
    let bytes = 0;
    for (const { size } of buffer.active.values()) bytes += size;
    for (let after: Uint8Array | null = null; file !== null;) {
      const entries = file.scan(after, PAGE_ENTRIES, SLICE_BYTES);
      for (const { key, value } of entries) {
        if (isRecordKey(key)) names.push(nameOf(key, value));
        if (!isLeafGroup(key)) bytes += value.length;
      }
      if (bytes > HERE_BYTES_MAX) return null;
      after = entries.at(-1)?.key ?? null;
      if (after === null) break;
      yield* this.#endOfTurn();
    }
    return bytes > HERE_BYTES_MAX ? null : names;
  }

  *#install(theirs: FenceState, names: readonly string[], admission: Admission | null): Flow<void> {
    const partition = this.#partition;
    const { installation } = partition;
    partition.installation = 0;
    partition.suspicion = SUSPICIONS.storeNew;
    let appliedLsn = 0;
    try {
      yield* saveTable(this.#parts);
      this.#parts.reaps.refuseBelow(partition.id, theirs.fence);
      appliedLsn = yield* this.#takeHome();
      this.#keepReapLog();
      yield* this.#mergeAll(names);
      if (!this.#parts.isOpen()) throw new Error('The store is being closed');
    } catch (error) {
      partition.installation = installation; // the old file goes on; that it is suspect now harms nothing of a move
      admission?.settled();
      throw error;
    }
    const old = this.#leaveOldFile();
    yield* this.#raiseFence(theirs);
    try {
      yield* this.#replaceFile(old);
    } catch (error) {
      this.#parts.fail(error as Error);
      throw error;
    }
    this.#takeOver(appliedLsn);
  }

  /** Makes the file ours. Answers how far of the log it will not need: not what is in the buffer, nor what comes now. */
  *#takeHome(): Flow<number> {
    const { deps, options, log } = this.#parts;
    const { id, buffer } = this.#partition;
    const appliedLsn = buffer.oldestLsn === 0 ? log.lastLsn : buffer.oldestLsn - 1;
    const { nodeId, partitionCount } = options;
    const home = { nodeId, installation: this.#installation, appliedLsn, partition: id, partitionCount };
    yield* wait((done) => {
      this.#file().write([{ key: HOME_KEY, value: encodeHome(home, deps.hash) }], done);
    });
    return appliedLsn;
  }

  /** What was reaped here, and perhaps not there, goes to the log again: the old file goes. */
  #keepReapLog(): void {
    const { reaps } = this.#parts;
    const { id } = this.#partition;
    const here: ReapEntry[] = [];
    let after = '';
    do {
      const page = reaps.since(id, 0, after);
      here.push(...page.entries);
      after = page.next;
    } while (after !== '');
    for (const entry of here) {
      const value = this.#file().get(bookkeepingKey(reapName(entry)));
      reaps.learn(id, (value === null ? null : this.#decoded(value)) ?? entry); // joined with what is known here
    }
    this.#reapedHere = here;
  }

  /** Until everything that is here has been merged; the last step ends in the turn in which that is so. */
  *#mergeAll(names: readonly string[]): Flow<void> {
    for (let at = 0; at < names.length;) {
      at = this.#mergeSlice(names, at);
      yield* this.#endOfTurn();
    }
    yield* this.#mergeBuffer();
  }

  *#mergeBuffer(): Flow<void> {
    for (;;) {
      const names = [...this.#partition.buffer.active.keys()].filter((name) => !this.#merged.has(name));
      const at = this.#mergeSlice(names, 0);
      if (at === names.length) return;
      yield* this.#endOfTurn();
    }
  }

  #mergeSlice(names: readonly string[], from: number): number {
    let at = from;
    for (let bytes = 0; at < names.length && at < from + SLICE_KEYS && bytes < SLICE_BYTES; at++) {
      bytes += this.#mergeOne(names[at] as string);
    }
    return at;
  }

  #mergeOne(name: string): number {
    if (name === '' || this.#merged.has(name)) return 0;
    const { deps, place } = this.#parts;
    const partition = this.#partition;
    const write = new InstallMerge(this.#world, partition.id, keyOfName(name), this.#file(), this.#received === null);
    place(partition, write);
    // What only the file has can still get something in front of it before the file is in its place.
    if (partition.buffer.find(name) !== undefined) this.#merged.add(name);
    if (write.isTooLarge) deps.log.warn('merge_too_large', { partition: partition.id });
    return write.written;
  }

  /** From now on the buffer and the log hold all that was in it and is not in the new one. */
  #leaveOldFile(): PartitionFile | null {
    const partition = this.#partition;
    const old = partition.file;
    partition.file = null;
    partition.flushes += 1; // reads that are under way look again
    partition.live = null;
    this.#parts.cache.clear();
    return old;
  }

  /** All that is here has passed the file's reap log. Told when that, and all that was merged, is on the disk. */
  *#raiseFence(theirs: FenceState): Flow<void> {
    const { reaps } = this.#parts;
    const { id, fence } = this.#partition;
    yield* durable((ack) => {
      reaps.raise(id, higherFence(fence.state, theirs), ack);
    });
  }

  *#replaceFile(old: PartitionFile | null): Flow<void> {
    const { files } = this.#parts.deps;
    const { id } = this.#partition;
    yield* freed(this.#partition, this.#parts.deps.timers);
    old?.close();
    this.#file().close();
    this.#received = null;
    yield* wait((done) => {
      files.install(this.#path, id, done);
    });
    this.#partition.file = yield* wait<PartitionFile>((done) => {
      files.open(id, mapBytesOf(this.#parts.options.partitionCount), done);
    });
  }

  #takeOver(appliedLsn: number): void {
    const { options, deps, cache } = this.#parts;
    const partition = this.#partition;
    partition.installation = this.#installation;
    partition.appliedLsn = appliedLsn;
    partition.markTag = markTag(options.nodeId, options.opening, this.#installation, deps.hash);
    partition.marksHold = true;
    partition.flushes += 1;
    partition.live = null;
    cache.clear();
    for (const entry of partition.buffer.active.values()) entry.oldKind = OLD_UNKNOWN;
  }

  /** What came while the file was being put in place; and what the file has and was reaped here. */
  *#mergeRest(): Flow<void> {
    yield* this.#mergeBuffer();
    const names = this.#reapedHere.flatMap((entry) => this.#namesUnder(entry));
    for (let at = 0; at < names.length;) {
      at = this.#mergeSlice(names, at);
      yield* this.#endOfTurn();
    }
  }

  /** Of the file's records whose key has this hash. */
  #namesUnder({ hashHi, hashLo }: ReapEntry): readonly string[] {
    const from = hashBound(hashHi, hashLo);
    const names: string[] = [];
    for (const { key, value } of this.#file().scan(from, PAGE_ENTRIES)) {
      if (readU32(key, 0) !== hashHi || readU32(key, 4) !== hashLo) break;
      if (isRecordKey(key)) names.push(nameOf(key, value));
    }
    return names;
  }

  #entriesIn(file: PartitionFile, prefix: string): readonly ReapEntry[] {
    const entries: ReapEntry[] = [];
    for (const { key, value } of file.scan(bookkeepingKey(prefix), PAGE_ENTRIES)) {
      if (!keyName(key, NAME_AT, key.length).startsWith(prefix)) break;
      const entry = this.#decoded(value);
      if (entry !== null) entries.push(entry);
    }
    return entries;
  }

  #decoded(value: Uint8Array): ReapEntry | null {
    const body = unsealed(value, this.#world.hash);
    return body === null ? null : (decodeReap(body)?.entry ?? null);
  }

  /** The received file, wherever it is by now. */
  #file(): PartitionFile {
    return this.#received ?? this.#partition.openFile();
  }

  *#endOfTurn(): Flow<void> {
    yield* wait((done) => {
      this.#parts.deps.timers.after(0, () => {
        done(null);
      });
    });
  }
}

/** Leaves are made anew by what is written: however many there are, they are not merged. */
function isLeafGroup(key: Uint8Array): boolean {
  return !isRecordKey(key) && keyName(key, NAME_AT, key.length).startsWith('leaves/');
}

/** The key of a file's record as the buffer knows it; empty: the record is damaged, and its key was too long to be kept. */
function nameOf(key: Uint8Array, value: Uint8Array): string {
  const own = keyInStorageKey(key);
  if (own !== null) return keyName(own, 0, own.length);
  const end = value.length > RECORD_FIXED_BYTES ? recordKeyEnd(value, 0) : value.length + 1;
  return end <= value.length ? keyName(value, recordKeyStart(0), end) : '';
}
