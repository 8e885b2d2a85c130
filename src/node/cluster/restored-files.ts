/*
 * Files of archives that are brought to this node, in `restoring/`: each with a manifest beside it, as files of moves are
 * (incoming-files.ts). Whoever restores has asked first whether one is wanted (`takesFile`), sends its pieces, and asks for
 * it to be taken; storage/file-take.ts does that. Who is refused, for whatever reason, sends the records instead: so nothing
 * here has to be tried a second time.
 *
 *   open ─▶ looking ─▶ coming ──take──▶ taking ─▶ over
 *             ▲          │ opened again           what became of it is kept until it is asked for
 *             └──────────┘
 *
 * Nobody else can name a path: a file is called by its partition and by a number. What an earlier start has left goes; what
 * an earlier command has left is gone on with, and goes when it is not touched for a while.
 */
import type { Slices } from '../../background/slices.js';
import type { Disk } from '../../env/disk.js';
import type { TimerHandle } from '../../env/clock.js';
import { copyBytes } from '../../lib/bytes.js';
import { type Flow, run, wait } from '../../lib/flow.js';
import { failure, type Failure } from '../../model/errors.js';
import type {
  RestoreOpen,
  RestoreOpenReply,
  RestorePiece,
  RestoreTake,
  RestoreTakeReply,
} from '../../model/restore-messages.js';
import type { StoreRoom } from '../../model/space-messages.js';
import { PIECE_BYTES_MAX, type TransferOpenReply } from '../../model/transfer-messages.js';
import type { InstallRefusal, MoveStorage } from '../../storage/move-storage.js';
import { isDigest, isSameFile } from '../../transfer/file-receiver.js';
import { discardOthers, IncomingFile } from './incoming-files.js';
import type { ClusterParts } from './parts.js';

const FOLDER = 'restoring';
/** As many as are taken from here for moves. */
const FILES_MAX = 4;
const LOOK_MS = 5_000;
/** Nobody goes on with it. */
const SILENCE_MS = 120_000;
/** Who asks for a file to be taken is told so soon that it goes on. */
const ANSWER_MS = 1_000;
/** What a frame has beside the bytes of a piece. */
const PIECE_OVERHEAD_BYTES = 4_096;

const REFUSALS: Readonly<Record<InstallRefusal, string>> = {
  foreign: 'is no file of this partition',
  behind: 'is older than what was deleted here and forgotten since',
  'too-much-here': 'came after too much else',
  'not-empty': 'came after something else',
  'in-doubt': 'came where something may be missing',
  damaged: 'is not what it was said to be',
};

export interface RestoredFilesWorld {
  readonly parts: Pick<ClusterParts, 'services' | 'timers' | 'nowMs'>;
  readonly moves: MoveStorage;
  readonly disk: Disk;
  readonly slices: Slices;
  /** Why the file of a partition is not taken now; null: it is. */
  refusal(partition: number): Failure | null;
  /** These partitions are to be left alone by anti-entropy. */
  hold(partitions: ReadonlySet<number>): void;
}

type Answer<T> = (reply: T | Failure) => void;

interface Slot {
  readonly partition: number;
  readonly restoreId: number;
  readonly offer: TransferOpenReply;
  readonly isOurs: boolean;
  readonly file: IncomingFile;
  state: 'looking' | 'coming' | 'taking' | 'over';
  /** Writes under way. */
  writing: number;
  heardMs: number;
  /** When it is over. */
  outcome: RestoreTakeReply | Failure | null;
  waiting: Answer<RestoreTakeReply> | null;
}

const NOT_YET: RestoreTakeReply = { ready: false };

export class RestoredFiles {
  readonly #world: RestoredFilesWorld;
  readonly #slots: Map<number, Slot> = new Map();
  #isReady = false;
  #stopped = false;
  #timer: TimerHandle | null = null;
  /** Since the start. */
  taken: number = 0;

  constructor(world: RestoredFilesWorld) {
    this.#world = world;
    run(discardOthers(world.disk, [], FOLDER), (error) => {
      if (error !== null) world.parts.services.log.warn('restoring_not_cleared', { error: error.message });
      this.#isReady = error === null;
    });
  }

