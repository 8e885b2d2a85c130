/*
 * Files of partitions on their way between members: fetched here, given in transfer-donor.ts. What is done when is decided
 * in transfer/file-receiver.ts; here questions are sent, bytes written, and the store is told.
 *
 * Pieces come over a connection of their own (peers/bulk-link.ts), some at a time, each for a slice of background work: a
 * put waits for none of them on its way, and nodes under load move partitions slowly.
 */
import type { Slices } from '../../background/slices.js';
import type { Timers } from '../../env/clock.js';
import type { Disk } from '../../env/disk.js';
import type { Log } from '../../env/meter.js';
import { copyBytes } from '../../lib/bytes.js';
import { type Flow, run } from '../../lib/flow.js';
import type { FileFacts } from '../../model/cluster-facts.js';
import type { Hash64 } from '../../model/hash.js';
import type { MoveStorage } from '../../storage/move-storage.js';
import {
  FileReceiver,
  type PieceAsked,
  type ReceiverEffect,
  type ReceiverEvent,
  type TransferResult,
} from '../../transfer/file-receiver.js';
import {
  decodeTransferChunkReply,
  decodeTransferOpenReply,
  encodeTransferChunk,
  encodeTransferClose,
  encodeTransferOpen,
} from '../../wire/codec-transfer.js';
import { TRANSFER_CHUNK, TRANSFER_CLOSE, TRANSFER_OPEN } from '../../wire/kinds.js';
import { isFault } from '../../wire/plain.js';
import type { BulkLink } from '../peers/bulk-link.js';
import type { BodyAsker } from '../peers/request.js';
import { discardOthers, IncomingFile } from './incoming-files.js';
import { rateOf } from './transfer-donor.js';

/** A piece may wait for those before it, on a slow way: so long a megabyte comes at 35 KiB/s. */
const ASK_TIMEOUT_MS = 30_000;
const PATIENCE_MS = 120_000;

export interface TransferWorld {
  readonly links: { bulk(member: number): Pick<BulkLink, 'ask'> | undefined };
  readonly moves: MoveStorage;
  readonly disk: Disk;
  readonly timers: Timers;
  readonly slices: Slices;
  readonly log: Log;
  readonly hash: Hash64;
  /** A donor that gives nothing for so long is given up; default two minutes. */
  readonly patienceMs?: number;
  nowMs(): number;
  /** This node's reap fence of a partition. */
  fenceOf(partition: number): number;
}

export interface TransferStatus extends FileFacts {
  readonly partition: number;
  readonly donor: number;
  readonly moveId: number;
}

export class PartitionTransfers {
  readonly #world: TransferWorld;
  readonly #fetches: Set<Fetch> = new Set();
  #stopped = false;
  bytesFetched: number = 0;

  constructor(world: TransferWorld) {
    this.#world = world;
  }

