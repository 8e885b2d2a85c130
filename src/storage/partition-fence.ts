import type { FenceState } from './reap-storage.js';

/** The reap fence of one partition (reap-storage.ts says what the numbers are for). They only grow. */
export class PartitionFence {
  stamp: number = 0;
  floor: number = 0;
  /** In the log, if perhaps not on the disk. */
  raised: number = 0;
  reapedAt: number = 0;
  trimmedAt: number = 0;

  /** There is something to be written. */
  get isRaised(): boolean {
    return this.raised > 0 || this.reapedAt > 0 || this.trimmedAt > 0;
  }

  /** As it is to be written. */
  get state(): FenceState {
    return { fence: this.raised, reapedAt: this.reapedAt, trimmedAt: this.trimmedAt };
  }

  /** It is about to stand in the log. */
  asked({ fence, reapedAt, trimmedAt }: FenceState): void {
    this.raised = Math.max(this.raised, fence);
    this.floor = Math.max(this.floor, fence);
    this.reapedAt = Math.max(this.reapedAt, reapedAt);
    this.trimmedAt = Math.max(this.trimmedAt, trimmedAt);
  }

  /** It was there when the store was opened. */
  restore(state: FenceState): void {
    this.asked(state);
    this.stamp = Math.max(this.stamp, state.fence);
  }

  reaped(fence: number): void {
    this.reapedAt = Math.max(this.reapedAt, fence);
  }

  /** The partition may have lost what it knew: it begins anew, as one that was never told of any reap. */
  forget(): void {
    this.stamp = this.raised = this.floor = this.reapedAt = this.trimmedAt = 0;
  }
}
