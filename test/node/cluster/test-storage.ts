import type { Failure } from '../../../src/model/errors.js';
import type { WriteRequest } from '../../../src/storage/storage.js';
import { MemoryStorage } from '../../support/memory-storage.js';

/** A store that can be told to refuse. */
export class TestStorage extends MemoryStorage {
  refusal: Failure | null = null;
  /** Something that happens once, just before a partition is dropped as a whole. */
  beforeDrop: (() => void) | null = null;

  override dropPartition(
    partition: number,
    mayGo: () => boolean,
    done: (error: Error | null, isGone?: boolean) => void,
  ): void {
    const { beforeDrop } = this;
    this.beforeDrop = null;
    beforeDrop?.();
    super.dropPartition(partition, mayGo, done);
  }

  override write(request: WriteRequest): void {
    if (this.refusal !== null) request.onRefused(this.refusal);
    else super.write(request);
  }
}
