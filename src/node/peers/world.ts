/* What the links of one node share. */
import type { PeerTable } from '../../coordinator/peer-table.js';
import type { Clock, Timers } from '../../env/clock.js';
import type { Log } from '../../env/meter.js';
import type { Random } from '../../env/random.js';
import type { Dialer } from '../../env/transport.js';
import type { BufferPool } from '../../lib/buffer-pool.js';
import type { DeadlineWheel } from '../../lib/deadline-wheel.js';
import type { PeerCredentials } from './credentials.js';
import type { PeerRequestPool } from './request.js';
import type { PeerSettings } from './settings.js';

export interface PeerWorld {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly dialer: Dialer;
  readonly log: Log;
  /** For large frames on their way in. */
  readonly pool: BufferPool;
  readonly wheel: DeadlineWheel;
  readonly table: PeerTable;
  readonly requests: PeerRequestPool;
  readonly credentials: PeerCredentials;
  readonly settings: PeerSettings;
  /** A member has told, and proved, that a newer ring leaves this node out. */
  onRemoved(ringVersion: number): void;
}
