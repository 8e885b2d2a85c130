/*
 * Two owners in memory that meet by the real session: what each holds is a map from key hash to a set of facts, merging
 * is union, and every question and answer is counted. Answers come later, so that writes may fall in between.
 */
import xxhash from 'xxhash-wasm';
import type { KeyHash } from '../../src/model/hash.js';
import { hash64From } from '../../src/model/hash.js';
import {
  areLeaves,
  areNodes,
  type ExchangeOutcome,
  type ExchangePort,
  ExchangeSession,
  LISTED_MAX,
  type Stretch,
} from '../../src/repair/exchange.js';
import { LISTED_BYTES, type Listing, ListingWriter, type Push } from '../../src/repair/listing.js';
import { encodeChildren, leafIndex, toggleLeaf, WORDS_PER_LEAF } from '../../src/repair/merkle.js';

const HASH = hash64From(await xxhash());

interface Twin {
  readonly hi: number;
  readonly lo: number;
  readonly key: string;
  facts: ReadonlySet<string>;
  stampMs: number;
  damaged: boolean;
}

/** One owner. Keys of one hash are made by naming the hash. */
export class TwinStore {
  readonly leafCount: number;
  readonly records: Map<string, Twin> = new Map();
  readonly leaves: Uint32Array;

  constructor(leafCount: number) {
    this.leafCount = leafCount;
    this.leaves = new Uint32Array(leafCount * WORDS_PER_LEAF);
  }

  merge(place: KeyHash, key: string, facts: Iterable<string>, stampMs: number): void {
    const known = this.records.get(key);
    if (known !== undefined) this.#toggle(known, -1);
    const sound = known?.damaged === false ? known.facts : [];
    const merged = new Set([...sound, ...facts]);
    const record = { ...place, key, facts: merged, stampMs: Math.max(stampMs, known?.stampMs ?? 0), damaged: false };
    this.records.set(key, record);
    this.#toggle(record, 1);
  }

  /** Its leaf does not see it. */
  damage(key: string): void {
    (this.records.get(key) as Twin).damaged = true;
  }

  at({ hi, lo }: KeyHash): readonly Twin[] {
    return [...this.records.values()].filter((record) => record.hi === hi && record.lo === lo);
  }

  list({ leaves, from }: Stretch, recordsMax: number): Listing {
    const wanted = new Set(leaves);
    const inOrder = [...this.records.values()]
      .filter(({ hi, lo }) => hi > from.hi || (hi === from.hi && lo >= from.lo))
      .filter(({ hi }) => wanted.size === 0 || wanted.has(leafIndex(hi, this.leafCount)))
      .sort((a, b) => a.hi - b.hi || a.lo - b.lo);
    const writer = new ListingWriter(inOrder.length);
    let last: Twin | null = null;
    for (const record of inOrder) {
      const isNewHash = last === null || last.hi !== record.hi || last.lo !== record.lo;
      if (isNewHash && writer.count >= recordsMax) return { entries: writer.entries(), next: record };
      last = record;
      if (record.damaged) writer.addDamaged(record.hi, record.lo);
      else {
        headerOf(record);
        writer.add(record.hi, record.lo, HASH.hi, HASH.lo, record.stampMs);
      }
    }
    return { entries: writer.entries(), next: null };
  }

  /** What readers see, for comparing. */
  contents(): string {
    const lines = [...this.records.values()].map(
      ({ key, facts, damaged }) => `${key} ${[...facts].sort().join()} ${damaged}`,
    );
    return lines.sort().join('\n');
  }

  #toggle(record: Twin, change: 1 | -1): void {
    headerOf(record);
    toggleLeaf(this.leaves, leafIndex(record.hi, this.leafCount), HASH.hi, HASH.lo, change);
  }
}

function headerOf({ key, facts }: Twin): void {
  const bytes = Buffer.from(`${key} ${[...facts].sort().join()}`);
  HASH.hash(bytes, 0, bytes.length);
}

export interface Met {
  readonly outcome: ExchangeOutcome;
  /** Questions asked over the wire. */
  readonly messages: number;
  /** Of answers: nodes, listings, and 100 for each record moved. */
  readonly bytes: number;
  /** The most records that one answer told of. */
  readonly listedMax: number;
}

export interface MeetingTerms {
  readonly whole?: boolean;
  readonly settledMs?: number;
  readonly recordsMax?: number;
  /** Called before each answer: whatever else goes on. */
  readonly meanwhile?: (step: number) => void;
  /** The answer with this number never comes. */
  readonly breaksAt?: number;
}

const RECORD_BYTES = 100;

export function meet(own: TwinStore, other: TwinStore, terms: MeetingTerms = {}): Met {
  const { leafCount } = own;
  const later: (() => void)[] = [];
  let outcome: ExchangeOutcome | null = null;
  let messages = 0;
  let bytes = 0;
  let listedMax = 0;
  let steps = 0;
  const soon = (fire: () => void): void => {
    later.push(() => {
      steps += 1;
      if (steps === terms.breaksAt) session.failed('The connection was lost');
      else {
        terms.meanwhile?.(steps);
        fire();
      }
    });
  };
  const recordsMax = terms.recordsMax ?? LISTED_MAX;
  const port: ExchangePort = {
    ownNodes: (level, parents) => encodeChildren(own.leaves, level, parents, HASH),
    askNodes: (level, parents) => {
      if (!areNodes(leafCount, level, parents)) throw new Error('A question that the tree cannot answer');
      messages += 1;
      soon(() => {
        const nodes = encodeChildren(other.leaves, level, parents, HASH);
        bytes += nodes.length;
        session.nodes(nodes);
      });
    },
    list: (stretch) => {
      if (!areLeaves(leafCount, stretch.leaves)) throw new Error('Leaves that cannot be asked about');
      messages += 1;
      soon(() => {
        session.ownListing(own.list(stretch, recordsMax));
      });
      soon(() => {
        const listing = other.list(stretch, recordsMax);
        bytes += listing.entries.length;
        listedMax = Math.max(listedMax, listing.entries.length / LISTED_BYTES);
        session.theirListing(listing);
        listing.entries.fill(0xee); // as the memory of a frame is used again
      });
    },
    pull: (places) => {
      messages += 1;
      soon(() => {
        for (const place of places) {
          for (const { key, facts, stampMs, damaged } of other.at(place)) {
            if (damaged) continue;
            bytes += RECORD_BYTES;
            own.merge(place, key, facts, stampMs);
          }
        }
        session.moved();
      });
    },
    push: (places: readonly Push[]) => {
      messages += 1;
      soon(() => {
        for (const place of places) {
          for (const record of own.at(place)) {
            if (record.damaged || isAmong(record, place.theirs)) continue;
            bytes += RECORD_BYTES;
            other.merge(place, record.key, record.facts, record.stampMs);
          }
        }
        session.moved();
      });
    },
    settledMs: () => terms.settledMs ?? Number.POSITIVE_INFINITY,
    ended: (how) => {
      outcome = how;
    },
  };
  const session = new ExchangeSession({ partition: 0, leafCount, whole: terms.whole ?? false }, port);
  session.start();
  for (let fire = later.shift(); fire !== undefined && outcome === null; fire = later.shift()) fire();
  if (outcome === null) throw new Error('The session waits for nothing');
  return { outcome, messages, bytes, listedMax };
}

function isAmong(record: Twin, headers: readonly number[]): boolean {
  headerOf(record);
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === HASH.hi && headers[i + 1] === HASH.lo) return true;
  return false;
}