  open(open: RestoreOpen, answer: Answer<RestoreOpenReply>): void {
    const { partition, restoreId } = open;
    if (!this.#isReady || this.#stopped) return answer(failure('UNAVAILABLE', 'No files are taken at present'));
    const refusal = this.#world.refusal(partition);
    if (refusal !== null) return answer(refusal);
    const { hash, ring } = this.#world.parts.services;
    const offer = { ...open.file, digests: copyBytes(open.file.digests), digest: copyBytes(open.file.digest) };
    if (!isDigest(offer.digests, offer.digest, 0, hash)) {
      return answer(failure('INVALID_ARGUMENT', 'The digests of the file are not what they should be'));
    }
    const slot = this.#slots.get(partition);
    if (slot !== undefined && slot.state !== 'over') {
      const isSame = slot.restoreId === restoreId && isSameFile(slot.offer, offer);
      if (!isSame) return answer(failure('OVERLOADED', `Another file of partition ${partition} is on its way`));
      if (slot.state !== 'coming' || slot.writing > 0) return answer(busy(partition));
      return this.#look(slot, answer);
    }
    const files = [...this.#slots.values()].filter(({ state }) => state !== 'over').length;
    if (files >= FILES_MAX) return answer(failure('OVERLOADED', `${files} files are on their way already`));
    const made: Slot = {
      ...{ partition, restoreId, offer, isOurs: open.clusterId === ring.clusterId },
      file: new IncomingFile(this.#world.disk, hash, partition, restoreId, FOLDER),
      state: 'looking',
      writing: 0,
      heardMs: this.#world.parts.nowMs(),
      outcome: null,
      waiting: null,
    };
    this.#slots.set(partition, made);
    this.#lookLater();
    this.#look(made, answer);
  }

  /** The bytes are looked at only in this call. */
  piece({ partition, restoreId, offset, bytes }: RestorePiece, answer: Answer<object>): void {
    const slot = this.#slotOf(partition, restoreId);
    if (slot?.state !== 'coming') return answer(unknown(partition));
    if (offset + bytes.length > slot.offer.bytes) {
      return answer(failure('INVALID_ARGUMENT', `The file is to have ${slot.offer.bytes} bytes`));
    }
    const kept = copyBytes(bytes);
    slot.writing += 1;
    this.#world.slices.ask('archive', kept.length, () => {
      if (this.#stopped) return;
      run(slot.file.write(offset, kept), (error) => {
        slot.writing -= 1;
        slot.heardMs = this.#world.parts.nowMs();
        if (error !== null) this.#giveUp(slot, failureOf(slot, error));
        answer(error === null ? {} : failureOf(slot, error));
      });
    });
  }

  take({ partition, restoreId }: RestoreTake, answer: Answer<RestoreTakeReply>): void {
    const slot = this.#slotOf(partition, restoreId);
    if (slot === null) return answer(unknown(partition));
    slot.heardMs = this.#world.parts.nowMs();
    if (slot.outcome !== null) {
      this.#slots.delete(partition);
      return answer(slot.outcome);
    }
    if (slot.state === 'looking' || slot.writing > 0) return answer(busy(partition));
    slot.waiting?.(NOT_YET);
    slot.waiting = answer;
    this.#world.parts.timers.after(ANSWER_MS, () => {
      if (slot.waiting !== answer) return;
      slot.waiting = null;
      answer(NOT_YET);
    });
    if (slot.state === 'coming') this.#take(slot);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #slotOf(partition: number, restoreId: number): Slot | null {
    const slot = this.#slots.get(partition);
    return slot?.restoreId === restoreId ? slot : null;
  }

  #look(slot: Slot, answer: Answer<RestoreOpenReply>): void {
    const { parts, moves } = this.#world;
    slot.state = 'looking';
    slot.heardMs = parts.nowMs();
    const { file, offer } = slot;
    const looked = function* (): Flow<Uint8Array | Failure> {
      const room = yield* wait<StoreRoom>((done) => {
        moves.room(done);
      });
      const spareBytes = room.freeBytes - room.keptBytes;
      return spareBytes < offer.bytes ? noRoom(slot, spareBytes) : yield* file.look(offer);
    };
    run(looked(), (error, found) => {
      if (this.#stopped) return;
      if (error === null && found instanceof Uint8Array) {
        slot.state = 'coming';
        const { frameBodyBytesMax } = parts.services.settings;
        const pieceBytes = Math.min(PIECE_BYTES_MAX, frameBodyBytesMax - PIECE_OVERHEAD_BYTES);
        return answer({ chunks: found, pieceBytes });
      }
      const refusal = error === null ? (found as Failure) : failureOf(slot, error);
      this.#giveUp(slot, refusal);
      answer(refusal);
    });
  }

