import type { Counter, Gauge, Meter } from '../../env/meter.js';

/** Between owners that both count, or to restore what a replica has lost. */
export type MoveTask = 'exchange' | 'restore';

/** Of anti-entropy. The numbers are kept here as well, since a meter is only written to. */
export class ExchangeMeters {
  met: number = 0;
  failed: number = 0;
  received: number = 0;
  sent: number = 0;
  bytesIn: number = 0;
  bytesOut: number = 0;
  young: number = 0;
  healed: number = 0;
  damagedHealed: number = 0;
  damagedGivenUp: number = 0;
  readonly #met: Counter;
  readonly #failed: Counter;
  readonly #received: Readonly<Record<MoveTask, Counter>>;
  readonly #sent: Readonly<Record<MoveTask, Counter>>;
  readonly #bytesIn: Counter;
  readonly #bytesOut: Counter;
  readonly #young: Counter;
  readonly #healed: Counter;
  readonly #together: Counter;
  readonly #damagedHealed: Counter;
  readonly #damagedGivenUp: Counter;
  readonly damagedWaiting: Gauge;
  readonly suspect: Gauge;

  constructor(meter: Meter) {
    const meetings = 'Meetings with other owners of a partition, by result';
    this.#met = meter.counter('partita_exchanges_total', meetings, { result: 'ok' });
    this.#failed = meter.counter('partita_exchanges_total', meetings, { result: 'error' });
    const records = 'Records moved because owners differed, by direction and whether a replica is being restored';
    const moved = (direction: string, task: MoveTask): Counter =>
      meter.counter('partita_exchange_records_total', records, { direction, task });
    this.#received = { exchange: moved('in', 'exchange'), restore: moved('in', 'restore') };
    this.#sent = { exchange: moved('out', 'exchange'), restore: moved('out', 'restore') };
    const bytes = 'Bytes of questions and answers of meetings that this node began, by direction';
    this.#bytesIn = meter.counter('partita_exchange_bytes_total', bytes, { direction: 'in' });
    this.#bytesOut = meter.counter('partita_exchange_bytes_total', bytes, { direction: 'out' });
    this.#young = meter.counter('partita_exchange_young_total', 'Differences left alone: a copy may be on its way');
    const believed = 'Partitions that are believed again, by whom they were healed';
    this.#healed = meter.counter('partita_partitions_healed_total', believed, { by: 'owners' });
    this.#together = meter.counter('partita_partitions_healed_total', believed, { by: 'nobody' });
    this.#damagedHealed = meter.counter('partita_damaged_records_healed_total', 'Damaged records that others had');
    this.#damagedGivenUp = meter.counter('partita_damaged_records_given_up_total', 'Damaged records that no owner had');
    this.damagedWaiting = meter.gauge('partita_damaged_records_waiting', 'Damaged records that wait for a good copy');
    this.suspect = meter.gauge('partita_suspect_partitions', 'Partitions that may lack what was acknowledged');
  }

  noteMeeting(isDone: boolean): void {
    if (isDone) this.met += 1;
    else this.failed += 1;
    (isDone ? this.#met : this.#failed).add(1);
  }

  noteYoung(count: number): void {
    if (count === 0) return;
    this.young += count;
    this.#young.add(count);
  }

  noteReceived(task: MoveTask): void {
    this.received += 1;
    this.#received[task].add(1);
  }

  noteSent(task: MoveTask, bytes: number): void {
    this.sent += 1;
    this.#sent[task].add(1);
    this.noteOut(bytes);
  }

  noteIn(bytes: number): void {
    this.bytesIn += bytes;
    this.#bytesIn.add(bytes);
  }

  noteOut(bytes: number): void {
    this.bytesOut += bytes;
    this.#bytesOut.add(bytes);
  }

  /** `together`: by owners none of which was believed. */
  noteHealed(together: boolean): void {
    this.healed += 1;
    (together ? this.#together : this.#healed).add(1);
  }

  noteDamagedHealed(): void {
    this.damagedHealed += 1;
    this.#damagedHealed.add(1);
  }

  noteDamagedGivenUp(): void {
    this.damagedGivenUp += 1;
    this.#damagedGivenUp.add(1);
  }
}
