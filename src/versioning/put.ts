/*
 * The put rule: what becomes of the stored record when a client puts a value with the context that it has read (§4.4).
 *
 *   siblings         those whose dots the client's context does not cover stay; the new one is added under a fresh dot
 *   context          join of the local one, the client's, and the new dot
 *   remembered ids   the local ones, those that the client was shown, and those of the siblings replaced here: a client may
 *                    have read them elsewhere, from a replica that is ahead of this one
 *
 * Whose dot: a store mints under an actor only if its mark for the key says that it minted that actor's newest dot here, in
 * this opening, and the record still has exactly that. Anything else (no mark, a record that came back from elsewhere older
 * or newer, a client that knows more of the actor than we do) starts a fresh actor. The record's own entries prove nothing:
 * they can come home after having been forgotten, and then a dot would be given out twice and one of two acknowledged
 * values be lost without a trace. The client's context takes no part in the choice but to refuse.
 *
 * A put id that is a sibling's or remembered is a put that has been done: no version is added, and it may be acknowledged.
 * But what it replaced must be gone then: a store that lost it, and learnt its id from a later put that had read it, joins
 * what its context covers and the ids that it carries. Otherwise a late retry of what it replaced would be shown.
 *
 * In two steps, as merge: `decide` reads the old record in place and knows the size, `encode` writes the new one once. One
 * object serves for ever and allocates nothing in the common case; the inputs must stay as they are between the steps.
 */
import { assert } from '../lib/assert.js';
import { writeU48 } from '../lib/bytes.js';
import type { Random } from '../env/random.js';
import type { Hash64 } from '../model/hash.js';
import { CONTEXT_ENTRIES_MAX, RETRY_WINDOW_S, SIBLINGS_MAX } from '../model/limits.js';
import { ORDINAL_MAX, freshActorHi } from './actor.js';
import { ContextJoin } from './context-join.js';
import { putIdSeconds } from './put-id.js';
import {
  CHECKSUM_BYTES,
  CONTEXT_ENTRY_BYTES,
  COUNTER_MAX,
  PUT_ID_BYTES,
  RECORD_FIXED_BYTES,
  SIBLING_HEADER_BYTES,
  SIBLING_PUT_ID,
  compareActor,
  contextCount,
  contextStart,
  counterIn,
  counterOf,
  covers,
  cutSeconds,
  entryIndex,
  recordHeaderEnd,
  rememberedCount,
  rememberedStart,
  siblingCount,
  siblingValueBytes,
  siblingsStart,
} from './record.js';
import { RememberedIds, hasPutId, samePutId } from './remembered.js';
import type { ContextToken } from './token.js';
import { copyBytes, seal, writeDot, writeRecordFixed, writeVersion } from './write.js';

/** What is stored now: a checked record of the key in `bytes[start, end)`, or an empty range. */
export interface LocalRecord {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** The store's mark for this key, of the present opening. */
  readonly hasMark: boolean;
  readonly markActorHi: number;
  readonly markActorLo: number;
  readonly markCounter: number;
}

export interface PutCommand {
  readonly key: Uint8Array;
  /** undefined: a delete. */
  readonly value: Uint8Array | undefined;
  /** 12 bytes; judgePutId has found it ok. */
  readonly putId: Uint8Array;
  readonly retry: boolean;
  /** null: the client has read nothing. */
  readonly token: ContextToken | null;
  /** The node's clock, just ticked. */
  readonly wallMs: number;
  readonly logical: number;
  /** 0: never. */
  readonly expiresMs: number;
}

/**
 * `write`: encode. `known`: this very put is stored or was overwritten; nothing to write. `known-in-part`: so it was, but
 * not all that it replaced: encode, no version is added. `too-late`: a retry from
 * before the cut of the remembered ids, or before their window: RETRY_TOO_LATE, outcome unknown. `siblings-limit`,
 * `record-too-large`: it would add a sibling to a full record. `context-too-large`: more than 4,096 actors.
 */
export type PutOutcome =
  'write' | 'known' | 'known-in-part' | 'too-late' | 'siblings-limit' | 'record-too-large' | 'context-too-large';

export type PutRefusal = Exclude<PutOutcome, 'write' | 'known' | 'known-in-part'>;

