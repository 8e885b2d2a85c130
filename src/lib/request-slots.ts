/*
 * Request ids of one connection, and who waits for each.
 *
 *   id = sequence (16 bits, 1…65535, then round) | slot (16 bits)
 *
 * A reply finds its call by slot, an array index. Two rules keep replies from being mixed up, which is the worst thing
 * a client can do (a driver that withdrew its time-outs for that reason is why we spell them out):
 *   - a call that is given up leaves its slot *reserved* until the late reply comes or the connection ends;
 *   - each use of a slot has a sequence of its own, so a reply that comes twice meets an id that nobody has.
 */
import { assert } from './assert.js';

export const SLOTS_MAX = 65_536;

export class RequestSlots<T extends object> {
  readonly capacity: number;
  readonly #waiting: (T | null)[];
  readonly #ids: Uint32Array;
  readonly #free: Uint32Array;
  #freeCount: number;
  #abandoned: number = 0;

  constructor(capacity: number) {
    assert(Number.isInteger(capacity) && 1 <= capacity && capacity <= SLOTS_MAX, 'slots fit in 16 bits');
    this.capacity = capacity;
    this.#waiting = new Array<T | null>(capacity).fill(null);
    this.#ids = new Uint32Array(capacity);
    this.#free = new Uint32Array(capacity);
    for (let slot = 0; slot < capacity; slot++) {
      this.#free[slot] = capacity - 1 - slot;
      this.#ids[slot] = slot ^ 0xffff; // fits no id, as after settle()
    }
    this.#freeCount = capacity;
  }

  /** Slots that cannot be taken now: calls under way and reserved ones. */
  get taken(): number {
    return this.capacity - this.#freeCount;
  }

  get full(): boolean {
    return this.#freeCount === 0;
  }

  /** Reserved slots, whose callers have gone. */
  get abandoned(): number {
    return this.#abandoned;
  }

  take(who: T): number {
    assert(this.#freeCount > 0, 'a slot is free');
    this.#freeCount -= 1;
    const slot = this.#free[this.#freeCount] as number;
    const sequence = (((this.#ids[slot] as number) >>> 16) % 0xffff) + 1;
    const id = ((sequence << 16) | slot) >>> 0;
    this.#ids[slot] = id;
    this.#waiting[slot] = who;
    return id;
  }

  /** The caller has gone; the id stays reserved. */
  abandon(id: number): void {
    const slot = id & 0xffff;
    assert(this.#ids[slot] === id && this.#waiting[slot] !== null, 'an abandoned id was under way');
    this.#waiting[slot] = null;
    this.#abandoned += 1;
  }

  /**
   * A reply with this id has come, so its slot is free again. Who waits for it; null: nobody any more; undefined: this
   * id is not under way, and a peer that answers what was not asked is not to be believed in anything.
   */
  settle(id: number): T | null | undefined {
    const slot = id & 0xffff;
    if (slot >= this.capacity || this.#ids[slot] !== id) return undefined;
    const who = this.#waiting[slot] ?? null;
    if (who === null && !this.#isReserved(slot)) return undefined;
    if (who === null) this.#abandoned -= 1;
    this.#waiting[slot] = null;
    // The sequence stays, in the upper half; the lower half is made wrong, so that the same id does not fit again.
    this.#ids[slot] = ((id & 0xffff_0000) | (slot ^ 0xffff)) >>> 0;
    this.#free[this.#freeCount] = slot;
    this.#freeCount += 1;
    return who;
  }

  /** Everybody who still waits; their slots are given up with the connection. */
  drain(): T[] {
    const waiting = this.#waiting.filter((who): who is T => who !== null);
    this.#waiting.fill(null);
    return waiting;
  }

  /** An id that fits and has no waiter can only be an abandoned one: settled ids no longer fit. */
  #isReserved(slot: number): boolean {
    return ((this.#ids[slot] as number) & 0xffff) === slot;
  }
}
