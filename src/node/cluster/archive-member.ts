/*
 * What a member does for archives and restores, beside giving copies of its files (transfer-donor.ts): it says how a
 * partition stands with it, and merges records of an archive with what it has.
 *
 * An archive is to hold every put that was acknowledged before it began. With W below N not every owner has that, so the one
 * whose file is taken meets the others first, in meetings that begin no earlier than what was acknowledged last is old
 * enough to be compared; and then its buffer is written to its file as far as it was filled at that moment. Whoever asks
 * looks again until both have come to pass. Nothing is kept here of the question.
 *
 * Records of an archive are stamped with no fence: whether one of them was reaped since is not a matter of when it was read,
 * but of the reap log, which each owner has for itself. An owner that holds the tombstone still merges with that; one that
 * has forgotten it has the entry, and drops what it covers; and one that may lack entries takes nothing, nor does who is no
 * owner and has no log.
 */
import type { Slices } from '../../background/slices.js';
import { copyBytes } from '../../lib/bytes.js';
import type {
  ArchiveRecords,
  ArchiveRecordsReply,
  ArchiveState,
  ArchiveStateReply,
} from '../../model/archive-messages.js';
import { failure, type Failure } from '../../model/errors.js';
import type { PartitionId } from '../../model/ids.js';
import { filterReaped } from '../../repair/reap-filter.js';
import type { MoveStorage } from '../../storage/move-storage.js';
import type { ReplicaStorage } from '../../storage/replica-storage.js';
import type { ReadRequest, Stored } from '../../storage/storage.js';
import { recordKeyEnd, recordKeyStart } from '../../versioning/record.js';
import type { Exchanges } from './exchanges.js';
import { SETTLE_MS } from './owner-meeting.js';
import type { ClusterParts } from './parts.js';
import { RecordIntake, recordFault } from './record-intake.js';

export interface ArchiveWorld {
  readonly parts: ClusterParts;
  readonly replicas: ReplicaStorage;
  /** null: partitions are not in files. */
  readonly moves: Pick<MoveStorage, 'written'> | null;
  readonly exchanges: Pick<Exchanges, 'hasten' | 'metSince'>;
  readonly slices: Slices;
}

type Answer<T> = (reply: T | Failure) => void;
const NO_FILES = { writtenLsn: 0, flushedLsn: 0 };

type Found = 'known' | 'absent' | 'different' | 'reaped' | 'unknown';

export class ArchiveMember {
  readonly #world: ArchiveWorld;

  constructor(world: ArchiveWorld) {
    this.#world = world;
  }

  state({ partition, meets, begunMsAgo }: ArchiveState, answer: Answer<ArchiveStateReply>): void {
    const { parts, replicas, moves } = this.#world;
    const refusal = this.#refusal(partition);
    if (refusal !== null) return answer(refusal);
    const { services, preferences, reaps, self } = parts;
    const isOwner = preferences.isOwner(partition, self);
    const met = isOwner ? this.#met(partition, begunMsAgo, meets) : { met: [], unmet: [] };
    const [rootHi = 0, rootLo = 0, records = 0] = replicas.liveTree(partition).root(services.hash);
    const { gets, puts } = services.latencies;
    const nowMs = parts.nowMs();
    answer({
      ...{ isOwner, records, rootHi, rootLo, ...(moves?.written(partition) ?? NO_FILES), ...met },
      ringVersion: services.ring.version,
      opening: services.storage.status().opening,
      isSuspect: this.#isInDoubt(partition),
      fence: reaps.stampOf(partition),
      trimmedAt: reaps.trimmedAt(partition),
      latencyUs: Math.round(1_000 * Math.max(gets.minuteMs(nowMs), puts.minuteMs(nowMs))),
      takesFile: isOwner && (this.fileRefusal(partition)?.retryable ?? true),
    });
  }

  /**
   * Why the file of an archive is not taken for all of a partition; null: nothing is here, and nothing can be missing. What
   * passes by itself may be waited for.
   */
  fileRefusal(partition: number): Failure | null {
    const { parts, moves, replicas } = this.#world;
    const { ring, hash } = parts.services;
    const refusal = this.#refusal(partition);
    if (refusal !== null) return refusal;
    const never = (why: string): Failure => failure('INVALID_ARGUMENT', `Partition ${partition} ${why}`);
    if (moves === null) return never('is not in a file here');
    if (ring.moves.some((move) => move.partition === partition)) return never('is being moved');
    const [, , records = 0] = replicas.liveTree(partition).root(hash);
    if (records > 0) return never(`has ${records} records here`);
    const doubt = this.#whyNotNow(partition);
    return doubt === '' ? null : failure('UNAVAILABLE', `Partition ${partition} ${doubt}: ask again`);
  }

