import type { KeyedDigest } from '../../env/digest.js';
import type { Dialer } from '../../env/transport.js';
import type { HintStorage } from '../../storage/hint-storage.js';
import type { ReplicaStorage } from '../../storage/replica-storage.js';

/** What a member of a ring of several nodes needs beside what every node does. */
export interface ClusterOptions {
  /** All members know it, and prove that to each other; at least 16 bytes. */
  readonly secret: Uint8Array;
  readonly digest: KeyedDigest;
  /** To the other members, at their peer addresses. */
  readonly dialer: Dialer;
  /** Of the same store as the records. */
  readonly hints: HintStorage;
  readonly replicas: ReplicaStorage;
  /** Every pair of owners of a partition compares what both hold so often. */
  readonly repairPeriodMs: number;
}