export class PutPlan {
  outcome: PutOutcome = 'known';
  /** What is encoded: bytes of the new record. */
  size: number = 0;
  /** What is encoded: siblings of the new record. */
  siblings: number = 0;
  /**
   * The record's only sibling is this put's version (also when it is `known`). Only then may the reply carry a context: one
   * that covers versions which the client has not been shown would let it overwrite what nobody has read.
   */
  soleSibling: boolean = false;
  /** What is encoded: the mark to keep beside the record (counter 0: none); of `write` it is the new dot as well. */
  markActorHi: number = 0;
  markActorLo: number = 0;
  markCounter: number = 0;

  readonly #random: Random;
  readonly #ordinal: number;
  readonly #recordBytesMax: number;
  readonly #join: ContextJoin = new ContextJoin();
  readonly #remembered: RememberedIds = new RememberedIds();
  #local: LocalRecord = NO_RECORD;
  #put: PutCommand | null = null;
  #hasFreshActor = false;
  /** Of each sibling kept: where its header is, and where its value is. */
  #kept: Float64Array = new Float64Array(2 * 16);
  #keptCount = 0;
  #keptValueBytes = 0;

  /** `recordBytesMax`: a put that would add a sibling and make the record larger than this is refused. */
  constructor(random: Random, ordinal: number, recordBytesMax: number) {
    assert(Number.isInteger(ordinal) && 0 <= ordinal && ordinal <= ORDINAL_MAX, 'an ordinal has 16 bits');
    this.#random = random;
    this.#ordinal = ordinal;
    this.#recordBytesMax = recordBytesMax;
  }

  decide(local: LocalRecord, put: PutCommand): PutOutcome {
    this.#local = local;
    this.#put = put;
    this.size = 0;
    this.siblings = 0;
    this.soleSibling = false;
    this.#keptCount = 0;
    this.#keptValueBytes = 0;
    this.#remembered.reset();
    this.outcome = local.start === local.end ? this.#first(put) : this.#next(local, put);
    return this.outcome;
  }

  /** Writes `size` bytes at `at`; only after a decision to write. */
  encode(target: Uint8Array, at: number, hash: Hash64): void {
    const put = this.#put;
    const isDecided = this.outcome === 'write' || this.outcome === 'known-in-part';
    assert(put !== null && isDecided, 'only a decision to write is encoded');
    const { key } = put;
    const entryCount = this.#join.count + (this.#hasFreshActor ? 1 : 0);
    const { count, cut } = this.#remembered;
    writeRecordFixed(target, at, key.length, this.size, entryCount, this.siblings, count, cut);
    copyBytes(key, 0, key.length, target, at + RECORD_FIXED_BYTES);
    const headers = this.#encodeContext(target, at + RECORD_FIXED_BYTES + key.length);
    const values = this.#remembered.write(target, headers + SIBLING_HEADER_BYTES * this.siblings);
    this.#encodeSiblings(target, headers, values, put);
    seal(target, at, this.size, hash);
  }

