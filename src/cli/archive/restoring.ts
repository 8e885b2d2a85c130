/*
 * Records of an archive on their way into a cluster: each to all owners of its partition there, each of which merges it with
 * what it has. It keeps its dots and its context, so a merge tells what is newer, and to merge it twice changes nothing:
 * who was interrupted does it again. Partitions that their owners hold just as they were archived are passed over.
 *
 * Afterwards the same records go the same way once more, only to be looked for: that is the proof.
 */
import { setTimeout as rest } from 'node:timers/promises';
import type { ArchivedPartition, Manifest } from '../../archive/manifest.js';
import { isMajority, rootText } from '../../archive/plan.js';
import { fenceIn, mayResurrect, RestoreCount, targetsOf } from '../../archive/restore-plan.js';
import { PartitaError } from '../../client/index.js';
import { equalBytes } from '../../lib/bytes.js';
import type { ArchiveStateReply } from '../../model/archive-messages.js';
import type { Hash64 } from '../../model/hash.js';
import { partitionBits, partitionOf } from '../../ring/partition.js';
import { recordKeyEnd, recordKeyStart } from '../../versioning/record.js';
import { isPassing, type Members } from './asking.js';
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

  constructor(world: RestoreWorld) {
    this.#world = world;
    this.#bits = partitionBits(world.members.ring.partitionCount);
  }

  /** All that could forbid it, before anything is written. Throws PartitaError. */
  async check(partitions: readonly ArchivedPartition[]): Promise<void> {
    const { members, manifest } = this.#world;
    const { partitionCount } = members.ring;
    const ring = { clusterId: members.facts.clusterId, partitionCount };
    for (const archived of partitions) {
      if (archived.file === null) continue;
      const fence = fenceIn(manifest, archived, ring);
      for (const partition of targetsOf(archived.partition, manifest.partitionCount, partitionCount)) {
        const before = this.#owners.get(partition);
        const owners = before ?? (await this.#look(partition, fence));
        this.#owners.set(partition, owners);
      }
    }
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
      return { partition, records, merged: 0, absent: 0, reaped: 0, doubtful: 0, missed };
    }
    const counts = new Map<number, RestoreCount>();
    let records = 0;
    let doubtful = 0;
    for await (const { partition, records: some } of this.#batches(archived)) {
      const owners = this.#owners.get(partition) as Owners;
      const replies = await this.#send(partition, some, false, counts);
      if (owners.isPastFloor) doubtful += Math.max(...replies.map(({ absent }) => absent));
      records += some.length;
    }
    const most = (of: (count: RestoreCount) => number): number => Math.max(0, ...[...counts.values()].map(of));
    return {
      ...{ partition: archived.partition, records, doubtful, missed },
      merged: most(({ missing }) => missing),
      absent: most(({ absent }) => absent),
      reaped: most(({ reaped }) => reaped),
    };
  }

  /** Looks for everything again, and compares the roots where the same partition is whole on both sides. */
  async prove(archived: ArchivedPartition): Promise<Proof> {
    const counts = new Map<number, RestoreCount>();
    for await (const { partition, records } of this.#batches(archived))
      await this.#send(partition, records, true, counts);
    let missing = 0;
    for (const count of counts.values()) missing += count.missing;
    const roots = await this.#roots(archived);
    return { missing, rootsCompared: roots.length, rootsEqual: roots.filter((root) => root === archived.root).length };
  }

  async #isThere(archived: ArchivedPartition): Promise<boolean> {
    if (this.#world.prefix !== null || this.#world.key !== null) return false;
    const roots = await this.#roots(archived);
    return roots.length > 0 && roots.every((root) => root === archived.root);
  }

  async #roots({ partition, file }: ArchivedPartition): Promise<readonly string[]> {
    const { members, manifest, prefix, key } = this.#world;
    const isComparable = manifest.partitionCount === members.ring.partitionCount && prefix === null && key === null;
    if (!isComparable || file === null) return [];
    const { reached } = this.#owners.get(partition) as Owners;
    const states = await Promise.all(
      reached.map((owner) => members.state(owner, { partition, meets: false, begunMsAgo: 0 })),
    );
    return states.map(rootText);
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
    partition: number,
    records: readonly Uint8Array[],
    compares: boolean,
    counts: Map<number, RestoreCount>,
  ): Promise<readonly { readonly absent: number }[]> {
    const { members } = this.#world;
    const { reached } = this.#owners.get(partition) as Owners;
    const replies = await Promise.all(
      reached.map(async (owner) => {
        const reply = await members.records(owner, { partition, compares, records });
        const count = counts.get(owner) ?? new RestoreCount();
        counts.set(owner, count);
        count.add(reply);
        return reply;
      }),
    );
    this.#world.onRecords(records.length);
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
