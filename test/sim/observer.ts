/*
 * Stands between a node and its engine and writes down what goes by: which versions appear in which store, when they are
 * durable, and whether a record ever forgets what it knew. It changes nothing. Bugs that are planted into storage stand
 * between the node and the observer, so it sees what they do.
 */
import type { Failure } from '../../src/model/errors.js';
import { toHex } from '../../src/lib/bytes.js';
import type { PartitionId } from '../../src/model/ids.js';
import {
  type ReadRequest,
  type Storage,
  type StorageStatus,
  type Stored,
  WAIT_FOR_EARLIER,
  WRITE_NOTHING,
  type WriteRequest,
} from '../../src/storage/storage.js';
import {
  actorHi,
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
import { hexOf, textOf } from './tools.js';
import type { Violation } from './violation.js';

/** Which node it is now, and in which of its lives. */
export interface StoreIdentity {
  readonly node: number;
  readonly incarnation: number;
  /** A disk that was lost or rolled back begins another. */
  readonly life: number;
}

export class Observer {
  readonly minted: Minted[] = [];
  readonly durable: Map<string, Map<number, number>> = new Map();
  readonly violations: Violation[] = [];
  readonly #seen: Map<string, Minted> = new Map();
  readonly #nowMs: () => number;
  readonly #identityOf: (ordinal: number) => StoreIdentity | undefined;

  /** `identityOf`: the node with this ordinal, as it is now. */
  constructor(nowMs: () => number, identityOf: (ordinal: number) => StoreIdentity | undefined) {
    this.#nowMs = nowMs;
    this.#identityOf = identityOf;
  }

  watch(inner: Storage, node: number): Storage {
    return new WatchedStorage(inner, node, this);
  }

  /** A record is about to take the place of another; answers its versions. */
  placed(node: number, key: string, bytes: Uint8Array, at: number, before: Uint8Array): readonly Minted[] {
    if (before.length > 0) {
      const lost = forgotten(before, 0, bytes, at);
      if (lost !== '') this.violations.push({ checker: 'context-growth', key, text: `node ${node} forgot ${lost}` });
    }
    const versions: Minted[] = [];
    const first = siblingsStart(bytes, at);
    for (let i = 0; i < siblingCount(bytes, at); i++) {
      versions.push(this.#version(node, key, bytes, first + SIBLING_HEADER_BYTES * i));
    }
    return versions;
  }

  wasMadeDurable(node: number, versions: readonly Minted[]): void {
    const nowMs = this.#nowMs();
    for (const version of versions) {
      version.durableMs = Math.min(version.durableMs, nowMs);
      this.isDurable(node, version.putId);
    }
  }

  isDurable(node: number, putId: string): void {
    let nodes = this.durable.get(putId);
    if (nodes === undefined) {
      nodes = new Map();
      this.durable.set(putId, nodes);
    }
    if (!nodes.has(node)) nodes.set(node, this.#nowMs());
  }

  #version(node: number, key: string, bytes: Uint8Array, header: number): Minted {
    const name = hexOf(bytes, header, header + DOT_BYTES);
    const putId = hexOf(bytes, header + SIBLING_PUT_ID, header + SIBLING_PUT_ID + PUT_ID_BYTES);
    const known = this.#seen.get(`${key} ${name} ${putId}`);
    if (known !== undefined) return known;
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
    this.#seen.set(`${key} ${name} ${putId}`, version);
    this.minted.push(version);
    return version;
  }
}

/** The writes of one store in the order of its log: one that is durable says so of all before it. */
class WriteOrder {
  readonly #node: number;
  readonly #observer: Observer;
  #written: (readonly Minted[])[] = [];
  #durable = 0;

  constructor(node: number, observer: Observer) {
    this.#node = node;
    this.#observer = observer;
  }

  /** How many writes there are; behind the last one. */
  get end(): number {
    return this.#durable + this.#written.length;
  }

  placed(key: string, bytes: Uint8Array, at: number, before: Uint8Array): void {
    this.#written.push(this.#observer.placed(this.#node, key, bytes, at, before));
  }

  durableUntil(end: number): void {
    const done = this.#written.splice(0, end - this.#durable);
    this.#durable += done.length;
    for (const versions of done) this.#observer.wasMadeDurable(this.#node, versions);
  }

  wasKnown(putId: string): void {
    this.#observer.isDurable(this.#node, putId);
  }
}

class WatchedStorage implements Storage {
  readonly #inner: Storage;
  readonly #order: WriteOrder;

  constructor(inner: Storage, node: number, observer: Observer) {
    this.#inner = inner;
    this.#order = new WriteOrder(node, observer);
  }

  read(request: ReadRequest): void {
    this.#inner.read(request);
  }

  write(request: WriteRequest): void {
    this.#inner.write(new WatchedWrite(request, this.#order));
  }

  status(): StorageStatus {
    return this.#inner.status();
  }

  close(done: (error: Error | null) => void): void {
    this.#inner.close(done);
  }
}

const NOTHING = new Uint8Array(0);

class WatchedWrite implements WriteRequest {
  readonly #inner: WriteRequest;
  readonly #order: WriteOrder;
  /** The record that is replaced. */
  #before: Uint8Array = NOTHING;
  #end = 0;
  /** Its put id, if it had been stored before and nothing was written. */
  #known = '';

  constructor(inner: WriteRequest, order: WriteOrder) {
    this.#inner = inner;
    this.#order = order;
  }

  get partition(): PartitionId {
    return this.#inner.partition;
  }
  get key(): Uint8Array {
    return this.#inner.key;
  }
  get hashHi(): number {
    return this.#inner.hashHi;
  }
  get hashLo(): number {
    return this.#inner.hashLo;
  }
  get durable(): boolean {
    return this.#inner.durable;
  }
  get bytesHint(): number {
    return this.#inner.bytesHint;
  }
  get markActorHi(): number {
    return this.#inner.markActorHi;
  }
  get markActorLo(): number {
    return this.#inner.markActorLo;
  }
  get markCounter(): number {
    return this.#inner.markCounter;
  }

  decide(stored: Stored): number {
    const before = stored.state === 'ok' ? stored.bytes.slice(stored.start, stored.end) : NOTHING;
    const size = this.#inner.decide(stored);
    if (size === WAIT_FOR_EARLIER) this.#alreadyThere();
    else if (size !== WRITE_NOTHING) this.#before = before;
    return size;
  }

  /** Perhaps by an earlier process, whose storage had no time to call it durable: recovery made it so. */
  #alreadyThere(): void {
    const { putId } = this.#inner as { putId?: unknown };
    this.#end = this.#order.end;
    if (putId instanceof Uint8Array) this.#known = toHex(putId);
  }

  encode(target: Uint8Array, at: number): void {
    this.#inner.encode(target, at);
    this.#order.placed(textOf(this.key), target, at, this.#before);
    this.#end = this.#order.end;
    this.#before = NOTHING;
  }

  onWritten(durable: boolean): void {
    if (durable) this.#order.durableUntil(this.#end);
    if (durable && this.#known !== '') this.#order.wasKnown(this.#known);
    this.#inner.onWritten(durable);
  }

  onRefused(failure: Failure): void {
    this.#inner.onRefused(failure);
  }
}