  /** Nothing is stored. */
  #first(put: PutCommand): PutOutcome {
    const token = put.token;
    if (token === null) this.#join.measure(NOTHING, 0, 0, NOTHING, 0, 0);
    else this.#join.measure(NOTHING, 0, 0, token.bytes, token.entries, token.entryCount);
    return this.#finish(put, false);
  }

  #next(local: LocalRecord, put: PutCommand): PutOutcome {
    const { bytes, start } = local;
    const siblings = siblingCount(bytes, start);
    const isStored = this.#walkSiblings(local, put);
    const ids = rememberedStart(bytes, start);
    const idCount = rememberedCount(bytes, start);
    if (isStored || hasPutId(bytes, ids, idCount, put.putId, 0)) return this.#known(local, put, isStored);
    const cut = cutSeconds(bytes, start);
    if (put.retry && mayBeForgotten(bytes, ids, idCount, cut, putIdSeconds(put.putId, 0))) return 'too-late';
    const adds = siblings > 0 && this.#keptCount === siblings;
    if (adds && siblings >= SIBLINGS_MAX) return 'siblings-limit';
    this.#joinWith(local, put);
    return this.#finish(put, adds);
  }

  /** What was known of the put's causes, and what it brings: contexts and remembered ids. */
  #joinWith({ bytes, start }: LocalRecord, { token }: PutCommand): void {
    this.#remembered.addAll(bytes, rememberedStart(bytes, start), rememberedCount(bytes, start));
    this.#remembered.joinCut(cutSeconds(bytes, start));
    const entries = contextStart(bytes, start);
    const count = contextCount(bytes, start);
    if (token === null) this.#join.measure(bytes, entries, count, NOTHING, 0, 0);
    else this.#join.measure(bytes, entries, count, token.bytes, token.entries, token.entryCount);
  }

  #known(local: LocalRecord, put: PutCommand, isStored: boolean): PutOutcome {
    const { bytes, start } = local;
    this.soleSibling = isStored && siblingCount(bytes, start) === 1;
    if (put.token === null) return 'known';
    this.#joinWith(local, put);
    this.#rememberShown(put.token, put.putId);
    this.#remembered.normalise();
    const ids = rememberedStart(bytes, start);
    const isComplete =
      this.#join.sameAsA &&
      this.#remembered.equals(bytes, ids, rememberedCount(bytes, start), cutSeconds(bytes, start));
    if (isComplete || this.#join.count > CONTEXT_ENTRIES_MAX) return 'known';
    this.siblings = this.#keptCount;
    this.soleSibling = isStored && this.siblings === 1;
    this.#hasFreshActor = false;
    this.size = this.#sizeOf(put.key, this.#join.count, 0);
    this.markActorHi = local.markActorHi;
    this.markActorLo = local.markActorLo;
    this.markCounter = local.hasMark ? local.markCounter : 0;
    return 'known-in-part';
  }

  #sizeOf(key: Uint8Array, entryCount: number, valueBytes: number): number {
    return (
      RECORD_FIXED_BYTES +
      key.length +
      CONTEXT_ENTRY_BYTES * entryCount +
      SIBLING_HEADER_BYTES * this.siblings +
      PUT_ID_BYTES * this.#remembered.count +
      this.#keptValueBytes +
      valueBytes +
      CHECKSUM_BYTES
    );
  }

  /** Notes which siblings stay, and the ids of those that go; true: one of them is this put (it stays). */
  #walkSiblings(local: LocalRecord, put: PutCommand): boolean {
    const { bytes, start } = local;
    const token = put.token;
    const end = rememberedStart(bytes, start);
    let value = recordHeaderEnd(bytes, start);
    let isStored = false;
    for (let header = siblingsStart(bytes, start); header < end; header += SIBLING_HEADER_BYTES) {
      const valueBytes = siblingValueBytes(bytes, header);
      const isThis = samePutId(bytes, header + SIBLING_PUT_ID, put.putId, 0);
      if (isThis) isStored = true;
      if (!isThis && token !== null && covers(token.bytes, token.entries, token.entryCount, bytes, header)) {
        this.#remembered.add(bytes, header + SIBLING_PUT_ID);
      } else {
        this.#keep(header, value, valueBytes);
      }
      value += valueBytes;
    }
    return isStored;
  }

  #keep(header: number, value: number, valueBytes: number): void {
    if (2 * this.#keptCount === this.#kept.length) {
      const larger = new Float64Array(4 * this.#keptCount);
      larger.set(this.#kept);
      this.#kept = larger;
    }
    this.#kept[2 * this.#keptCount] = header;
    this.#kept[2 * this.#keptCount + 1] = value;
    this.#keptCount += 1;
    this.#keptValueBytes += valueBytes;
  }

  /** The context is joined; what is left is the client's put ids, the dot, and whether it all fits. */
  #finish(put: PutCommand, adds: boolean): PutOutcome {
    const token = put.token;
    if (token !== null) this.#rememberShown(token, put.putId);
    this.#remembered.normalise();
    this.#hasFreshActor = !this.#markHolds(token);
    const entryCount = this.#join.count + (this.#hasFreshActor ? 1 : 0);
    if (entryCount > CONTEXT_ENTRIES_MAX) return 'context-too-large';
    this.siblings = this.#keptCount + 1;
    this.size = this.#sizeOf(put.key, entryCount, put.value === undefined ? 0 : put.value.length);
    if (adds && this.size > this.#recordBytesMax) return 'record-too-large';
    this.#mint(token);
    this.soleSibling = this.siblings === 1;
    return 'write';
  }

  /** A put never remembers itself, whatever its client says it was shown: it would hide what was just acknowledged. */
  #rememberShown(token: ContextToken, putId: Uint8Array): void {
    for (let i = 0; i < token.idCount; i++) {
      const at = token.ids + PUT_ID_BYTES * i;
      if (!samePutId(token.bytes, at, putId, 0)) this.#remembered.add(token.bytes, at);
    }
  }

  #markHolds(token: ContextToken | null): boolean {
    const { bytes, start, end, hasMark, markActorHi: hi, markActorLo: lo, markCounter } = this.#local;
    if (!hasMark || start === end || markCounter >= COUNTER_MAX) return false;
    if (counterIn(bytes, contextStart(bytes, start), contextCount(bytes, start), hi, lo) !== markCounter) return false;
    return token === null || counterIn(token.bytes, token.entries, token.entryCount, hi, lo) <= markCounter;
  }

  #mint(token: ContextToken | null): void {
    if (!this.#hasFreshActor) {
      this.markActorHi = this.#local.markActorHi;
      this.markActorLo = this.#local.markActorLo;
      this.markCounter = this.#local.markCounter + 1;
      return;
    }
    const { bytes, start, end } = this.#local;
    this.markCounter = 1;
    for (;;) {
      const hi = freshActorHi(this.#ordinal, this.#random);
      const lo = this.#random.u32();
      this.markActorHi = hi;
      this.markActorLo = lo;
      if (token !== null && counterIn(token.bytes, token.entries, token.entryCount, hi, lo) > 0) continue;
      if (start === end) return;
      if (counterIn(bytes, contextStart(bytes, start), contextCount(bytes, start), hi, lo) === 0) return;
    }
  }

  #encodeContext(target: Uint8Array, at: number): number {
    const end = this.#join.write(target, at);
    if (this.outcome === 'known-in-part') return end;
    const { markActorHi: hi, markActorLo: lo, markCounter } = this;
    const index = entryIndex(target, at, this.#join.count, hi, lo);
    if (!this.#hasFreshActor) {
      assert(index >= 0, 'the actor of a mark that holds is in the context');
      writeU48(target, at + CONTEXT_ENTRY_BYTES * index + 8, markCounter);
      return end;
    }
    assert(index < 0, 'a fresh actor is not in the context');
    const place = at + CONTEXT_ENTRY_BYTES * (-1 - index);
    if (place < end) target.copyWithin(place + CONTEXT_ENTRY_BYTES, place, end);
    writeDot(target, place, hi, lo, markCounter);
    return end + CONTEXT_ENTRY_BYTES;
  }

  /** Those kept are ascending already; the new one goes where its dot belongs. */
  #encodeSiblings(target: Uint8Array, headers: number, values: number, put: PutCommand): void {
    const { bytes } = this.#local;
    let header = headers;
    let value = values;
    let isPlaced = this.outcome === 'known-in-part';
    for (let i = 0; i < this.#keptCount; i++) {
      const from = this.#kept[2 * i] as number;
      if (!isPlaced && this.#newComesBefore(bytes, from)) {
        value = this.#encodeNew(target, header, value, put);
        header += SIBLING_HEADER_BYTES;
        isPlaced = true;
      }
      const valueBytes = siblingValueBytes(bytes, from);
      copyBytes(bytes, from, SIBLING_HEADER_BYTES, target, header);
      copyBytes(bytes, this.#kept[2 * i + 1] as number, valueBytes, target, value);
      header += SIBLING_HEADER_BYTES;
      value += valueBytes;
    }
    if (!isPlaced) this.#encodeNew(target, header, value, put);
  }

  #newComesBefore(bytes: Uint8Array, dot: number): boolean {
    const order = compareActor(bytes, dot, this.markActorHi, this.markActorLo);
    return order > 0 || (order === 0 && counterOf(bytes, dot) > this.markCounter);
  }

  /** Answers where the value ends. */
  #encodeNew(target: Uint8Array, at: number, valueAt: number, put: PutCommand): number {
    const { value, putId } = put;
    writeDot(target, at, this.markActorHi, this.markActorLo, this.markCounter);
    writeVersion(target, at, put.wallMs, put.logical, value === undefined ? 0 : put.expiresMs, putId, value);
    if (value === undefined) return valueAt;
    copyBytes(value, 0, value.length, target, valueAt);
    return valueAt + value.length;
  }
}

/**
 * May the record have remembered a put id of that time, and dropped it? It keeps a window behind its newest id, which a
 * client whose clock is ahead may have moved beyond what this node's own clock still takes.
 */
function mayBeForgotten(bytes: Uint8Array, ids: number, idCount: number, cut: number, seconds: number): boolean {
  if (cut !== 0 && seconds <= cut) return true;
  return idCount > 0 && seconds < putIdSeconds(bytes, ids + PUT_ID_BYTES * (idCount - 1)) - RETRY_WINDOW_S;
}

const NOTHING = new Uint8Array(0);

const NO_RECORD: LocalRecord = {
  bytes: NOTHING,
  start: 0,
  end: 0,
  hasMark: false,
  markActorHi: 0,
  markActorLo: 0,
  markCounter: 0,
};
