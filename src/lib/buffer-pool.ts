/*
 * Buffers for what goes out and for large frames on their way in, shared by all connections: an idle one holds none, and
 * a turn that answers 64 connections takes 64 and gives them back when the kernel has the bytes. There are sizes from
 * 64 KiB to 8 MiB, by powers of two: a frame of 1 MiB must not cost an allocation, since the collector comes late for
 * memory that is not its own, and malloc keeps what was freed in pieces.
 */
export const OUTPUT_BUFFER_BYTES = 65_536;
const CLASSES = 8;
/** Larger ones are made for each taker, and not kept. */
export const POOLED_BYTES_MAX: number = OUTPUT_BUFFER_BYTES << (CLASSES - 1);
const KEPT_BYTES_DEFAULT_MAX = 33_554_432;

export class BufferPool {
  readonly #free: Buffer[][] = Array.from({ length: CLASSES }, () => []);
  readonly #keptBytesMax: number;
  #freeBytes = 0;

  /** `keptBytesMax`: what is kept for the next taker, of all sizes together; more is left to the garbage collector. */
  constructor(keptBytesMax: number = KEPT_BYTES_DEFAULT_MAX) {
    this.#keptBytesMax = keptBytesMax;
  }

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
    if (size < OUTPUT_BUFFER_BYTES || this.#freeBytes + size > this.#keptBytesMax) return;
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
