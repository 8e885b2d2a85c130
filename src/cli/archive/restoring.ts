/*
 * An archive on its way into a cluster. Where the partitions are the same, and an owner has nothing of one, it gets the file
 * as it is (file-sending.ts), and looks through it before it takes it. All others get the records: each goes to all owners
 * of its partition there, each of which merges it with what it has. It keeps its dots and its context, so a merge tells what
 * is newer, and to merge it twice changes nothing: who was interrupted does it again. Partitions that their owners hold just
 * as they were archived are passed over.
 *
 * Owners take a file one after the other: reads of the partition do without whoever is about it.
 *
 * Afterwards the same records go the same way once more, only to be looked for: that is the proof. Of who has taken the file
 * the count and the root are compared, which are made from all of its records; where puts have changed them since, the
 * records are looked for there, too.
 */
import { setTimeout as rest } from 'node:timers/promises';
import type { ArchivedPartition, Manifest } from '../../archive/manifest.js';
import { isMajority, rootText } from '../../archive/plan.js';
import { fenceIn, mayResurrect, RestoreCount, targetsOf } from '../../archive/restore-plan.js';
import { PartitaError } from '../../client/index.js';
import { equalBytes } from '../../lib/bytes.js';
import type { ArchiveRecords, ArchiveStateReply } from '../../model/archive-messages.js';
import type { Hash64 } from '../../model/hash.js';
import { partitionBits, partitionOf } from '../../ring/partition.js';
import { recordKeyEnd, recordKeyStart } from '../../versioning/record.js';
import { isPassing, type Members } from './asking.js';
import { SentFile } from './file-sending.js';
import { readRecords } from './inspect.js';
import { filePathOf } from './verifying.js';

const PAGE_RECORDS = 512;
const PAGE_BYTES = 262_144;
const LOOK_MS = 250;

export interface RestoreWorld {
  readonly members: Members;
  readonly target: string;
  readonly manifest: Manifest;
  readonly hash: Hash64;
  readonly mayResurrect: boolean;
  readonly patienceMs: number;
  /** Only keys that begin so, or only this key. */
  readonly prefix: Uint8Array | null;
  readonly key: Uint8Array | null;
  /** So many records more have been through. */
  onRecords(count: number): void;
}

/** Who takes the records of one partition of the cluster. */
interface Owners {
  readonly reached: readonly number[];
  readonly isPastFloor: boolean;
}

interface OwnerState {
  readonly owner: number;
  readonly state: ArchiveStateReply;
}

const NOBODY: ReadonlySet<number> = new Set();

/** It holds what the file held, and nothing else: its leaves are of all that a merge looks at. */
function isAsArchived(state: ArchiveStateReply, { root, records }: ArchivedPartition): boolean {
  return rootText(state) === root && state.records === records;
}

/** What became of an archived partition. */
export interface Restored {
  readonly partition: number;
  /** Records that were meant. */
  readonly records: number;
  /** By the owner that lacked most: were not there; not there, and nothing else. */
  readonly merged: number;
  readonly absent: number;
  /** Deleted since, and left so; by the owner that knows of most. */
  readonly reaped: number;
  /** Of them it may be that they were deleted since, and nothing tells. */
  readonly doubtful: number;
  /** Ordinals. */
  readonly missed: readonly number[];
  /** Owners that have taken it as a file. */
  readonly files: number;
}

export interface Proof {
  /** Records that an owner lacks, over all owners. */
  readonly missing: number;
  /** Owners' trees that are those of the archive, and those that could be compared. */
  readonly rootsEqual: number;
  readonly rootsCompared: number;
}

export class Restore {
  readonly #world: RestoreWorld;
  readonly #bits: number;
  readonly #owners: Map<number, Owners> = new Map();
  /** Who has taken the file of a partition. */
  readonly #taken: Map<number, ReadonlySet<number>> = new Map();
  /** What came of each archived partition, by owner, as it was merged. */
  readonly #merged: Map<number, ReadonlyMap<number, RestoreCount>> = new Map();

  constructor(world: RestoreWorld) {
    this.#world = world;
    this.#bits = partitionBits(world.members.ring.partitionCount);
  }

  /** All that could forbid it, before anything is written. Throws PartitaError. */
  async check(partitions: readonly ArchivedPartition[]): Promise<void> {
    const { members, manifest } = this.#world;
    const { partitionCount } = members.ring;
    for (const archived of partitions) {
      if (archived.file === null) continue;
      const fence = this.#fenceOf(archived);
      for (const partition of targetsOf(archived.partition, manifest.partitionCount, partitionCount)) {
        const before = this.#owners.get(partition);
        const owners = before ?? (await this.#look(partition, fence));
        this.#owners.set(partition, owners);
      }
    }
  }

  #fenceOf(archived: ArchivedPartition): number {
    const { members, manifest } = this.#world;
    const { partitionCount } = members.ring;
    return fenceIn(manifest, archived, { clusterId: members.facts.clusterId, partitionCount });
  }