  #take(slot: Slot): void {
    const { parts, moves } = this.#world;
    const { partition, offer, isOurs, file } = slot;
    slot.state = 'taking';
    this.#hold();
    const taken = function* (): Flow<InstallRefusal | null> {
      yield* file.seal();
      return yield* wait<InstallRefusal | null>((done) => {
        moves.takeFile(partition, { ...offer, path: file.path, isOurs }, done);
      });
    };
    const refusal = this.#world.refusal(partition); // since the first piece much may have come
    const over = (outcome: RestoreTakeReply | Failure): void => {
      if (this.#stopped) return;
      if ('ready' in outcome) this.taken += 1;
      parts.services.log.info('archived_file', {
        partition,
        bytes: offer.bytes,
        outcome: 'ready' in outcome ? 'taken' : outcome.text,
      });
      this.#giveUp(slot, outcome);
    };
    if (refusal !== null) return over(refusal);
    run(taken(), (error, why) => {
      if (error !== null) over(failureOf(slot, error));
      else if (why == null) over({ ready: true });
      else over(failure('INVALID_ARGUMENT', `The file of partition ${partition} ${REFUSALS[why]}`));
    });
  }

  /** What is left of the file goes; what became of it is told to whoever asks for it to be taken. */
  #giveUp(slot: Slot, outcome: RestoreTakeReply | Failure): void {
    if (slot.state === 'over') return;
    slot.state = 'over';
    slot.outcome = outcome;
    slot.heardMs = this.#world.parts.nowMs();
    this.#hold();
    this.#discard(slot);
    const { waiting } = slot;
    slot.waiting = null;
    if (waiting === null) return;
    this.#slots.delete(slot.partition);
    waiting(outcome);
  }

  #discard(slot: Slot): void {
    const { timers, services } = this.#world.parts;
    if (this.#stopped) return;
    if (slot.writing > 0) {
      timers.after(10, () => {
        this.#discard(slot);
      });
      return;
    }
    run(slot.file.discard(), (error) => {
      const { partition } = slot;
      if (error !== null) services.log.warn('restoring_not_removed', { partition, error: error.message });
    });
  }

  #hold(): void {
    const taking = [...this.#slots.values()].filter(({ state }) => state === 'taking');
    this.#world.hold(new Set(taking.map(({ partition }) => partition)));
  }

  #lookLater(): void {
    if (this.#timer !== null || this.#stopped) return;
    this.#timer = this.#world.parts.timers.after(LOOK_MS, () => {
      this.#timer = null;
      const untilMs = this.#world.parts.nowMs() - SILENCE_MS;
      for (const slot of [...this.#slots.values()]) {
        if (slot.heardMs > untilMs || slot.writing > 0) continue;
        if (slot.state === 'coming') this.#giveUp(slot, unknown(slot.partition));
        if (slot.state === 'over') this.#slots.delete(slot.partition);
      }
      if (this.#slots.size > 0) this.#lookLater();
    });
  }
}

function busy(partition: number): Failure {
  return failure('UNAVAILABLE', `The file of partition ${partition} is being worked on: ask again`);
}

function unknown(partition: number): Failure {
  return failure('INVALID_ARGUMENT', `No such file of partition ${partition} is on its way here`);
}

function noRoom({ partition, offer }: Slot, spareBytes: number): Failure {
  const text = `The file of partition ${partition} has ${offer.bytes} bytes, and there is room for ${Math.max(0, spareBytes)}`;
  return failure('DISK_FULL', text);
}

function failureOf({ partition }: Slot, error: Error): Failure {
  const { code } = error as { readonly code?: unknown };
  const isFull = code === 'ENOSPC' || code === 'EDQUOT' || code === 'MAP_FULL';
  return failure(
    isFull ? 'DISK_FULL' : 'INTERNAL',
    `The file of partition ${partition} was not taken: ${error.message}`,
  );
}