  records({ partition, compares, fence, records }: ArchiveRecords, answer: Answer<ArchiveRecordsReply>): void {
    const refusal = this.#refusal(partition);
    if (refusal !== null) return answer(refusal);
    const copies = records.map((record) => copyBytes(record)); // the frame's bytes are somebody else's after this
    let bytes = 0;
    for (const { length } of copies) bytes += length;
    this.#world.slices.ask('archive', bytes, () => {
      const doubt = this.#whyNotNow(partition);
      if (doubt !== '') answer(failure('UNAVAILABLE', `Partition ${partition} ${doubt}: ask again`));
      else new RecordBatch(this.#world.parts, { partition, compares, fence }, answer).take(copies);
    });
  }

  #met(
    partition: number,
    begunMsAgo: number,
    meets: boolean,
  ): { readonly met: readonly number[]; readonly unmet: readonly number[] } {
    const { parts, exchanges } = this.#world;
    const { preferences, links, self } = parts;
    const nowMs = parts.nowMs();
    const sinceMs = nowMs - begunMsAgo + SETTLE_MS;
    if (meets && nowMs >= sinceMs) exchanges.hasten(partition, sinceMs);
    const met = exchanges.metSince(partition, sinceMs);
    const others = preferences.ownersOf(partition).filter((owner) => owner !== self && !met.includes(owner));
    return { met, unmet: others.filter((owner) => links.get(owner)?.state === 'ready') };
  }

  #isInDoubt(partition: number): boolean {
    const { services, fences } = this.#world.parts;
    return services.storage.status().suspectPartitions.includes(partition) || fences.isBehind(partition);
  }

  /** Empty: what was reaped of the partition is known here. A stand-in has no reap log, and would show what was deleted. */
  #whyNotNow(partition: number): string {
    const { preferences, services, fences, reaps, self } = this.#world.parts;
    if (!preferences.isOwner(partition, self)) return `has no copy here, by ring ${services.ring.version}`;
    if (this.#isInDoubt(partition)) return 'is being told here what others have, and what was deleted';
    const knowsNone = reaps.reapedAt(partition) === 0 && !fences.isSettled(partition);
    return knowsNone ? 'is waiting here to hear from its other owners what was deleted' : '';
  }

  #refusal(partition: number): Failure | null {
    const { partitionCount } = this.#world.parts.services.ring;
    if (partition < partitionCount) return null;
    return failure('INVALID_ARGUMENT', `There is no partition ${partition}: there are ${partitionCount}`);
  }
}

/** Looks at each record, and merges those that are not there. */
class RecordBatch {
  readonly #parts: ClusterParts;
  readonly #partition: number;
  readonly #compares: boolean;
  readonly #fence: number;
  readonly #answer: Answer<ArchiveRecordsReply>;
  readonly #counts: Record<Found, number> = { known: 0, absent: 0, different: 0, reaped: 0, unknown: 0 };
  readonly #missing: Uint8Array[] = [];
  #left = 0;

  constructor(
    parts: ClusterParts,
    { partition, compares, fence }: Pick<ArchiveRecords, 'partition' | 'compares' | 'fence'>,
    answer: Answer<ArchiveRecordsReply>,
  ) {
    this.#parts = parts;
    this.#partition = partition;
    this.#compares = compares;
    this.#fence = fence;
    this.#answer = answer;
  }

  take(records: readonly Uint8Array[]): void {
    for (const record of records) {
      const fault = recordFault(this.#parts, this.#partition, record);
      if (fault !== '') return this.#answer(failure('INVALID_ARGUMENT', fault));
    }
    this.#left = 1;
    for (const record of records) this.#look(record);
    this.#over();
  }

  #look(record: Uint8Array): void {
    const { hash, storage } = this.#parts.services;
    const key = record.subarray(recordKeyStart(0), recordKeyEnd(record, 0));
    hash.hash(key, 0, key.length);
    const { hi: hashHi, lo: hashLo } = hash;
    const request: ReadRequest = {
      partition: this.#partition as PartitionId,
      ...{ key, hashHi, hashLo },
      onRead: (stored) => {
        const found = this.#judge(record, stored, hashHi, hashLo);
        this.#counts[found] += 1;
        if (found !== 'known' && found !== 'reaped') this.#missing.push(record);
        this.#over();
      },
    };
    this.#left += 1;
    storage.read(request);
  }

  #judge(record: Uint8Array, { state, bytes, start, end }: Stored, hashHi: number, hashLo: number): Found {
    if (state === 'unknown') return 'unknown';
    const { reaps, merge, services } = this.#parts;
    const held = end > start ? { bytes, start } : null;
    const entries = reaps.entriesOf(this.#partition, hashHi, hashLo);
    const contexts = entries.map(({ context }) => context);
    const filtered = filterReaped({ bytes: record, start: 0 }, contexts, held, services.hash);
    if (filtered.kind === 'nothing-left') return 'reaped';
    if (held === null) return 'absent';
    const offered = filtered.kind === 'less' ? filtered.record : record;
    return merge.plan(bytes, start, offered, 0) === 'same-as-a' ? 'known' : 'different';
  }

  #over(): void {
    this.#left -= 1;
    if (this.#left > 0) return;
    if (this.#compares || this.#missing.length === 0) return this.#answer(this.#counts);
    // Of what is still remembered now, it was remembered when the records were judged, too.
    const forgotten = this.#parts.reaps.trimmedAt(this.#partition);
    if (forgotten > this.#fence) {
      const text = `Deletes in partition ${this.#partition} were forgotten for good meanwhile, up to fence ${forgotten}, and the archive was read at ${this.#fence}: what was deleted since would come back, so the rest of it is not merged`;
      return this.#answer(failure('INVALID_ARGUMENT', text));
    }
    const terms = { durable: true, fence: Number.MAX_SAFE_INTEGER, from: 0 };
    const merged = (): void => undefined;
    const intake = new RecordIntake(this.#parts, this.#partition, terms, merged, (fault) => {
      this.#answer(fault === null ? this.#counts : failure('UNAVAILABLE', fault));
    });
    intake.take(this.#missing);
  }
}
