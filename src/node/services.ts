/*
 * What the operations of one node share. The planners, views and parts are used within one synchronous stretch each
 * (decide then encode; read then reply), so one of each is enough and no request makes its own.
 */
import { LoadCounters } from '../balance/load-counters.js';
import type { ControllerStatus } from '../background/controller.js';
import type { Clock } from '../env/clock.js';
import type { Counter, Histogram, Log, Meter } from '../env/meter.js';
import { LatencyWindow } from '../lib/latency-window.js';
import { BUILD, type Build } from '../model/build.js';
import { failure, type Failure } from '../model/errors.js';
import type { RepairReply } from '../model/exchange-messages.js';
import type { Hash64 } from '../model/hash.js';
import type { NodeLoad } from '../model/load-messages.js';
import { partitionBits } from '../ring/partition.js';
import type { RingDocument } from '../ring/document.js';
import type { Storage } from '../storage/storage.js';
import type { Hlc } from '../versioning/hlc.js';
import { PutPlan } from '../versioning/put.js';
import { ContextToken } from '../versioning/token.js';
import { RecordView } from '../versioning/view.js';
import { encodeOrigin, ReplyParts } from '../wire/write-replies.js';
import type { Random } from '../env/random.js';
import type { ArchivePasser } from './cluster/archive-passer.js';
import type { RingControl } from './cluster/ring-control.js';
import type { ScrubStatus } from './scrubber.js';
import type { ReapTextOf } from './explain.js';
import type { NodeSettings } from './settings.js';
import { SizeWarnings } from './size-warnings.js';

export type OperationName =
  | 'get'
  | 'put'
  | 'delete'
  | 'multi_get'
  | 'multi_put'
  | 'explain'
  | 'ring'
  | 'ping'
  | 'hints'
  | 'balance'
  | 'keys'
  | 'background'
  | 'scrub'
  | 'repair'
  | 'cluster'
  | 'archive';

/** Counted once an operation; bound at the start so that counting makes nothing. */
export class OperationMeter {
  readonly #ok: Counter;
  readonly #failed: Counter;
  readonly #seconds: Histogram;
  readonly #window: LatencyWindow | null;

  /** `window`: where operations of this kind are foreground, and background work stands back for them. */
  constructor(meter: Meter, op: OperationName, window: LatencyWindow | null) {
    this.#window = window;
    this.#ok = meter.counter('partita_requests_total', 'Requests by kind and result', { op, result: 'ok' });
    this.#failed = meter.counter('partita_requests_total', 'Requests by kind and result', { op, result: 'error' });
    this.#seconds = meter.histogram(
      'partita_request_duration_seconds',
      'From the frame to its answer',
      DURATION_BUCKETS,
      { op },
    );
  }

  ok(durationMs: number, nowMs: number): void {
    this.#ok.add(1);
    this.#seconds.observe(durationMs / 1_000);
    this.#window?.record(durationMs, nowMs);
  }

  failed(): void {
    this.#failed.add(1);
  }
}

const DURATION_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1, 5] as const;

export interface ServicesOptions {
  readonly settings: NodeSettings;
  readonly storage: Storage;
  readonly hash: Hash64;
  readonly clock: Clock;
  readonly random: Random;
  readonly hlc: Hlc;
  readonly ring: RingDocument;
  readonly nodeId: string;
  readonly ordinal: number;
  readonly meter: Meter;
  readonly log: Log;
  /** What this node says that it is, to whoever asks. */
  readonly build?: Build;
}

/** Hints that wait for one owner. */
export interface HintsWaiting {
  /** Ordinal. */
  readonly owner: number;
  readonly count: number;
  /** Of the records. */
  readonly bytes: number;
  /** Wall clock when the oldest came. */
  readonly oldestMs: number;
}

/** What administration sees of background work, and may ask of it. */
export interface BackgroundView {
  status(): ControllerStatus | null;
  scrubStatus(): ScrubStatus | null;
  scrub(partition: number | null): void;
}

const NO_BACKGROUND: BackgroundView = { status: () => null, scrubStatus: () => null, scrub: () => undefined };

