import { BufferPool } from '../../src/lib/buffer-pool.js';

/** Spoils what it gets back: if anybody still needed those bytes, a test reads 0xee. */
export class PoisonPool extends BufferPool {
  given: number = 0;
  override give(buffer: Buffer): void {
    buffer.fill(0xee);
    this.given++;
    super.give(buffer);
  }
}