  async #look(partition: number, fence: number): Promise<Owners> {
    const { members, mayResurrect: isWanted } = this.#world;
    const states = await Promise.all(
      members.ownersOf(partition).map(async (owner) => ({ owner, state: await this.#believed(owner, partition) })),
    );
    const there = states.flatMap(({ owner, state }) => (state === null ? [] : [{ owner, state }]));
    const { replicaCount } = members.ring;
    if (!isMajority(there.length - 1, replicaCount)) {
      const text = `${there.length} of the ${replicaCount} owners of partition ${partition} can be reached and believed; nothing was restored`;
      throw new PartitaError('UNAVAILABLE', text);
    }
    const past = there.find(({ state }) => mayResurrect(state, fence));
    if (past !== undefined && !isWanted) {
      const text = `the archive is older than what node ${past.owner} remembers of deletes in partition ${partition} (fence ${fence}, forgotten up to ${past.state.trimmedAt}): what was deleted since would come back. Nothing was restored; --may-resurrect restores it all the same, and says how many keys that may be`;
      throw new PartitaError('INVALID_ARGUMENT', text);
    }
    return { reached: there.map(({ owner }) => owner), isPastFloor: past !== undefined };
  }

  /** null: it cannot be reached, or not be believed, for as long as patience lasts. */
  async #believed(owner: number, partition: number): Promise<ArchiveStateReply | null> {
    const { members, patienceMs } = this.#world;
    for (const untilMs = performance.now() + patienceMs; ;) {
      try {
        const state = await members.state(owner, { partition, meets: false, begunMsAgo: 0 });
        if (!state.isSuspect) return state;
      } catch (error) {
        if (!isPassing(error)) throw error;
      }
      if (performance.now() > untilMs) return null;
      await rest(LOOK_MS);
    }
  }

  async restore(archived: ArchivedPartition): Promise<Restored> {
    const missed = this.#missed(archived);
    if (await this.#isThere(archived)) {
      const { partition, records } = archived;
      this.#world.onRecords(records);
      return { partition, records, merged: 0, absent: 0, reaped: 0, doubtful: 0, missed, files: 0 };
    }
    const taken = await this.#sendFile(archived);
    if (taken.size > 0) this.#taken.set(archived.partition, taken);
    if (taken.size > 0 && this.#reachedBeside(archived.partition, taken).length === 0) {
      const { partition, records } = archived;
      this.#world.onRecords(records);
      const files = taken.size;
      return { partition, records, merged: records, absent: records, reaped: 0, doubtful: 0, missed, files };
    }
    const counts = new Map<number, RestoreCount>();
    this.#merged.set(archived.partition, counts);
    const fence = this.#world.mayResurrect ? Number.MAX_SAFE_INTEGER : this.#fenceOf(archived);
    let records = 0;
    let doubtful = 0;
    for await (const { partition, records: some } of this.#batches(archived)) {
      const owners = this.#owners.get(partition) as Owners;
      const replies = await this.#send(
        this.#reachedBeside(partition, taken),
        { partition, fence, records: some, compares: false },
        counts,
      );
      if (owners.isPastFloor) doubtful += Math.max(...replies.map(({ absent }) => absent));
      records += some.length;
    }
    const least = taken.size > 0 ? records : 0;
    const most = (of: (count: RestoreCount) => number): number => Math.max(0, ...[...counts.values()].map(of));
    return {
      ...{ partition: archived.partition, records, doubtful, missed, files: taken.size },
      merged: Math.max(
        least,
        most(({ missing }) => missing),
      ),
      absent: Math.max(
        least,
        most(({ absent }) => absent),
      ),
      reaped: most(({ reaped }) => reaped),
    };
  }

  /** Looks for everything again, and compares the roots where the same partition is whole on both sides. */
  async prove(archived: ArchivedPartition): Promise<Proof> {
    const proven = await this.#provenByRoot(archived);
    const counts = new Map<number, RestoreCount>();
    if (proven.size > 0 && this.#reachedBeside(archived.partition, proven).length === 0)
      this.#world.onRecords(archived.records);
    else
      for await (const { partition, records } of this.#batches(archived))
        await this.#send(
          this.#reachedBeside(partition, proven),
          { partition, fence: 0, records, compares: true },
          counts,
        );
    let missing = 0;
    const merged = this.#merged.get(archived.partition);
    for (const [owner, count] of counts) missing += count.missingSince(merged?.get(owner));
    const states = await this.#states(archived);
    const equal = states.filter(({ state }) => rootText(state) === archived.root);
    return { missing, rootsCompared: states.length, rootsEqual: equal.length };
  }

  /** Of those that have taken the file: who holds just what it held. */
  async #provenByRoot(archived: ArchivedPartition): Promise<ReadonlySet<number>> {
    const taken = this.#taken.get(archived.partition);
    if (taken === undefined) return NOBODY;
    const states = await this.#states(archived);
    const proven = states.filter(({ owner, state }) => taken.has(owner) && isAsArchived(state, archived));
    return new Set(proven.map(({ owner }) => owner));
  }

