/*
 * What a reader is shown of a record. A view: it never changes the record, so replicas with equal records stay equal
 * whoever looks at them, when, and by which clock.
 *
 * Hidden are tombstones, versions that have expired (they read as deleted), versions whose put id is remembered (somebody
 * has read that put under another dot and overwritten it), and of several versions with one put id all but the lowest dot.
 *
 * The context that goes out with it covers everything, shown and hidden, so that the next put sweeps up what is hidden. It
 * carries the put ids of all versions but those that are remembered already: the replica that takes the put may never have
 * held them, and must still know a late retry of one for what it is. Of more than 16 it carries the newest.
 */
import type { Hash64, KeyHash } from '../model/hash.js';
import {
  CONTEXT_ENTRY_BYTES,
  SIBLING_HEADER_BYTES,
  SIBLING_PUT_ID,
  contextCount,
  contextStart,
  isTombstone,
  recordHeaderEnd,
  rememberedCount,
  rememberedStart,
  siblingExpiresMs,
  siblingLogical,
  siblingValueBytes,
  siblingWallMs,
  siblingsStart,
} from './record.js';
import { RememberedIds, hasPutId, samePutId } from './remembered.js';
import { TOKEN_FIXED_BYTES, tokenBytes, writeTokenFixed } from './token.js';
import { copyBytes, seal } from './write.js';

export type WhyHidden =
  | ''
  | 'tombstone'
  | 'expired'
  | 'overwritten (its put id is remembered)'
  | 'duplicate of a put shown under a lower dot';

/** Reused: `show` makes it look at a record, which must stay as it is while it is looked at. */
export class RecordView {
  /** Versions shown; `i` below is 0 ≤ i < shownCount, in the order of the dots. */
  shownCount: number = 0;

  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #nowMs = 0;
  #siblings = 0;
  #ids = 0;
  #idCount = 0;
  /** Of each version shown: where its header is, and where its value is. */
  #shown: Float64Array = new Float64Array(2 * 16);
  readonly #carried: RememberedIds = new RememberedIds();

  /** Looks at a checked record, with the wall clock at `nowMs`. */
  show(bytes: Uint8Array, start: number, nowMs: number): void {
    this.#bytes = bytes;
    this.#start = start;
    this.#nowMs = nowMs;
    this.#siblings = siblingsStart(bytes, start);
    this.#ids = rememberedStart(bytes, start);
    this.#idCount = rememberedCount(bytes, start);
    this.shownCount = 0;
    this.#carried.reset();
    let value = recordHeaderEnd(bytes, start);
    for (let header = this.#siblings; header < this.#ids; header += SIBLING_HEADER_BYTES) {
      const isRemembered = this.#isRemembered(header);
      if (!isRemembered) this.#carried.add(bytes, header + SIBLING_PUT_ID);
      if (!isRemembered && this.#isAlive(header) && !this.#isDuplicate(header)) this.#add(header, value);
      value += siblingValueBytes(bytes, header);
    }
  }

  /** Where version `i`'s value begins in the record's bytes. */
  valueStart(i: number): number {
    return this.#shown[2 * i + 1] as number;
  }

  valueBytes(i: number): number {
    return siblingValueBytes(this.#bytes, this.#header(i));
  }

  writtenMs(i: number): number {
    return siblingWallMs(this.#bytes, this.#header(i));
  }

  logical(i: number): number {
    return siblingLogical(this.#bytes, this.#header(i));
  }

  /** 0: never. */
  expiresMs(i: number): number {
    return siblingExpiresMs(this.#bytes, this.#header(i));
  }

  /** Why sibling `index` of the record (not of those shown) is hidden; '': it is shown. */
  whyHidden(index: number): WhyHidden {
    const header = this.#siblings + SIBLING_HEADER_BYTES * index;
    if (this.#isRemembered(header)) return 'overwritten (its put id is remembered)';
    if (this.#isDuplicate(header)) return 'duplicate of a put shown under a lower dot';
    if (isTombstone(this.#bytes, header)) return 'tombstone';
    return this.#isAlive(header) ? '' : 'expired';
  }

  /** Size of the context that goes out with this view. */
  get tokenBytes(): number {
    return tokenBytes(contextCount(this.#bytes, this.#start), this.#carried.count);
  }

  /** Writes `tokenBytes` bytes at `at`. */
  encodeToken(target: Uint8Array, at: number, hash: Hash64, keyHash: KeyHash): void {
    const entryCount = contextCount(this.#bytes, this.#start);
    const entriesBytes = CONTEXT_ENTRY_BYTES * entryCount;
    writeTokenFixed(target, at, entryCount, this.#carried.count, keyHash);
    copyBytes(this.#bytes, contextStart(this.#bytes, this.#start), entriesBytes, target, at + TOKEN_FIXED_BYTES);
    this.#carried.write(target, at + TOKEN_FIXED_BYTES + entriesBytes);
    seal(target, at, this.tokenBytes, hash);
  }

  #header(i: number): number {
    return this.#shown[2 * i] as number;
  }

  #isAlive(header: number): boolean {
    if (isTombstone(this.#bytes, header)) return false;
    const expiresMs = siblingExpiresMs(this.#bytes, header);
    return expiresMs === 0 || expiresMs > this.#nowMs;
  }

  #isRemembered(header: number): boolean {
    return hasPutId(this.#bytes, this.#ids, this.#idCount, this.#bytes, header + SIBLING_PUT_ID);
  }

  /** The lowest dot stands for the put even when it is the one that has expired: one put is one version. */
  #isDuplicate(header: number): boolean {
    for (let lower = this.#siblings; lower < header; lower += SIBLING_HEADER_BYTES) {
      if (samePutId(this.#bytes, lower + SIBLING_PUT_ID, this.#bytes, header + SIBLING_PUT_ID)) return true;
    }
    return false;
  }

  #add(header: number, value: number): void {
    if (2 * this.shownCount === this.#shown.length) {
      const larger = new Float64Array(4 * this.shownCount);
      larger.set(this.#shown);
      this.#shown = larger;
    }
    this.#shown[2 * this.shownCount] = header;
    this.#shown[2 * this.shownCount + 1] = value;
    this.shownCount += 1;
  }
}
