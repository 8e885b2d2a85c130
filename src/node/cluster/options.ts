import type { KeyedDigest } from '../../env/digest.js';
import type { Dialer } from '../../env/transport.js';
import type { RingDocument } from '../../ring/document.js';
import type { ReapRules } from '../../repair/reap-rules.js';
import type { ReapStorage } from '../../storage/reap-storage.js';
import type { HintStorage } from '../../storage/hint-storage.js';
import type { Disk } from '../../env/disk.js';
import type { MoveStorage, PartitionDrops } from '../../storage/move-storage.js';
import type { ReplicaStorage } from '../../storage/replica-storage.js';
import type { RingKeeper } from './membership.js';
import type { AcceptorStore } from './ring-log.js';
import type { NotesStore } from './ring-notes.js';

/** What a member of a ring needs beside its store. */
export interface ClusterOptions {
  /** All members know it, and prove that to each other; at least 16 bytes. */
  readonly secret: Uint8Array;
  /** Nobody else knows the secret: this node is the only one of its ring, and is joined by none. Default: no. */
  readonly isLone?: boolean;
  readonly digest: KeyedDigest;
  /** To the other members, at their peer addresses. */
  readonly dialer: Dialer;
  /** Peer addresses at which somebody of this cluster may be, wherever the ring says that its members are. */
  readonly seeds?: readonly string[];
  /** Of the same store as the records. */
  readonly hints: HintStorage;
  readonly replicas: ReplicaStorage;
  readonly drops: PartitionDrops;
  /** Every pair of owners of a partition compares what both hold so often. */
  readonly repairPeriodMs: number;
  /** Of the same store. */
  readonly reaps: ReapStorage;
  readonly reaping: ReapingOptions;
  /** What this node's vote on rings rests on; a text: why it has none. */
  readonly acceptor: AcceptorStore | string;
  /** Of the same store: partition files as units. Absent: partitions move record by record. */
  readonly files?: { readonly moves: MoveStorage; readonly disk: Disk };
  /** Where newer rings are kept. */
  readonly rings: RingKeeper;
  /** Where notes about changes of the ring are kept. Absent: they are forgotten with the process. */
  readonly notes?: NotesStore;
  /** From now on this ring is in force here. */
  readonly onRing?: (ring: RingDocument) => void;
  /** This node was removed, or has left: it is to be stopped, and must not serve again. */
  readonly onRemoved: (ringVersion: number) => void;
}

/** When deletes are forgotten for good. */
export interface ReapingOptions extends ReapRules {
  /** How long after one look at all keys the next begins. */
  readonly lookEveryMs: number;
  /** A record that lives is compacted if so many of its actors have no living version, or if it holds deletes. */
  readonly compactActorsMin: number;
  /** How long it is remembered what was reaped. */
  readonly logRetentionMs: number;
}
