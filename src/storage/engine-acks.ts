/*
 * Writes that wait for the log, in LSN order. The log says how far it is with one number, so an acknowledgement is a
 * step of a pointer: no closure, no map, no object a write.
 */
import type { CommitLog } from './log-types.js';
import type { WriteRequest } from './storage.js';

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

  /** The request was appended at `lsn`. */
  push(request: WriteRequest, lsn: number): void {
    if (request.durable && !this.#always) this.#log.demandSync();
    (request.durable || this.#always ? this.#durable : this.#written).push(request, lsn);
  }

  /** Nothing new was appended, but what the answer speaks of may still be on its way to the disk. */
  pushBehindEarlier(request: WriteRequest): void {
    const { lastLsn, durableLsn } = this.#log;
    if (lastLsn <= durableLsn) request.onWritten(true);
    else if (!request.durable && !this.#always && lastLsn <= this.#writtenLsn) request.onWritten(false);
    else this.push(request, lastLsn);
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
  #requests: (WriteRequest | undefined)[] = new Array<WriteRequest | undefined>(1_024).fill(undefined);
  #lsns: Float64Array = new Float64Array(1_024);
  #head = 0;
  #count = 0;

  get size(): number {
    return this.#count;
  }

  push(request: WriteRequest, lsn: number): void {
    if (this.#count === this.#requests.length) this.#grow();
    const at = (this.#head + this.#count) & (this.#requests.length - 1);
    this.#requests[at] = request;
    this.#lsns[at] = lsn;
    this.#count += 1;
  }

  /** Acknowledges everything up to `lsn`; what it calls may push. */
  settle(lsn: number, durable: boolean): void {
    while (this.#count > 0 && (this.#lsns[this.#head] as number) <= lsn) {
      const request = this.#requests[this.#head] as WriteRequest;
      this.#requests[this.#head] = undefined;
      this.#head = (this.#head + 1) & (this.#requests.length - 1);
      this.#count -= 1;
      request.onWritten(durable);
    }
  }

  #grow(): void {
    const size = this.#requests.length;
    const requests = new Array<WriteRequest | undefined>(size * 2).fill(undefined);
    const lsns = new Float64Array(size * 2);
    for (let i = 0; i < size; i++) {
      const at = (this.#head + i) & (size - 1);
      requests[i] = this.#requests[at];
      lsns[i] = this.#lsns[at] as number;
    }
    this.#requests = requests;
    this.#lsns = lsns;
    this.#head = 0;
  }
}
