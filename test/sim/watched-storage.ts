/* Stands between a node and its engine, and tells the observer what goes by; observer.ts says what for. */
import { copyBytes, toHex } from '../../src/lib/bytes.js';
import { CompactWrite } from '../../src/node/cluster/reap-writes.js';
import {
  DROP_RECORD,
  type Storage,
  type Stored,
  WAIT_FOR_EARLIER,
  WRITE_NOTHING,
  type WriteRequest,
} from '../../src/storage/storage.js';
import { PassingStorage, PassingWrite } from './mutants/wrappers.js';
import type { Observer, Placed } from './observer.js';
import { textOf } from './tools.js';

/** The writes of one store in the order of its log: one that is durable says so of all before it. */
class WriteOrder {
  readonly #node: number;
  readonly #observer: Observer;
  #written: Placed[] = [];
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
    for (const placed of done) this.#observer.wasMadeDurable(this.#node, placed);
  }

  /** It was kept for others, and they have it. */
  dropped(key: string): void {
    this.#observer.wasDropped(this.#node, key);
  }

  wasThere(key: string, bytes: Uint8Array): Placed {
    return this.#observer.there(this.#node, key, bytes);
  }

  isDurable(placed: Placed): void {
    this.#observer.wasMadeDurable(this.#node, placed);
  }

  wasKnown(putId: string): void {
    this.#observer.isDurable(this.#node, putId);
  }
}

export class WatchedStorage extends PassingStorage {
  readonly #order: WriteOrder;
  readonly #compacts: () => void;

  /** What the store of this node does is told to the observer. */
  constructor(inner: Storage, node: number, observer: Observer) {
    super(inner);
    this.#order = new WriteOrder(node, observer);
    this.#compacts = () => {
      observer.compacts(node);
    };
  }

  override write(request: WriteRequest): void {
    if (request instanceof CompactWrite) this.#compacts();
    super.write(new WatchedWrite(request, this.#order));
  }
}

const NOTHING = new Uint8Array(0);

class WatchedWrite extends PassingWrite {
  readonly #order: WriteOrder;
  /** The record that is replaced. */
  #before: Uint8Array = NOTHING;
  #end = 0;
  /** Its put id, if it had been stored before and nothing was written. */
  #known = '';
  /** The record that is there, if nothing was written. */
  #there: Placed | null = null;

  constructor(inner: WriteRequest, order: WriteOrder) {
    super(inner);
    this.#order = order;
  }

  override decide(stored: Stored): number {
    // Also of a partition that cannot be believed: what is there is there.
    const before = copyBytes(stored.bytes, stored.start, stored.end);
    const size = this.inner.decide(stored);
    if (size === WAIT_FOR_EARLIER) this.#alreadyThere(before);
    else if (size === DROP_RECORD) {
      this.#end = this.#order.end;
      if (this.inner.reaping === undefined) this.#order.dropped(textOf(this.key));
    } else if (size !== WRITE_NOTHING) this.#before = before;
    return size;
  }

  /** Perhaps by an earlier process, whose storage had no time to call it durable: recovery made it so. */
  #alreadyThere(record: Uint8Array): void {
    const { putId } = this.inner as { putId?: unknown };
    this.#end = this.#order.end;
    if (putId instanceof Uint8Array) this.#known = toHex(putId);
    if (record.length > 0) this.#there = this.#order.wasThere(textOf(this.key), record);
  }

  override encode(target: Uint8Array, at: number): void {
    this.inner.encode(target, at);
    this.#order.placed(textOf(this.key), target, at, this.#before);
    this.#end = this.#order.end;
    this.#before = NOTHING;
  }

  override onWritten(durable: boolean): void {
    if (durable) this.#order.durableUntil(this.#end);
    if (durable && this.#known !== '') this.#order.wasKnown(this.#known);
    if (durable && this.#there !== null) this.#order.isDurable(this.#there);
    this.inner.onWritten(durable);
  }
}
