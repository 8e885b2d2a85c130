/*
 * What a seed draws before anything happens: how large the cluster, how busy the clients, how bad the world. Every kind
 * of fault is on or off as a whole, so that a run has few kinds often rather than all of them a little (swarm testing:
 * a fault that is always there hides what only its absence lets happen).
 */
import { Prng } from '../../src/lib/prng.js';
import { RETRY_WINDOW_S } from '../../src/model/limits.js';
import type { ReapingOptions } from '../../src/node/cluster/options.js';
import type { NodeSettings } from '../../src/node/settings.js';
import type { Durability } from '../../src/storage/log-types.js';
import type { NetworkShape } from './network.js';
import { between } from './tools.js';
import type { UpgradeShape } from './upgrade.js';

export const FAULT_KINDS = [
  'kill',
  'power',
  'all-down',
  'restart',
  'pause',
  'isolate',
  'one-way',
  'partial',
  'clog',
  'swizzle',
  'slow-link',
  'lossy-link',
  'reset',
  'slow-disk',
  'full-disk',
  'failing-disk',
  'lost-disk',
  'rollback',
  'rot-file',
  'rot-log',
  'clock',
  'client-restart',
] as const;
/** What only several nodes that share keys can suffer from. */
export const RING_FAULT_KINDS = ['quorum-down', 'cut-pair', 'flapping'] as const;
/** Not drawn: for worlds in which deletes are forgotten soon. */
export type AskedFaultKind = 'restore' | 'restore-file';
export type FaultKind = (typeof FAULT_KINDS)[number] | (typeof RING_FAULT_KINDS)[number] | AskedFaultKind;

export interface EngineShape {
  readonly durability: Durability;
  readonly logBytesMax: number;
  readonly logSegmentBytes: number;
  readonly bufferBytesMax: number;
  readonly cacheBytesMax: number;
  readonly batchOperationsMax: number;
  readonly restMs: number;
  /** Every read of a file looks slow, so it goes through the pool. */
  readonly coldFiles: boolean;
  readonly diskDelayMs: number;
  readonly batchMs: number;
  readonly workerMs: number;
}

export interface WorkShape {
  readonly clients: number;
  readonly keys: number;
  /** Mean time between two operations of one client. */
  readonly thinkMs: number;
  /** Operations that one client has under way at most. */
  readonly inFlightMax: number;
  readonly timeoutMs: number;
  /**
   * Weights of get, put, blind put, delete, read-merge-write, late retry, retry of what was acknowledged, and of a delete of
   * all that has just been read, which alone leaves nothing but deletes.
   */
  readonly mix: readonly number[];
  readonly largeValues: boolean;
  /** Puts that ask for an ack after the sync. */
  readonly durableChance: number;
  /** What R and W are drawn from, one for each operation; 0: what the cluster calls a majority. */
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  /** Operations of which only owners count. */
  readonly strictChance: number;
  /** Puts that expire. */
  readonly ttlChance: number;
}

/** `single`: every node is a cluster of its own. `ring`: one ring over all of them. */
export interface ClusterShape {
  readonly kind: 'single' | 'ring';
  /** N. */
  readonly replicaCount: number;
  /** 1: nobody says where it stands. */
  readonly zones: number;
  readonly routing: 'ring' | 'any';
}

export interface SimOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly cluster: ClusterShape;
  readonly partitionCount: number;
  readonly faults: readonly FaultKind[];
  /** Mean time between two faults; Infinity: none. */
  readonly faultEveryMs: number;
  readonly faultsUntilMs: number;
  /** Mean time between two changes of the members; Infinity: they stay. */
  readonly changeEveryMs: number;
  readonly network: NetworkShape;
  readonly engine: EngineShape;
  readonly work: WorkShape;
  /** Every pair of owners compares what both hold so often. */
  readonly repairPeriodMs: number;
  /** Partitions come to their new owners as files; else record by record, and their reap log by itself. */
  readonly movesFiles: boolean;
  /** Owners meet at the end only after every key has been read: then reads have to make good for everything alone. */
  readonly meetsLast: boolean;
  /** How far a machine's clock may be off. */
  readonly skewMaxMs: number;
  /** Each partition is scrubbed once in this time, and all of them at the end; Infinity: nobody asks for that. */
  readonly scrubPeriodMs: number;
  readonly reap: ReapShape;
  /** Null: all nodes are of this build from the start, and the cluster is at its level. */
  readonly upgrade: UpgradeShape | null;
}

/** When deletes are forgotten: as soon as the clocks of a seed allow. */
export interface ReapShape {
  readonly retryWindowS: number;
  /** How far clocks may be set back, or be apart. */
  readonly skewMs: number;
  readonly lookEveryMs: number;
  readonly compactActorsMin: number;
  /** How long it is remembered what was reaped; absent: for longer than any seed lasts. */
  readonly logRetentionMs?: number;
}

/** What a deleted key waits for at least. */
export function reapAfterMs({ retryWindowS, skewMs }: ReapShape): number {
  return 1_000 * retryWindowS + skewMs;
}

