/*
 * What a writer has seen. A put replaces exactly what its context covers, so a generator that sends none piles up
 * siblings until the server refuses. Each put therefore carries the context of the last reply about its key.
 *
 * Flat pages instead of an object a key: five million keys must not become five million objects in the generator. A
 * thread writes only the keys of its own residue class (source.ts), so contexts are never shared between threads.
 */
import { copyBytes } from '../../src/lib/bytes.js';

const PAGE_KEYS = 1_024;
/** A token with a few actors fits; longer ones live in a map. */
const SLOT_BYTES = 128;

export const CONTEXT_NONE = 0;
/** Not put by us yet, and perhaps by an earlier run: read before the first write, unless it is an insert. */
export const CONTEXT_UNSEEN = -2;
/** A reply came without a context (somebody else wrote too, or an error left the outcome open): read before writing. */
export const CONTEXT_UNKNOWN = -1;

interface Page {
  readonly bytes: Uint8Array;
  /** Length of the context of each key, or one of the three above. */
  readonly lengths: Int32Array;
}

/** What a generator with one thread still knows from its earlier runs against a server. */
export type ContextMemory = Map<string, ContextStore>;

export class ContextStore {
  readonly #threads: number;
  readonly #pages: Page[] = [];
  readonly #long: Map<number, Uint8Array> = new Map();

  constructor(threads: number) {
    this.#threads = threads;
  }

  lengthOf(key: number): number {
    const index = Math.floor(key / this.#threads);
    return this.#pages[Math.floor(index / PAGE_KEYS)]?.lengths[index % PAGE_KEYS] ?? CONTEXT_UNSEEN;
  }

  copyTo(target: Uint8Array, at: number, key: number): void {
    const index = Math.floor(key / this.#threads);
    const page = this.#page(index);
    const length = page.lengths[index % PAGE_KEYS] as number;
    const slot = (index % PAGE_KEYS) * SLOT_BYTES;
    if (length > SLOT_BYTES) target.set(this.#long.get(key) as Uint8Array, at);
    else for (let i = 0; i < length; i++) target[at + i] = page.bytes[slot + i] as number;
  }

  set(key: number, bytes: Uint8Array, start: number, end: number): void {
    const index = Math.floor(key / this.#threads);
    const page = this.#page(index);
    const length = end - start;
    const slot = (index % PAGE_KEYS) * SLOT_BYTES;
    page.lengths[index % PAGE_KEYS] = length;
    if (length > SLOT_BYTES) this.#long.set(key, copyBytes(bytes, start, end));
    else for (let i = 0; i < length; i++) page.bytes[slot + i] = bytes[start + i] as number;
  }

  forget(key: number): void {
    const index = Math.floor(key / this.#threads);
    this.#page(index).lengths[index % PAGE_KEYS] = CONTEXT_UNKNOWN;
  }

  #page(index: number): Page {
    const number = Math.floor(index / PAGE_KEYS);
    const page = this.#pages[number] ?? {
      bytes: new Uint8Array(PAGE_KEYS * SLOT_BYTES),
      lengths: new Int32Array(PAGE_KEYS).fill(CONTEXT_UNSEEN),
    };
    this.#pages[number] = page;
    return page;
  }
}
