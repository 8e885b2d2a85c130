/*
 * merge(a, b): what a replica that holds `a` holds after it heard of `b` (§4.4; DVV sets).
 *
 *   siblings         those that both have, and those that one has and the other's context does not cover
 *   context          join
 *   remembered ids   join (remembered.ts)
 *
 * Nothing else: commutative, associative, idempotent, so that any message may arrive late, twice or in any order, and all
 * replicas end with the same bytes. A rule that hides a sibling for any other reason (put ids, expiry) belongs in view.ts:
 * in here it would leave replicas different for ever under equal contexts.
 *
 * Should one dot ever name two versions, the greater bytes are kept. That cannot save both, but it keeps the laws, and
 * `collisions` tells.
 *
 * In two steps: `plan` reads both records in place and knows the size, `encode` writes the result once, straight into an
 * arena. One object serves for ever; between the steps the records must stay as they are.
 */
import { assert } from '../lib/assert.js';
import { CONTEXT_ENTRIES_MAX } from '../model/limits.js';
import type { Hash64 } from '../model/hash.js';
import { ContextJoin } from './context-join.js';
import {
  CHECKSUM_BYTES,
  CONTEXT_ENTRY_BYTES,
  DOT_BYTES,
  PUT_ID_BYTES,
  RECORD_BYTES_MAX,
  RECORD_FIXED_BYTES,
  RECORD_SIBLINGS_MAX,
  SIBLING_HEADER_BYTES,
  compareAt,
  contextCount,
  contextStart,
  covers,
  cutSeconds,
  recordBytes,
  recordHeaderEnd,
  recordKeyEnd,
  recordKeyStart,
  rememberedCount,
  rememberedStart,
  siblingCount,
  siblingValueBytes,
  siblingsStart,
} from './record.js';
import { RememberedIds } from './remembered.js';
import { copyBytes, seal, writeRecordFixed } from './write.js';

/**
 * `same-as-a`, `same-as-b`: the result is that record, byte for byte, so there is nothing to write (both: `same-as-a`).
 * `too-large`: no record can hold it (4,096 actors, 65,535 siblings, 4 GiB); both stay as they are.
 */
export type MergeOutcome = 'same-as-a' | 'same-as-b' | 'new' | 'too-large';

export class MergePlan {
  outcome: MergeOutcome = 'same-as-a';
  /** Bytes of the result. */
  size: number = 0;
  /** Siblings of the result. */
  siblings: number = 0;
  /** Dots that named two versions: never above 0 unless a store forgot what it had minted. */
  collisions: number = 0;

  readonly #join: ContextJoin = new ContextJoin();
  readonly #remembered: RememberedIds = new RememberedIds();
  readonly #a: MergeSide = new MergeSide();
  readonly #b: MergeSide = new MergeSide();
  /** Of each sibling kept: where its header is (below 0: -1 - that, in `b`), and where its value is. */
  #picks: Float64Array = new Float64Array(2 * 16);
  #valueBytes = 0;

  /** Both records have been checked (checkRecord), and are of one key. */
  plan(a: Uint8Array, aStart: number, b: Uint8Array, bStart: number): MergeOutcome {
    this.collisions = 0;
    this.#a.open(a, aStart);
    this.#b.open(b, bStart);
    assert(sameKey(a, aStart, b, bStart), 'records that are merged have one key');
    if (sameRecord(a, aStart, b, bStart)) {
      this.size = recordBytes(a, aStart);
      this.siblings = this.#a.siblings;
      return (this.outcome = 'same-as-a');
    }
    this.#join.measure(a, this.#a.entries, this.#a.entryCount, b, this.#b.entries, this.#b.entryCount);
    this.#joinRemembered();
    this.#pickSiblings();
    this.size =
      recordKeyEnd(a, aStart) -
      aStart +
      CONTEXT_ENTRY_BYTES * this.#join.count +
      SIBLING_HEADER_BYTES * this.siblings +
      PUT_ID_BYTES * this.#remembered.count +
      this.#valueBytes +
      CHECKSUM_BYTES;
    this.outcome = this.#judge();
    return this.outcome;
  }

