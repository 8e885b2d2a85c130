/*
 * One meeting of two owners of a partition (§4.7): what differs is found and moved, in both directions. Decides only; the
 * port asks the other owner, reads and writes the store.
 *
 *   tree     root ─▶ children of nodes that differ, 16 each ─▶ … ─▶ leaves that differ
 *   leaves   listings of both (listing.ts) ─▶ hashes that differ
 *   records  pulled and merged here; then what the merge came to is pushed, unless it is what the other had
 *
 * The owner that began does all the deciding: the other one answers questions, each for itself, and keeps nothing of them.
 * So a meeting that breaks off leaves nothing behind. What was moved by then does not differ any more, and the next
 * meeting walks past it by the tree: beginning anew is how it goes on.
 *
 * Only merges move anything, and a merge loses nothing. So it is safe at any moment that both go on writing: the tree, the
 * listings and the records may all be of different times. What looks different because it was written in between is young
 * (listing.ts) and left alone, and whatever is missed is found by the next meeting.
 *
 * The walk is depth first, a few nodes at a time: what is held at once is bounded by the fan-out and the depth, whatever
 * the two differ by.
 *
 * `whole` leaves the tree out and compares all that both hold. A suspect partition is healed so: its tree came out of the
 * same file as its records, and whoever doubts the one cannot believe the other. Nothing is too young then.
 */
import { copyBytes, readU32 } from '../lib/bytes.js';
import type { KeyHash } from '../model/hash.js';
import { compareListings, type Listing, listingFault, type Push } from './listing.js';
import { LEAF_BYTES, leafStart, nodeCount, TREE_FAN_OUT, treeLevels } from './merkle.js';

/** Nodes whose children are asked for in one message: at most 3 KiB of answer. */
export const PARENTS_PER_ASK = 16;
/** Leaves that one message asks about. */
export const LEAVES_PER_ASK: number = PARENTS_PER_ASK * TREE_FAN_OUT;
/** Records of which one listing tells. */
export const LISTED_MAX = 1_024;

/** A piece of a partition: these leaves, or with none named all of it, from this hash on. */
export interface Stretch {
  readonly leaves: readonly number[];
  readonly from: KeyHash;
}

/** What a session wants done. Calls may report back from within. */
export interface ExchangePort {
  /** As merkle.ts's encodeChildren gives it for what is held here. */
  ownNodes(level: number, parents: readonly number[]): Uint8Array;
  /** The same of the other owner. Reports `nodes` or `failed`. */
  askNodes(level: number, parents: readonly number[]): void;
  /** Here, and at the other owner. Reports `ownListing` and `theirListing`, or `failed`. */
  list(stretch: Stretch): void;
  /** Have them sent, and merge them here. Reports `moved` or `failed`. */
  pull(places: readonly KeyHash[]): void;
  /** Send what is here under these hashes, what the other has apart. Reports `moved` or `failed`. */
  push(places: readonly Push[]): void;
  /** Stamps after this are too young to count. */
  settledMs(): number;
  /** Once, last. */
  ended(outcome: ExchangeOutcome): void;
}

export interface ExchangeOutcome {
  /** Null: it went to its end. */
  readonly failure: string | null;
  /** Hashes whose records were asked for, and were sent. */
  readonly pulled: number;
  readonly pushed: number;
  /** That differ and were left alone. */
  readonly young: number;
}

export interface ExchangeTerms {
  readonly partition: number;
  readonly leafCount: number;
  /** Compare everything, however young. */
  readonly whole: boolean;
}

const START: KeyHash = { hi: 0, lo: 0 };
const NONE: readonly number[] = [];

export class ExchangeSession {
  readonly #terms: ExchangeTerms;
  readonly #port: ExchangePort;
  /** Nodes of each level that differ and are still to be looked into; of level 0, leaves. */
  readonly #pending: number[][];
  #asked: { readonly level: number; readonly parents: readonly number[] } | null = null;
  #stretch: Stretch | null = null;
  #own: Listing | null = null;
  #theirs: Listing | null = null;
  #next: KeyHash | null = null;
  #toPush: readonly Push[] = [];
  #moving: 'nothing' | 'in' | 'out' = 'nothing';
  #pulled = 0;
  #pushed = 0;
  #young = 0;
  #ended = false;

  constructor(terms: ExchangeTerms, port: ExchangePort) {
    this.#terms = terms;
    this.#port = port;
    this.#pending = Array.from({ length: treeLevels(terms.leafCount) + 1 }, () => []);
  }

  get pulled(): number {
    return this.#pulled;
  }

  get pushed(): number {
    return this.#pushed;
  }

