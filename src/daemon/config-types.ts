/*
 * What a node is told when it starts. Everything here has been checked: sizes are bytes, durations are milliseconds,
 * addresses are taken apart, and what was left to us has been filled in from `memoryMax` (memory.ts).
 */
import type { Durability } from '../storage/log-types.js';

export interface Address {
  readonly host: string;
  /** 0: any free port; only for tests and demos. */
  readonly port: number;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface ListenerConfig {
  readonly listen: Address;
  /** What others are told to dial; null: the address that was bound. */
  readonly advertise: Address | null;
}

export interface ClientListenerConfig extends ListenerConfig {
  /** File that holds the token clients must send in Hello; null: none is asked for. */
  readonly tokenFile: string | null;
}

export interface PeerListenerConfig extends ListenerConfig {
  /** File that holds the secret of the cluster; null: this node is a cluster of its own. */
  readonly secretFile: string | null;
  /** Tried while no member can be reached. */
  readonly seeds: readonly Address[];
}

/** Per connection and for all of them together; what is reached is answered by a refusal or by a pause, never by growth. */
export interface ConnectionLimits {
  readonly connectionsMax: number;
  /** From accept to a complete Hello. */
  readonly helloTimeoutMs: number;
  /** From the first byte of a frame to its last. */
  readonly frameTimeoutMs: number;
  /** Without any frame, and nothing under way. */
  readonly idleTimeoutMs: number;
  /** Requests under way. */
  readonly inFlightPerConnection: number;
  readonly inFlightBytesPerConnection: number;
  /** More unsent bytes than this pause the reading of a connection. */
  readonly outputPauseBytes: number;
}

export interface StorageConfig {
  readonly segmentBytes: number;
  /** Log that is not yet in partition files: bounds the time of a restart. */
  readonly logBytesMax: number;
  /** Flushing yields while the p99 of the log's syncs is above this. */
  readonly syncTargetMs: number;
}

/** Owners that compare what they hold (§4.7), and when deletes are forgotten for good. */
export interface RepairConfig {
  /** Every pair of owners of a partition compares what both hold this often. */
  readonly periodMs: number;
  readonly reapAfterMs: number;
  readonly reapLogRetentionMs: number;
}

/** Foreground targets: while one is missed, background work gets less (§6.5). */
export interface BackgroundConfig {
  readonly requestTargetMs: number;
  readonly loopDelayTargetMs: number;
  readonly bytesPerSecondMin: number;
  readonly bytesPerSecondMax: number;
}

export interface ScrubConfig {
  readonly periodMs: number;
  readonly bytesPerSecondMax: number;
}

export interface Config {
  /** Absolute. */
  readonly dataDir: string;
  readonly cluster: string;
  /** Q, for `--init` only: afterwards the ring says. */
  readonly partitions: number;
  readonly durability: Durability;
  readonly memoryMax: number;
  readonly valueBytesMax: number;
  readonly insecureListen: boolean;
  readonly client: ClientListenerConfig;
  readonly peer: PeerListenerConfig;
  /** Path of the unix socket of the admin group. */
  readonly admin: { readonly socket: string };
  readonly log: { readonly level: LogLevel };
  readonly limits: ConnectionLimits;
  readonly storage: StorageConfig;
  readonly repair: RepairConfig;
  readonly background: BackgroundConfig;
  readonly scrub: ScrubConfig;
  /** The shares of `memoryMax`. */
  readonly memory: MemoryShares;
}

export interface MemoryShares {
  readonly writeBufferBytes: number;
  /** Requests and replies under way, of all connections together. */
  readonly inFlightBytes: number;
  readonly connectionBufferBytes: number;
  readonly hotCacheBytes: number;
  /** What V8's old space should be held to; see memory.ts for who can do that. */
  readonly oldSpaceBytes: number;
}

/** Where a setting came from. */
export type OriginKind = 'flag' | 'env' | 'file' | 'default' | 'derived';

export interface Origin {
  readonly kind: OriginKind;
  /** `--client-listen`, `PARTITA_CLIENT_LISTEN`, `/etc/partita/n1.toml:4`, or what it was derived from. */
  readonly from: string;
}

/** By dotted path: `client.listen`. */
export type Origins = ReadonlyMap<string, Origin>;

export interface LoadedConfig {
  readonly config: Config;
  readonly origins: Origins;
  /** Worth a line in the log, not worth a refusal. */
  readonly warnings: readonly string[];
}

/** The configuration cannot be used. One line a fault: what, where, and what to do. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[], options?: ErrorOptions) {
    super(faults.join('\n'), options);
    this.faults = faults;
  }
}