export function reapingOf(reap: ReapShape): ReapingOptions {
  const { retryWindowS, skewMs, lookEveryMs, compactActorsMin, logRetentionMs = 86_400_000 } = reap;
  const waits = { retryWindowMs: 1_000 * retryWindowS, skewMs, reapAfterMs: reapAfterMs(reap), lookEveryMs };
  return { ...waits, compactActorsMin, logRetentionMs };
}

export const FAULTS_UNTIL_MS = 40_000;

/** Puts are retried for a second, and the rest is what clocks are apart. */
function reapShape(skewMaxMs: number): ReapShape {
  const skewMs = 2 * skewMaxMs + 100;
  const retryWindowS = Math.min(RETRY_WINDOW_S, 1 + Math.round(skewMs / 1_000));
  return { retryWindowS, skewMs, lookEveryMs: 300, compactActorsMin: 1 };
}

const NETWORKS: readonly NetworkShape[] = [
  { delayMinMs: 0.05, delayMaxMs: 0.5, tailMs: 5, tailChance: 0.01, splitChance: 0.02 },
  { delayMinMs: 0.5, delayMaxMs: 4, tailMs: 50, tailChance: 0.02, splitChance: 0.05 },
  { delayMinMs: 2, delayMaxMs: 60, tailMs: 700, tailChance: 0.02, splitChance: 0.2 },
];

/** The options of a seed; whatever is given instead stays as given. */
export function drawOptions(seed: number, random: Prng, given: Partial<SimOptions> = {}): SimOptions {
  const faults = FAULT_KINDS.filter(() => random.chance(0.4));
  const single: SimOptions = {
    seed,
    nodes: 1 + random.int(5),
    cluster: SINGLE,
    partitionCount: random.pick([4, 16, 16, 64]),
    faults: faults.length > 0 ? faults : ['kill'],
    faultEveryMs: random.pick([400, 1_000, 2_500, 6_000]),
    faultsUntilMs: FAULTS_UNTIL_MS,
    changeEveryMs: Number.POSITIVE_INFINITY,
    network: random.pick(NETWORKS),
    engine: drawEngine(random),
    work: drawWork(random),
    skewMaxMs: random.pick([0, 500, 20_000, 50_000]),
    scrubPeriodMs: Number.POSITIVE_INFINITY,
    repairPeriodMs: NEVER_MS,
    meetsLast: false,
    movesFiles: true,
    reap: reapShape(0),
    upgrade: null,
  };
  const isSingle = random.chance(SINGLE_SHARE); // drawn last: what else a seed draws does not depend on it
  const kind = given.cluster?.kind ?? (isSingle ? 'single' : 'ring');
  const ttlChance = random.pick([0, 0, 0.2, 0.5]); // after all the rest, too
  const drawn = kind === 'single' ? single : { ...single, ...drawRing(single, random, given) };
  const scrubPeriodMs = random.pick(SCRUB_PERIODS);
  const repairPeriodMs = random.pick([4_000, 4_000, 20_000, NEVER_MS]);
  const changeEveryMs = kind === 'single' ? Number.POSITIVE_INFINITY : random.pick(CHANGE_EVERY_MS);
  const upgrade = kind === 'single' || given.faultEveryMs === Number.POSITIVE_INFINITY ? null : drawUpgrade(seed);
  const late = new Prng(seed ^ LATE_BITS);
  const [meetsLast, movesFiles] = [late.chance(MEETS_LAST_SHARE), late.chance(MOVES_FILES_SHARE)];
  const more = { scrubPeriodMs, repairPeriodMs, changeEveryMs, upgrade, meetsLast, movesFiles };
  const all = { ...drawn, work: { ...drawn.work, ttlChance }, ...more, ...given };
  return { ...all, reap: given.reap ?? reapShape(all.skewMaxMs) };
}

/** From bits of its own: what else a seed draws is what it was before there were upgrades. */
function drawUpgrade(seed: number): UpgradeShape | null {
  const random = new Prng(seed ^ UPGRADE_BITS);
  if (!random.chance(UPGRADE_SHARE)) return null;
  return { beginMs: random.int(15_000), everyMs: random.pick([300, 1_000, 3_000]) };
}

const LATE_BITS = 0x3c09_77b1;
const MEETS_LAST_SHARE = 0.4;
const MOVES_FILES_SHARE = 0.8;
const UPGRADE_BITS = 0x5a17_e3d0;
const UPGRADE_SHARE = 0.25;
const CHANGE_EVERY_MS: readonly number[] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 5_000, 10_000, 15_000];
const SCRUB_PERIODS: readonly number[] = [Number.POSITIVE_INFINITY, 5_000, 20_000];

/** Owners meet only when they are told to: what else makes them agree has to do so by itself. */
export const NEVER_MS = 1e9;

/** Every node a cluster of its own. */
export const SINGLE: ClusterShape = { kind: 'single', replicaCount: 1, zones: 1, routing: 'ring' };
const SINGLE_SHARE = 0.2;

