import type { Counter, Gauge, Meter } from '../../env/meter.js';

/** Of what nodes do for each other; bound at the start. */
export class ClusterMeters {
  readonly forwarded: Counter;
  readonly stored: Counter;
  readonly read: Counter;
  readonly refused: Counter;
  readonly damagedOnTheWay: Counter;
  readonly #repairs: Readonly<Record<'young' | 'settled', Counter>>;
  readonly #repairsDropped: Counter;
  /** Of read repair, kept here as well, since a meter is only written to. */
  readonly readRepairs: { young: number; settled: number; dropped: number } = { young: 0, settled: 0, dropped: 0 };
  readonly hintsDelivered: Counter;
  readonly hintsRefused: Counter;
  readonly hintsLost: Counter;
  readonly hints: Gauge;
  readonly hintBytes: Gauge;
  readonly collisions: Counter;
  readonly reaped: Counter;
  readonly compacted: Counter;
  readonly reapedArrived: Counter;
  readonly behindFence: Counter;
  readonly caughtUp: Counter;
  readonly tombstonesYoung: Gauge;
  readonly tombstonesWaiting: Gauge;

  constructor(meter: Meter) {
    const served = 'Requests of other nodes, by kind and result';
    this.stored = meter.counter('partita_peer_requests_total', served, { op: 'store', result: 'ok' });
    this.read = meter.counter('partita_peer_requests_total', served, { op: 'read', result: 'ok' });
    this.refused = meter.counter('partita_peer_requests_total', served, { op: 'any', result: 'error' });
    this.forwarded = meter.counter('partita_forwarded_total', 'Puts handed on to an owner of their key');
    this.damagedOnTheWay = meter.counter(
      'partita_peer_damaged_total',
      'Records of other nodes that failed their check',
    );
    const repairs =
      'Stale replicas that a read has brought up to date; young: of a version whose copies may be on their way';
    this.#repairs = {
      young: meter.counter('partita_read_repairs_total', repairs, { versions: 'young' }),
      settled: meter.counter('partita_read_repairs_total', repairs, { versions: 'settled' }),
    };
    this.#repairsDropped = meter.counter(
      'partita_read_repairs_dropped_total',
      'Read repairs left undone: too many at once',
    );
    this.hintsDelivered = meter.counter('partita_hints_delivered_total', 'Hints that their owner has durably');
    this.hintsRefused = meter.counter('partita_hints_refused_total', 'Hints for which there was no room');
    this.hintsLost = meter.counter(
      'partita_hints_lost_total',
      'Hints whose record was gone when it was to be delivered',
    );
    this.hints = meter.gauge('partita_hints', 'Hints kept for other nodes');
    this.hintBytes = meter.gauge('partita_hint_bytes', 'Bytes of the hints kept, with their records');
    this.reaped = meter.counter('partita_reaped_total', 'Deletes forgotten for good, on this node');
    this.compacted = meter.counter('partita_compacted_total', 'Records freed of what was over in them, on this node');
    this.reapedArrived = meter.counter(
      'partita_reaped_arrived_total',
      'Records that came from elsewhere though they had been reaped, and were dropped',
    );
    this.behindFence = meter.counter(
      'partita_behind_fence_total',
      'Records refused here because they were read before the reap fence was raised',
    );
    this.caughtUp = meter.counter(
      'partita_caught_up_total',
      'Partitions that had missed reaps, as a disk put back to an earlier day does, and have been told of them',
    );
    this.tombstonesYoung = meter.gauge(
      'partita_tombstones_young',
      'Deletes and expired values, by the last look at all partitions, that are too young to be reaped',
    );
    this.tombstonesWaiting = meter.gauge(
      'partita_tombstones_waiting',
      'Deletes and expired values that some member would not let go, or did not answer about',
    );
    this.collisions = meter.counter(
      'partita_dot_collisions_total',
      'Dots that named two versions: a store forgot what it had minted',
    );
  }

  noteReadRepair(age: 'young' | 'settled'): void {
    this.readRepairs[age] += 1;
    this.#repairs[age].add(1);
  }

  noteReadRepairDropped(): void {
    this.readRepairs.dropped += 1;
    this.#repairsDropped.add(1);
  }
}