  /** Who has it as a file now. */
  async #sendFile(archived: ArchivedPartition): Promise<ReadonlySet<number>> {
    const { partition, file } = archived;
    if (file === null || !this.#isComparable || this.#owners.get(partition)?.isPastFloor !== false) return NOBODY;
    const fence = this.#fenceOf(archived);
    const states = await this.#states(archived);
    const empty = states.filter(({ state }) => state.takesFile && state.fence <= fence).map(({ owner }) => owner);
    const sent = new SentFile(this.#world, archived, file);
    const areThere = await Promise.all(empty.map((owner) => sent.send(owner)));
    const taken = new Set<number>();
    for (const owner of empty.filter((_, i) => areThere[i])) {
      // An answer may have been lost, and the file be there all the same.
      if ((await sent.take(owner)) || isAsArchived(await this.#state(owner, partition), archived)) taken.add(owner);
    }
    return taken;
  }

  #reachedBeside(partition: number, others: ReadonlySet<number>): readonly number[] {
    const { reached } = this.#owners.get(partition) as Owners;
    return reached.filter((owner) => !others.has(owner));
  }

  async #isThere(archived: ArchivedPartition): Promise<boolean> {
    const states = await this.#states(archived);
    return states.length > 0 && states.every(({ state }) => rootText(state) === archived.root);
  }

  /** The same partitions on both sides, and all of each is meant. */
  get #isComparable(): boolean {
    const { members, manifest, prefix, key } = this.#world;
    return manifest.partitionCount === members.ring.partitionCount && prefix === null && key === null;
  }

  async #states({ partition, file }: ArchivedPartition): Promise<readonly OwnerState[]> {
    if (!this.#isComparable || file === null) return [];
    const { reached } = this.#owners.get(partition) as Owners;
    return Promise.all(reached.map(async (owner) => ({ owner, state: await this.#state(owner, partition) })));
  }

  #state(owner: number, partition: number): Promise<ArchiveStateReply> {
    return this.#world.members.state(owner, { partition, meets: false, begunMsAgo: 0 });
  }

  #missed({ partition, file }: ArchivedPartition): readonly number[] {
    const { members, manifest } = this.#world;
    if (file === null) return [];
    const missed = new Set<number>();
    for (const target of targetsOf(partition, manifest.partitionCount, members.ring.partitionCount)) {
      const { reached } = this.#owners.get(target) as Owners;
      for (const owner of members.ownersOf(target)) if (!reached.includes(owner)) missed.add(owner);
    }
    return [...missed];
  }

  async #send(
    owners: readonly number[],
    batch: Omit<ArchiveRecords, 'budgetMs'>,
    counts: Map<number, RestoreCount>,
  ): Promise<readonly { readonly absent: number }[]> {
    const { members } = this.#world;
    const replies = await Promise.all(
      owners.map(async (owner) => {
        const reply = await members.records(owner, batch);
        const count = counts.get(owner) ?? new RestoreCount();
        counts.set(owner, count);
        count.add(reply);
        return reply;
      }),
    );
    this.#world.onRecords(batch.records.length);
    return replies;
  }

  /** Records of the file, as they are meant, each batch of one partition of the cluster. */
  async *#batches({
    partition,
    file,
  }: ArchivedPartition): AsyncGenerator<{ readonly partition: number; readonly records: readonly Uint8Array[] }> {
    if (file === null) return;
    const { target, manifest } = this.#world;
    const path = filePathOf(target, manifest.name, partition, file);
    for (let after: Uint8Array | null = null; ;) {
      const page = readRecords(path, after, PAGE_RECORDS, PAGE_BYTES);
      const groups = new Map<number, Uint8Array[]>();
      for (const record of page.records) {
        const place = this.#placeOf(record);
        if (place === null) continue;
        const group = groups.get(place);
        if (group === undefined) groups.set(place, [record]);
        else group.push(record);
      }
      for (const [place, records] of groups) yield { partition: place, records };
      await rest(0); // reading is done in one piece: let answers and signals through
      if (page.after === null) return;
      after = page.after;
    }
  }

  /** The partition of the cluster; null: it is not meant. */
  #placeOf(record: Uint8Array): number | null {
    const { hash, prefix, key } = this.#world;
    const its = record.subarray(recordKeyStart(0), recordKeyEnd(record, 0));
    if (prefix !== null && !equalBytes(its.subarray(0, prefix.length), prefix)) return null;
    if (key !== null && !equalBytes(its, key)) return null;
    hash.hash(its, 0, its.length);
    return partitionOf(hash.hi, this.#bits);
  }
}
