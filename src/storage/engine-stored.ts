/*
 * The answer of a read, as an object that is used again. A caller may read or write from inside the call that handed it
 * one, so there is a slot for every depth of nesting, and never one a request.
 */
import { assert } from '../lib/assert.js';
import type { Hash64 } from '../model/hash.js';
import { hasMark, MARK_BYTES, markActorHi, markActorLo, markCounter } from './engine-mark.js';
import { type Partition, suspicionText, SUSPICIONS } from './partition.js';
import type { Stored } from './storage.js';
import type { BufferedRecord } from './write-buffer.js';

const NOTHING = new Uint8Array(0);

export class StoredSlot implements Stored {
  state: 'ok' | 'absent' | 'unknown' = 'absent';
  reason: string = '';
  bytes: Uint8Array = NOTHING;
  start: number = 0;
  end: number = 0;
  owned: boolean = false;
  from: 'active' | 'frozen' | 'file' | 'none' = 'none';
  hasMark: boolean = false;
  markActorHi: number = 0;
  markActorLo: number = 0;
  markCounter: number = 0;
  /** The buffer's entry that was found; undefined: none. For the engine alone. */
  entry: BufferedRecord | undefined = undefined;
  /** The file has something under the key that is no good record. For the engine alone. */
  damaged: boolean = false;

  /** There is nothing to drop: not even something that cannot be read. */
  get empty(): boolean {
    return this.end === this.start && !this.damaged;
  }

  moving: boolean = false;

  /** Nothing found, so far. */
  clear(): void {
    this.state = 'absent';
    this.reason = '';
    this.bytes = NOTHING;
    this.start = 0;
    this.end = 0;
    this.owned = false;
    this.from = 'none';
    this.hasMark = false;
    this.markActorHi = 0;
    this.markActorLo = 0;
    this.markCounter = 0;
    this.entry = undefined;
    this.damaged = false;
    this.moving = false;
  }

  fromBuffer(entry: BufferedRecord, from: 'active' | 'frozen', opening: number, hash: Hash64): void {
    this.entry = entry;
    this.from = from;
    if (entry.dropped) return; // absent, and no need to ask further
    this.state = 'ok';
    this.bytes = entry.chunk.bytes;
    this.start = entry.at;
    this.end = entry.at + entry.size;
    this.#takeMark(opening, hash);
  }

  /** A value of the file that was found good before, among others. */
  fromCache(bytes: Uint8Array, start: number, end: number, opening: number, hash: Hash64): void {
    this.from = 'file';
    this.state = 'ok';
    this.bytes = bytes;
    this.start = start;
    this.end = end - MARK_BYTES;
    this.#takeMark(opening, hash);
  }

  /** A value of the file whose record was found good. */
  fromFile(value: Uint8Array, opening: number, hash: Hash64): void {
    this.from = 'file';
    this.state = 'ok';
    this.bytes = value;
    this.end = value.length - MARK_BYTES;
    this.owned = false;
    this.#takeMark(opening, hash);
  }

  /** There is something in the file, and it cannot be believed. */
  fromDamage(reason: string): void {
    this.from = 'file';
    this.state = 'unknown';
    this.reason = reason;
    this.damaged = true;
  }

  /** In a suspect partition even a good record may be the older of two. */
  doubt({ suspicion, marksHold, moving }: Pick<Partition, 'suspicion' | 'marksHold' | 'moving'>): void {
    this.moving = moving;
    if (!marksHold) this.hasMark = false;
    if (suspicion === SUSPICIONS.none) return;
    if (this.state !== 'unknown') this.reason = suspicionText(suspicion);
    this.state = 'unknown';
  }

  #takeMark(opening: number, hash: Hash64): void {
    this.hasMark = hasMark(this.bytes, this.end, opening, hash);
    if (!this.hasMark) return;
    this.markActorHi = markActorHi(this.bytes, this.end);
    this.markActorLo = markActorLo(this.bytes, this.end);
    this.markCounter = markCounter(this.bytes, this.end);
  }
}

/** Taken and given back like a stack. */
export class StoredSlots {
  readonly #slots: StoredSlot[] = [new StoredSlot()];
  #depth = 0;

  take(): StoredSlot {
    let slot = this.#slots[this.#depth];
    if (slot === undefined) {
      slot = new StoredSlot();
      this.#slots.push(slot);
    }
    this.#depth += 1;
    slot.clear();
    return slot;
  }

  give(slot: StoredSlot): void {
    this.#depth -= 1;
    assert(this.#slots[this.#depth] === slot, 'slots are given back in reverse order');
    slot.bytes = NOTHING;
    slot.entry = undefined;
  }
}
