/*
 * Hears of what goes by between a node and its engine (watched-storage.ts) and writes it down: which versions appear in
 * which store, when they are durable, and whether a record ever forgets what it knew. It changes nothing. Bugs that are
 * planted into storage stand between the node and the observer, so it sees what they do.
 */
import { readU32, readU48 } from '../../src/lib/bytes.js';
import {
  actorHi,
  contextCount,
  contextStart,
  counterIn,
  DOT_BYTES,
  PUT_ID_BYTES,
  SIBLING_HEADER_BYTES,
  SIBLING_PUT_ID,
  siblingCount,
  siblingLogical,
  siblingsStart,
  siblingWallMs,
} from '../../src/versioning/record.js';
import { forgotten } from './checkers/context-growth.js';
import type { Minted } from './evidence.js';
import { hexOf, latin1Of } from './tools.js';
import type { Violation } from './violation.js';

/** Which node it is now, and in which of its lives. */
export interface StoreIdentity {
  readonly node: number;
  readonly incarnation: number;
  /** A disk that was lost or rolled back begins another. */
  readonly life: number;
}

/** A version, and its dot in the form in which contexts are asked for it. */
interface Known {
  readonly version: Minted;
  readonly hi: number;
  readonly lo: number;
  readonly counter: number;
}

/** What one store was seen to have under its keys. */
class StoreView {
  /** Versions that it does not hold durably, neither themselves nor in a record that knows of them. */
  readonly missing: Map<string, Known[]> = new Map();
  /** When something of a key was destroyed or dropped last. */
  readonly goneMs: Map<string, number> = new Map();
}

const EVERY_KEY = '';

/** What a record brings to a store, once it is durable. */
export interface Placed {
  readonly key: string;
  readonly atMs: number;
  readonly siblings: readonly Minted[];
  /** Of those that the store did not hold: all that the record's context covers. */
  readonly covered: readonly Known[];
}

export class Observer {
  readonly minted: Minted[] = [];
  readonly durable: Map<string, Map<number, number>> = new Map();
  readonly violations: Violation[] = [];
  readonly compactions: { readonly node: number; readonly atMs: number }[] = [];
  /** Put id → nodes that have it, or what replaced it, on a disk that was not destroyed since. */
  readonly held: Map<string, Set<number>> = new Map();
  /** Key → dot and put id, as they are in a record → the version. */
  readonly #seen: Map<string, Map<string, Minted>> = new Map();
  readonly #byKey: Map<string, Known[]> = new Map();
  readonly #stores: Map<number, StoreView> = new Map();
  readonly #nowMs: () => number;
  readonly #identityOf: (ordinal: number) => StoreIdentity | undefined;

  /** `identityOf`: the node with this ordinal, as it is now. */
  constructor(nowMs: () => number, identityOf: (ordinal: number) => StoreIdentity | undefined) {
    this.#nowMs = nowMs;
    this.#identityOf = identityOf;
  }

