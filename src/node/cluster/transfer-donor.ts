/*
 * Giving the file of a partition to a member that is to own it: a copy in `outgoing/`, read piece by piece as it is asked
 * for. Copies are of this opening of the store; what an earlier one has left is thrown away.
 */
import type { Disk, DiskFile } from '../../env/disk.js';
import type { FileManifest } from '../../env/workers.js';
import type { TimerHandle, Timers } from '../../env/clock.js';
import type { Log } from '../../env/meter.js';
import { type Flow, run, wait } from '../../lib/flow.js';
import type { FileFacts } from '../../model/cluster-facts.js';
import { failure, type Failure } from '../../model/errors.js';
import {
  PIECE_BYTES_MAX,
  PIECES_MAX,
  type TransferChunk,
  type TransferClose,
  type TransferOpen,
  type TransferOpenReply,
} from '../../model/transfer-messages.js';
import type { MoveStorage } from '../../storage/move-storage.js';
import { DonorSlots, type Slot, type SlotLimits } from '../../transfer/donor-slots.js';

const FOLDER = 'outgoing';
const LOOK_MS = 5_000;
const SPARE_MAX: number = 2 * PIECES_MAX;

export const SLOT_LIMITS: SlotLimits = { slotsMax: 4, silenceMs: 60_000 };

export interface TransferDonorParts {
  readonly moves: MoveStorage;
  readonly disk: Disk;
  readonly timers: Timers;
  readonly log: Log;
  /** Of this store. */
  readonly opening: number;
  readonly limits: SlotLimits;
  nowMs(): number;
  /** Why a partition is not to be had from here at this fence; empty: it is. */
  refusal(partition: number, fence: number): string;
}

export interface GivenFile extends FileFacts {
  readonly partition: number;
  readonly moveId: number;
}

type Answer<T> = (reply: T | Failure) => void;

const NOT_READY: Omit<TransferOpenReply, 'opening'> = {
  ready: false,
  fence: 0,
  bytes: 0,
  chunkBytes: 0,
  digests: new Uint8Array(0),
  digest: new Uint8Array(0),
  rootHi: 0,
  rootLo: 0,
  records: 0,
};

export class TransferDonor {
  readonly #parts: TransferDonorParts;
  readonly #slots: DonorSlots;
  readonly #files: Map<Slot, DiskFile> = new Map();
  /** Reads under way: until they are over a file is not closed. */
  readonly #reading: Map<Slot, number> = new Map();
  /** Why a copy was not made, by its slot's name, until it is asked for again. */
  readonly #failed: Map<string, Failure> = new Map();
  /** For pieces that are read: memory of this size is dear to make and to give back. None while nothing is given. */
  #spare: Buffer[] = [];
  #timer: TimerHandle | null = null;
  #isReady = false;
  #stopped = false;
  piecesGiven: number = 0;
  bytesGiven: number = 0;

