/*
 * One key of a partition whose file is replaced by a received one: what is here, and what the file has, become one record.
 * Each side passes the reap log of the other (reap-filter.ts) before they are merged.
 */
import type { PartitionFile } from '../env/partition-file.js';
import type { Digest } from '../env/digest.js';
import { copyBytes } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import type { PartitionId } from '../model/ids.js';
import { filterReaped } from '../repair/reap-filter.js';
import type { RecordAt } from '../repair/part-of-record.js';
import type { MergePlan } from '../versioning/merge.js';
import { checkRecord, recordBytes } from '../versioning/record.js';
import { MARK_BYTES } from './engine-mark.js';
import { storageKey } from './storage-key.js';
import { DROP_RECORD, type Stored, WRITE_NOTHING, type WriteRequest } from './storage.js';
import type { StoredSlot } from './engine-stored.js';

export interface MergeWorld {
  readonly hash: Hash64;
  readonly digest: Digest;
  readonly merge: MergePlan;
  /** Contexts of what was reaped under a key's hash, here and by the file's reap log. */
  reapedHere(hashHi: number, hashLo: number): readonly Uint8Array[];
  reapedThere(hashHi: number, hashLo: number): readonly Uint8Array[];
}

type Side = RecordAt | null;

export class InstallMerge implements WriteRequest {
  readonly partition: PartitionId;
  readonly key: Uint8Array;
  readonly hashHi: number;
  readonly hashLo: number;
  readonly durable: boolean = false;
  readonly bytesHint: number = 0;
  /** None: whatever this store has minted for the key is in the past, as with any other forgetting. */
  readonly markActorHi: number = 0;
  readonly markActorLo: number = 0;
  readonly markCounter: number = 0;
  readonly #world: MergeWorld;
  readonly #received: Side;
  /** The file's records are those here already: nothing is stored that it has. */
  readonly #isInstalled: boolean;
  #result: Side = null;
  #isMerged = false;
  /** Bytes that it wrote, and whether a record was too large to be merged. */
  written: number = 0;
  isTooLarge: boolean = false;

  constructor(world: MergeWorld, partition: number, key: Uint8Array, received: PartitionFile, isInstalled: boolean) {
    world.hash.hash(key, 0, key.length);
    this.partition = partition as PartitionId;
    this.key = key;
    this.hashHi = world.hash.hi;
    this.hashLo = world.hash.lo;
    this.#world = world;
    this.#received = recordIn(received, this, world);
    this.#isInstalled = isInstalled;
  }

  decide(stored: Stored): number {
    const { entry, from } = stored as StoredSlot;
    const isBuffered = entry !== undefined;
    const isFiles = from === 'file' && this.#isInstalled;
    const stand = stored.end > stored.start && !isFiles ? { bytes: stored.bytes, start: stored.start } : null;
    const ours = this.#passed(stand, this.#received, this.#world.reapedThere(this.hashHi, this.hashLo));
    const theirs = this.#passed(this.#received, stand, this.#world.reapedHere(this.hashHi, this.hashLo));
    const isTheirsWhole = theirs !== null && theirs === this.#received;
    this.#join(ours, theirs);
    if (this.#result === null) {
      // Where the file is not in its place yet, its record goes when it is.
      const drops = isBuffered ? !entry.dropped : isFiles && this.#received !== null;
      return drops ? DROP_RECORD : WRITE_NOTHING;
    }
    if (!this.#isMerged && isBuffered && this.#result === stand) return WRITE_NOTHING;
    if (!this.#isMerged && !isBuffered && this.#result === theirs && isTheirsWhole) return WRITE_NOTHING;
    this.written = this.#isMerged ? this.#world.merge.size : recordBytes(this.#result.bytes, this.#result.start);
    return this.written;
  }

  encode(target: Uint8Array, at: number): void {
    const { merge, hash } = this.#world;
    if (this.#isMerged) merge.encode(target, at, hash);
    else if (this.#result !== null) {
      const { bytes, start } = this.#result;
      target.set(bytes.subarray(start, start + this.written), at);
    }
  }

  onWritten(): void {
    // Whoever installs waits for the log as a whole.
  }

  onRefused(): void {
    // Nothing that is placed by the engine itself is refused.
  }

  #passed(side: Side, other: Side, reaped: readonly Uint8Array[]): Side {
    if (side === null) return null;
    const filtered = filterReaped(side, reaped, other, this.#world.hash);
    if (filtered.kind === 'as-it-is') return side;
    return filtered.kind === 'less' ? { bytes: filtered.record, start: 0 } : null;
  }

  #join(ours: Side, theirs: Side): void {
    this.#isMerged = false;
    this.#result = ours ?? theirs;
    if (ours === null || theirs === null) return;
    const outcome = this.#world.merge.plan(ours.bytes, ours.start, theirs.bytes, theirs.start);
    if (outcome === 'same-as-b') this.#result = theirs;
    this.#isMerged = outcome === 'new';
    this.isTooLarge = outcome === 'too-large';
  }
}

/** A good record of the key in a file, copied; null: there is none. */
function recordIn(
  file: PartitionFile,
  { hashHi, hashLo, key }: Pick<WriteRequest, 'hashHi' | 'hashLo' | 'key'>,
  { hash, digest }: MergeWorld,
): Side {
  const value = file.get(storageKey(hashHi, hashLo, key, digest));
  if (value === null || checkRecord(value, 0, value.length - MARK_BYTES, hash, key) !== null) return null;
  return { bytes: copyBytes(value, 0, value.length - MARK_BYTES), start: 0 };
}