  /**
   * Fetches the partition's file from a member and has it installed. Told once how it ended; not at all after a stop, when
   * what has come stays here, and the same call (same move, same donor) goes on with it.
   */
  fetch(partition: number, donor: number, moveId: number, done: (result: TransferResult) => void): void {
    const fetch = new Fetch(this.#world, { partition, donor, moveId }, () => this.#stopped);
    this.#fetches.add(fetch);
    fetch.start((result, bytes) => {
      this.#fetches.delete(fetch);
      this.bytesFetched += bytes;
      done(result);
    });
  }

  /** Throws away what is here of other moves than these: none of them is under way any more. */
  discardOthers(
    moves: readonly { readonly partition: number; readonly moveId: number }[],
    done: (error: Error | null) => void,
  ): void {
    run(discardOthers(this.#world.disk, moves), done);
  }

  status(): readonly TransferStatus[] {
    return [...this.#fetches].map((fetch) => fetch.status());
  }

  stop(): void {
    this.#stopped = true;
  }
}

interface Move {
  readonly partition: number;
  readonly donor: number;
  readonly moveId: number;
}

class Fetch {
  readonly #world: TransferWorld;
  readonly #move: Move;
  readonly #isStopped: () => boolean;
  readonly #receiver: FileReceiver;
  readonly #file: IncomingFile;
  #done: (result: TransferResult, bytes: number) => void = () => undefined;
  /** -1: no piece was asked for yet. */
  #firstMs = -1;
  #bytes = 0;

  constructor(world: TransferWorld, move: Move, isStopped: () => boolean) {
    const { hash, disk, patienceMs = PATIENCE_MS } = world;
    this.#world = world;
    this.#move = move;
    this.#isStopped = isStopped;
    this.#receiver = new FileReceiver({ hash, fence: world.fenceOf(move.partition), patienceMs });
    this.#file = new IncomingFile(disk, hash, move.partition, move.moveId);
  }

  start(done: (result: TransferResult, bytes: number) => void): void {
    this.#done = done;
    this.#performAll(this.#receiver.start(this.#world.nowMs()));
  }

  status(): TransferStatus {
    const ms = this.#firstMs < 0 ? 0 : this.#world.nowMs() - this.#firstMs;
    return { ...this.#move, ...this.#receiver.progress, bytesPerSecond: rateOf(this.#bytes, ms) };
  }

  #step(event: ReceiverEvent): void {
    if (!this.#isStopped()) this.#performAll(this.#receiver.step(event, this.#world.nowMs()));
  }

  #performAll(effects: readonly ReceiverEffect[]): void {
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: ReceiverEffect): void {
    const { timers, slices } = this.#world;
    switch (effect.kind) {
      case 'open':
        this.#open();
        return;
      case 'look':
        this.#work(this.#file.look(effect.offer), (chunks) => ({ kind: 'found', chunks }));
        return;
      case 'ask':
        slices.ask('restore', effect.length, () => {
          if (!this.#isStopped() && this.#receiver.isAsked(effect.ask)) this.#ask(effect);
        });
        return;
      case 'store':
        this.#store(effect);
        return;
      case 'seal':
        this.#work(this.#file.seal(), () => ({ kind: 'sealed' }));
        return;
      case 'install':
        this.#install();
        return;
      case 'wait':
        timers.after(effect.ms, () => {
          this.#step({ kind: 'waited' });
        });
        return;
      case 'end':
        this.#end(effect.result);
    }
  }

  #work<T>(flow: Flow<T>, event: (value: T) => ReceiverEvent): void {
    run(flow, (error, value) => {
      this.#step(error === null ? event(value as T) : { kind: 'failed', text: error.message });
    });
  }

  #store({ chunk, offset, bytes }: Extract<ReceiverEffect, { readonly kind: 'store' }>): void {
    run(this.#file.write(offset, bytes), (error) => {
      this.#step(error === null ? { kind: 'stored', chunk } : { kind: 'failed', chunk, text: error.message });
    });
  }

  #open(): void {
    const { partition, moveId } = this.#move;
    const fence = this.#world.fenceOf(partition);
    const body = encodeTransferOpen({ partition, moveId, fence, budgetMs: ASK_TIMEOUT_MS });
    this.#question(TRANSFER_OPEN, body, undefined, (bytes, start, end) => {
      const offer = decodeTransferOpenReply(bytes, start, end);
      if (isFault(offer)) return { kind: 'refused', text: `Its offer cannot be read: ${offer}` };
      return {
        kind: 'offered',
        offer: { ...offer, digests: copyBytes(offer.digests), digest: copyBytes(offer.digest) },
      };
    });
  }

  #ask({ ask, opening, offset, length }: PieceAsked): void {
    const { partition, moveId } = this.#move;
    if (this.#firstMs < 0) this.#firstMs = this.#world.nowMs();
    const body = encodeTransferChunk({ partition, moveId, opening, offset, length, budgetMs: ASK_TIMEOUT_MS });
    this.#question(TRANSFER_CHUNK, body, ask, (bytes, start, end) => {
      const reply = decodeTransferChunkReply(bytes, start, end);
      if (isFault(reply)) return { kind: 'refused', ask, text: `Its answer cannot be read: ${reply}` };
      this.#bytes += reply.bytes.length;
      return { kind: 'piece', ask, bytes: reply.bytes };
    });
  }

  #question(
    kind: number,
    body: Uint8Array,
    ask: number | undefined,
    event: (bytes: Uint8Array, start: number, end: number) => ReceiverEvent,
  ): void {
    const asker: BodyAsker = {
      onAnswered: (_from, _tag, bytes, start, end) => {
        this.#step(event(bytes, start, end));
      },
      onRefused: (_from, _tag, refusal) => {
        // A donor that cannot now may be asked again; one that will not, not.
        this.#step(refusal.retryable ? lost(ask) : { ...of(ask), kind: 'refused', text: refusal.text });
      },
      onUnanswered: () => {
        this.#step(lost(ask));
      },
    };
    if (this.#world.links.bulk(this.#move.donor)?.ask(kind, body, ASK_TIMEOUT_MS, asker) === true) return;
    this.#world.timers.endOfTurn(() => {
      this.#step(lost(ask));
    });
  }

  #install(): void {
    const { moves, timers } = this.#world;
    const { partition } = this.#move;
    moves.installFile(partition, this.#file.path, (error, refusal) => {
      // Not in the call: whoever is told may ask for the next at once.
      timers.endOfTurn(() => {
        if (error !== null) this.#step({ kind: 'failed', text: error.message });
        else this.#step({ kind: 'installed', refusal: refusal == null ? null : `The file was refused: ${refusal}` });
      });
    });
  }

  /** What was broken off may be gone on with; everything else is over, here and at the donor. */
  #end(result: TransferResult): void {
    const { log, links } = this.#world;
    const { partition, donor, moveId } = this.#move;
    log.info('transfer_ended', { ...this.#move, ...result, bytesFetched: this.#bytes });
    const isOver = result.kind !== 'silent' && result.kind !== 'failed';
    if (isOver) {
      const body = encodeTransferClose({ partition, moveId, budgetMs: ASK_TIMEOUT_MS });
      links.bulk(donor)?.ask(TRANSFER_CLOSE, body, ASK_TIMEOUT_MS, NOBODY);
    }
    run(isOver ? this.#file.discard() : this.#file.close(), (error) => {
      if (error !== null) log.warn('incoming_not_removed', { partition, error: error.message });
      this.#done(result, this.#bytes);
    });
  }
}

function lost(ask: number | undefined): ReceiverEvent {
  return { ...of(ask), kind: 'lost' };
}

function of(ask: number | undefined): { readonly ask?: number } {
  return ask === undefined ? {} : { ask };
}

/** Who has gone does not wait for an answer. */
const NOBODY: BodyAsker = {
  onAnswered: () => undefined,
  onRefused: () => undefined,
  onUnanswered: () => undefined,
};
