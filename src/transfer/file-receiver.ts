/*
 * Fetching the file of one partition from a donor (§4.9, §6.2): which pieces are asked for next, whether they arrived as
 * they were sent, and what is done when either end breaks off.
 *
 *   start ─▶ open ─offered─▶ look ─found─▶ fetch ─all there─▶ seal ─sealed─▶ install ─installed─▶ end
 *             ▲                              │
 *             └──────────── wait ◀───lost────┘
 *
 * What lies here already is found by its name, which says for which move, of which opening of the donor's store, and at
 * which fence it was made; and by the digest of the whole, since a donor that gave up a copy makes another one. Nothing else
 * is ever gone on with: two copies of one partition have nothing in common but their records.
 *
 * A few pieces are under way at a time, so that neither end waits while the other works; they come back in any order. A
 * chunk is given to the disk when its digest is right, and not before; which chunks are there is all that is remembered, so
 * a break costs the pieces that were under way and no more. After one there are half as many at a time: a way that is too
 * slow for all of them within the patience of a question is not too slow for one.
 *
 * Nothing new is begun, and nothing ended, while the disk still has chunks of before: whoever closes a file has the last
 * write to it behind him.
 */
import { assert, assertNever } from '../lib/assert.js';
import { equalBytes, readU32 } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import { PIECE_BYTES_MAX, PIECES_MAX, type TransferOpenReply } from '../model/transfer-messages.js';

const DIGEST_BYTES = 8;
/** The donor is still copying. */
const OPEN_AGAIN_MS = 100;
/** After a break: the donor may be starting, or has no slot. */
const RETRY_MS = 1_000;
/** A chunk that arrives wrong so often does not lie right at the donor. */
const WRONG_CHUNKS_MAX = 3;

export type ReceiverEvent =
  | { readonly kind: 'offered'; readonly offer: TransferOpenReply }
  /** One byte for each chunk of the offered file: 1 where it is here, and good. */
  | { readonly kind: 'found'; readonly chunks: Uint8Array }
  /** The answer to `ask`; its bytes are looked at only in this call. */
  | { readonly kind: 'piece'; readonly ask: number; readonly bytes: Uint8Array }
  /** No answer, or one that it cannot now. `ask`: to a piece that was asked for. */
  | { readonly kind: 'lost'; readonly ask?: number }
  /** It will not, whenever it is asked. `ask`: as above. */
  | { readonly kind: 'refused'; readonly text: string; readonly ask?: number }
  | { readonly kind: 'stored'; readonly chunk: number }
  | { readonly kind: 'sealed' | 'waited' }
  | { readonly kind: 'installed'; readonly refusal: string | null }
  /** The disk here. `chunk`: it was to be stored. */
  | { readonly kind: 'failed'; readonly text: string; readonly chunk?: number };

export type ReceiverEffect =
  | { readonly kind: 'open' }
  /** Finds out what is here of it; where that is nothing, makes the file and its manifest. */
  | { readonly kind: 'look'; readonly offer: TransferOpenReply }
  | PieceAsked
  /** `bytes` stay as they are until `stored`. */
  | { readonly kind: 'store'; readonly chunk: number; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'seal' | 'install' }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'end'; readonly result: TransferResult };

export interface PieceAsked {
  readonly kind: 'ask';
  /** Which question of this transfer it is; the answer names it. */
  readonly ask: number;
  readonly opening: number;
  readonly offset: number;
  readonly length: number;
}

export type TransferResult =
  | { readonly kind: 'installed'; readonly bytes: number; readonly records: number }
  /** The file cannot be had, or not be taken: anti-entropy brings the records. */
  | { readonly kind: 'refused' | 'silent' | 'broken' | 'failed'; readonly text: string };

export interface ReceiverTerms {
  readonly hash: Hash64;
  /** Below it the file is of no use. */
  readonly fence: number;
  /** A donor that is silent for so long is given up. */
  readonly patienceMs: number;
}

type State = 'new' | 'opening' | 'looking' | 'fetching' | 'waiting' | 'sealing' | 'installing' | 'ending' | 'ended';

