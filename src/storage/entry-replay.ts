/*
 * The log's entries at a start, one after the other: what the files do not hold yet goes to the write buffer as if it had
 * just been put.
 */
import { checkRecord, recordKeyEnd, recordKeyStart } from '../versioning/record.js';
import type { Hash64 } from '../model/hash.js';
import type { Arena } from './arena.js';
import { takeLeafHash } from './engine-leaves.js';
import { MARK_BYTES } from './engine-mark.js';
import { noteReap } from './engine-reaps.js';
import type { HintRecovery } from './hint-recovery.js';
import { LOG_KINDS } from './log-types.js';
import { type Partition, SUSPICIONS, type Suspicion } from './partition.js';
import { decodeFence, decodeReap, encodeFence, sealed } from './reap-format.js';
import { Packer } from './replay-packer.js';
import { keyName } from './storage-key.js';
import { DROPPED_SIZE, OLD_NONE, type WriteBuffer } from './write-buffer.js';

const KNOWN: ReadonlySet<number> = new Set([
  LOG_KINDS.record,
  LOG_KINDS.recordDropped,
  LOG_KINDS.reap,
  LOG_KINDS.fence,
  LOG_KINDS.partitionDropped,
]);

export interface EntryReplayParts {
  readonly arena: Arena;
  readonly hash: Hash64;
  readonly partitions: readonly Partition[];
  readonly buffer: WriteBuffer<Partition>;
  readonly hints: HintRecovery;
  suspect(partition: Partition, suspicion: Suspicion, text: string): void;
}

export class EntryReplay {
  /** Their files are to go: they were closed here. */
  readonly dropped: Set<Partition> = new Set();
  readonly #parts: EntryReplayParts;
  readonly #packer: Packer;
  readonly #partitionShift: number;
  #damaged = 0;

  constructor(parts: EntryReplayParts) {
    this.#parts = parts;
    this.#packer = new Packer(parts.arena);
    this.#partitionShift = 32 - Math.log2(parts.partitions.length);
  }

  /** Entries that were no good. */
  get damaged(): number {
    return this.#damaged;
  }

  /** There are no more. */
  finish(): void {
    this.#packer.finish();
  }

  replay(kind: number, id: number, lsn: number, body: Uint8Array): void {
    if (kind === LOG_KINDS.hint || kind === LOG_KINDS.hintRemoved) {
      this.#parts.hints.replay(kind, id, lsn, body);
      return;
    }
    if (!KNOWN.has(kind)) {
      throw new Error(
        `The commit log holds an entry of kind ${kind} (LSN ${lsn}), which this release does not know: a newer release of Partita has written it. Install that release again, or one after it; or restore this directory from a copy that was made before the upgrade`,
      );
    }
    const partition = this.#parts.partitions[id];
    if (partition === undefined)
      throw new Error(
        `The commit log holds an entry of partition ${id} (LSN ${lsn}), but there are ${this.#parts.partitions.length}`,
      );
    if (lsn <= partition.appliedLsn) return;
    if (kind === LOG_KINDS.partitionDropped) return this.#replayDropped(partition, lsn, body);
    if (kind === LOG_KINDS.fence) return this.#replayFence(partition, lsn, body);
    if (kind === LOG_KINDS.reap) return this.#replayReap(partition, lsn, body);
    this.#replayRecord(partition, kind, lsn, body);
  }

  /**
   * Whatever was found of it before is void, and so is the doubt whether that was everything. Not so the doubt whether it
   * has all that other owners have: that may have come since, with a ring that gave the partition back.
   */
  #replayDropped(partition: Partition, lsn: number, body: Uint8Array): void {
    const state = decodeFence(body);
    if (state === null) return this.#onDamaged(partition, lsn, 'no reap fence');
    this.#parts.buffer.discard(partition);
    partition.file?.close();
    partition.file = null;
    partition.installation = 0;
    partition.appliedLsn = 0;
    if (partition.suspicion !== SUSPICIONS.storeNew) partition.suspicion = SUSPICIONS.none;
    this.dropped.add(partition);
    partition.fence.restore(state);
    if (!partition.fence.isRaised) return;
    this.#parts.buffer.touch(partition, lsn, 0);
    partition.buffer.fence = sealed(encodeFence(partition.fence.state), this.#parts.hash);
  }

  #replayFence(partition: Partition, lsn: number, body: Uint8Array): void {
    const state = decodeFence(body);
    if (state === null) return this.#onDamaged(partition, lsn, 'no reap fence');
    this.#parts.buffer.touch(partition, lsn, 0);
    partition.fence.restore(state);
    partition.buffer.fence = sealed(encodeFence(partition.fence.state), this.#parts.hash);
  }

  /** What was reaped, and, where a key is named, that its record is gone. */
  #replayReap(partition: Partition, lsn: number, body: Uint8Array): void {
    const reap = decodeReap(body);
    if (reap === null || !this.#isOf(partition, reap.entry.hashHi)) {
      return this.#onDamaged(partition, lsn, 'no reap entry of the partition');
    }
    const { entry, key } = reap;
    if (key.length > 0) this.#replayRecord(partition, LOG_KINDS.recordDropped, lsn, key);
    else this.#parts.buffer.touch(partition, lsn, 0);
    noteReap(partition, entry, this.#parts.hash);
  }

  #isOf(partition: Partition, hashHi: number): boolean {
    return this.#parts.partitions.length === 1 || hashHi >>> this.#partitionShift === partition.id;
  }

  #onDamaged(partition: Partition, lsn: number, fault: string): void {
    this.#damaged += 1;
    this.#parts.suspect(partition, SUSPICIONS.logDamaged, `the record at LSN ${lsn} is damaged (${fault})`);
  }

  #replayRecord(partition: Partition, kind: number, lsn: number, body: Uint8Array): void {
    const hash = this.#parts.hash;
    const dropped = kind === LOG_KINDS.recordDropped;
    const size = dropped ? DROPPED_SIZE : body.length - MARK_BYTES;
    const fault = dropped ? null : checkRecord(body, 0, size, hash, null);
    const keyStart = dropped ? 0 : recordKeyStart(0);
    const keyEnd = dropped ? body.length : fault === null ? recordKeyEnd(body, 0) : keyStart;
    hash.hash(body, keyStart, keyEnd);
    const { hi, lo } = hash;
    if (fault !== null || !this.#isOf(partition, hi)) {
      this.#onDamaged(partition, lsn, fault ?? 'wrong partition');
      return;
    }
    const name = keyName(body, keyStart, keyEnd);
    const at = this.#packer.put(body);
    const before = partition.buffer.active.get(name);
    const entry = this.#parts.buffer.place(partition, before, name, hi, lo, this.#packer.chunk, at, size, lsn, 0);
    takeLeafHash(entry, hash);
    if (partition.file === null) entry.oldKind = OLD_NONE;
  }
}