  /** Writes `size` bytes at `at`; only after a plan that said `new`. */
  encode(target: Uint8Array, at: number, hash: Hash64): void {
    assert(this.outcome === 'new', 'only a new record is written');
    const { bytes: a, start } = this.#a;
    const keyBytes = recordKeyEnd(a, start) - recordKeyStart(start);
    const remembered = this.#remembered;
    writeRecordFixed(
      target,
      at,
      keyBytes,
      this.size,
      this.#join.count,
      this.siblings,
      remembered.count,
      remembered.cut,
    );
    copyBytes(a, recordKeyStart(start), keyBytes, target, at + RECORD_FIXED_BYTES);
    let header = this.#join.write(target, at + RECORD_FIXED_BYTES + keyBytes);
    let value = remembered.write(target, header + SIBLING_HEADER_BYTES * this.siblings);
    for (let i = 0; i < this.siblings; i++) {
      const pick = this.#picks[2 * i] as number;
      const source = pick < 0 ? this.#b.bytes : a;
      const from = pick < 0 ? -1 - pick : pick;
      const valueBytes = siblingValueBytes(source, from);
      copyBytes(source, from, SIBLING_HEADER_BYTES, target, header);
      copyBytes(source, this.#picks[2 * i + 1] as number, valueBytes, target, value);
      header += SIBLING_HEADER_BYTES;
      value += valueBytes;
    }
    seal(target, at, this.size, hash);
  }

  #joinRemembered(): void {
    const remembered = this.#remembered;
    remembered.reset();
    remembered.addAll(this.#a.bytes, this.#a.ids, this.#a.idCount);
    remembered.addAll(this.#b.bytes, this.#b.ids, this.#b.idCount);
    remembered.joinCut(Math.max(this.#a.cut, this.#b.cut));
    remembered.normalise();
  }

  #pickSiblings(): void {
    const a = this.#a;
    const b = this.#b;
    this.siblings = 0;
    this.#valueBytes = 0;
    a.picked = 0;
    b.picked = 0;
    while (a.hasNext || b.hasNext) {
      let order = -1;
      if (!a.hasNext) order = 1;
      else if (b.hasNext) order = compareAt(a.bytes, a.header, b.bytes, b.header, DOT_BYTES);
      if (order === 0) {
        this.#pickCommon();
      } else if (order < 0) {
        if (!covers(b.bytes, b.entries, b.entryCount, a.bytes, a.header)) this.#pick(a);
      } else if (!covers(a.bytes, a.entries, a.entryCount, b.bytes, b.header)) {
        this.#pick(b);
      }
      if (order <= 0) a.advance();
      if (order >= 0) b.advance();
    }
  }

  /** One dot on both sides: one version, or else the greater bytes; only the side that loses is changed by that. */
  #pickCommon(): void {
    const order = compareVersions(this.#a, this.#b);
    this.#pick(order >= 0 ? this.#a : this.#b);
    if (order === 0) this.#b.picked += 1;
    else this.collisions += 1;
  }

  #pick(side: MergeSide): void {
    if (2 * this.siblings === this.#picks.length) {
      const larger = new Float64Array(4 * this.siblings);
      larger.set(this.#picks);
      this.#picks = larger;
    }
    this.#picks[2 * this.siblings] = side === this.#a ? side.header : -1 - side.header;
    this.#picks[2 * this.siblings + 1] = side.value;
    this.siblings += 1;
    this.#valueBytes += siblingValueBytes(side.bytes, side.header);
    side.picked += 1;
  }

  #judge(): MergeOutcome {
    if (this.#join.sameAsA && this.#isWhole(this.#a)) return 'same-as-a';
    if (this.#join.sameAsB && this.#isWhole(this.#b)) return 'same-as-b';
    const fits =
      this.#join.count <= CONTEXT_ENTRIES_MAX && this.siblings <= RECORD_SIBLINGS_MAX && this.size <= RECORD_BYTES_MAX;
    return fits ? 'new' : 'too-large';
  }

  /** The result's siblings and remembered ids are exactly this side's. */
  #isWhole(side: MergeSide): boolean {
    if (this.siblings !== side.siblings || side.picked !== side.siblings) return false;
    return this.#remembered.equals(side.bytes, side.ids, side.idCount, side.cut);
  }
}

/** One of the two records, and how far its siblings have been walked. */
class MergeSide {
  bytes: Uint8Array = new Uint8Array(0);
  start: number = 0;
  entries: number = 0;
  entryCount: number = 0;
  siblings: number = 0;
  ids: number = 0;
  idCount: number = 0;
  cut: number = 0;
  /** How many of its siblings the result has. */
  picked: number = 0;
  /** The sibling under the walk: its header and its value. */
  header: number = 0;
  value: number = 0;

  open(bytes: Uint8Array, start: number): void {
    this.bytes = bytes;
    this.start = start;
    this.entries = contextStart(bytes, start);
    this.entryCount = contextCount(bytes, start);
    this.siblings = siblingCount(bytes, start);
    this.ids = rememberedStart(bytes, start);
    this.idCount = rememberedCount(bytes, start);
    this.cut = cutSeconds(bytes, start);
    this.header = siblingsStart(bytes, start);
    this.value = recordHeaderEnd(bytes, start);
  }

  get hasNext(): boolean {
    return this.header < this.ids;
  }

  advance(): void {
    this.value += siblingValueBytes(this.bytes, this.header);
    this.header += SIBLING_HEADER_BYTES;
  }
}

function sameKey(a: Uint8Array, aStart: number, b: Uint8Array, bStart: number): boolean {
  const size = recordKeyEnd(a, aStart) - recordKeyStart(aStart);
  if (size !== recordKeyEnd(b, bStart) - recordKeyStart(bStart)) return false;
  return compareAt(a, recordKeyStart(aStart), b, recordKeyStart(bStart), size) === 0;
}

/** Equal checksums alone would do against chance; the headers are compared as well, the values are not. */
function sameRecord(a: Uint8Array, aStart: number, b: Uint8Array, bStart: number): boolean {
  const size = recordBytes(a, aStart);
  if (size !== recordBytes(b, bStart)) return false;
  const end = size - CHECKSUM_BYTES;
  if (compareAt(a, aStart + end, b, bStart + end, CHECKSUM_BYTES) !== 0) return false;
  return compareAt(a, aStart, b, bStart, recordHeaderEnd(a, aStart) - aStart) === 0;
}

function compareVersions(a: MergeSide, b: MergeSide): number {
  const order = compareAt(a.bytes, a.header, b.bytes, b.header, SIBLING_HEADER_BYTES);
  if (order !== 0) return order;
  return compareAt(a.bytes, a.value, b.bytes, b.value, siblingValueBytes(a.bytes, a.header));
}
