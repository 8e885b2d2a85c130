/* Files of partitions, given to other members and fetched from them: what a member of a ring has of both. */
import type { Slices } from '../../background/slices.js';
import type { Disk } from '../../env/disk.js';
import type { MoveStorage } from '../../storage/move-storage.js';
import type { TransferResult } from '../../transfer/file-receiver.js';
import type { Incoming } from '../incoming.js';
import type { Session } from '../session.js';
import type { ClusterParts } from './parts.js';
import { PartitionTransfers, type TransferStatus } from './partition-transfers.js';
import { type GivenFile, SLOT_LIMITS, TransferDonor } from './transfer-donor.js';
import { TransferServer } from './transfer-server.js';
import { donorRefusal } from './transfer-terms.js';

export interface TransfersWorld {
  readonly parts: Pick<ClusterParts, 'links' | 'timers' | 'services' | 'preferences' | 'reaps' | 'self' | 'nowMs'>;
  readonly moves: MoveStorage;
  readonly disk: Disk;
  readonly slices: Slices;
}

export interface TransfersStatus {
  readonly fetching: readonly TransferStatus[];
  readonly giving: readonly GivenFile[];
  /** Copies that are kept for others, and what was given since the start. */
  readonly copies: number;
  readonly bytesGiven: number;
  readonly bytesFetched: number;
}

export class Transfers {
  readonly #fetches: PartitionTransfers;
  readonly #donor: TransferDonor;
  readonly #server: TransferServer;

  /** What an earlier start has left in `outgoing/` goes. */
  constructor({ parts, moves, disk, slices }: TransfersWorld) {
    const { links, timers, services, reaps } = parts;
    const { log, hash, storage } = services;
    const nowMs = (): number => parts.nowMs();
    const shared = { moves, disk, timers, log, nowMs };
    this.#fetches = new PartitionTransfers({
      ...shared,
      links,
      slices,
      hash,
      fenceOf: (partition) => reaps.floorOf(partition),
    });
    this.#donor = new TransferDonor({
      ...shared,
      opening: storage.status().opening,
      limits: SLOT_LIMITS,
      refusal: (partition, fence) => donorRefusal(parts, partition, fence),
    });
    this.#server = new TransferServer(this.#donor);
  }

  /** As PartitionTransfers'. */
  fetch(partition: number, donor: number, moveId: number, done: (result: TransferResult) => void): void {
    this.#fetches.fetch(partition, donor, moveId, done);
  }

  /** As PartitionTransfers'. */
  discardOthers(
    moves: readonly { readonly partition: number; readonly moveId: number }[],
    done: (error: Error | null) => void,
  ): void {
    this.#fetches.discardOthers(moves, done);
  }

  /** Who makes copies here, for archives, too. */
  get donor(): TransferDonor {
    return this.#donor;
  }

  /** False: the frame is not about files of partitions. */
  serve(session: Session, frame: Incoming): boolean {
    return this.#server.serve(session, frame);
  }

  status(): TransfersStatus {
    const { copies, bytesGiven } = this.#donor;
    return {
      fetching: this.#fetches.status(),
      giving: this.#donor.status(),
      copies,
      bytesGiven,
      bytesFetched: this.#fetches.bytesFetched,
    };
  }

  /** Whoever fetches is told no more; what has come stays, and is gone on with by the next start. */
  stop(): void {
    this.#fetches.stop();
    this.#donor.stop();
  }
}
