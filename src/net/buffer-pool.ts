/*
 * Output buffers, shared by all connections: an idle one holds none, and a turn that answers 64 connections takes 64 and
 * gives them back when the kernel has the bytes. More than a limit are left to the garbage collector.
 */
export const OUTPUT_BUFFER_BYTES = 65_536;
const KEPT_MAX = 256;

export class BufferPool {
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(OUTPUT_BUFFER_BYTES);
  }

  /** Nobody may hold on to any part of the buffer. One of another size was not ours and is left alone. */
  give(buffer: Buffer): void {
    if (buffer.length === OUTPUT_BUFFER_BYTES && this.#free.length < KEPT_MAX) this.#free.push(buffer);
  }

  get free(): number {
    return this.#free.length;
  }
}