  /** The node was told to free a record of what is over in it. */
  compacts(node: number): void {
    this.compactions.push({ node, atMs: this.#nowMs() });
  }

  /** A record is about to take the place of another. */
  placed(node: number, key: string, bytes: Uint8Array, at: number, before: Uint8Array): Placed {
    if (before.length > 0) {
      const lost = forgotten(before, 0, bytes, at);
      if (lost !== '') this.violations.push({ checker: 'context-growth', key, text: `node ${node} forgot ${lost}` });
    }
    const siblings: Minted[] = [];
    const first = siblingsStart(bytes, at);
    for (let i = 0; i < siblingCount(bytes, at); i++) {
      siblings.push(this.#version(node, key, bytes, first + SIBLING_HEADER_BYTES * i));
    }
    return { key, atMs: this.#nowMs(), siblings, covered: this.#covered(node, key, bytes, at) };
  }

  /** A record that is there already, of this process or of one before. */
  there(node: number, key: string, bytes: Uint8Array): Placed {
    return { key, atMs: this.#nowMs(), siblings: [], covered: this.#covered(node, key, bytes, 0) };
  }

  /** Of the versions that the store does not hold yet: those that this record of it knows. */
  #covered(node: number, key: string, bytes: Uint8Array, at: number): readonly Known[] {
    const entries = contextStart(bytes, at);
    const count = contextCount(bytes, at);
    return this.#missing(node, key).filter(
      ({ hi, lo, counter }) => counterIn(bytes, entries, count, hi, lo) >= counter,
    );
  }

  wasMadeDurable(node: number, { key, atMs, siblings, covered }: Placed): void {
    const nowMs = this.#nowMs();
    for (const version of siblings) {
      // What another store keeps says nothing of what the minting node will remember.
      if (version.ordinal === node + 1) version.durableMs = Math.min(version.durableMs, nowMs);
      this.isDurable(node, version.putId);
    }
    for (const { version } of covered) this.isDurable(node, version.putId);
    // What was destroyed in between stays so, though its log entry is durable only now: the log is not read for it again.
    if (covered.length === 0 || atMs <= this.#goneMs(node, key)) return;
    const store = this.#store(node);
    store.missing.set(
      key,
      this.#missing(node, key).filter((known) => !covered.includes(known)),
    );
    for (const { version } of covered) this.#isHeld(node, version.putId);
  }

  isDurable(node: number, putId: string): void {
    let nodes = this.durable.get(putId);
    if (nodes === undefined) {
      nodes = new Map();
      this.durable.set(putId, nodes);
    }
    if (!nodes.has(node)) nodes.set(node, this.#nowMs());
  }

  #isHeld(node: number, putId: string): void {
    const holders = this.held.get(putId);
    if (holders === undefined) this.held.set(putId, new Set([node]));
    else holders.add(node);
  }

  /** What the node's disk had under the key, or under all of them, is gone, or may be. */
  wasDestroyed(node: number, key: string | null): void {
    this.#store(node).goneMs.set(key ?? EVERY_KEY, this.#nowMs());
    for (const [known, versions] of this.#byKey) {
      if (key !== null && key !== known) continue;
      this.#store(node).missing.set(known, [...versions]);
      for (const { version } of versions) this.held.get(version.putId)?.delete(node);
    }
  }

  /** Nothing was destroyed, but what others lose from now on is not here any more. */
  wasDropped(node: number, key: string): void {
    const versions = this.#byKey.get(key) ?? [];
    this.#store(node).missing.set(key, [...versions]);
    this.#store(node).goneMs.set(key, this.#nowMs()); // what was placed before may be said to be durable only now
    for (const { version } of versions) this.held.get(version.putId)?.delete(node);
  }

  #goneMs(node: number, key: string): number {
    const { goneMs } = this.#store(node);
    return Math.max(goneMs.get(key) ?? -1, goneMs.get(EVERY_KEY) ?? -1);
  }

  #store(node: number): StoreView {
    let store = this.#stores.get(node);
    if (store === undefined) {
      store = new StoreView();
      this.#stores.set(node, store);
    }
    return store;
  }

  #missing(node: number, key: string): Known[] {
    const { missing } = this.#store(node);
    let versions = missing.get(key);
    if (versions === undefined) {
      versions = [...(this.#byKey.get(key) ?? [])];
      missing.set(key, versions);
    }
    return versions;
  }

  #seenOf(key: string): Map<string, Minted> {
    let seen = this.#seen.get(key);
    if (seen === undefined) {
      seen = new Map();
      this.#seen.set(key, seen);
    }
    return seen;
  }

  #version(node: number, key: string, bytes: Uint8Array, header: number): Minted {
    const seenOfKey = this.#seenOf(key);
    const dot = latin1Of(bytes, header, header + DOT_BYTES);
    const id = latin1Of(bytes, header + SIBLING_PUT_ID, header + SIBLING_PUT_ID + PUT_ID_BYTES);
    const seen = seenOfKey.get(dot + id);
    if (seen !== undefined) return seen;
    const name = hexOf(bytes, header, header + DOT_BYTES);
    const putId = hexOf(bytes, header + SIBLING_PUT_ID, header + SIBLING_PUT_ID + PUT_ID_BYTES);
    const ordinal = actorHi(bytes, header) >>> 16;
    const minter = this.#identityOf(ordinal);
    const version: Minted = {
      key,
      dot: name,
      putId,
      node,
      ordinal,
      atMs: this.#nowMs(),
      wallMs: siblingWallMs(bytes, header),
      logical: siblingLogical(bytes, header),
      incarnation: minter?.incarnation ?? 0,
      life: minter?.life ?? 0,
      durableMs: Number.POSITIVE_INFINITY,
    };
    seenOfKey.set(dot + id, version);
    this.minted.push(version);
    const known = {
      version,
      hi: readU32(bytes, header),
      lo: readU32(bytes, header + 4),
      counter: readU48(bytes, header + 8),
    };
    const versions = this.#byKey.get(key);
    if (versions === undefined) this.#byKey.set(key, [known]);
    else versions.push(known);
    for (const { missing } of this.#stores.values()) missing.get(key)?.push(known);
    return version;
  }
}
