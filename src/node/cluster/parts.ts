/* What the operations of one cluster member share; cluster.ts puts it together. */
import type { NameOf } from '../../coordinator/failures.js';
import type { PeerTable } from '../../coordinator/peer-table.js';
import type { Timers } from '../../env/clock.js';
import type { DeadlineWheel } from '../../lib/deadline-wheel.js';
import type { MergePlan } from '../../versioning/merge.js';
import type { KeyHash } from '../../model/hash.js';
import type { PartitionId } from '../../model/ids.js';
import type { PeerLinks } from '../peers/links.js';
import type { Services } from '../services.js';
import type { ReapStorage } from '../../storage/reap-storage.js';
import type { FenceWatch } from './fence-watch.js';
import type { HintKeeper } from './hint-keeper.js';
import type { ClusterMeters } from './meters.js';
import type { Origins } from './origins.js';
import type { Preferences } from './preferences.js';

/** Sends a stale owner what the answers of a get came to; repairs.ts. */
export interface ReadRepair {
  /** `record` is kept until the repair is over, and must not change. `fence`: the lowest at which any of it was read. */
  send(place: KeyHash & { readonly partition: PartitionId }, record: Uint8Array, node: number, fence: number): void;
}

export interface ClusterParts {
  readonly services: Services;
  /** This node's ordinal. */
  readonly self: number;
  readonly timers: Timers;
  readonly links: PeerLinks;
  readonly table: PeerTable;
  readonly wheel: DeadlineWheel;
  readonly preferences: Preferences;
  readonly origins: Origins;
  readonly hints: HintKeeper;
  readonly reaps: ReapStorage;
  readonly fences: FenceWatch;
  readonly meters: ClusterMeters;
  /** For one synchronous stretch, as those of the services. */
  readonly merge: MergePlan;
  readonly nameOf: NameOf;
  readonly repairs: ReadRepair;
  nowMs(): number;
}

/** How long an answer of a replica is waited for at least: it may come too late for the client, and says that the replica lives. */
const PEER_TIMEOUT_MS_MIN = 1_000;

export function peerTimeoutMs(budgetMs: number): number {
  return Math.max(budgetMs, PEER_TIMEOUT_MS_MIN);
}

/** What a request that names no R or W gets: a majority. */
export function quorumOf(asked: number, replicaCount: number): number {
  return asked > 0 ? asked : Math.floor(replicaCount / 2) + 1;
}