  start(): void {
    if (this.#terms.whole) this.#compare({ leaves: NONE, from: START });
    else this.#ask(treeLevels(this.#terms.leafCount), NONE);
  }

  /** The other's answer to `askNodes`. */
  nodes(theirs: Uint8Array): void {
    const asked = this.#asked;
    if (asked === null || this.#ended) return;
    this.#asked = null;
    const { level, parents } = asked;
    const own = this.#port.ownNodes(level, parents);
    if (theirs.length !== own.length) {
      this.failed(`It answered with ${theirs.length} bytes of tree, ${own.length} were asked for`);
      return;
    }
    const perParent = parents.length === 0 ? 1 : own.length / LEAF_BYTES / parents.length;
    const found = this.#pending[level] as number[];
    for (let i = 0; i * LEAF_BYTES < own.length; i++) {
      if (isEqualNode(own, theirs, i * LEAF_BYTES)) continue;
      found.push(
        parents.length === 0 ? 0 : (parents[Math.floor(i / perParent)] as number) * TREE_FAN_OUT + (i % perParent),
      );
    }
    this.#goOn();
  }

  ownListing(listing: Listing): void {
    if (this.#stretch === null || this.#ended) return;
    this.#own = listing;
    this.#compareBoth();
  }

  theirListing(listing: Listing): void {
    if (this.#stretch === null || this.#ended) return;
    const fault = listingFault(listing);
    const isBehind = listing.next !== null && earlier(listing.next, this.#stretch.from) === listing.next;
    if (fault !== '' || isBehind) {
      this.failed(`It answered with ${fault === '' ? 'a listing that does not go on' : fault}`);
      return;
    }
    this.#theirs = { entries: copyBytes(listing.entries), next: listing.next }; // those were the frame's
    this.#compareBoth();
  }

  /** What was to be pulled or pushed has been. */
  moved(): void {
    if (this.#ended) return;
    const was = this.#moving;
    this.#moving = 'nothing';
    if (was === 'in') this.#push();
    else this.#afterStretch();
  }

  failed(text: string): void {
    this.#end(text);
  }

  #ask(level: number, parents: readonly number[]): void {
    this.#asked = { level, parents };
    this.#port.askNodes(level, parents);
  }

  /** The deepest that is known to differ comes first. */
  #goOn(): void {
    const leaves = this.#pending[0] as number[];
    if (leaves.length > 0) {
      this.#compare({ leaves: leaves.splice(0, LEAVES_PER_ASK), from: START });
      return;
    }
    const level = this.#pending.findIndex((nodes) => nodes.length > 0);
    if (level < 0) this.#end(null);
    else this.#ask(level - 1, (this.#pending[level] as number[]).splice(0, PARENTS_PER_ASK));
  }

  #compare(stretch: Stretch): void {
    this.#stretch = stretch;
    this.#own = null;
    this.#theirs = null;
    this.#port.list(stretch);
  }

  #compareBoth(): void {
    const own = this.#own;
    const theirs = this.#theirs;
    if (own === null || theirs === null) return;
    this.#next = earlier(own.next, theirs.next);
    const settledMs = this.#terms.whole ? Number.POSITIVE_INFINITY : this.#port.settledMs();
    const { whole } = this.#terms;
    const { pull, push, young } = compareListings(own.entries, theirs.entries, this.#next, settledMs, whole);
    this.#own = null;
    this.#theirs = null;
    this.#young += young;
    this.#toPush = push;
    if (pull.length === 0) {
      this.#push();
      return;
    }
    this.#pulled += pull.length;
    this.#moving = 'in';
    this.#port.pull(pull);
  }

  #push(): void {
    const push = this.#toPush;
    this.#toPush = [];
    if (push.length === 0) {
      this.#afterStretch();
      return;
    }
    this.#pushed += push.length;
    this.#moving = 'out';
    this.#port.push(push);
  }

  #afterStretch(): void {
    const stretch = this.#stretch as Stretch;
    const next = this.#next;
    this.#stretch = null;
    if (next === null) {
      this.#goOn();
      return;
    }
    const { partition, leafCount } = this.#terms;
    const left = stretch.leaves.filter((leaf) => leafStart(partition, leaf + 1, leafCount) > next.hi);
    if (stretch.leaves.length > 0 && left.length === 0) this.#goOn();
    else this.#compare({ leaves: left, from: next });
  }

  #end(failure: string | null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#port.ended({ failure, pulled: this.#pulled, pushed: this.#pushed, young: this.#young });
  }
}

/** Is this question one that the tree can answer? For whoever is asked it. */
export function areNodes(leafCount: number, level: number, parents: readonly number[]): boolean {
  const root = treeLevels(leafCount);
  if (parents.length === 0) return level === root;
  if (level >= root || parents.length > PARENTS_PER_ASK) return false;
  const count = nodeCount(leafCount, level + 1);
  return parents.every((parent) => parent < count);
}

/** Ascending leaves of a partition, not too many. */
export function areLeaves(leafCount: number, leaves: readonly number[]): boolean {
  return leaves.length <= LEAVES_PER_ASK && leaves.every((leaf, i) => leaf < leafCount && leaf > (leaves[i - 1] ?? -1));
}

function isEqualNode(a: Uint8Array, b: Uint8Array, at: number): boolean {
  for (let i = at; i < at + LEAF_BYTES; i += 4) if (readU32(a, i) !== readU32(b, i)) return false;
  return true;
}

function earlier(a: KeyHash | null, b: KeyHash | null): KeyHash | null {
  if (a === null || b === null) return a ?? b;
  return a.hi < b.hi || (a.hi === b.hi && a.lo <= b.lo) ? a : b;
}