export class Services {
  readonly settings: NodeSettings;
  readonly storage: Storage;
  readonly hash: Hash64;
  readonly clock: Clock;
  readonly hlc: Hlc;
  ring: RingDocument;
  readonly nodeId: string;
  readonly ordinal: number;
  readonly build: Build;
  readonly partitionBits: number;
  readonly plan: PutPlan;
  readonly view: RecordView = new RecordView();
  readonly token: ContextToken = new ContextToken();
  readonly parts: ReplyParts = new ReplyParts();
  /** Origins of replies, encoded once: of a read, and of a write that is or is not on the disk. */
  readOrigin: Uint8Array;
  durableOrigin: Uint8Array;
  bufferedOrigin: Uint8Array;
  readonly meters: Readonly<Record<OperationName, OperationMeter>>;
  /** What gets and puts of clients took, for the controller of background work. */
  readonly latencies: { readonly gets: LatencyWindow; readonly puts: LatencyWindow };
  /** What gets and puts have asked of this node, by partition and by key. */
  readonly loads: LoadCounters;
  readonly sizeWarnings: SizeWarnings;
  readonly log: Log;
  /** What this node keeps for others, and may; one that nobody can join keeps nothing. */
  hintStatus: () => readonly HintsWaiting[] = () => [];
  hintBytesMax: number = 0;
  /** Of a member of a ring of several nodes: asks all others for their loads; `done` once, never inside the call. */
  gatherLoads: ((windows: number, timeoutMs: number, done: (nodes: readonly NodeLoad[]) => void) => void) | null = null;
  /** Background work, for whoever asks about it; set once, before the first connection. */
  background: BackgroundView = NO_BACKGROUND;
  /** Of a node that has other owners to meet. */
  repair: { status(): RepairReply; startAll(whom: 'all' | 'called'): void } | null = null;
  /** Nobody can join this node: it shares no secret. */
  isLone: boolean = true;
  ringAdmin: RingControl | null = null;
  /** Of a member that keeps its partitions in files. */
  archives: ArchivePasser | null = null;
  reapTextOf: ReapTextOf = () => '';

  constructor(options: ServicesOptions) {
    const { settings, storage, hash, clock, random, hlc, ring, nodeId, ordinal, meter, log } = options;
    this.sizeWarnings = new SizeWarnings(meter, log);
    this.settings = settings;
    this.log = log;
    this.storage = storage;
    this.hash = hash;
    this.clock = clock;
    this.hlc = hlc;
    this.ring = ring;
    this.nodeId = nodeId;
    this.ordinal = ordinal;
    this.build = options.build ?? BUILD;
    this.partitionBits = partitionBits(ring.partitionCount);
    this.plan = new PutPlan(random, ordinal, settings.recordBytesMax);
    this.durableOrigin = this.#originOf(true);
    this.readOrigin = this.durableOrigin;
    this.bufferedOrigin = this.#originOf(false);
    this.loads = new LoadCounters(ring.partitionCount, clock.wallMs());
    const nowMs = clock.monotonicMs();
    const gets = new LatencyWindow(nowMs);
    const puts = new LatencyWindow(nowMs);
    this.latencies = { gets, puts };
    const meterOf = (op: OperationName, window: LatencyWindow | null = null): OperationMeter =>
      new OperationMeter(meter, op, window);
    this.meters = {
      get: meterOf('get', gets),
      put: meterOf('put', puts),
      delete: meterOf('delete', puts),
      multi_get: meterOf('multi_get', gets),
      multi_put: meterOf('multi_put', puts),
      explain: meterOf('explain'),
      ring: meterOf('ring'),
      ping: meterOf('ping'),
      hints: meterOf('hints'),
      balance: meterOf('balance'),
      keys: meterOf('keys'),
      background: meterOf('background'),
      scrub: meterOf('scrub'),
      repair: meterOf('repair'),
      cluster: meterOf('cluster'),
      archive: meterOf('archive'),
    };
  }

  setRing(ring: RingDocument): void {
    this.ring = ring;
    this.durableOrigin = this.#originOf(true);
    this.readOrigin = this.durableOrigin;
    this.bufferedOrigin = this.#originOf(false);
  }

  #originOf(durable: boolean): Uint8Array {
    const { nodeId, ordinal, ring } = this;
    const { version: ringVersion } = ring;
    return encodeOrigin({
      nodeId,
      ringVersion,
      acked: 1,
      durable,
      sloppy: false,
      owners: [ordinal],
      fallbacks: [],
      fastest: ordinal,
    });
  }

  /** The time by which versions expire: never behind a stamp that this node has given or seen. */
  viewMs(): number {
    return Math.max(this.clock.wallMs(), this.hlc.wallMs);
  }
}

export function unknownState(reason: string): Failure {
  return failure('UNKNOWN_STATE', `What is stored under this key is not known here: ${reason}`);
}

export function budgetSpent(budgetMs: number): Failure {
  return failure(
    'TIMEOUT',
    `The time budget of ${budgetMs} ms had passed before the request was begun; nothing was done`,
  );
}
