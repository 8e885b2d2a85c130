/* What the operations of a member ask about reap fences; fences.ts does it. */
import type { Flow } from '../../lib/flow.js';
import type { FenceMessage, FencesMessage } from '../../model/reap-messages.js';
import type { ReapEntry } from '../../storage/reap-storage.js';

export interface FenceWatch {
  /** Nothing that was reaped can come back from here: it may say yes, and take fences over. */
  isSettled(partition: number): boolean;
  /** It is known to hold what others may have reaped. */
  isBehind(partition: number): boolean;
  /** It is behind; or a record is found, and an owner that is there has not told yet whether that was reaped. */
  hides(partition: number, isFound: boolean): boolean;
  /** Whoever said yes at this fence may have forgotten it. */
  isVoid(partition: number, fence: number): boolean;
  /** Owners that must be heard before the partition is settled. */
  missing(partition: number): readonly number[];
  /** A member has fences that we may lack: after a round that has failed. */
  hear(message: FencesMessage): void;
  /** An answer of `member` was stamped below our fence. */
  tell(member: number, partition: number): void;
  all(): readonly FenceMessage[];
  /** Told that records of the partition are refused below `fence`; `then` comes when ours are stamped so, or will not be. */
  reach(partition: number, fence: number, timeoutMs: number, then: (isReached: boolean) => void): void;
  /** A fence has come to be on the disk. */
  tellWaiters(): void;
  /** A partition that this node is to own: it learns what its owners have forgotten. */
  inherit(partition: number, done: (error: Error | null) => void): void;
  /** What another owner has reaped is reaped here, too. */
  apply(partition: number, entry: ReapEntry): Flow<void>;
}
