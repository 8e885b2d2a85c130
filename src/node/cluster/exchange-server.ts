/*
 * What this node answers to an owner that compares what both hold (repair/exchange.ts): from what is here at that moment,
 * nothing is kept of the question. Who asks much is slowed with all other background work of this node.
 */
import { PaidAfter } from '../../background/paid-after.js';
import type { Slices } from '../../background/slices.js';
import { copyBytes } from '../../lib/bytes.js';
import { failure, type Failure } from '../../model/errors.js';
import type { LeavesRequest, PullRequest, TreeRequest } from '../../model/exchange-messages.js';
import type { PartitionId } from '../../model/ids.js';
import { areLeaves, areNodes } from '../../repair/exchange.js';
import type { Listing } from '../../repair/listing.js';
import { leafCountOf } from '../../repair/merkle.js';
import type { ReplicaStorage } from '../../storage/replica-storage.js';
import type { Stored } from '../../storage/storage.js';
import {
  decodeLeaves,
  decodePull,
  decodeTree,
  encodeLeavesReply,
  encodePullReply,
  encodeTreeReply,
} from '../../wire/codec-exchange.js';
import { LEAVES, LEAVES_REPLY, nameOfKind, PULL, PULL_REPLY, TREE, TREE_REPLY } from '../../wire/kinds.js';
import { isFault } from '../../wire/plain.js';
import type { Incoming } from '../incoming.js';
import { replyBody, replyError } from '../replies.js';
import type { Session } from '../session.js';
import { ListingReader } from './listing-reader.js';
import type { ClusterParts } from './parts.js';
import { PlaceReader } from './place-reader.js';

/** An answer with records is sent when they come to so much; the last of them may be larger. */
const PULL_BYTES_MAX = 262_144;
const NOTHING = new Uint8Array(0);

export function isExchangeKind(kind: number): boolean {
  return kind === TREE || kind === LEAVES || kind === PULL;
}

/** Who waits for an answer. */
interface Waiting {
  readonly session: Session;
  readonly requestId: number;
  readonly bodyBytes: number;
}

export class ExchangeServer {
  readonly #parts: ClusterParts;
  readonly #replicas: ReplicaStorage;
  /** Whoever asks for all there is restores what it has lost. */
  readonly #restoring: PaidAfter;
  readonly #comparing: PaidAfter;
  readonly #leafCount: number;

  constructor(parts: ClusterParts, replicas: ReplicaStorage, slices: Slices) {
    this.#parts = parts;
    this.#replicas = replicas;
    this.#restoring = new PaidAfter(slices, 'restore');
    this.#comparing = new PaidAfter(slices, 'exchange');
    this.#leafCount = leafCountOf(parts.services.ring.partitionCount);
  }

  serve(session: Session, frame: Incoming): void {
    const { kind, bytes, start, end, requestId, bodyBytes } = frame;
    const waiting = { session, requestId, bodyBytes };
    const request =
      kind === TREE
        ? decodeTree(bytes, start, end)
        : kind === LEAVES
          ? decodeLeaves(bytes, start, end)
          : decodePull(bytes, start, end);
    if (isFault(request)) {
      session.finish(bodyBytes);
      session.refuse(requestId, failure('PROTOCOL', `${nameOfKind(kind)} cannot be read: ${request}`));
      return;
    }
    const { ring } = this.#parts.services;
    const { partition } = request;
    if (partition >= ring.partitionCount) {
      this.#refuse(waiting, `There is no partition ${partition}: there are ${ring.partitionCount}`);
    } else if (kind !== TREE && !this.#owns(partition)) {
      this.#refuse(waiting, `Partition ${partition} has no copy here, by ring ${ring.version}`);
    } else if ('level' in request) this.#tree(waiting, request);
    else if ('leaves' in request) this.#leaves(waiting, request);
    else this.#pull(waiting, request);
  }

