/*
 * Writes that wait for the log, in LSN order. The log says how far it is with one number, so an acknowledgement is a
 * step of a pointer: no closure, no map, no object a write.
 */
import type { CommitLog } from './log-types.js';
import type { Ack } from './hint-storage.js';

/** Both kinds of acknowledgement: when the kernel has it, and when the disk has it. */
export class Acks {
  readonly #log: CommitLog;
  /** Every write is acknowledged when it is durable, asked for or not. */
  readonly #always: boolean;
  readonly #written: AckQueue = new AckQueue();
  readonly #durable: AckQueue = new AckQueue();
  #writtenLsn = 0;

  constructor(log: CommitLog, always: boolean) {
    this.#log = log;
    this.#always = always;
  }

  get waiting(): number {
    return this.#written.size + this.#durable.size;
  }

  /** What it asks about was appended at `lsn`. */
  push(ack: Ack, lsn: number): void {
    if (ack.durable) this.pushDurable(ack, lsn);
    else (this.#always ? this.#durable : this.#written).push(ack, lsn);
  }

  /** The same, to be told after the sync whatever it asks for. */
  pushDurable(ack: Ack, lsn: number): void {
    if (!this.#always) this.#log.demandSync();
    this.#durable.push(ack, lsn);
  }

  /** Nothing new was appended, but what the answer speaks of may still be on its way to the disk. */
  pushBehindEarlier(ack: Ack): void {
    const { lastLsn, durableLsn } = this.#log;
    if (lastLsn <= durableLsn) ack.onWritten(true);
    else if (!ack.durable && !this.#always && lastLsn <= this.#writtenLsn) ack.onWritten(false);
    else this.push(ack, lastLsn);
  }

  onWritten(lsn: number): void {
    this.#writtenLsn = lsn;
    this.#written.settle(lsn, lsn <= this.#log.durableLsn);
  }

  onDurable(lsn: number): void {
    this.#durable.settle(lsn, true);
  }
}

class AckQueue {
  #acks: (Ack | undefined)[] = new Array<Ack | undefined>(1_024).fill(undefined);
  #lsns: Float64Array = new Float64Array(1_024);
  #head = 0;
  #count = 0;

  get size(): number {
    return this.#count;
  }

  push(ack: Ack, lsn: number): void {
    if (this.#count === this.#acks.length) this.#grow();
    const at = (this.#head + this.#count) & (this.#acks.length - 1);
    this.#acks[at] = ack;
    this.#lsns[at] = lsn;
    this.#count += 1;
  }

  /** Acknowledges everything up to `lsn`; what it calls may push. */
  settle(lsn: number, durable: boolean): void {
    while (this.#count > 0 && (this.#lsns[this.#head] as number) <= lsn) {
      const ack = this.#acks[this.#head] as Ack;
      this.#acks[this.#head] = undefined;
      this.#head = (this.#head + 1) & (this.#acks.length - 1);
      this.#count -= 1;
      ack.onWritten(durable);
    }
  }

  #grow(): void {
    const size = this.#acks.length;
    const acks = new Array<Ack | undefined>(size * 2).fill(undefined);
    const lsns = new Float64Array(size * 2);
    for (let i = 0; i < size; i++) {
      const at = (this.#head + i) & (size - 1);
      acks[i] = this.#acks[at];
      lsns[i] = this.#lsns[at] as number;
    }
    this.#acks = acks;
    this.#lsns = lsns;
    this.#head = 0;
  }
}