/** A chunk on its way: asked for from its begin on, a piece after the other. */
interface Coming {
  readonly chunk: number;
  readonly size: number;
  readonly bytes: Uint8Array;
  asked: number;
  filled: number;
}

interface PieceUnderWay {
  readonly coming: Coming;
  readonly at: number;
  readonly length: number;
}

const NONE: readonly ReceiverEffect[] = [];

export class FileReceiver {
  readonly #terms: ReceiverTerms;
  #state: State = 'new';
  #offer: TransferOpenReply | null = null;
  /** One byte for each chunk: 1 where it is on the disk. */
  #there: Uint8Array = new Uint8Array(0);
  #bytesThere = 0;
  /** The first chunk that may have to be asked for. */
  #next = 0;
  /** Asked for, and not wholly there. */
  readonly #coming: Map<number, Coming> = new Map();
  readonly #underWay: Map<number, PieceUnderWay> = new Map();
  /** With the disk. */
  readonly #storing: Map<number, Uint8Array> = new Map();
  /** Of `chunkBytes` each, for chunks to come. */
  #free: Uint8Array[] = [];
  #asks = 0;
  #piecesMax = PIECES_MAX;
  /** How often a chunk has arrived wrong. */
  readonly #wrong: Map<number, number> = new Map();
  #heardMs = 0;
  /** The end, or the next question, that waits for the disk. */
  #result: TransferResult | null = null;
  #hasWaited = false;

  constructor(terms: ReceiverTerms) {
    this.#terms = terms;
  }

