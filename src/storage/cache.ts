/*
 * Records that were read from files lately, beside the write buffer: a look-up in LMDB is a third of what a get costs.
 *
 * It holds exactly what the file holds: a value enters when it was just read, was found good, and no buffer has a newer
 * one; a write takes the key out. So it may be asked after the buffer and before the file, and never be wrong.
 *
 * Two generations instead of a list: a hit in the old one moves to the young one; when the young one has half of the
 * bytes, it becomes the old one and what was old is forgotten. No link is touched on a hit, and the bound is exact.
 */

/** What an entry costs beside its value: key string, map slot, Buffer object. */
const ENTRY_BYTES = 200;

export class RecordCache {
  readonly #bytesMax: number;
  #young: Map<string, Uint8Array> = new Map();
  #old: Map<string, Uint8Array> = new Map();
  #youngBytes = 0;

  /** `bytesMax` 0: keeps nothing. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(name: string): Uint8Array | undefined {
    const young = this.#young.get(name);
    if (young !== undefined) return young;
    const old = this.#old.get(name);
    if (old === undefined) return undefined;
    this.#old.delete(name);
    this.put(name, old);
    return old;
  }

  put(name: string, value: Uint8Array): void {
    const bytes = value.length + ENTRY_BYTES;
    if (bytes > this.#bytesMax / 16) return; // one large value is not worth many small ones
    const replaced = this.#young.get(name);
    if (replaced !== undefined) this.#youngBytes -= replaced.length + ENTRY_BYTES;
    this.#old.delete(name);
    this.#young.set(name, value);
    this.#youngBytes += bytes;
    if (this.#youngBytes <= this.#bytesMax / 2) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
  }

  delete(name: string): void {
    const young = this.#young.get(name);
    if (young !== undefined) {
      this.#youngBytes -= young.length + ENTRY_BYTES;
      this.#young.delete(name);
    } else {
      this.#old.delete(name);
    }
  }
}
