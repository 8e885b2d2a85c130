/*
 * Worlds in which planted bugs of replication show soon: small keys, much going on, and faults that the bug needs. What
 * is not said here the seed draws; owners do not meet before the end, since they would make good for most bugs.
 */
import { type EngineShape, type FaultKind, NEVER_MS, type SimOptions, type WorkShape } from '../options.js';

export const ringOf = (
  nodes: number,
  faults: readonly FaultKind[],
  more: Partial<SimOptions> = {},
): Partial<SimOptions> => ({
  nodes,
  cluster: { kind: 'ring', replicaCount: 3, zones: 1, routing: 'ring' },
  partitionCount: 4,
  faults,
  faultEveryMs: 1_000,
  repairPeriodMs: NEVER_MS,
  upgrade: null,
  ...more,
});

/** Owners are away for a while, and come back as they were. */
export const AWAY: readonly FaultKind[] = ['isolate', 'cut-pair', 'flapping', 'pause'];

export const WORK: WorkShape = {
  clients: 4,
  keys: 4,
  thinkMs: 120,
  inFlightMax: 8,
  timeoutMs: 1_000,
  mix: [20, 20, 10, 5, 20, 10, 5],
  largeValues: false,
  durableChance: 0,
  reads: [0],
  writes: [0],
  strictChance: 0,
  ttlChance: 0,
};

/** A sync is made when it is due, or asked for. */
export const LAZY_DISK: EngineShape = {
  durability: { kind: 'interval', ms: 90 },
  logSegmentBytes: 65_536,
  logBytesMax: 1_048_576,
  bufferBytesMax: 4_194_304,
  cacheBytesMax: 0,
  batchOperationsMax: 8,
  restMs: 200,
  coldFiles: false,
  diskDelayMs: 2,
  batchMs: 4,
  workerMs: 3,
};