  constructor(parts: TransferDonorParts) {
    this.#parts = parts;
    this.#slots = new DonorSlots(parts.limits);
    run(this.#clear(), (error) => {
      if (error !== null) parts.log.warn('outgoing_not_cleared', { error: error.message });
      this.#isReady = error === null;
    });
    this.#look();
  }

  get copies(): number {
    return this.#slots.size;
  }

  status(): readonly GivenFile[] {
    const nowMs = this.#parts.nowMs();
    return this.#slots.all.map(({ partition, moveId, offer, bytesGiven, bytesReached, firstGivenMs }) => ({
      ...{ partition, moveId, bytes: bytesReached, ofBytes: offer?.bytes ?? 0 },
      bytesPerSecond: rateOf(bytesGiven, firstGivenMs < 0 ? 0 : nowMs - firstGivenMs),
    }));
  }

  /** `asker`: the member's ordinal; 0: it is not for a member. */
  open({ partition, moveId, fence }: TransferOpen, answer: Answer<TransferOpenReply>, asker: number = 0): void {
    const refusal = this.#parts.refusal(partition, fence);
    if (refusal !== '') return answer(failure('INVALID_ARGUMENT', refusal));
    if (!this.#isReady || this.#stopped) return answer(failure('UNAVAILABLE', 'No copies are made at present'));
    const key = `${partition}/${moveId}`;
    const failed = this.#failed.get(key);
    if (failed !== undefined) {
      this.#failed.delete(key);
      return answer(failed);
    }
    const opened = this.#slots.open(partition, moveId, asker, this.#parts.nowMs());
    const { opening } = this.#parts;
    switch (opened.kind) {
      case 'ready':
        return answer({ ready: true, opening, ...opened.offer });
      case 'full':
        return answer(failure('OVERLOADED', `${opened.slots} partitions are being given already`));
      case 'new':
        this.#copy(opened.slot, key);
        return answer({ ...NOT_READY, opening });
      case 'copying':
        return answer({ ...NOT_READY, opening });
    }
  }

  /** The bytes of the answer are looked at in the call, and no more. */
  chunk({ partition, moveId, opening, offset, length }: TransferChunk, answer: Answer<Uint8Array>): void {
    const slot = opening === this.#parts.opening ? this.#slots.find(partition, moveId, this.#parts.nowMs()) : null;
    const file = slot === null ? undefined : this.#files.get(slot);
    if (slot?.offer == null || file === undefined) {
      return answer(failure('UNAVAILABLE', `There is no copy of partition ${partition} for move ${moveId}`));
    }
    if (offset + length > slot.offer.bytes) {
      return answer(failure('INVALID_ARGUMENT', `The copy has ${slot.offer.bytes} bytes`));
    }
    this.#reading.set(slot, (this.#reading.get(slot) ?? 0) + 1);
    const into = this.#spare.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES_MAX);
    const read = (error: Error | null, bytes?: Uint8Array): void => {
      this.#reading.set(slot, (this.#reading.get(slot) as number) - 1);
      if (error !== null || bytes?.length !== length) {
        if (this.#slots.drop(slot)) this.#give(slot);
        answer(failure('UNAVAILABLE', `The copy cannot be read: ${error?.message ?? 'it has been cut off'}`));
      } else {
        this.piecesGiven += 1;
        this.bytesGiven += length;
        this.#slots.given(slot, offset, length, this.#parts.nowMs());
        answer(bytes);
      }
      if (this.#spare.length < SPARE_MAX && this.#slots.size > 0) this.#spare.push(into);
    };
    file.read(offset, length, read, into);
  }

  close({ partition, moveId }: Pick<TransferClose, 'partition' | 'moveId'>, asker: number = 0): void {
    this.#give(this.#slots.close(partition, moveId, asker));
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #copy(slot: Slot, key: string): void {
    const { moves, log } = this.#parts;
    const { partition } = slot;
    moves.copyFile(partition, pathOf(slot), (error, manifest) => {
      if (error !== null || manifest == null) {
        const text = error === null ? `Partition ${partition} has no file here` : `No copy: ${error.message}`;
        if (error !== null) log.warn('partition_not_copied', { partition, error: error.message });
        this.#failed.set(key, failure('INVALID_ARGUMENT', text));
        this.#slots.drop(slot);
        this.#give(slot);
        return;
      }
      this.#opened(slot, manifest);
    });
  }

  #opened(slot: Slot, manifest: FileManifest): void {
    this.#parts.disk.open(pathOf(slot), 'read', (error, file) => {
      if (error !== null || file === undefined) {
        this.#slots.drop(slot);
        this.#give(slot);
        return;
      }
      this.#files.set(slot, file);
      if (!this.#slots.copied(slot, manifest, this.#parts.nowMs())) this.#give(slot);
    });
  }

  #look(): void {
    if (this.#stopped) return;
    for (const slot of this.#slots.expire(this.#parts.nowMs())) {
      this.#parts.log.info('transfer_given_up', { partition: slot.partition, moveId: slot.moveId });
      this.#give(slot);
    }
    this.#timer = this.#parts.timers.after(LOOK_MS, () => {
      this.#look();
    });
  }

  /** A copy that is wanted no more: closed when nobody reads it, and deleted. One that is being made goes when it is there. */
  #give(slot: Slot | null): void {
    if (slot === null) return;
    if (this.#slots.size === 0) this.#spare = [];
    if ((this.#reading.get(slot) ?? 0) > 0) {
      this.#parts.timers.after(10, () => {
        this.#give(slot);
      });
      return;
    }
    this.#reading.delete(slot);
    const file = this.#files.get(slot);
    this.#files.delete(slot);
    const remove = (): void => {
      this.#parts.disk.remove(pathOf(slot), () => undefined); // what is left over goes with the next start
    };
    if (file === undefined) remove();
    else file.close(remove);
  }

  *#clear(): Flow<void> {
    const { disk } = this.#parts;
    yield* wait((done) => {
      disk.makeFolder(FOLDER, done);
    });
    const names = yield* wait<readonly string[]>((done) => {
      disk.list(FOLDER, done);
    });
    for (const name of names) {
      yield* wait((done) => {
        disk.remove(`${FOLDER}/${name}`, done);
      });
    }
  }
}

export function rateOf(bytes: number, ms: number): number {
  return ms > 0 ? Math.round((bytes * 1_000) / ms) : 0;
}

function pathOf(slot: Slot): string {
  return `${FOLDER}/${slot.name}`;
}