/** What is other where all nodes are one cluster. */
function drawRing(single: SimOptions, random: Prng, given: Partial<SimOptions>): Partial<SimOptions> {
  const nodes = given.nodes ?? 3 + random.int(3);
  const replicaCount = given.cluster?.replicaCount ?? random.pick([1, 2, 3, 3, 3, 3, 3, 3]);
  const cluster: ClusterShape = {
    kind: 'ring',
    replicaCount: Math.min(replicaCount, nodes),
    zones: random.pick([1, 1, 2, 3]),
    routing: random.chance(0.8) ? 'ring' : 'any',
  };
  const more = RING_FAULT_KINDS.filter(() => random.chance(0.4));
  const counts = (): readonly number[] =>
    random.pick([[0], [0], [1], Array.from({ length: cluster.replicaCount + 1 }, (_, count) => count)]);
  const quorums = { reads: counts(), writes: counts(), strictChance: random.pick([0, 0, 0.3, 1]) };
  return {
    nodes,
    cluster,
    partitionCount: random.pick([4, 16, 16, 16]),
    faults: [...single.faults, ...more],
    work: { ...single.work, mix: oftenDeleting(single.work.mix), ...quorums },
  };
}

const DELETES_AT = 3;
const DELETES_MIN = 20;

function oftenDeleting(mix: readonly number[]): readonly number[] {
  return mix.map((weight, kind) => (kind === DELETES_AT ? Math.max(weight, DELETES_MIN) : weight));
}

function drawEngine(random: Prng): EngineShape {
  const segment = random.pick([32_768, 65_536, 131_072]);
  return {
    durability: random.chance(0.75) ? { kind: 'always' } : { kind: 'interval', ms: 10 + random.int(90) },
    logSegmentBytes: segment,
    logBytesMax: segment * (4 + random.int(12)),
    bufferBytesMax: 4_194_304,
    cacheBytesMax: random.chance(0.5) ? 0 : 20_000,
    batchOperationsMax: 1 + random.int(16),
    restMs: random.pick([20, 200, 1_000]),
    coldFiles: random.chance(0.3),
    diskDelayMs: random.pick([0.3, 2, 8]),
    batchMs: random.pick([1, 4, 20]),
    workerMs: random.pick([0.5, 3, 20]),
  };
}

function drawWork(random: Prng): WorkShape {
  const clients = 2 + random.int(5);
  const perSecond = between(random, 12, 35);
  return {
    clients,
    keys: 1 + random.int(random.chance(0.5) ? 4 : 30),
    thinkMs: (1_000 * clients) / perSecond,
    inFlightMax: random.pick([1, 2, 8]),
    timeoutMs: random.pick([300, 1_000, 3_000]),
    mix: [20, 20, random.int(20), random.int(15), 20, random.int(15), random.int(10)],
    largeValues: random.chance(0.2),
    durableChance: random.chance(0.5) ? 0 : 0.3,
    reads: [0],
    writes: [0],
    strictChance: 0,
    ttlChance: 0,
  };
}

/** Small limits, as far as a run can meet them. */
export const NODE_SETTINGS: NodeSettings = {
  helloTimeoutMs: 3_000,
  frameTimeoutMs: 10_000,
  idleTimeoutMs: 30_000,
  queuedBytesMax: 262_144,
  stalledReaderMs: 10_000,
  inFlightMax: 64,
  inFlightBytesPerConnection: 524_288,
  inFlightBytesMax: 4_194_304,
  valueBytesMax: 65_536,
  recordBytesMax: 131_072,
  frameBodyBytesMax: 400_000,
  token: new Uint8Array(0),
  delayMs: 0,
};

/** For the controller of background work. */
export const BACKGROUND = {
  targets: { requestMs: 50, loopDelayMs: 20, syncMs: 20 },
  bounds: { min: 262_144, max: 4_194_304 },
  loopDelayMs: (): number => 0,
} as const;
const SELDOM_MS = 365 * 86_400_000;

export function scrubOf(
  { scrubPeriodMs }: SimOptions,
  wasUnclean: boolean,
): { readonly periodMs: number; readonly bytesPerSecondMax: number; readonly verifySoon: boolean } {
  const isOn = Number.isFinite(scrubPeriodMs);
  return { periodMs: isOn ? scrubPeriodMs : SELDOM_MS, bytesPerSecondMax: 1_048_576, verifySoon: isOn && wasUnclean };
}

/** One line for a report. */
export function optionsText(options: SimOptions): string {
  const {
    nodes,
    cluster,
    partitionCount,
    faults,
    faultEveryMs,
    changeEveryMs,
    upgrade,
    engine,
    work,
    skewMaxMs,
    scrubPeriodMs,
    meetsLast,
    movesFiles,
  } = options;
  return JSON.stringify({
    nodes,
    cluster,
    partitionCount,
    faults,
    faultEveryMs,
    changeEveryMs,
    upgrade,
    skewMaxMs,
    scrubPeriodMs,
    meetsLast,
    movesFiles,
    engine,
    work,
  });
}
