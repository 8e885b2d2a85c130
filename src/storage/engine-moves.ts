/*
 * Partitions that come and go as a whole.
 *
 * Dropping: one entry of the log says that whatever stands before it of the partition is gone, and is all that counts.
 *
 *   entry appended     reads find nothing from here on; what is written from here on is kept
 *   entry durable      a crash before leaves everything, one behind leaves nothing: recovery, meeting the entry, throws
 *                      away what it has replayed so far, and the file
 *   file deleted       no task of the pool reads it any more, no batch is under way
 *   table written      the partition has no file: from now on a new one may be made, and the log may forget the entry
 *
 * The entry carries the fence, which is to outlive the data. Where there is one it goes to a new file that holds nothing
 * else, as a raised fence of an empty partition does.
 *
 * Installing is in file-install.ts. While either is under way nothing of the partition is flushed.
 */
import type { CopiedFile, FileManifest } from '../env/workers.js';
import { assert } from '../lib/assert.js';
import type { PartitionBytes, StoreRoom } from '../model/space-messages.js';
import { writeU32 } from '../lib/bytes.js';
import { type Flow, run, wait } from '../lib/flow.js';
import { leafCountOf } from '../repair/merkle.js';
import { markBytesOf } from './engine-space.js';
import { digestsOf } from './file-digests.js';
import { installFile } from './file-install.js';
import { isSound, takeFile } from './file-take.js';
import { LOG_KINDS } from './log-types.js';
import { durable, freed, type MoveParts, rest, surelySaveTable } from './move-parts.js';
import type { ForeignFile, InstallRefusal, MoveStorage, WrittenPlaces } from './move-storage.js';
import { encodeFence, sealed } from './reap-format.js';
import { SUSPICIONS, type Partition } from './partition.js';

/** A copy without the last writes is better than none: anti-entropy brings those. */
const FLUSH_MS_MAX = 5_000;
/** Partitions that are looked at before others have their turn. */
const ROOM_SLICE = 64;

export class EngineMoves implements MoveStorage {
  readonly #parts: MoveParts;
  #underWay = 0;

  constructor(parts: MoveParts) {
    this.#parts = parts;
  }

  /** No file is to be closed, nor the log. */
  get busy(): boolean {
    return this.#underWay > 0;
  }

  dropPartition(id: number, mayGo: () => boolean, done: (error: Error | null, isGone?: boolean) => void): void {
    this.#run(id, (partition) => this.#drop(partition, mayGo), done);
  }

  installFile(id: number, path: string, done: (error: Error | null, refusal?: InstallRefusal | null) => void): void {
    this.#run(
      id,
      (partition) => installFile(this.#parts, partition, path),
      this.#noted(id, 'partition_installed', done),
    );
  }

  takeFile(id: number, file: ForeignFile, done: (error: Error | null, refusal?: InstallRefusal | null) => void): void {
    const told = this.#noted(id, 'partition_taken', done);
    this.#underWay += 1;
    run(isSound(this.#parts, id, file), (error, sound) => {
      this.#underWay -= 1;
      if (error !== null) told(error);
      else if (sound !== true) told(null, 'damaged');
      else this.#run(id, (partition) => takeFile(this.#parts, partition, file), told);
    });
  }

