/*
 * Remembered put ids: ids of puts that somebody has read and overwritten. A version whose id is remembered is hidden from
 * readers, so a late retry of an overwritten put does not bring its value back.
 *
 * Ids are joined by union and kept in normal form:
 *   1. the 16 greatest, compared as bytes (so by time first); `cut` becomes the seconds of the greatest id that this
 *      rule ever dropped;
 *   2. with m = seconds of the greatest id that is left: ids more than a retry window older than m go, and so does a cut
 *      more than a window older than m. No retry of them is taken any more: see below.
 * Time is measured from the record's own newest id, never from a local clock: otherwise replicas with equal knowledge
 * would differ. The join is commutative, associative and idempotent: whatever order ids come in, those left are the
 * 16 greatest of all within the window of the greatest of all, and an id that is missing was either dropped by rule 1,
 * which the cut tells, or is older than the window, where neither it nor a cut of it counts.
 *
 * A retry whose id is not above the cut, or older than the window, is refused as too late, since nobody can tell whether
 * it was dropped. The node's own clock is not enough for that: one client whose clock is ahead by as much as is allowed
 * moves the window up to the present.
 */
import { readU32 } from '../lib/bytes.js';
import { REMEMBERED_PUT_IDS_MAX, RETRY_WINDOW_S } from '../model/limits.js';
import { PUT_ID_BYTES, compareAt } from './record.js';
import { copyBytes } from './write.js';

export class RememberedIds {
  /** Ids held. */
  count: number = 0;
  /** Seconds of the greatest id dropped by rule 1; 0: none. */
  cut: number = 0;
  readonly #ids: Uint8Array = new Uint8Array(PUT_ID_BYTES * REMEMBERED_PUT_IDS_MAX);

  reset(): void {
    this.count = 0;
    this.cut = 0;
  }

  joinCut(seconds: number): void {
    if (seconds > this.cut) this.cut = seconds;
  }

  addAll(bytes: Uint8Array, ids: number, count: number): void {
    for (let i = 0; i < count; i++) this.add(bytes, ids + PUT_ID_BYTES * i);
  }

  /** Adds one id, and applies rule 1. */
  add(bytes: Uint8Array, at: number): void {
    let place = this.count;
    while (place > 0) {
      const order = compareAt(this.#ids, PUT_ID_BYTES * (place - 1), bytes, at, PUT_ID_BYTES);
      if (order === 0) return;
      if (order < 0) break;
      place -= 1;
    }
    if (this.count < REMEMBERED_PUT_IDS_MAX) {
      const end = PUT_ID_BYTES * this.count;
      if (place < this.count) this.#ids.copyWithin(PUT_ID_BYTES * (place + 1), PUT_ID_BYTES * place, end);
      this.count += 1;
    } else if (place === 0) {
      this.joinCut(readU32(bytes, at));
      return;
    } else {
      this.joinCut(readU32(this.#ids, 0));
      this.#ids.copyWithin(0, PUT_ID_BYTES, PUT_ID_BYTES * place);
      place -= 1;
    }
    copyBytes(bytes, at, PUT_ID_BYTES, this.#ids, PUT_ID_BYTES * place);
  }

  /** Rule 2, once everything has been added. */
  normalise(): void {
    if (this.count === 0) return;
    const oldest = readU32(this.#ids, PUT_ID_BYTES * (this.count - 1)) - RETRY_WINDOW_S;
    if (this.cut < oldest) this.cut = 0;
    let gone = 0;
    while (readU32(this.#ids, PUT_ID_BYTES * gone) < oldest) gone += 1;
    if (gone === 0) return;
    this.#ids.copyWithin(0, PUT_ID_BYTES * gone, PUT_ID_BYTES * this.count);
    this.count -= gone;
  }

  /** Exactly these ids, and this cut? */
  equals(bytes: Uint8Array, ids: number, count: number, cut: number): boolean {
    if (count !== this.count || cut !== this.cut) return false;
    return compareAt(this.#ids, 0, bytes, ids, PUT_ID_BYTES * count) === 0;
  }

  /** Writes the ids at `at`; answers where they end. */
  write(target: Uint8Array, at: number): number {
    copyBytes(this.#ids, 0, PUT_ID_BYTES * this.count, target, at);
    return at + PUT_ID_BYTES * this.count;
  }
}

/** Is the put id `bytes[at…]` among `count` ids that begin at `ids`? The random half is looked at first. */
export function hasPutId(list: Uint8Array, ids: number, count: number, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < count; i++) {
    if (samePutId(list, ids + PUT_ID_BYTES * i, bytes, at)) return true;
  }
  return false;
}

export function samePutId(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): boolean {
  if (readU32(a, aAt + 8) !== readU32(b, bAt + 8)) return false;
  return compareAt(a, aAt, b, bAt, PUT_ID_BYTES - 4) === 0;
}
