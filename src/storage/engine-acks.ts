/*
 * Writes that wait for the log, in LSN order. The log says how far it is with one number, so an acknowledgement is a
 * step of a pointer: no closure, no map, no object a write.
 */
import type { WriteRequest } from './storage.js';

export class AckQueue {
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