  #noted(
    partition: number,
    what: string,
    done: (error: Error | null, refusal?: InstallRefusal | null) => void,
  ): (error: Error | null, refusal?: InstallRefusal | null) => void {
    return (error, refusal) => {
      this.#parts.deps.log.info(what, { partition, outcome: error?.message ?? refusal ?? 'done' });
      done(error, refusal);
    };
  }

  copyFile(id: number, path: string, done: (error: Error | null, manifest?: FileManifest | null) => void): void {
    this.#underWay += 1;
    run(this.#copy(this.#partitionAt(id), path), (error, isThere) => {
      this.#underWay -= 1;
      if (error !== null) done(error);
      else if (isThere === true) run(this.#describe(path), done);
      else done(null, null);
    });
  }

  /** False: there is no file. */
  *#copy(partition: Partition, path: string): Flow<boolean> {
    const { isOpen } = this.#parts;
    if (isOpen()) yield* this.#flushed(partition);
    if (!isOpen()) throw new Error('The store is being closed');
    const { file } = partition;
    if (file === null) return false;
    partition.tasks += 1;
    try {
      yield* wait((done) => {
        file.copy(path, done);
      });
    } finally {
      partition.tasks -= 1;
    }
    return true;
  }

  /** Until what stands in the buffer now is in the file: nobody need bring it behind the file then. */
  *#flushed(partition: Partition): Flow<void> {
    const { isOpen, deps, flusher } = this.#parts;
    const { buffer } = partition;
    const lastLsn = Math.max(buffer.activeLastLsn, buffer.frozenLastLsn);
    const untilMs = deps.clock.monotonicMs() + FLUSH_MS_MAX;
    while (isOpen() && buffer.oldestLsn !== 0 && buffer.oldestLsn <= lastLsn) {
      if (deps.clock.monotonicMs() >= untilMs) return;
      flusher.first(partition);
      yield* rest(deps.timers);
    }
  }

  written(id: number): WrittenPlaces {
    const { appliedLsn, buffer } = this.#partitionAt(id);
    const frozen = buffer.frozenFirstLsn > 0 ? buffer.frozenLastLsn : 0;
    const active = buffer.activeFirstLsn > 0 ? buffer.activeLastLsn : 0;
    return { writtenLsn: Math.max(appliedLsn, frozen, active), flushedLsn: appliedLsn };
  }

  *#describe(copy: string): Flow<FileManifest> {
    const { deps, options } = this.#parts;
    const path = deps.files.copyPath(copy);
    const facts = yield* wait<CopiedFile>((done) => {
      deps.workers.describe({ path, leafCount: leafCountOf(options.partitionCount) }, done);
    });
    const all = yield* digestsOf(deps.workers, path, facts);
    const digest = new Uint8Array(8);
    deps.hash.hash(all, 0, all.length);
    writeU32(digest, 0, deps.hash.hi);
    writeU32(digest, 4, deps.hash.lo);
    return { ...facts, digests: all, digest };
  }

  room(done: (error: Error | null, room?: StoreRoom) => void): void {
    run(this.#room(), done);
  }

  *#room(): Flow<StoreRoom> {
    const { deps, options, partitions } = this.#parts;
    const space = yield* wait<{ readonly freeBytes: number; readonly totalBytes: number }>((done) => {
      deps.disk.space(done);
    });
    const held: PartitionBytes[] = [];
    for (const { id, file, buffer } of partitions) {
      if (id % ROOM_SLICE === ROOM_SLICE - 1) yield* rest(deps.timers);
      let bytes = file?.stats().usedBytes ?? 0;
      for (const { size } of buffer.active.values()) bytes += size;
      for (const { size } of buffer.frozen?.values() ?? []) bytes += size;
      if (bytes > 0) held.push({ partition: id, bytes });
    }
    return { ...space, keptBytes: markBytesOf(options, space.totalBytes), partitions: held };
  }

  #run<T>(id: number, flow: (partition: Partition) => Flow<T>, done: (error: Error | null, value?: T) => void): void {
    const partition = this.#partitionAt(id);
    this.#underWay += 1;
    run(this.#alone(partition, flow), (error, value) => {
      this.#underWay -= 1;
      done(error, value);
    });
  }

  /** One at a time a partition, and with no part of it being flushed. */
  *#alone<T>(partition: Partition, flow: (partition: Partition) => Flow<T>): Flow<T> {
    const { isOpen, deps, kick } = this.#parts;
    while (isOpen() && partition.moving) yield* rest(deps.timers);
    if (!isOpen()) throw new Error('The store is being closed');
    partition.moving = true;
    try {
      while (isOpen() && partition.buffer.frozen !== null) yield* rest(deps.timers);
      if (!isOpen()) throw new Error('The store is being closed');
      return yield* flow(partition);
    } finally {
      partition.moving = false;
      if (isOpen()) kick();
    }
  }

  *#drop(partition: Partition, mayGo: () => boolean): Flow<boolean> {
    const { deps, turn, buffer, cache, release } = this.#parts;
    yield* wait((done) => {
      turn.take(() => {
        done(null);
      });
    });
    if (!mayGo()) {
      turn.give();
      return false;
    }
    const { file, doubts } = partition;
    partition.file = null;
    partition.flushes += 1; // reads that are under way look again
    partition.live = null;
    cache.clear();
    buffer.discard(partition);
    turn.give();
    yield* this.#logged(partition);
    yield* freed(partition, deps.timers);
    try {
      file?.close();
      yield* wait((done) => {
        deps.files.remove(partition.id, done);
      });
    } catch (error) {
      this.#parts.fail(error as Error);
      throw error;
    }
    partition.installation = 0;
    partition.appliedLsn = 0;
    if (partition.doubts === doubts) {
      // Else it was doubted since: it comes back, and what it then lacks is not what has gone now.
      partition.suspicion = SUSPICIONS.none;
      partition.marksHold = true;
    }
    yield* surelySaveTable(this.#parts);
    partition.heldLsn = 0;
    release.onApplied(this.#parts.log.durableLsn);
    deps.log.info('partition_dropped', { partition: partition.id });
    return true;
  }

  /** Says in the log that it is gone, and waits until that is on the disk. */
  *#logged(partition: Partition): Flow<void> {
    const { log, acks, buffer, deps } = this.#parts;
    const body = encodeFence(partition.fence.state);
    const { chunk, at, lsn } = log.append(LOG_KINDS.partitionDropped, partition.id, body.length);
    chunk.bytes.set(body, at);
    partition.heldLsn = lsn;
    if (partition.fence.isRaised) {
      buffer.touch(partition, lsn, deps.clock.monotonicMs());
      partition.buffer.fence = sealed(body, deps.hash);
    }
    yield* durable((ack) => {
      acks.pushDurable(ack, lsn);
    });
  }

  #partitionAt(id: number): Partition {
    const partition = this.#parts.partitions[id];
    assert(partition !== undefined, 'a partition is below Q');
    return partition;
  }
}
