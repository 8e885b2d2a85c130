/*
 * What this node has learnt of its peers from asking them: who is healthy, who is fast, how long to wait for an answer.
 *
 * How long to wait is taken from the answers of all peers together, not from those of the peer that is asked: a slow peer
 * must not earn patience by being slow. If all of them become slow, patience grows with them, and no hedges are sent
 * into an overload.
 *
 * Which owner a get asks: the one whose recent mean time, times the number of requests that it is about to have, is
 * least. The second factor tells of a peer that has stopped before its first answer is missed. A peer that is never
 * asked is never known to have recovered; so whoever was not asked for PROBE_INTERVAL_MS comes first, once. The get that
 * probes loses at most its patience.
 */
import { LatencyEstimate } from '../lib/latency-estimate.js';
import { HEALTH_LIMITS, type HealthLimits, PeerHealth } from './peer-health.js';
import type { PeerView } from './preference.js';

export type Operation = 'get' | 'put';

const PROBE_INTERVAL_MS = 1_000;
/** Share of the newest answer in the recent mean; more after a pause, since what was known is old. */
const MEAN_GAIN = 1 / 8;
const MEAN_GAIN_AFTER_PAUSE = 1 / 2;
/** Keeps the order of preference from being decided by microseconds. */
const MEAN_FLOOR_MS = 0.1;

/** A get waits for the p95 of all gets, a put for three times the p99 of all puts: a hint in vain costs more than a read. */
const GET_QUANTILE = 0.95;
const PUT_QUANTILE = 0.99;
const PUT_FACTOR = 3;
const GET_PATIENCE_MS: Bounds = { min: 2, initial: 20, max: 100 };
const PUT_PATIENCE_MS: Bounds = { min: 20, initial: 100, max: 250 };

interface Bounds {
  readonly min: number;
  readonly initial: number;
  readonly max: number;
}

class Peer {
  readonly health: PeerHealth;
  meanMs = 0;
  inFlight = 0;
  /** For its last get. */
  askedMs: number;
  /** Of its last get. */
  answeredMs: number;

  constructor(limits: HealthLimits, nowMs: number) {
    this.health = new PeerHealth(limits, nowMs);
    this.askedMs = nowMs;
    this.answeredMs = nowMs;
  }
}

export class PeerTable implements PeerView {
  readonly #self: number;
  readonly #limits: HealthLimits;
  readonly #peers: Map<number, Peer> = new Map();
  readonly #gets: LatencyEstimate = new LatencyEstimate(GET_QUANTILE, GET_PATIENCE_MS.initial);
  readonly #puts: LatencyEstimate = new LatencyEstimate(PUT_QUANTILE, PUT_PATIENCE_MS.initial / PUT_FACTOR);

  constructor(self: number, limits: HealthLimits = HEALTH_LIMITS) {
    this.#self = self;
    this.#limits = limits;
  }

  /** A member that is to be asked from now on. One that is not in the table is suspect. */
  add(node: number, nowMs: number): void {
    if (!this.#peers.has(node)) this.#peers.set(node, new Peer(this.#limits, nowMs));
  }

  remove(node: number): void {
    this.#peers.delete(node);
  }

  isHealthy(node: number, nowMs: number): boolean {
    if (node === this.#self) return true;
    const peer = this.#peers.get(node);
    return peer !== undefined && !peer.health.isSuspect(nowMs);
  }

  putPatienceMs(): number {
    return within(PUT_PATIENCE_MS, PUT_FACTOR * this.#puts.valueMs);
  }

  getPatienceMs(): number {
    return within(GET_PATIENCE_MS, this.#gets.valueMs);
  }

  readCost(node: number, nowMs: number): number {
    const peer = this.#peers.get(node);
    if (peer === undefined) return Infinity;
    if (nowMs - peer.askedMs >= PROBE_INTERVAL_MS) return -1;
    return (peer.meanMs + MEAN_FLOOR_MS) * (peer.inFlight + 1);
  }

  /** A request leaves for the peer; exactly one of `answered` and `failed` follows. */
  asked(node: number, operation: Operation, nowMs: number): void {
    const peer = this.#peers.get(node);
    if (peer === undefined) return;
    peer.inFlight += 1;
    if (operation === 'get') peer.askedMs = nowMs; // puts go to all owners, and tell nothing of reads
  }

  missed(node: number, nowMs: number): void {
    this.#peers.get(node)?.health.failed(nowMs);
  }

  /** It answered, with whatever: also a refusal is an answer. */
  answered(node: number, operation: Operation, elapsedMs: number, nowMs: number): void {
    const patienceMs = operation === 'get' ? GET_PATIENCE_MS.max : this.putPatienceMs();
    (operation === 'get' ? this.#gets : this.#puts).record(elapsedMs, nowMs);
    const peer = this.#peers.get(node);
    if (peer === undefined) return;
    peer.inFlight = Math.max(0, peer.inFlight - 1);
    if (operation === 'get') {
      const isOld = nowMs - peer.answeredMs >= PROBE_INTERVAL_MS;
      peer.meanMs += (elapsedMs - peer.meanMs) * (isOld ? MEAN_GAIN_AFTER_PAUSE : MEAN_GAIN);
      peer.answeredMs = nowMs;
    }
    if (elapsedMs > patienceMs) {
      peer.health.late(nowMs);
      if (operation === 'get') peer.health.failed(nowMs); // a put has reported that it missed it
    } else peer.health.succeeded(nowMs);
  }

  /** It did not answer within the time, or the connection is gone. */
  failed(node: number, nowMs: number): void {
    const peer = this.#peers.get(node);
    if (peer === undefined) return;
    peer.inFlight = Math.max(0, peer.inFlight - 1);
    peer.health.failed(nowMs);
  }

  heartbeat(node: number, nowMs: number): void {
    this.#peers.get(node)?.health.heartbeat(nowMs);
  }
}

function within({ min, max }: Bounds, ms: number): number {
  return Math.min(max, Math.max(min, ms));
}
