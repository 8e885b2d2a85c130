/*
 * Output buffers, shared by all connections: an idle one holds none, and a turn that answers 64 connections takes 64 and
 * gives them back when the kernel has the bytes. There are sizes from 64 KiB to 8 MiB, by powers of two: a reply of 1 MiB
 * must not cost an allocation, since malloc keeps what was freed in pieces, and a daemon that answers large values for an
 * hour would hold many times what it uses.
 */
export const OUTPUT_BUFFER_BYTES = 65_536;
const CLASSES = 8;
/** What is kept for the next taker, of all sizes together; more is left to the garbage collector. */
const KEPT_BYTES_MAX = 33_554_432;

export class BufferPool {
  readonly #free: Buffer[][] = Array.from({ length: CLASSES }, () => []);
  #freeBytes = 0;

  /** A buffer of at least `size` bytes. */
  take(size: number = OUTPUT_BUFFER_BYTES): Buffer {
    const index = classOf(size);
    const buffer = this.#free[index]?.pop();
    if (buffer === undefined) return Buffer.allocUnsafeSlow(index < CLASSES ? OUTPUT_BUFFER_BYTES << index : size);
    this.#freeBytes -= buffer.length;
    return buffer;
  }

  /** Nobody may hold on to any part of the buffer. One of another size was not ours and is left alone. */
  give(buffer: Buffer): void {
    const size = buffer.length;
    if (size < OUTPUT_BUFFER_BYTES || this.#freeBytes + size > KEPT_BYTES_MAX) return;
    const index = classOf(size);
    if (index >= CLASSES || OUTPUT_BUFFER_BYTES << index !== size) return;
    this.#freeBytes += size;
    this.#free[index]?.push(buffer);
  }

  /** How many are kept. */
  get free(): number {
    return this.#free.reduce((sum, buffers) => sum + buffers.length, 0);
  }
}

/** 0: up to 64 KiB, 1: up to 128 KiB, … */
function classOf(size: number): number {
  return size <= OUTPUT_BUFFER_BYTES ? 0 : Math.ceil(Math.log2(size / OUTPUT_BUFFER_BYTES));
}
