/* What a stretch of a partition holds here, told record by record without the records (repair/listing.ts). */
import type { Failure } from '../../model/errors.js';
import type { KeyHash } from '../../model/hash.js';
import type { PartitionId } from '../../model/ids.js';
import { LISTED_MAX, type Stretch } from '../../repair/exchange.js';
import { type Listing, ListingWriter } from '../../repair/listing.js';
import { leafCountOf, leafStart } from '../../repair/merkle.js';
import { hashHeader } from '../../storage/engine-leaves.js';
import { type HashPlace, HASH_END_HI, isBefore, type ScanRequest } from '../../storage/scan.js';
import type { Stored } from '../../storage/storage.js';
import { eachStamp } from '../../versioning/record.js';
import type { Services } from '../services.js';

const BATCH_RECORDS_MAX = 128;
const BATCH_BYTES_MAX = 262_144;

export interface ListingTarget {
  onListing(listing: Listing): void;
  onListingFailed(failure: Failure): void;
}

interface Range {
  readonly from: HashPlace;
  readonly until: HashPlace;
}

export class ListingReader implements ScanRequest {
  readonly partition: PartitionId;
  fromHi: number = 0;
  fromLo: number = 0;
  untilHi: number = 0;
  untilLo: number = 0;
  recordsMax: number = BATCH_RECORDS_MAX;
  readonly bytesMax: number = BATCH_BYTES_MAX;
  readonly #services: Services;
  readonly #target: ListingTarget;
  readonly #ranges: readonly Range[];
  readonly #listing: ListingWriter = new ListingWriter(BATCH_RECORDS_MAX);
  #range = 0;
  #stampMs = 0;
  readonly #note: (wallMs: number) => void = (wallMs) => {
    this.#stampMs = Math.max(this.#stampMs, wallMs);
  };

  constructor(services: Services, partition: PartitionId, stretch: Stretch, target: ListingTarget) {
    this.#services = services;
    this.partition = partition;
    this.#target = target;
    this.#ranges = rangesOf(partition, leafCountOf(services.ring.partitionCount), stretch);
  }

  start(): void {
    const range = this.#ranges[this.#range];
    if (range === undefined) this.#answer(null);
    else this.#scan(range.from);
  }

  onRecord(stored: Stored, _key: Uint8Array, hashHi: number, hashLo: number): void {
    const { bytes, start, end } = stored;
    if (end === start) {
      this.#listing.addDamaged(hashHi, hashLo);
      return;
    }
    const { hash } = this.#services;
    this.#stampMs = 0;
    eachStamp(bytes, start, end, this.#note);
    hashHeader(bytes, start, hash);
    this.#listing.add(hashHi, hashLo, hash.hi, hash.lo, this.#stampMs);
  }

  onEnd(next: HashPlace | null, failure: Failure | null): void {
    if (failure !== null) {
      this.#target.onListingFailed(failure);
      return;
    }
    if (next === null) this.#range += 1;
    const place = next ?? this.#ranges[this.#range]?.from;
    if (place === undefined) this.#answer(null);
    else if (this.#listing.count >= LISTED_MAX) this.#answer(place);
    else this.#scan(place);
  }

  #scan({ hi, lo }: HashPlace): void {
    const { until } = this.#ranges[this.#range] as Range;
    this.fromHi = hi;
    this.fromLo = lo;
    this.untilHi = until.hi;
    this.untilLo = until.lo;
    this.recordsMax = Math.min(BATCH_RECORDS_MAX, LISTED_MAX - this.#listing.count);
    this.#services.storage.scan(this);
  }

  #answer(next: KeyHash | null): void {
    this.#target.onListing({ entries: this.#listing.entries(), next });
  }
}

/** Leaves that lie side by side are one range. */
function rangesOf(partition: number, leafCount: number, { leaves, from }: Stretch): readonly Range[] {
  if (leaves.length === 0) return [{ from, until: { hi: HASH_END_HI, lo: 0 } }];
  const ranges: { from: HashPlace; until: HashPlace }[] = [];
  for (const leaf of leaves) {
    const start = { hi: leafStart(partition, leaf, leafCount), lo: 0 };
    const until = { hi: leafStart(partition, leaf + 1, leafCount), lo: 0 };
    const last = ranges[ranges.length - 1];
    if (!isBefore(from.hi, from.lo, until.hi, until.lo)) continue;
    if (last?.until.hi === start.hi) last.until = until;
    else ranges.push({ from: isBefore(start.hi, 0, from.hi, from.lo) ? from : start, until });
  }
  return ranges;
}