  /** How far it has come, of how much; 0 of 0 before anything was offered. */
  get progress(): { readonly bytes: number; readonly ofBytes: number } {
    const offer = this.#offer;
    if (offer === null) return { bytes: 0, ofBytes: 0 };
    let bytes = this.#bytesThere;
    for (const { filled } of this.#coming.values()) bytes += filled;
    for (const chunk of this.#storing.keys()) bytes += sizeOf(offer, chunk);
    return { bytes, ofBytes: offer.bytes };
  }

  start(nowMs: number): readonly ReceiverEffect[] {
    assert(this.#state === 'new', 'a transfer is started once');
    this.#heardMs = nowMs;
    return this.#open();
  }

  /** False: something has broken off since this piece was to be asked for, and nobody wants it any more. */
  isAsked(ask: number): boolean {
    return this.#underWay.has(ask);
  }

  step(event: ReceiverEvent, nowMs: number): readonly ReceiverEffect[] {
    if (event.kind === 'stored' || (event.kind === 'failed' && event.chunk !== undefined)) {
      this.#storedOr(event.chunk as number, event.kind === 'stored');
    }
    if (this.#state === 'ended') return NONE; // what was under way when it ended
    if (event.kind === 'failed' && this.#state !== 'ending') return this.#end({ kind: 'failed', text: event.text });
    if (this.#state === 'ending') return this.#ended();
    switch (event.kind) {
      case 'offered':
        this.#heardMs = nowMs;
        return this.#offered(event.offer);
      case 'found':
        return this.#found(event.chunks);
      case 'piece':
        return this.#piece(event.ask, event.bytes, nowMs);
      case 'stored':
        return this.#state === 'fetching' ? this.#fetch() : this.#openAgain();
      case 'sealed':
        this.#state = 'installing';
        return [{ kind: 'install' }];
      case 'installed':
        return this.#installed(event.refusal);
      case 'waited':
        this.#hasWaited = true;
        return this.#openAgain();
      case 'refused':
        return this.#isOld(event.ask) ? NONE : this.#end({ kind: 'refused', text: event.text });
      case 'lost':
        return this.#lost(event.ask, nowMs);
      case 'failed':
        return NONE;
      default:
        return assertNever(event);
    }
  }

  #open(): readonly ReceiverEffect[] {
    this.#state = 'opening';
    this.#hasWaited = false;
    return [{ kind: 'open' }];
  }

  /** When the pause is over, and the disk has what came before it. */
  #openAgain(): readonly ReceiverEffect[] {
    return this.#state === 'waiting' && this.#hasWaited && this.#storing.size === 0 ? this.#open() : NONE;
  }

  #wait(ms: number): readonly ReceiverEffect[] {
    this.#state = 'waiting';
    return [{ kind: 'wait', ms }];
  }

  #offered(offer: TransferOpenReply): readonly ReceiverEffect[] {
    if (!offer.ready) return this.#wait(OPEN_AGAIN_MS);
    if (!isDigest(offer.digests, offer.digest, 0, this.#terms.hash)) {
      return this.#end({ kind: 'broken', text: 'The digests that the donor has sent are not what they should be' });
    }
    if (offer.fence < this.#terms.fence) {
      const text = `The donor's file was made at reap fence ${offer.fence}, here it is ${this.#terms.fence}`;
      return this.#end({ kind: 'refused', text });
    }
    const before = this.#offer;
    this.#offer = offer;
    if (before !== null && isSameFile(before, offer)) return this.#fetch();
    this.#state = 'looking';
    this.#there = new Uint8Array(0);
    this.#bytesThere = 0;
    this.#next = 0;
    this.#wrong.clear();
    this.#free = [];
    return [{ kind: 'look', offer }];
  }

  #found(chunks: Uint8Array): readonly ReceiverEffect[] {
    const offer = this.#offer as TransferOpenReply;
    this.#there = chunks;
    for (let chunk = 0; chunk < chunks.length; chunk++) {
      if (chunks[chunk] === 1) this.#bytesThere += sizeOf(offer, chunk);
    }
    return this.#fetch();
  }

  /** As many questions as may be under way; or it is all there. */
  #fetch(): readonly ReceiverEffect[] {
    this.#state = 'fetching';
    const { opening, chunkBytes } = this.#offer as TransferOpenReply;
    const effects: ReceiverEffect[] = [];
    while (this.#underWay.size + this.#storing.size < this.#piecesMax) {
      const coming = this.#toAsk();
      if (coming === null) break;
      const at = coming.asked;
      const length = Math.min(PIECE_BYTES_MAX, coming.size - at);
      coming.asked += length;
      this.#asks += 1;
      this.#underWay.set(this.#asks, { coming, at, length });
      effects.push({ kind: 'ask', ask: this.#asks, opening, offset: coming.chunk * chunkBytes + at, length });
    }
    if (effects.length > 0 || this.#underWay.size > 0 || this.#storing.size > 0) return effects;
    this.#state = 'sealing';
    return [{ kind: 'seal' }];
  }

  /** The chunk of which a piece is to be asked for next. */
  #toAsk(): Coming | null {
    for (const coming of this.#coming.values()) if (coming.asked < coming.size) return coming;
    const offer = this.#offer as TransferOpenReply;
    const isHere = (chunk: number): boolean =>
      this.#there[chunk] === 1 || this.#coming.has(chunk) || this.#storing.has(chunk);
    while (this.#next < this.#there.length && isHere(this.#next)) this.#next += 1;
    if (this.#next >= this.#there.length) return null;
    const chunk = this.#next;
    const bytes = this.#free.pop() ?? new Uint8Array(Math.min(offer.bytes, offer.chunkBytes));
    const coming = { chunk, size: sizeOf(offer, chunk), bytes, asked: 0, filled: 0 };
    this.#coming.set(chunk, coming);
    return coming;
  }

  #piece(ask: number, bytes: Uint8Array, nowMs: number): readonly ReceiverEffect[] {
    const piece = this.#underWay.get(ask);
    if (piece === undefined) return NONE;
    this.#underWay.delete(ask);
    this.#heardMs = nowMs;
    const { coming, at, length } = piece;
    if (bytes.length !== length) return this.#chunkWrong(coming);
    coming.bytes.set(bytes, at);
    coming.filled += length;
    if (coming.filled < coming.size) return this.#fetch();
    const { digests, chunkBytes } = this.#offer as TransferOpenReply;
    const chunk = coming.bytes.subarray(0, coming.size);
    if (!isDigest(chunk, digests, DIGEST_BYTES * coming.chunk, this.#terms.hash)) return this.#chunkWrong(coming);
    this.#coming.delete(coming.chunk);
    this.#storing.set(coming.chunk, coming.bytes);
    return [{ kind: 'store', chunk: coming.chunk, offset: coming.chunk * chunkBytes, bytes: chunk }, ...this.#fetch()];
  }

  /** Whatever else is under way of it is of no use, either. */
  #chunkWrong(coming: Coming): readonly ReceiverEffect[] {
    const wrong = (this.#wrong.get(coming.chunk) ?? 0) + 1;
    this.#wrong.set(coming.chunk, wrong);
    for (const [ask, piece] of this.#underWay) if (piece.coming === coming) this.#underWay.delete(ask);
    this.#forget(coming);
    if (wrong < WRONG_CHUNKS_MAX) return this.#fetch();
    const text = `Chunk ${coming.chunk} has arrived ${wrong} times, and was never what the donor said it was`;
    return this.#end({ kind: 'broken', text });
  }

  #forget({ chunk, bytes }: Coming): void {
    this.#coming.delete(chunk);
    this.#free.push(bytes);
    this.#next = Math.min(this.#next, chunk);
  }

  #storedOr(chunk: number, isStored: boolean): void {
    const bytes = this.#storing.get(chunk);
    assert(bytes !== undefined, 'a chunk is stored once');
    this.#storing.delete(chunk);
    if (!isStored) return;
    this.#free.push(bytes);
    this.#there[chunk] = 1;
    this.#bytesThere += sizeOf(this.#offer as TransferOpenReply, chunk);
    this.#wrong.delete(chunk);
    this.#piecesMax = Math.min(PIECES_MAX, this.#piecesMax + 1);
  }

  #lost(ask: number | undefined, nowMs: number): readonly ReceiverEffect[] {
    if (this.#isOld(ask)) return NONE;
    this.#underWay.clear();
    for (const coming of [...this.#coming.values()]) this.#forget(coming);
    this.#piecesMax = Math.max(1, Math.floor(this.#piecesMax / 2));
    const silentMs = nowMs - this.#heardMs;
    if (silentMs < this.#terms.patienceMs) return this.#wait(RETRY_MS);
    return this.#end({ kind: 'silent', text: `The donor has given nothing for ${Math.round(silentMs)} ms` });
  }

  /** Of what broke off before. */
  #isOld(ask: number | undefined): boolean {
    return ask !== undefined && !this.#underWay.has(ask);
  }

  #installed(refusal: string | null): readonly ReceiverEffect[] {
    const { bytes, records } = this.#offer as TransferOpenReply;
    if (refusal !== null) return this.#end({ kind: 'refused', text: refusal });
    return this.#end({ kind: 'installed', bytes, records });
  }

  #end(result: TransferResult): readonly ReceiverEffect[] {
    assert(this.#state !== 'ended', 'a transfer ends once');
    this.#state = 'ending';
    this.#result = result;
    this.#underWay.clear();
    this.#coming.clear();
    return this.#ended();
  }

  #ended(): readonly ReceiverEffect[] {
    if (this.#storing.size > 0 || this.#result === null) return NONE;
    this.#state = 'ended';
    return [{ kind: 'end', result: this.#result }];
  }
}

function sizeOf({ bytes, chunkBytes }: TransferOpenReply, chunk: number): number {
  return Math.min(chunkBytes, bytes - chunk * chunkBytes);
}

/** Is the XXH64 of `bytes` at `digests[at]`? */
export function isDigest(bytes: Uint8Array, digests: Uint8Array, at: number, hash: Hash64): boolean {
  hash.hash(bytes, 0, bytes.length);
  return hash.hi === readU32(digests, at) && hash.lo === readU32(digests, at + 4);
}

export function isSameFile(a: TransferOpenReply, b: TransferOpenReply): boolean {
  return (
    a.opening === b.opening &&
    a.fence === b.fence &&
    a.bytes === b.bytes &&
    a.chunkBytes === b.chunkBytes &&
    equalBytes(a.digest, b.digest)
  );
}

/** What a received file is called in `incoming/` until it is in its place. */
export function receivedName(
  partition: number,
  moveId: number,
  { opening, fence }: Pick<TransferOpenReply, 'opening' | 'fence'>,
): string {
  return [partition, moveId, opening, fence].map((part) => part.toString(16).padStart(4, '0')).join('-');
}
