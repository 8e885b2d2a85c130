/*
 * Records by key hash, many at a time: for who sends what another owner lacks.
 *
 * Each is a scan of one hash, unless the hashes asked for lie side by side, as they do where a whole stretch is missing:
 * then a scan takes more and more of them at once. What it goes past in vain makes it careful again.
 */
import type { Failure } from '../../model/errors.js';
import type { KeyHash } from '../../model/hash.js';
import type { PartitionId } from '../../model/ids.js';
import { type HashPlace, HASH_END_HI, type ScanRequest } from '../../storage/scan.js';
import type { Storage, Stored } from '../../storage/storage.js';

const RECORDS_AT_ONCE_MAX = 64;

export interface PlaceTarget {
  /** What is found under the `index`-th hash; pooled. None, one, or several of one hash. */
  onFound(index: number, stored: Stored): void;
  /** Once, last: the first so many hashes have been answered, at least one of them if nothing failed. */
  onPlacesEnd(answered: number, failure: Failure | null): void;
}

export class PlaceReader implements ScanRequest {
  readonly partition: PartitionId;
  fromHi: number = 0;
  fromLo: number = 0;
  untilHi: number = 0;
  untilLo: number = 0;
  recordsMax: number = 1;
  bytesMax: number;
  readonly #storage: Storage;
  readonly #places: readonly KeyHash[];
  readonly #target: PlaceTarget;
  #index = 0;
  #seen = 0;
  #wanted = 0;

  /** `places` ascend. Ends early when what was found comes to `bytesMax`. */
  constructor(
    storage: Storage,
    partition: PartitionId,
    places: readonly KeyHash[],
    bytesMax: number,
    target: PlaceTarget,
  ) {
    this.#storage = storage;
    this.partition = partition;
    this.#places = places;
    this.bytesMax = bytesMax;
    this.#target = target;
  }

  start(): void {
    const place = this.#places[this.#index];
    if (place === undefined || this.bytesMax <= 0) {
      this.#target.onPlacesEnd(this.#index, null);
      return;
    }
    const last = this.recordsMax === 1 ? place : (this.#places[this.#places.length - 1] as KeyHash);
    const end = after(last);
    this.fromHi = place.hi;
    this.fromLo = place.lo;
    this.untilHi = end.hi;
    this.untilLo = end.lo;
    this.#seen = 0;
    this.#wanted = 0;
    this.#storage.scan(this);
  }

  onRecord(stored: Stored, _key: Uint8Array, hashHi: number, hashLo: number): void {
    this.#seen += 1;
    while (this.#isBehind(hashHi, hashLo)) this.#index += 1;
    const place = this.#places[this.#index];
    if (place === undefined || place.hi !== hashHi || place.lo !== hashLo) return;
    this.#wanted += 1;
    this.bytesMax -= stored.end - stored.start;
    this.#target.onFound(this.#index, stored);
  }

  onEnd(next: HashPlace | null, failure: Failure | null): void {
    if (failure !== null) {
      this.#target.onPlacesEnd(this.#index, failure);
      return;
    }
    if (this.recordsMax === 1) this.#index += 1;
    else if (next === null) this.#index = this.#places.length;
    else while (this.#isBehind(next.hi, next.lo)) this.#index += 1;
    const isDense = this.#wanted * 2 > this.#seen;
    this.recordsMax = isDense ? Math.min(RECORDS_AT_ONCE_MAX, 2 * this.recordsMax) : 1;
    this.start();
  }

  /** The present place lies before this hash: nothing more comes of it. */
  #isBehind(hi: number, lo: number): boolean {
    const place = this.#places[this.#index];
    return place !== undefined && (place.hi < hi || (place.hi === hi && place.lo < lo));
  }
}

/** The hash that follows. */
function after({ hi, lo }: KeyHash): HashPlace {
  if (lo < 0xffff_ffff) return { hi, lo: lo + 1 };
  return hi < 0xffff_ffff ? { hi: hi + 1, lo: 0 } : { hi: HASH_END_HI, lo: 0 };
}