  #owns(partition: number): boolean {
    return this.#parts.preferences.isOwner(partition, this.#parts.self);
  }

  /** Members that own no copy are asked as well: only for their hints. */
  #tree(waiting: Waiting, { partition, level, parents }: TreeRequest): void {
    if (!areNodes(this.#leafCount, level, parents)) {
      this.#refuse(waiting, `The tree has no such nodes of level ${level}`);
      return;
    }
    const { services, hints } = this.#parts;
    const nodes = this.#owns(partition)
      ? this.#replicas.liveTree(partition).encodeChildren(level, parents, services.hash)
      : NOTHING;
    const suspect = this.#isSuspect(partition);
    const hasHints = !hints.noneOutstanding(partition as PartitionId);
    this.#answer(
      waiting,
      TREE_REPLY,
      encodeTreeReply({ ringVersion: services.ring.version, suspect, hasHints, nodes }),
    );
  }

  #leaves(waiting: Waiting, { partition, leaves, from }: LeavesRequest): void {
    if (!areLeaves(this.#leafCount, leaves)) {
      this.#refuse(waiting, `A partition has ${this.#leafCount} leaves, and these are not some of them in order`);
      return;
    }
    const { services } = this.#parts;
    const task = leaves.length === 0 ? this.#restoring : this.#comparing;
    task.ask(() => {
      const wasSuspect = this.#isSuspect(partition); // it may be healed behind what has been read
      const target = {
        onListing: (listing: Listing): void => {
          task.spent(listing.entries.length);
          const suspect = wasSuspect || this.#isSuspect(partition);
          const body = encodeLeavesReply({ ringVersion: services.ring.version, suspect, ...listing });
          this.#answer(waiting, LEAVES_REPLY, body);
        },
        onListingFailed: (fault: Failure): void => {
          this.#fail(waiting, fault);
        },
      };
      new ListingReader(services, partition as PartitionId, { leaves, from }, target).start();
    });
  }

  #pull(waiting: Waiting, { partition, hashes }: PullRequest): void {
    const { services } = this.#parts;
    const ascending = hashes.every((hash, i) => {
      const before = hashes[i - 1];
      return before === undefined || before.hi < hash.hi || (before.hi === hash.hi && before.lo < hash.lo);
    });
    if (!ascending || hashes.length === 0) {
      this.#refuse(waiting, 'Hashes are named in order, each once, and at least one');
      return;
    }
    const records: Uint8Array[] = [];
    this.#comparing.ask(() => {
      // Before anything is read: the one may be raised meanwhile, the other healed.
      const fence = this.#parts.reaps.stampOf(partition);
      const wasSuspect = this.#isSuspect(partition);
      const target = {
        onFound: (_index: number, { bytes, start, end }: Stored): void => {
          this.#comparing.spent(end - start);
          if (end > start) records.push(copyBytes(bytes, start, end));
        },
        onPlacesEnd: (answered: number, fault: Failure | null): void => {
          if (fault !== null) {
            this.#fail(waiting, fault);
            return;
          }
          const suspect = wasSuspect || this.#isSuspect(partition);
          const { version: ringVersion } = services.ring;
          this.#answer(waiting, PULL_REPLY, encodePullReply({ ringVersion, fence, suspect, answered, records }));
        },
      };
      new PlaceReader(services.storage, partition as PartitionId, hashes, PULL_BYTES_MAX, target).start();
    });
  }

  #isSuspect(partition: number): boolean {
    return this.#parts.services.storage.status().suspectPartitions.includes(partition);
  }

  #answer({ session, requestId, bodyBytes }: Waiting, kind: number, body: Uint8Array): void {
    if (!session.closed) replyBody(session, kind, requestId, body);
    session.finish(bodyBytes);
  }

  #refuse(waiting: Waiting, text: string): void {
    this.#fail(waiting, failure('INVALID_ARGUMENT', text));
  }

  #fail({ session, requestId, bodyBytes }: Waiting, refusal: Failure): void {
    this.#parts.meters.refused.add(1);
    replyError(session, requestId, refusal, this.#parts.preferences.ringVersion);
    session.finish(bodyBytes);
  }
}
