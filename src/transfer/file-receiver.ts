/*
 * Fetching the file of one partition from a donor (§4.9, §6.2): which piece is asked for next, whether it arrived as it was
 * sent, and what is done when either end breaks off.
 *
 *   start ─▶ open ─offered─▶ look ─found─▶ fetch ─all there─▶ seal ─sealed─▶ install ─installed─▶ end
 *             ▲                              │
 *             └──────────── wait ◀───lost────┘
 *
 * What lies here already is found by its name, which says for which move, of which opening of the donor's store, and at
 * which fence it was made; and by the digest of the whole, since a donor that gave up a copy makes another one. Nothing else
 * is ever gone on with: two copies of one partition have nothing in common but their records.
 *
 * One question is under way at a time. A chunk is given to the disk when its digest is right, and not before.
 */
import { assert, assertNever } from '../lib/assert.js';
import { equalBytes, readU32 } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import { PIECE_BYTES_MAX, type TransferOpenReply } from '../model/transfer-messages.js';

const DIGEST_BYTES = 8;
/** The donor is still copying. */
const OPEN_AGAIN_MS = 200;
/** After a break: the donor may be starting, or has no slot. */
const RETRY_MS = 1_000;
/** A chunk that arrives wrong so often does not lie right at the donor. */
const WRONG_CHUNKS_MAX = 3;

export type ReceiverEvent =
  | { readonly kind: 'offered'; readonly offer: TransferOpenReply }
  /** So many leading chunks of the offered file are here, and good. */
  | { readonly kind: 'found'; readonly chunks: number }
  | { readonly kind: 'piece'; readonly bytes: Uint8Array }
  /** No answer, or one that it cannot now. */
  | { readonly kind: 'lost' }
  /** It will not, whenever it is asked. */
  | { readonly kind: 'refused'; readonly text: string }
  | { readonly kind: 'stored' | 'sealed' | 'waited' }
  | { readonly kind: 'installed'; readonly refusal: string | null }
  /** The disk here. */
  | { readonly kind: 'failed'; readonly text: string };

export type ReceiverEffect =
  | { readonly kind: 'open' }
  /** Finds out what is here of it; where that is nothing, makes the file and its manifest. */
  | { readonly kind: 'look'; readonly offer: TransferOpenReply }
  | { readonly kind: 'ask'; readonly opening: number; readonly offset: number; readonly length: number }
  /** `bytes` are the receiver's until `stored`. */
  | { readonly kind: 'store'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'seal' | 'install' }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'end'; readonly result: TransferResult };

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

type State = 'new' | 'opening' | 'looking' | 'fetching' | 'storing' | 'sealing' | 'installing' | 'ended';

export class FileReceiver {
  readonly #terms: ReceiverTerms;
  #state: State = 'new';
  #offer: TransferOpenReply | null = null;
  /** Chunks that are on the disk. */
  #chunks = 0;
  #chunk: Uint8Array = new Uint8Array(0);
  /** Bytes of the present chunk that have come. */
  #filled = 0;
  #wrong = 0;
  #heardMs = 0;

  constructor(terms: ReceiverTerms) {
    this.#terms = terms;
  }

  /** How far it has come, of how much; 0 of 0 before anything was offered. */
  get progress(): { readonly bytes: number; readonly ofBytes: number } {
    const ofBytes = this.#offer?.bytes ?? 0;
    const stored = this.#chunks * (this.#offer?.chunkBytes ?? 0);
    return { bytes: Math.min(ofBytes, stored + this.#filled), ofBytes };
  }

  start(nowMs: number): ReceiverEffect {
    assert(this.#state === 'new', 'a transfer is started once');
    this.#heardMs = nowMs;
    return this.#open();
  }

  step(event: ReceiverEvent, nowMs: number): ReceiverEffect {
    if (event.kind === 'failed') return this.#end({ kind: 'failed', text: event.text });
    switch (event.kind) {
      case 'offered':
        this.#heardMs = nowMs;
        return this.#offered(event.offer);
      case 'found':
        this.#chunks = event.chunks;
        return this.#next();
      case 'piece':
        this.#heardMs = nowMs;
        return this.#piece(event.bytes);
      case 'stored':
        this.#chunks += 1;
        this.#filled = 0;
        this.#wrong = 0;
        return this.#next();
      case 'sealed':
        this.#state = 'installing';
        return { kind: 'install' };
      case 'installed':
        return this.#installed(event.refusal);
      case 'waited':
        return this.#open();
      case 'refused':
        return this.#end({ kind: 'refused', text: event.text });
      case 'lost':
        return this.#lost(nowMs);
      default:
        return assertNever(event);
    }
  }

  #open(): ReceiverEffect {
    this.#state = 'opening';
    this.#filled = 0;
    return { kind: 'open' };
  }

  #offered(offer: TransferOpenReply): ReceiverEffect {
    if (!offer.ready) return { kind: 'wait', ms: OPEN_AGAIN_MS };
    if (!this.#isDigest(offer.digests, offer.digest, 0)) {
      return this.#end({ kind: 'broken', text: 'The digests that the donor has sent are not what they should be' });
    }
    if (offer.fence < this.#terms.fence) {
      const text = `The donor's file was made at reap fence ${offer.fence}, here it is ${this.#terms.fence}`;
      return this.#end({ kind: 'refused', text });
    }
    const before = this.#offer;
    this.#offer = offer;
    if (before !== null && isSameFile(before, offer)) return this.#next();
    this.#state = 'looking';
    this.#chunks = 0;
    this.#chunk = new Uint8Array(Math.min(offer.bytes, offer.chunkBytes));
    return { kind: 'look', offer };
  }

  #next(): ReceiverEffect {
    const offer = this.#offer as TransferOpenReply;
    const size = this.#chunkSize(offer);
    if (size <= 0) {
      this.#state = 'sealing';
      return { kind: 'seal' };
    }
    this.#state = 'fetching';
    const offset = this.#chunks * offer.chunkBytes + this.#filled;
    const length = Math.min(PIECE_BYTES_MAX, size - this.#filled);
    return { kind: 'ask', opening: offer.opening, offset, length };
  }

  #piece(bytes: Uint8Array): ReceiverEffect {
    const offer = this.#offer as TransferOpenReply;
    const size = this.#chunkSize(offer);
    if (bytes.length === 0 || this.#filled + bytes.length > size) return this.#chunkWrong();
    this.#chunk.set(bytes, this.#filled);
    this.#filled += bytes.length;
    if (this.#filled < size) return this.#next();
    const chunk = this.#chunk.subarray(0, size);
    if (!this.#isDigest(chunk, offer.digests, DIGEST_BYTES * this.#chunks)) return this.#chunkWrong();
    this.#state = 'storing';
    return { kind: 'store', offset: this.#chunks * offer.chunkBytes, bytes: chunk };
  }

  #chunkWrong(): ReceiverEffect {
    this.#wrong += 1;
    this.#filled = 0;
    if (this.#wrong < WRONG_CHUNKS_MAX) return this.#next();
    const text = `Chunk ${this.#chunks} has arrived ${this.#wrong} times, and was never what the donor said it was`;
    return this.#end({ kind: 'broken', text });
  }

  #lost(nowMs: number): ReceiverEffect {
    const silentMs = nowMs - this.#heardMs;
    if (silentMs < this.#terms.patienceMs) {
      this.#state = 'opening';
      return { kind: 'wait', ms: RETRY_MS };
    }
    return this.#end({ kind: 'silent', text: `The donor has given nothing for ${Math.round(silentMs)} ms` });
  }

  #installed(refusal: string | null): ReceiverEffect {
    const { bytes, records } = this.#offer as TransferOpenReply;
    if (refusal !== null) return this.#end({ kind: 'refused', text: refusal });
    return this.#end({ kind: 'installed', bytes, records });
  }

  #end(result: TransferResult): ReceiverEffect {
    assert(this.#state !== 'ended', 'a transfer ends once');
    this.#state = 'ended';
    return { kind: 'end', result };
  }

  /** Of the chunk that is being fetched; not above 0: there is none any more. */
  #chunkSize(offer: TransferOpenReply): number {
    return Math.min(offer.chunkBytes, offer.bytes - this.#chunks * offer.chunkBytes);
  }

  #isDigest(bytes: Uint8Array, digests: Uint8Array, at: number): boolean {
    return isDigest(bytes, digests, at, this.#terms.hash);
  }
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
